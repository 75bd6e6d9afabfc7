"""Whether the old primary follows after a failover: what is asked once may be asked at the wrong moment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pytest

from tests.operate.database.test_epochs import JOB
from tests.operate.support import Told
from tuiha.model.operations.statements import Statement, plain
from tuiha.operate.database.steps import replication
from tuiha.operate.database.steps.replication import Protect, ProtectAfter
from tuiha.operate.reach.world import World
from tuiha.words.operations import text


class Primary:
    """Says by turns whether somebody streams from it; the last answer stays."""

    name = "db2"

    def __init__(self, *streaming: bool) -> None:
        self._answers = list(streaming)

    async def fetch(self, statement: str, *_: Any, seconds: float) -> Sequence[dict[str, str]]:
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return [{"state": "streaming", "sync_state": "async"}] if answer else []


async def protected_after(primary: Primary, monkeypatch: pytest.MonkeyPatch) -> str:
    async def run(*_: object) -> Statement:
        return plain("protected")

    monkeypatch.setattr(Protect, "run", run)
    monkeypatch.setattr(replication, "_CONNECTING", 0.3)
    nothing: Any = None
    world = World(nothing, nothing, nothing, nothing, cast(Any, {"db2": primary}), agents={})
    return text(await ProtectAfter(JOB, 13).run(world, Told()))


async def test_one_that_breaks_off_and_connects_again_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await protected_after(Primary(False, False, True), monkeypatch) == "protected"


async def test_one_that_is_not_there_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await protected_after(Primary(False), monkeypatch) == (
        "not protected: db1 does not follow; `tuiha plan rejoin db1`")
