"""Whatever the facts are: no screen, and no text of a command, shows Python, a unix time or what is no number."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from textual.pilot import Pilot

from tests.doubles.operator import FakeOperator, bad, ended, operation, switchover
from tests.tui.acting import Clock
from tests.tui.odd import LONG, VARIANTS, Odd, made_odd
from tests.tui.samples import AT, SAMPLES, SampleFeed, down, healthy
from tests.tui.test_app import seen, text
from tests.tui.test_users_view import SERVERS, THEN, row
from tests.words.pools import snapshots
from tuiha.cli.output.linear import PoolStory
from tuiha.cli.output.status import status_text
from tuiha.model.codes import EventKind, StateChange
from tuiha.model.events import events
from tuiha.model.facts import Event, NodeKind, Severity, Snapshot
from tuiha.model.operations.plans import Moment, OperationStatus, StepStatus
from tuiha.model.reports import Managed, ServerState
from tuiha.model.users.placement import Biases
from tuiha.tui.app import Dashboard
from tuiha.tui.draw.spans import Line, plain
from tuiha.tui.draw.trends import Trends
from tuiha.tui.draw.view import View, no_history
from tuiha.tui.keys import VIEWS
from tuiha.tui.operations.lines.confirm import ConfirmSight, above_entry, below_entry
from tuiha.tui.operations.lines.plan import PlanSight, plan_lines
from tuiha.tui.operations.lines.result import result_lines, summary
from tuiha.tui.operations.lines.run import run_lines, whole_lines
from tuiha.tui.operations.operator import StartedOperation
from tuiha.tui.theme import load_theme
from tuiha.tui.views.wall.picture import wall_lines
from tuiha.tui.views.wall.pools import OnWall, list_lines
from tuiha.watch.lookup import UserPage
from tuiha.watch.reader import UserWithoutMail

SIZES = pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)], ids=["80x24", "120x40", "200x60"])
EACH = pytest.mark.parametrize("variant", VARIANTS)
KEPT = ("at", "number", "interval", "verdict", "severity", "facts_of", "next", "turn", "intent")
FAULTS: Mapping[str, re.Pattern[str]] = {
    "a Python value": re.compile(r"(?<![\w-])(?:None|True|False)(?![\w-])"),
    "a repr": re.compile(r"<[\w.]+(?: object|:)|\w+\(\w+=|\b[A-Z]\w+\.[A-Z][A-Z_]+\b|(?<!\w)[\[{(]'|'[\]}]|\{\}|\[\]"
                         r"|(?<!\w)\(\)"),
    "no number": re.compile(r"(?<!\w)-?(?:nan|inf)(?:[smhd%]|ms)?(?!\w)", re.IGNORECASE),
    "a unix time": re.compile(r"(?<![\d,./:#-])\d{10}(?:\.\d+)?(?!\d)"),
}


def faults(shown: str) -> list[str]:
    """What nobody should have to read, each with the line that it is in."""
    return [f"{fault}: {line}" for line in shown.splitlines() for fault, pattern in FAULTS.items()
            if pattern.search(line)]


@pytest.mark.parametrize("planted", [
    "reason: None", "healthy True", "<ServerState.UP: 'UP'>", "<object object at 0x7f>", "ServerState.CUT_OFF",
    "Reason(text='x')", "['s1', 's3']", "{'s1': 2}", "()", "behind nan", "for infs", "-inf", "NaN ms",
    "begun at 1795997113.9905", "since 1795144327",
])
def test_a_fault_is_found(planted: str) -> None:
    assert faults(f" s1  UP   {planted}  ")


@pytest.mark.parametrize("good", ["none", "s1 (s2)", "a, b", "7401234567890123456", "0/5A3C1F28", "infinite", "10,000",
                                  "20261130-000511-eafb", "127.0.0.1:41413", "1.20G", "banana", "Data loss: none.",
                                  "SELECT pg_drop_replication_slot('NAME')"])
def test_what_people_can_read_is_none(good: str) -> None:
    assert not faults(good)


# The pool


def pools(odd: Odd) -> Iterator[tuple[Snapshot, tuple[Event, ...]]]:
    """Pools with something wrong, each fact of which is odd."""
    for sample in ("healthy", "degraded", "split", "down"):
        snapshot, happened = SAMPLES[sample]()
        yield _odd(snapshot, happened, odd)
    for seed in (3, 11, 27):
        for before, after in pairwise(snapshots(seed)):
            moved = replace(after, at=AT)  # its own moments are of another day by then
            yield _odd(moved, events(before, after), odd)


def _odd(snapshot: Snapshot, happened: Sequence[Event], odd: Odd) -> tuple[Snapshot, tuple[Event, ...]]:
    managed = tuple(replace(one, managed=Managed("replica", "running", "db1", 7, 0, scheduled="at noon"))
                    for one in snapshot.databases)
    cut = Event(AT - 3.0, Severity.WARNING, "s1", EventKind.STATE,
                StateChange(ServerState.UP, ServerState.CUT_OFF, working=False, reason="no lease on db1"))
    return (made_odd(replace(snapshot, databases=managed), odd, KEPT),
            tuple(made_odd(one, odd, ("at", "kind", "severity")) for one in (*happened, cut)))


def users(odd: Odd) -> UserPage:
    """A page of users, each fact of which is odd."""
    none = UserWithoutMail("eclipse", "connection refused", THEN, "mail2")
    rows = (row("ann"), row("bob", no_mail=none), row("cid", None), row("dan", "s9", disabled_at=THEN),
            row(LONG, locked_until=THEN))
    return UserPage(tuple(made_odd(one, odd, ("id", "weight")) for one in rows), False, SERVERS, Biases(), "db1", True)


def operations(odd: Odd) -> tuple[StartedOperation, ...]:
    """Operations, each fact of which is odd, with figures of a kind that this version does not know."""
    strange = {"held_at": 1795997113.9905, "count": None, "list": ["s1", "s3"], "by": {"s1": 2, "s2": None},
               "good": True, "requests_delayed": None, "requests_failed": None,
               "requests_unknown_why": {"s3": "eclipsed"}}
    known = (
        ended(), operation(3), replace(ended(OperationStatus.UNKNOWN), outcome=strange),
        replace(ended(OperationStatus.FAILED), kind="quantum-flux", outcome={"outage_ms": None, "unserved_ms": 8121.5}),
        replace(operation(2), started_at=0.0, reason="", target=("s1", "s2")),
        replace(ended(), moments={Moment.RENEWED: AT - 9e6, Moment.BEGUN: AT - 3.0, Moment.SERVED: AT - 1.0}),
        replace(operation(0), steps=()),
    )
    return tuple(replace(made_odd(one, odd, ("state", "id", "kind", "done", "of")), outcome=one.outcome,
                         moments=one.moments) for one in known)


async def screens(pilot: Pilot[int], snapshot: Snapshot) -> AsyncIterator[tuple[str, str]]:
    """Every screen that shows a pool, with what it shows."""
    app: Any = pilot.app
    for view in VIEWS:
        app.action_show_view(view.name)
        await pilot.pause()
        yield view.name, text(pilot)
    app.action_show_view("home")
    nodes = [*(one.name for one in snapshot.servers[:1] + snapshot.servers[-1:]),
             *(one.name for one in snapshot.databases), *(one.name for one in snapshot.sprayers[:1]),
             *(one.name for one in snapshot.mail[:2])]
    for node in nodes:
        app.show_detail(node)
        await pilot.pause()
        yield f"detail of {node}", text(pilot)
        await pilot.press("end")
        yield f"detail of {node}, its end", text(pilot)
        await pilot.press("escape")
    for keys, name in (("exclamation_mark", "problems"), ("enter", "problem in full"), ("escape", ""), ("escape", ""),
                       ("question_mark", "help"), ("escape", "")):
        await pilot.press(keys)
        await pilot.pause()
        if name:
            yield name, text(pilot)


class OddFeed(SampleFeed):
    """A feed whose figures were odd all the time, and sometimes not known."""

    def history(self, node: str, metric: str) -> tuple[float | None, ...]:
        """Of a recording, what is no number is not known."""
        return (None, 0.0, -7.0, 2.0**62, None, 3.0)


SIZED = {(80, 24): (1, 4), (120, 40): (3, 7), (200, 60): (2, 9)}  # the pools that are drawn in each size


@SIZES
@EACH
async def test_no_screen_of_a_pool_shows_any(variant: str, size: tuple[int, int]) -> None:
    assert await shown_by(VARIANTS[variant], size) == []


async def shown_by(odd: Odd, size: tuple[int, int]) -> list[str]:
    """The faults of every screen in that size."""
    operator = FakeOperator()
    operator.page, operator.known = users(odd), operations(odd)
    feed, found = OddFeed(healthy()), list[str]()
    app = Dashboard(feed, "corp-east", load_theme("dark"), now=Clock(), operator=operator)
    async with app.run_test(size=size) as pilot:
        every = [*pools(odd)]
        for snapshot, happened in (every[place] for place in SIZED[size]):
            feed.publish(snapshot, happened)
            await seen(pilot, lambda wanted=snapshot: app.view.snapshot is wanted)  # type: ignore[misc]
            async for name, shown in screens(pilot, snapshot):
                found += [f"{name}: {fault}" for fault in faults(shown)]
    return found


def test_a_planted_fault_is_found_on_the_screens_lines() -> None:
    snapshot, happened = SAMPLES["degraded"]()
    planted = replace(snapshot, servers=tuple(replace(one, note="reason None") for one in snapshot.servers))
    assert faults(_read(wall_of(replace(planted, pool="['s1']"), happened, 120, 40)))
    assert faults(status_text(planted))


def wall_of(snapshot: Snapshot, happened: tuple[Event, ...], width: int, height: int, age: float = 0.2) -> list[Line]:
    view = View(snapshot.pool, snapshot.at + age, "WALL", False, snapshot, happened)
    return wall_lines([OnWall(view, Trends(no_history)), OnWall(view, Trends(no_history))], 0, width, height)


def _read(lines: Sequence[Line]) -> str:
    return "\n".join(map(plain, lines))


@SIZES
@EACH
def test_neither_does_the_wall(variant: str, size: tuple[int, int]) -> None:
    for snapshot, happened in pools(VARIANTS[variant]):
        for age in (0.2, 9e5):
            assert not faults(_read(wall_of(snapshot, happened, *size, age)))
        view = View(snapshot.pool, snapshot.at, "LOCKED", False, snapshot, happened)
        assert not faults(_read(list_lines([OnWall(view, Trends(no_history))], 0, snapshot.at, *size)))


@EACH
def test_neither_do_status_and_the_linear_form(variant: str) -> None:
    story = PoolStory()
    for snapshot, _ in pools(VARIANTS[variant]):
        assert not faults(status_text(snapshot))
        assert not faults("\n".join(story.lines(snapshot)))


# Operations


@SIZES
@EACH
def test_neither_do_the_screens_of_an_operation(variant: str, size: tuple[int, int]) -> None:
    odd, (width, height) = VARIANTS[variant], size
    room = height - 5
    plan = switchover(checks=(bad("lag"), bad("servers")), details={
        "users_before": {"s1": 500, LONG: 512}, "users_after": {"s1": 1012}}, facts={
        "active": None, "epoch": 12, "servers": {"s1": None, "s2": {"part": "quantum-flux"}}, "bounds": [0.2, None]})
    before = switchover(facts={"active": "db1", "epoch": None, "servers": {"s1": {"part": "takes"}, "s2": {
        "part": "takes"}}, "bounds": [0.2, 0.3]})
    plan = made_odd(plan, odd, ("checks", "steps", "loss", "facts", "details", "target", "kind", "confirm"))
    lines = [*plan_lines(PlanSight(plan, before, LONG), width, room, True),
             *above_entry(ConfirmSight(plan, down(), LONG, "ctrl+r"), width, room),
             *below_entry(ConfirmSight(plan, None, "", "ctrl+r"), width)]
    for one in operations(odd):
        lines += [*run_lines(one, AT, width, room, None), *whole_lines(one, AT, width)]
        for snapshot, _ in pools(odd):
            lines += result_lines(one, snapshot, (("r", "rebalance"),), width, room)
            assert not faults(summary(one, snapshot, "corp-east"))
    assert not faults(_read(lines))
    assert any(step.state is StepStatus.RUNNING for one in operations(odd) for step in one.steps)
    assert NodeKind.POOL in {problem.kind for snapshot, _ in pools(odd) for problem in snapshot.problems}
