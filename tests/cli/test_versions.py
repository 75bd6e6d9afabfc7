"""`tuiha status` while a pool is being updated."""

from __future__ import annotations

from tests.model.looks import healthy, server, with_server
from tuiha.cli.output.status import status_text
from tuiha.model.conclude import conclude


def test_mixed_versions_are_said() -> None:
    assert "versions" not in status_text(conclude(healthy()))
    mixed = with_server(healthy(), server("s2", version="0.2.0"))
    assert "versions differ: s1, s3, s4: 0.1.0; s2: 0.2.0" in status_text(conclude(mixed)).splitlines()
    foreign = with_server(healthy(), server("s2", version="14.5", lease_seconds=None))
    assert "versions" not in status_text(conclude(foreign))
