"""The protocol, checked in every state it can reach: what must hold, which rules are needed, how much is searched.

`python -m tests.proof.model` runs what the tests run, with figures and counterexamples; `--all` the larger workloads.
"""

from __future__ import annotations

import argparse
import gc
import random
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from tests.proof.rules import POOL_RULES, SERVER_RULES, Protocol
from tests.proof.state import DRIFT, TERM, Degrade, Failover, State, Workload, first

# What must hold in every state


def nothing_late_is_released(state: State) -> bool:
    """No released answer carries an effect on, or a read of, db1 from after the promotion of db2."""
    return not state.late


def no_acknowledged_write_is_lost(state: State) -> bool:
    """Whatever a device was told is safe is on db2 once that is promoted."""
    return state.failover < Failover.PROMOTED or not state.acknowledged & ~state.secondary


def no_stale_read_is_released(state: State) -> bool:
    """A released read shows everything that was acknowledged before it began."""
    return not state.stale


def nothing_shown_is_lost(state: State) -> bool:
    """Whatever a device was shown is on db2 once that is promoted."""
    return state.failover < Failover.PROMOTED or not state.seen & ~state.secondary


def one_change_at_most(state: State) -> bool:
    """A failover and a degrade never both begin."""
    return state.failover is Failover.NOT_BEGUN or state.degrade is Degrade.NOT_BEGUN


Property = Callable[[State], bool]
PROPERTIES: tuple[Property, ...] = (
    nothing_late_is_released,
    no_acknowledged_write_is_lost,
    no_stale_read_is_released,
    nothing_shown_is_lost,
    one_change_at_most,
)


# The search


@dataclass(frozen=True, slots=True)
class Result:
    """What a search found. Without `broken` and with `whole`, every reachable state has all the properties."""

    states: int
    whole: bool  # False: stopped at the bound
    broken: str | None  # name of the property
    trace: tuple[str, ...]  # a way to the state that breaks it; `search` finds the shortest


def steps(protocol: Protocol, state: State) -> Iterator[tuple[str, int, State]]:
    """Every step possible now: what it is, which server takes it (-1: none of them), and where it leads."""
    for rule in POOL_RULES:
        after = rule(protocol, state)
        if after is not None:
            yield rule.__doc__ or "", -1, after
    for index, server in enumerate(state.servers):
        for server_rule in SERVER_RULES:
            after = server_rule(protocol, state, index, server)
            if after is not None:
                yield server_rule.__doc__ or "", index, after


def search(protocol: Protocol, properties: tuple[Property, ...] = PROPERTIES, most: int = 10_000_000) -> Result:
    """Look at every state that can be reached, nearest first, until one breaks a property or `most` were seen."""
    start = first(protocol.workload)
    before: dict[State, State | None] = {start: None}
    waiting = deque([start])
    collecting = gc.isenabled()
    gc.disable()  # millions of tuples without a cycle among them: looking for cycles costs more than the search
    try:
        while waiting:
            state = waiting.popleft()
            for _, _, after in steps(protocol, state):
                if after in before:
                    continue
                before[after] = state
                broken = next((one.__name__ for one in properties if not one(after)), None)
                if broken is not None:
                    return Result(len(before), False, broken, trace(protocol, before, after))
                waiting.append(after)
            if len(before) > most:
                return Result(len(before), False, None, ())
        return Result(len(before), True, None, ())
    finally:
        if collecting:
            gc.enable()


DIVE = 10_000  # states of one dive
DIVES = 200


def dive(protocol: Protocol, wanted: Property) -> Result:
    """Look for a state that breaks a property, the furthest first, by chance and again and again: the same each time.

    A state that `search` finds after hundreds of thousands of others is here mostly found after some ten thousand. The
    way to it is not the shortest, and that none was found proves nothing.
    """
    seen = 0
    for number in range(DIVES):
        chance, start = random.Random(number), first(protocol.workload)
        before: dict[State, State | None] = {start: None}
        waiting = [start]
        while waiting and len(before) < DIVE:
            state = waiting.pop()
            found = [after for _, _, after in steps(protocol, state) if after not in before]
            chance.shuffle(found)
            before.update(dict.fromkeys(found, state))
            broken = next((after for after in found if not wanted(after)), None)
            if broken is not None:
                return Result(seen + len(before), False, wanted.__name__, trace(protocol, before, broken))
            waiting += found
        seen += len(before)
    return Result(seen, False, None, ())


def trace(protocol: Protocol, before: Mapping[State, State | None], last: State) -> tuple[str, ...]:
    """The steps that led to a state, in words."""
    lines: list[str] = []
    while (earlier := before[last]) is not None:
        lines.append(next(_say(what, who) for what, who, after in steps(protocol, earlier) if after == last))
        last = earlier
    return tuple(reversed(lines))


def _say(what: str, who: int) -> str:
    if who < 0:
        return what
    return f"s{who + 1}{what}" if what.startswith("'") else f"s{who + 1} {what}"


# What is searched

WRITER_AND_READER = Workload(writes=(1, 0), reads=(0, 1))

UNDER_PATRONI = Protocol(WRITER_AND_READER, promotes_first=True)

WRITER = Workload(writes=(1, 0), reads=(0, 0))
GUARDED = Protocol(WRITER, guarded=True)  # a guard starts failover, degrade, protect and rejoin whenever it likes

