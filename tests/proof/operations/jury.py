"""What must hold at every moment of a run, and at its end."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass, field

from tests.proof.operations.ground import Ground
from tests.proof.operations.postgres import NAMES, Node
from tests.proof.operations.reaching import Member
from tuiha.model.reports import Standby


@dataclass
class Verdict:
    """What a run showed. `broken` must be empty."""

    broken: list[str] = field(default_factory=list)
    happened: Counter[str] = field(default_factory=Counter)
    awaits: int = 0  # of the coordinator's processes
    kills: int = 0
    marks: dict[int, int] = field(default_factory=dict)  # step -> how many awaits there were when the ledger named it
    story: list[str] = field(default_factory=list)

    @property
    def sorts(self) -> set[str]:
        """Which of the rules are broken."""
        return {text.split(":")[0] for text in self.broken}


class Jury:
    """Sees every released answer, every lease and every promotion."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._numbers = itertools.count(1)
        self.acknowledged: dict[int, str] = {}  # row -> node
        self.shown: set[int] = set()
        self.verdict = Verdict()
        self.fallen: dict[str, Exception] = {}
        self.members: list[Member] = []
        ground.on_promotion, ground.on_lease = self.promoted, self.leased

    @property
    def happened(self) -> Counter[str]:
        """Counted for the table."""
        return self.verdict.happened

    def breaks(self, rule: str, text: str) -> None:
        """A rule is broken."""
        self.verdict.broken.append(f"{rule}: {text} at {self._ground.now:.3f} s")

    def released(self, node: str, needs: frozenset[int], *, wrote: int | None, read: frozenset[int]) -> None:
        """An answer goes to a device at this moment."""
        number = next(self._numbers)
        self.happened["answers"] += 1
        if node != self._ground.newest:
            self.breaks("late", f"answer {number} of {node} after the promotion of {self._ground.newest}")
        if wrote is not None:
            self.acknowledged[wrote] = node
            return
        if missing := needs - read:
            self.breaks("stale", f"answer {number} of {node} lacks {sorted(missing)[:3]}")
        self.shown |= read

    def promoted(self, node: Node) -> None:
        """A database takes writes from now on: everything that anybody was told must be there."""
        self.happened["promotions"] += 1
        self._nothing_is_lost(node.tables.rows, f"the promotion of {node.name}")

    def leased(self, node: Node) -> None:
        """A lease was confirmed."""
        if node.name != self._ground.newest:
            self.breaks("two databases", f"a lease on {node.name} after the promotion of {self._ground.newest}")

    def _nothing_is_lost(self, there: set[int], when: str) -> None:
        if lost := self.acknowledged.keys() - there:
            self.breaks("lost", f"{len(lost)} acknowledged rows at {when}")
        if gone := self.shown - there:
            self.breaks("shown and lost", f"{len(gone)} rows at {when}")

    @property
    def whole(self) -> list[str]:
        """What is missing until the pool is whole and protected; nothing when it is."""
        ground, record = self._ground, self._ground.memory.record
        active = ground.pair[record.active]
        partner = next(node for node in ground.pair.values() if node is not active)
        missing = {
            f"phase {record.phase}": record.phase != "STEADY",
            f"intent {record.intent}": record.intent is not None,
            f"{record.active} is not the newest": record.active != ground.newest,
            f"{active.name} takes no writes": not active.writable,
            f"{partner.name} takes writes": partner.writable,
            f"epoch {active.tables.epoch}": active.tables.epoch != (record.epoch, record.active, "ACTIVE"),
            f"{record.standby}": record.standby is not Standby.SYNC,
            f"{partner.name} does not stream": partner.name not in active.senders,
            f"{active.name} waits for '{active.waits_for}'":
                not active.named(partner.name) or active.setting(NAMES) != active.waits_for,
        }
        for member in self.members:
            report = member.report()
            on = (report.database, report.epoch)
            missing[f"{member.name} is on {on}: {report.reason}"] = on != (record.active, record.epoch)
        return [text for text, true in missing.items() if true]

    def conclude(self) -> Verdict:
        """At the end of the run."""
        self._nothing_is_lost(self._ground.truth().rows, "the end")
        for name, error in self.fallen.items():
            self.breaks("fallen", f"{name}: {error!r}")
        return self.verdict
