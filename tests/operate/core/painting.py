"""A kind of operation for these tests: it paints a wall, in steps that can be made to go wrong.

The wall is a file beside the ledger; faults are taken from another, each used up when it strikes:
{"step": 2, "when": "before" | "after" | "undo", "what": "die" | "fail" | "unknown" | "hang" | "wait" | "break"}.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuiha.model.operations import catalogue
from tuiha.model.operations.catalogue import Group, Operation, Option, takes
from tuiha.model.operations.plans import CheckVerdict, nothing
from tuiha.model.operations.statements import Statement, plain
from tuiha.operate.plans.kinds import OperationRefused, Progress, StepFailed, StepUnknown
from tuiha.operate.plans.plan import Check, Plan, PlannedStep, plan_id
from tuiha.operate.reach.world import World
from tuiha.operate.run.reclaim import Reclaim
from tuiha.words.operations import text

ACTIONS = ("cover the floor", "prepare", "paint", "clean up")


def wall(base: Path) -> dict[str, Any]:
    """What is on the wall."""
    found: dict[str, Any] = json.loads((base / "wall.json").read_text())
    return found


def change_wall(base: Path, **changes: Any) -> None:
    draft = base / "wall.draft"
    draft.write_text(json.dumps(wall(base) | changes))
    draft.rename(base / "wall.json")


async def strike(base: Path, step: int, when: str, progress: Progress) -> None:
    """Let the fault of this moment happen, if there is one."""
    file = base / f"fault-{step}-{when}"
    if not file.exists():
        return
    what = file.read_text()
    if what != "wait":
        file.unlink()
    await FAULTS[what](file, progress)


async def _die(file: Path, progress: Progress) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def _fail(file: Path, progress: Progress) -> None:
    raise StepFailed("the paint is dry")


async def _unknown(file: Path, progress: Progress) -> None:
    raise StepUnknown("the light went out")


async def _hang(file: Path, progress: Progress) -> None:
    await asyncio.sleep(60)


async def _break(file: Path, progress: Progress) -> None:
    raise KeyError("ladder")


async def _wait(file: Path, progress: Progress) -> None:
    """Until the test takes the file away, or the operator cancels."""
    while file.exists() and not progress.cancelled:
        progress.tell(plain("waiting for the paint"), 1, 2)
        await asyncio.sleep(0.02)


FAULTS = {"die": _die, "fail": _fail, "unknown": _unknown, "hang": _hang, "break": _break, "wait": _wait}


@dataclass(frozen=True)
class PaintStep:
    """Writes its number on the wall."""

    planned: PlannedStep
    colour: str

    async def run(self, world: World, progress: Progress) -> Statement:
        number = self.planned.number
        await strike(world.base, number, "before", progress)
        done = sorted({*wall(world.base)["done"], number})
        change_wall(world.base, done=done, **({"colour": self.colour} if number == 3 else {}))
        await strike(world.base, number, "after", progress)
        return plain(f"steps on the wall: {wall(world.base)['done']}")

    async def undo(self, world: World, progress: Progress) -> Statement:
        number = self.planned.number
        await strike(world.base, number, "undo", progress)
        change_wall(world.base, done=[n for n in wall(world.base)["done"] if n != number])
        return plain(f"steps on the wall: {wall(world.base)['done']}")


class Paint:
    """Paints the wall; from step 3 on there is no way back."""

    name = "paint"
    no_return: int | None = 3
    limit = 30.0

    async def plan(self, world: World, target: Sequence[str], options: Mapping[str, str]) -> Plan:
        if len(target) != 1 or target[0] not in ("red", "blue"):
            raise OperationRefused(f"there is no colour {' '.join(target)}; there are red and blue")
        found = wall(world.base)
        facts = {"wall": {"owner": found["owner"], "size": found["size"]}, "brush": options.get("brush", "small")}
        checks = (
            Check("dry", "wall", plain(found["dry"]), plain("yes"), CheckVerdict(found["dry_verdict"]),
                  plain("wait for the sun")),
            Check("owner", "wall", plain(found["owner"]), plain("anybody"), CheckVerdict.OK),
        )
        steps = tuple(
            PlannedStep(n, "wall", plain(action), float(found.get("limit", self.limit)),
                        undo=self.no_return is None or n < self.no_return, point_of_no_return=n == self.no_return)
            for n, action in enumerate(ACTIONS, start=1)
        )
        now = time.time()
        loss = nothing(plain("nothing: it is only paint"))
        return Plan(plan_id(self.name, tuple(target), facts), world.pool.pool, self.name, tuple(target), "wall", checks,
                    steps, loss, now, now + found.get("lasts", 600.0), facts, {"coats": 1})

    def steps(self, plan: Plan) -> Sequence[PaintStep]:
        return [PaintStep(planned, plan.target[0]) for planned in plan.steps]

    def outcome(self, plan: Plan, evidence: Mapping[int, Statement]) -> Mapping[str, object]:
        return {"outage_ms": 0 if len(evidence) == len(plan.steps) else None, "coats": plan.details["coats"],
                "second": text(evidence.get(2)) or None}


class Sketch(Paint):
    """All of it can be taken back, and half of it may stay."""

    name = "sketch"
    no_return = None


KINDS: dict[str, type[Paint | Reclaim]] = {"paint": Paint, "sketch": Sketch, "reclaim": Reclaim}
OPERATIONS = {
    **{name: Operation(name, Group.POOL, "paint the wall", name, takes("COLOUR"), (Option("brush", "which one"),))
       for name in ("paint", "sketch")},
    "reclaim": catalogue.OPERATIONS["reclaim"],
}
