"""What is mutated, and the fastest tests that are meant to find it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MutationTarget:
    """Modules, and the tests that are run against their mutants."""

    paths: tuple[str, ...]
    tests: tuple[str, ...]


def _in_model(*names: str) -> tuple[str, ...]:
    return tuple(f"tests/model/test_{name}.py" for name in names)


def _in_server(*names: str) -> tuple[str, ...]:
    return tuple(f"tests/server/database/test_{name}.py" for name in names)


TARGETS: Mapping[str, MutationTarget] = {
    "active": MutationTarget(("tuiha/model/databases/active.py",), _in_model("standing")),
    "split": MutationTarget(("tuiha/model/databases/split.py",), _in_model("claims", "split")),
    "durability": MutationTarget(("tuiha/model/databases/durability.py",), _in_model("durability")),
    "obstacles": MutationTarget(("tuiha/model/databases/obstacles.py",), _in_model("doctor")),
    "managed": MutationTarget(("tuiha/model/databases/managed.py",), _in_model("operations")),
    "guard": MutationTarget(("tuiha/model/guard/decide.py",), _in_model("guard")),
    "way_back": MutationTarget(
        ("tuiha/model/databases/way_back.py",), (*_in_model("rehearsal"), "tests/operate/database/test_checks.py")),
    "intent": MutationTarget(
        ("tuiha/model/operations/intent.py", "tuiha/model/operations/ways.py"),
        _in_model("running", "ways", "conclude")),
    # On virtual time and without PostgreSQL: what these tests find is found in milliseconds.
    "fence": MutationTarget(("tuiha/server/database/fence.py",), _in_server("attachment_alone")),
    "gate": MutationTarget(("tuiha/server/database/gate.py",), _in_server("gate_alone", "shared")),
    "attachment": MutationTarget(
        ("tuiha/server/database/attachment.py",), _in_server("attachment_alone", "gate_alone", "lease_alone")),
    "lease": MutationTarget(("tuiha/server/database/lease.py",), _in_server("lease_alone")),
    "takeover": MutationTarget(
        ("tuiha/server/pool/takeover.py",),
        tuple(f"tests/server/pool/test_{name}.py" for name in ("bindings", "homecoming", "refusals"))),
}
