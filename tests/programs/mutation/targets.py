"""What is mutated, and the fastest tests that are meant to find it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MutationTarget:
    """Modules, and the tests that are run against their mutants."""

    paths: tuple[str, ...]
    tests: tuple[str, ...]


def _in_server(*names: str) -> tuple[str, ...]:
    return tuple(f"tests/server/database/test_{name}.py" for name in names)


TARGETS: Mapping[str, MutationTarget] = {
    "pair": MutationTarget(
        tuple(f"tuiha/model/databases/{name}.py" for name in ("active", "durability", "managed", "obstacles", "split")),
        ("tests/model",)),
    "way_back": MutationTarget(
        ("tuiha/model/databases/way_back.py",), ("tests/operate/database/test_checks.py",)),
    "intent": MutationTarget(
        ("tuiha/model/operations/intent.py", "tuiha/model/operations/ways.py"),
        ("tests/model", "tests/operate/core/test_condition.py", "tests/operate/core/test_giving_way.py")),
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
