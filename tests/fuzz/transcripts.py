"""Damaged transcripts: `python -m tests.fuzz.transcripts [NUMBER [SEED]]` plays 10,000, and parts others anywhere.

Whatever a server sends, reading ends, in order or with one of the failures that the monitor knows; memory is bounded;
and where only the answers about messages are damaged, and not the list of them, no message of the mailbox is passed
over. Exit code 1 otherwise.
"""

from __future__ import annotations

import asyncio
import sys
import time
import tracemalloc
from dataclasses import dataclass, field
from random import Random

from tests.drivers.transcripts import Transcript, corpus
from tests.server.mail.playing import Played, at, longest, play, without_pauses

MEMORY = 4 * 1024 * 1024  # bytes that reading one damaged mailbox may take at most
_FETCHES = ("fetch", "whole", "envelope", "size")
_NASTY = (b"\r\n", b"\n", b"(", b")", b'"', b"\\", b"{5}\r\n", b"{99999999}\r\n", b"NIL", b" ", b"\0", b"\xff", b"* ",
          b"[", b"]", b"+ \r\n", b"* BYE x\r\n", b"* 1 EXPUNGE\r\n", b"* 2 EXISTS\r\n", b"9" * 30, b"(" * 200,
          b"UID 2 ", b"* 1 FETCH (UID 2 FLAGS ())\r\n", b"{0}\r\n", b"~{3}\r\n", b"x" * 3000)


@dataclass
class Outcome:
    """What came of all of them."""

    played: int = 0
    passed_over: list[str] = field(default_factory=list)
    crashes: list[str] = field(default_factory=list)
    largest: int = 0  # bytes


def damaged(data: bytes, random: Random) -> bytes:
    """Some bytes, with a few pieces replaced, left out, or sent twice."""
    for _ in range(random.randrange(1, 4)):
        start = random.randrange(len(data) + 1)
        end = min(len(data), start + random.choice((0, 0, 1, 2, 10, 60)))
        piece = random.choice((random.choice(_NASTY), random.randbytes(3), data[start:end] * 2, b""))
        data = data[:start] + piece + data[end:]
    return data


def passed_over(transcript: Transcript, played: Played) -> list[int]:
    """Messages that exist and were neither recorded nor are still to be read."""
    cursor = played.book.cursor
    told = {message.uid for _, message in played.book.changes}
    there = [one.uid for one in transcript.mails if transcript.expected.get(one.uid, ("", "")) is not None]
    return [uid for uid in there if cursor is not None and uid < cursor.uidnext and uid not in told]


async def one(transcript: Transcript, random: Random, outcome: Outcome) -> None:
    """Play it damaged: anything in it, or the answers to FETCH alone."""
    only_fetches = bool(random.randrange(2))
    seed = random.randrange(2**32)
    choice = Random(seed)

    def bend(word: str, data: bytes) -> bytes:
        hit = word in _FETCHES if only_fetches else choice.random() < 0.4
        return damaged(data, choice) if hit and data else data

    what = f"{transcript.name} ({'FETCH' if only_fetches else 'anything'}, seed {seed})"
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    try:
        async with asyncio.timeout(30):
            played = await play(transcript, bend=bend, timeout=0.02, tries=8)
        if only_fetches and passed_over(transcript, played):
            outcome.passed_over.append(f"{what}: UIDs {passed_over(transcript, played)}")
    except Exception as error:  # that is what is looked for
        outcome.crashes.append(f"{what}: {type(error).__name__}: {error}")
    outcome.played += 1
    outcome.largest = max(outcome.largest, tracemalloc.get_traced_memory()[1] - before)


async def mutated(number: int, seed: int) -> Outcome:
    """Play so many damaged transcripts."""
    random, outcome = Random(seed), Outcome()
    tracemalloc.start()
    try:
        for _ in range(number):
            await one(random.choice(corpus()), random, outcome)
    finally:
        tracemalloc.stop()
    return outcome


async def parted(step: int) -> tuple[int, list[str]]:
    """Each `step`th transcript parted at each point: how often it was played, and where the outcome was another."""
    count, wrong = 0, list[str]()
    for transcript in [one for one in corpus() if "megabytes" not in one.name][::step]:
        for point in range(1, await longest(transcript)):
            count += 1
            if (await play(transcript, at(point))).book.recorded() != transcript.recorded:
                wrong.append(f"{transcript.name} parted at {point}")
    return count, wrong


def main() -> int:
    """Everything; returns the exit code."""
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    began = time.monotonic()
    with without_pauses():
        outcome = asyncio.run(mutated(number, int(sys.argv[2]) if len(sys.argv) > 2 else 1))
        print(f"{outcome.played:,} damaged transcripts of {len(corpus())}: {len(outcome.crashes)} crashes, "
              f"{len(outcome.passed_over)} passed over, at most {outcome.largest / 1024:,.0f} KiB "
              f"(bound {MEMORY // 1024:,} KiB), {time.monotonic() - began:.0f} s", flush=True)
        for line in [*outcome.crashes, *outcome.passed_over][:20]:
            print(f"FINDING {line}", flush=True)
        count, wrong = asyncio.run(parted(max(1, 40_000 // number)))
        print(f"{count:,} ways to part answers: {len(wrong)} with another outcome, {time.monotonic() - began:.0f} s")
    for line in wrong[:20]:
        print(f"FINDING {line}")
    return 1 if outcome.crashes or outcome.passed_over or wrong or outcome.largest > MEMORY else 0


if __name__ == "__main__":
    raise SystemExit(main())
