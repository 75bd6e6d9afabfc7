"""Runs of the simulation, with the code as it is or with a fault in it, compared with the specification by TLC."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from unittest import mock

from tests.proof import simulation
from tests.proof.simulation import simulate
from tests.proof.spec.checking import Configuration, run
from tests.proof.spec.recording import PLACES, Event, recorded
from tuiha.pooldb.leases import boottime
from tuiha.server.database.attacher import Attacher
from tuiha.server.database.gate import Gate
from tuiha.server.database.lease import LeaseKeeper

# A lease of 2 s is 100 ticks. A clock that is 2 % slow sees its end 2.04 ticks later, and two times were cut to whole
# ticks. The simulation's coordinator waits for at least 2.22 s by a clock that is 2 % fast: 108 ticks.
_CONSTANTS = Configuration(
    servers=2, writes=0, reads=0, term=100, drift=4, slack=4, renew=200)


def record(seed: int, mutant: str | None = None) -> list[Event]:
    """The events of one run."""
    with ExitStack() as stack:
        lease_wait = mutant == "no wait for the leases' end"
        if mutant is not None and not lease_wait:
            for owner, name, change in MUTANTS[mutant]:
                stack.enter_context(mock.patch.object(owner, name, change))
        recorder = stack.enter_context(recorded())
        simulate(seed, "lease-wait" if lease_wait else None)
        return recorder.events


@dataclass(frozen=True, slots=True)
class Judged:
    """How many runs are behaviours of the specification, and at which events the others are not."""

    accepted: int
    rejected: Mapping[str, int]  # event -> runs


def judged(traces: Sequence[Sequence[Event]]) -> Judged:
    """Compare runs with the specification. Raises RuntimeError when TLC leaves one out."""
    texts = ",\n".join("<<" + ",\n".join(event.text for event in trace) + ">>" for trace in traces)
    module = f"---- MODULE Recorded ----\nCONSTANTS s1, s2\nRecording == <<\n{texts}\n>>\n====\n"
    output = run("Traces", _configuration(), {"Recorded": module}, workers=1)
    accepted = set(re.findall(r'<<"accepted", (\d+)>>', output))
    rejected = dict(re.findall(r'<<"rejected", (\d+), \d+, "(\w+)">>', output))
    if len(accepted) + len(rejected) != len(traces) or "No error has been found" not in output:
        raise RuntimeError(output[-3000:])
    return Judged(len(accepted), Counter(rejected.values()))


def _configuration() -> str:
    lines = _CONSTANTS.text.splitlines()
    kept = [line for line in lines if not line.startswith(("SPECIFICATION", "SYMMETRY", "INVARIANT", "PROPERTY"))]
    kept = [re.sub(r"Reads = .*", f"Reads = {_numbers(1)}", line) for line in kept]
    kept = [re.sub(r"Writes = .*", f"Writes = {_numbers(1 + PLACES)}", line) for line in kept]
    return "\n".join(["SPECIFICATION TraceSpec", *kept, "INVARIANT Told", "INVARIANT NothingLate"]) + "\n"


def _numbers(first: int) -> str:
    return "{" + ", ".join(str(number) for number in range(first, first + PLACES)) + "}"


# Faults in the pool server's code and in the coordinator. Each is one that a change could bring in by mistake.


async def _counted_from_the_answer(self: LeaseKeeper, attachment: Any, session: Any) -> None:
    await _TAKE(self, attachment, session)
    attachment.wires.deadline = boottime() + self._seconds


async def _no_proof(self: Gate, attachment: Any) -> None:
    """Nothing is asked."""


def _stays(self: Attacher, epoch: int, active: str) -> None:
    """It is told, and its attachment is not ended."""
    with mock.patch.object(Attacher, "_change"):
        _ATTACH(self, epoch, active)


async def _unrecorded(world: Any) -> None:
    """The degrade begins without the ledger."""
    await world.travel()
    world.alone = True
    world.change()


_TAKE, _ATTACH = LeaseKeeper.take, Attacher.attach
_Changes = tuple[tuple[Any, str, Callable[..., Any]], ...]
MUTANTS: Mapping[str, _Changes] = {
    "no wait for the leases' end": (),
    "no second look": ((Gate, "still", lambda self, attachment: None),),
    "no proof of life": ((Gate, "_lives", _no_proof),),
    "the lease counted from the answer": ((LeaseKeeper, "take", _counted_from_the_answer),),
    "a server that does not let go when it is told": ((Attacher, "attach", _stays),),
    "a degrade without the ledger": ((simulation, "_degrade", _unrecorded),),
}
