"""What a server concludes of the pair before it takes a lease, on pretended sessions."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tuiha.drivers.databases import durability
from tuiha.server.database import ground
from tuiha.server.database.attachment import Attachment, DatabasePlace, Session
from tuiha.server.database.fence import Fence
from tuiha.server.database.ground import Ground, NoGround

DB1, DB2 = (DatabasePlace(name, "127.0.0.1", 1, "tuiha", "tuiha_pool", "", None, "") for name in ("db1", "db2"))
ATTACHMENT = cast(Attachment, SimpleNamespace(place=DB1, epoch=3, verified=False))
Answers = dict[str, Callable[[], Any]]


class Connection:
    """Answers statements by their text; what it does not know is None."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    async def fetchval(self, statement: str, *arguments: Any) -> Any:
        return self._answers.get(statement, lambda: None)()

    async def fetchrow(self, statement: str, *arguments: Any) -> Any:
        return self._answers[statement]()

    async def execute(self, statement: str, *arguments: Any) -> None:
        pass


def session(**answers: Callable[[], Any]) -> Session:
    double: Any = Connection({getattr(ground, name, None) or getattr(durability, name): answer
                              for name, answer in answers.items()})
    return Session(double)


def waits_for(names: str) -> dict[str, Any]:
    """The answer to QUESTION of a database that the secondary follows in step."""
    row = {"name": "db2", "state": "streaming", "sync_state": "sync", "slot": "db2"}
    return {"names": names, "followers": json.dumps([row]), "slots": '["db2"]', "settings": "[]",
            "session": '{"value": "on", "source": "client"}'}


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Ground:
    monkeypatch.setattr(ground, "_ARRIVES", 0.1)
    return Ground("s1", [DB1, DB2], None, cast(Fence, SimpleNamespace(guard=lambda wires: None)))


def secondary(monkeypatch: pytest.MonkeyPatch, **answers: Callable[[], Any]) -> None:
    """What the partner answers."""
    async def connect(place: DatabasePlace, *_: Any, **__: Any) -> Session:
        assert place is DB2
        return session(**answers)

    monkeypatch.setattr(ground, "connect", connect)


@pytest.mark.parametrize(("followed", "copy"), [(True, False), (False, True)])
async def test_a_slow_replay_is_no_copy(
    here: Ground, monkeypatch: pytest.MonkeyPatch, followed: bool, copy: bool
) -> None:
    """It receives from one look to the next, and the lease is not to be seen in it."""
    received = itertools.count()
    secondary(monkeypatch, RECEIVED=lambda: f"0/{next(received)}")
    mine = session(QUESTION=lambda: waits_for("*"), STANDBY=lambda: "SYNC", RENEWED_AT=lambda: 1.0,
                   IS_FOLLOWED=lambda: followed)
    with pytest.raises(NoGround, match="a copy of db1 answers" if copy else "has not replayed") as caught:
        await here.hold(ATTACHMENT, mine)
    assert (caught.value.copy, here.copy is not None) == (copy, copy)


async def test_what_is_said_of_a_copy_is_so_until_the_next_judgement(
    here: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    received = itertools.count()
    secondary(monkeypatch, RECEIVED=lambda: f"0/{next(received)}")
    followed = iter((False, False, True))
    seen: list[bool] = []

    def asked() -> dict[str, Any]:
        seen.append(here.copy is not None)
        return waits_for("*")

    mine = session(QUESTION=asked, STANDBY=lambda: "SYNC", RENEWED_AT=lambda: 1.0, IS_FOLLOWED=lambda: next(followed))
    for _ in range(3):
        with pytest.raises(NoGround):
            await here.hold(ATTACHMENT, mine)
    assert (seen, here.copy) == ([False, True, True], None)


@pytest.mark.parametrize(("later", "given_up"), [("FIRST 1 (db2)", False), ("*", True), ("", False)])
async def test_the_secondary_is_not_given_up_on_one_look(
    here: Ground, monkeypatch: pytest.MonkeyPatch, later: str, given_up: bool
) -> None:
    """Whatever was seen first has to be there a moment later, too."""
    looks, doubts = iter(("*", later)), list[bool]()
    secondary(monkeypatch, HAS_RENEWAL=lambda: True, DOUBTED_IN_EPOCH=lambda: True)
    mine = session(QUESTION=lambda: waits_for(next(looks)), STANDBY=lambda: "SYNC", RENEWED_AT=lambda: 1.0,
                   DOUBT_STANDBY=lambda: doubts.append(True))
    if given_up:
        await here.hold(ATTACHMENT, mine)
    else:
        with pytest.raises(NoGround, match="it is so no more"):
            await here.hold(ATTACHMENT, mine)
    assert doubts == [True] * given_up


@pytest.mark.parametrize(("partner", "others", "copy"), [
    (True, ["s2"], True), (True, [], False), (True, None, False), (False, ["s2", "s3"], True), (False, [], False)])
async def test_without_a_secondary_no_holder_of_a_lease_may_contradict(
    partner: bool, others: list[str] | None, copy: bool
) -> None:
    """`others` None is the control: where nobody is asked, a copy gives a lease."""
    asked: list[str] = []

    async def contradicting(_: object, at: str) -> list[str]:
        asked.append(at)
        return others or []

    here = Ground("s1", [DB1, DB2] if partner else [DB1], None, cast(Fence, SimpleNamespace(guard=lambda wires: None)),
                  None if others is None else contradicting)
    attachment = cast(Attachment, SimpleNamespace(place=DB1, epoch=1, verified=False))
    mine = session(QUESTION=lambda: waits_for(""), STANDBY=lambda: "STALE", RENEWED_TEXT=lambda: "now")
    if copy:
        with pytest.raises(NoGround, match="on another copy of db1") as caught:
            await here.hold(attachment, mine)
        assert (caught.value.copy, here.copy, attachment.verified) == (True, str(caught.value), False)
    else:
        for _ in range(2):
            await here.hold(attachment, mine)
        assert (here.copy, attachment.verified) == (None, True)
    assert len(asked) == (others is not None), "asked once for an attachment"


@pytest.mark.parametrize(("next_epoch", "later", "asked"), [(2, 1.0, 0), (2, 61.0, 1), (1, 1.0, 1)])
async def test_a_server_that_comes_from_the_epoch_before_asks_nobody(
    monkeypatch: pytest.MonkeyPatch, next_epoch: int, later: float, asked: int
) -> None:
    """A dead host may not make a failover longer; for any other attachment the others are asked."""
    now, questions = [1000.0], list[str]()
    monkeypatch.setattr(ground, "boottime", lambda: now[0])

    async def contradicting(_: object, at: str) -> list[str]:
        questions.append(at)
        return []

    here = Ground("s1", [DB1], None, cast(Fence, None), contradicting)
    mine = session(RENEWED_TEXT=lambda: "now")
    await here.hold(cast(Attachment, SimpleNamespace(place=DB1, epoch=1, verified=False)), mine)
    now[0] += later
    await here.hold(cast(Attachment, SimpleNamespace(place=DB1, epoch=next_epoch, verified=False)), mine)
    assert len(questions) == 1 + asked
