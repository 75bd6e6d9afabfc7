"""What has to be recorded of a mailbox, for the manners of many servers, however their bytes arrive."""

from __future__ import annotations

import asyncio
import tracemalloc
from random import Random

import pytest

from tests.drivers.transcripts import Transcript, corpus
from tests.fuzz.transcripts import MEMORY, mutated, passed_over
from tests.server.mail.playing import Played, at, longest, play, without_pauses
from tuiha.drivers.mail import envelopes
from tuiha.drivers.mail.client import Lowest
from tuiha.server.mail.mailbox import MailboxQuestion, MailboxReading

CORPUS = {one.name: one for one in corpus()}
SHORT = [one for one in CORPUS.values() if "megabytes" not in one.name]


@pytest.fixture(autouse=True)
def quick() -> object:
    with without_pauses():
        yield


def check(transcript: Transcript, played: Played) -> None:
    assert played.book.recorded() == transcript.recorded, (played.failures, played.commands)
    assert played.failures == []
    assert played.book.cursor is not None
    assert played.book.cursor.uidnext == max([0, *transcript.recorded]) + 1 or "expunged" in transcript.name


def test_the_corpus_is_large() -> None:
    assert len(CORPUS) >= 300


@pytest.mark.parametrize("name", CORPUS)
async def test_what_is_recorded(name: str) -> None:
    check(CORPUS[name], await play(CORPUS[name]))


@pytest.mark.parametrize("transcript", SHORT, ids=lambda one: one.name)
async def test_byte_by_byte(transcript: Transcript) -> None:
    check(transcript, await play(transcript, lambda sent: [sent[n : n + 1] for n in range(len(sent))]))


def test_every_point_where_two_pieces_may_part() -> None:
    async def every() -> None:
        for transcript in SHORT[::25]:  # `python -m tests.fuzz.transcripts` does it with all of them
            for point in range(1, await longest(transcript)):
                check(transcript, await play(transcript, at(point)))

    asyncio.run(every())


def test_many_pieces_of_any_length() -> None:
    random = Random(1)

    def cut(sent: bytes) -> list[bytes]:
        points = sorted(random.randrange(len(sent) + 1) for _ in range(random.randrange(8)))
        return [sent[a:b] for a, b in zip([0, *points], [*points, len(sent)], strict=True)]

    async def every() -> None:
        for transcript in CORPUS.values():
            for _ in range(3):
                check(transcript, await play(transcript, cut))

    asyncio.run(every())


def test_damaged_transcripts_end_in_order_and_pass_nothing_over() -> None:
    outcome = asyncio.run(mutated(250, seed=7))
    assert (outcome.crashes, outcome.passed_over) == ([], [])
    assert outcome.largest < MEMORY


async def test_control_a_cursor_that_follows_what_came_passes_messages_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """The old rule: what an answer leaves out is not asked for again."""
    def believes(self: MailboxReading, ask: MailboxQuestion, exists: object, now: float) -> None:
        self._done |= dict.fromkeys(self.missing(ask))

    monkeypatch.setattr(MailboxReading, "answered", believes)
    transcript = CORPUS["Office 365: a message is left out of the answers"]
    assert passed_over(transcript, await play(transcript)) == [2]


async def test_control_lines_that_unicode_ends_forge_a_message_id(monkeypatch: pytest.MonkeyPatch) -> None:
    def split(raw: bytes) -> dict[str, str]:
        pairs = [line.partition(":") for line in raw.decode().splitlines()]
        return {name.lower(): value.strip() for name, _, value in reversed(pairs)}

    monkeypatch.setattr(envelopes, "header_fields", split)
    played = await play(CORPUS["Header: U+2028 in a Subject forges nothing"])
    assert played.book.recorded()[1][0] == "<forged@x>"


async def flooded(word: str, line: bytes, kilobytes: int) -> tuple[Played, int]:
    """A mailbox whose server answers a command with kilobytes of a line; and the bytes that reading took."""
    transcript = CORPUS["SEARCH with MODSEQ"]
    sent = line * (kilobytes * 1024 // len(line))

    floods = [sent]  # once: otherwise all that a lying server lists is asked for, and each time it lies again

    def bend(said: str, data: bytes) -> bytes:
        return floods.pop() + data if said == word and floods else data

    def cut(data: bytes) -> list[bytes]:
        return [data[n : n + 65536] for n in range(0, len(data), 65536)]

    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        played = await play(transcript, cut, bend, tries=1)
        return played, tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


FLOODS = {
    "numbers in many lines": ("search", b"* SEARCH 7 8 9\r\n"),
    "one line of numbers": ("search", b"* SEARCH " + b" ".join(b"%d" % n for n in range(100_000, 200_000)) + b"\r\n"),
    "flags": ("fetch", b"* 7 FETCH (FLAGS (\\Seen))\r\n"),
    "messages nobody asked for": ("fetch", b"* 7 FETCH (UID 77 BODY[HEADER] {3}\r\nabc)\r\n"),
    "a line without an end": ("fetch", b"x" * 2**20),
    "blank lines": ("search", b"\r\n"),
}


@pytest.mark.parametrize("name", FLOODS)
async def test_an_endless_answer_takes_bounded_memory(name: str) -> None:
    played, taken = await flooded(*FLOODS[name], kilobytes=700)
    assert taken < 4 * 2**20, f"{taken / 2**20:.1f} MiB"  # of which the tape has three
    assert len(played.commands) > 2


def test_the_lowest_numbers_are_kept_in_bounded_memory() -> None:
    lowest = Lowest(100)
    tracemalloc.start()
    for number in range(20_000, 0, -1):
        lowest.add(number, number)
    lowest.add(2, 2**62)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert lowest.found() == list(range(1, 101))
    assert peak < 100_000


def test_control_a_set_of_all_numbers_is_not_bounded() -> None:
    everything = Lowest(10**9)
    tracemalloc.start()
    for number in range(20_000):
        everything.add(number, number)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak > 1_000_000