IN_CI: Mapping[str, Protocol] = {
    "one writes, the other reads": Protocol(WRITER_AND_READER),
    "the same, under Patroni": UNDER_PATRONI,
    "one writes, with a guard": GUARDED,
}
# What is confirmed before the next renewal looks may be lost; nothing is on both databases.
WITH_HOLES = Protocol(WRITER_AND_READER, holes=True)
NEVER_SPLIT: tuple[Property, ...] = (nothing_late_is_released, one_change_at_most)
MORE: Mapping[str, Protocol] = {
    "the same, renewals at any time": Protocol(WRITER_AND_READER, renews_below=TERM + DRIFT),
    "the same, both clocks late": Protocol(WRITER_AND_READER._replace(drift=(DRIFT, DRIFT))),
    "one writes, the other reads twice": Protocol(Workload(writes=(1, 0), reads=(0, 2))),
    "both write": Protocol(Workload(writes=(1, 1), reads=(0, 0))),
    "one writes and reads, the other reads": Protocol(Workload(writes=(1, 0), reads=(1, 1))),
    "one writes twice, the other reads": Protocol(Workload(writes=(2, 0), reads=(0, 1))),
    "one writes, the other reads, with a guard": Protocol(WRITER_AND_READER, guarded=True),
}


@dataclass(frozen=True, slots=True)
class Ablation:
    """The protocol with one rule left out, and what that breaks."""

    protocol: Protocol
    breaks: Property
    also: tuple[Property, ...] = ()  # found only after a longer search


_FULL = Protocol(WRITER_AND_READER)
BRIEF = replace(GUARDED, renews_below=-1)  # one lease is enough to show it
_LATE, _LOST, _STALE, _SHOWN = PROPERTIES[:4]
ABLATIONS: Mapping[str, Ablation] = {
    "no lease wait": Ablation(replace(_FULL, waits=False), _LATE, (_STALE,)),
    "a look before the statement only": Ablation(replace(_FULL, looks_again=False), _LATE),
    "a wait shorter than the drift": Ablation(replace(_FULL, slack=DRIFT - 1), _LATE, (_STALE,)),
    "the lease counted from the answer": Ablation(replace(_FULL, from_sending=False), _LATE, (_STALE,)),
    "asynchronous replication": Ablation(replace(_FULL, synchronous=False), _LOST, (_SHOWN,)),
    "degrade without the ledger": Ablation(replace(_FULL, by_ledger=False), _LOST, (_SHOWN, one_change_at_most)),
    "no proof of life": Ablation(replace(_FULL, proves=False), _SHOWN),
    "cancelling a commit": Ablation(replace(_FULL, never_cancels=False), _SHOWN),
    "under Patroni, an epoch without a wait": Ablation(replace(UNDER_PATRONI, waits=False), _LATE, (_STALE,)),
    "under Patroni, asynchronous replication": Ablation(replace(UNDER_PATRONI, synchronous=False), _LOST, (_SHOWN,)),
    "a lease that does not ask what commits wait for": Ablation(replace(WITH_HOLES, asks=False), _LATE),
    "a renewal remembered by who gave its lease up": Ablation(replace(_FULL, forgets=False), _LATE, (_STALE,)),
    "a guard without compare-and-set": Ablation(replace(BRIEF, compares=False), _LOST, (one_change_at_most,)),
    "a failover while the ledger says STALE": Ablation(replace(BRIEF, sync_only=False), _LOST),
    "a protect that waits for no row": Ablation(replace(BRIEF, catches_up=False), _LOST),
}


def main() -> int:
    """Search, print figures and counterexamples. 1 when something is not as it must be."""
    parser = argparse.ArgumentParser(description="The pool's protocol in every state it can reach.")
    parser.add_argument("--all", action="store_true", help="larger workloads too: minutes, a gigabyte of memory")
    parser.add_argument("--most", type=int, default=100_000_000, help="states after which a search stops")
    arguments = parser.parse_args()
    fine = True
    for name, protocol in {**IN_CI, **(MORE if arguments.all else {})}.items():
        began = time.monotonic()
        result = search(protocol, most=arguments.most)
        verdict = f"BROKEN: {result.broken}" if result.broken else "safe" if result.whole else "safe as far as searched"
        _print(f"{name}: {verdict} in {result.states:,} states, {time.monotonic() - began:.1f} s", result.trace)
        fine = fine and result.broken is None
    began = time.monotonic()
    result = search(WITH_HOLES, NEVER_SPLIT, most=arguments.most)
    verdict = f"BROKEN: {result.broken}" if result.broken else "never split"
    _print(f"commits stop waiting for db2: {verdict} in {result.states:,} states, {time.monotonic() - began:.1f} s",
           result.trace)
    fine = fine and result.broken is None
    for name, ablation in ABLATIONS.items():
        for one in (ablation.breaks, *(ablation.also if arguments.all else ())):
            began = time.monotonic()
            result = search(ablation.protocol, (one,), most=arguments.most)
            verdict = f"breaks {one.__name__}" if result.broken else f"does NOT break {one.__name__}"
            _print(f"{name}: {verdict} ({result.states:,} states, {time.monotonic() - began:.1f} s)", result.trace)
            fine = fine and result.broken is not None
    return 0 if fine else 1


def _print(headline: str, lines: tuple[str, ...]) -> None:
    sys.stdout.write("\n".join((headline, *(f"    {n:2}. {line}" for n, line in enumerate(lines, 1)), "")))
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
