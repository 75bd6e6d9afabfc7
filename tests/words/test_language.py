"""Nothing is decided on a sentence: with a language of `x` all but the letters stays as it is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any

import pytest

from tests.tui.samples import SAMPLES, SampleFeed
from tests.words.language import speak_x
from tests.words.pools import snapshots
from tuiha.cli.commands.look.status import code
from tuiha.cli.output import documents
from tuiha.cli.output.status import status_text
from tuiha.model.codes import EventKind, ProblemCode
from tuiha.model.events import events
from tuiha.model.facts import Event, Snapshot
from tuiha.tui.alarms import Alarms
from tuiha.tui.draw.columns import ColumnSight
from tuiha.tui.draw.head import head
from tuiha.tui.draw.lists import event_lines, problem_lines
from tuiha.tui.draw.rows import rows_of
from tuiha.tui.draw.spans import Line
from tuiha.tui.draw.trends import Trends
from tuiha.tui.draw.view import View
from tuiha.tui.operations.lines.choices import suggested
from tuiha.tui.operations.screens import unlock
from tuiha.tui.views.database.matrix import matrix_items
from tuiha.tui.views.database.panel import panel_lines
from tuiha.tui.views.detail.sheet import detail_lines
from tuiha.tui.views.events.rows import event_items
from tuiha.tui.views.home.picture import picture
from tuiha.tui.views.mail.rows import SHEET as MAIL
from tuiha.tui.views.mail.rows import mail_items
from tuiha.tui.views.sprayers.rows import SHEET as SPRAYERS
from tuiha.tui.views.sprayers.rows import sprayer_items
from tuiha.watch.alerts.command import Steady
from tuiha.watch.export.exposition import exposition
from tuiha.words.events import text
from tuiha.words.problems import means, what

SEEDS = range(80)
DRAWN = range(6)  # of these also what screens and programs show
MARKS = frozenset("●✗▲~○▸╳▼▶·─━╌▮!")
KEYS = {"f": "f", "r": "r", "e": "e", "a": "a"}


def concluded() -> list[tuple[Snapshot, ...]]:
    return [tuple(snapshots(seed)) for seed in SEEDS]


def every(seeds: range) -> Iterator[tuple[Snapshot, tuple[Event, ...]]]:
    """Snapshots with the events that led there."""
    for make in SAMPLES.values():
        yield make()
    for seed in seeds:
        found = tuple(snapshots(seed))
        yield from ((snapshot, events(before, snapshot)) for before, snapshot in pairwise(found))


def looks_of(lines: Iterable[Line]) -> list[Any]:
    """What of lines is no language: grounds, styles, lengths and marks."""
    return [(line.ground, [(len(told), style, [letter for letter in told if letter in MARKS])
                           for told, style in line.spans]) for line in lines]


def screens(snapshot: Snapshot, happened: tuple[Event, ...], width: int) -> list[Any]:
    """Every drawing that has a sentence in it, without its letters."""
    view = View(snapshot.pool, snapshot.at + 1, snapshot=snapshot, events=happened)
    trends, sight = Trends(SampleFeed(snapshot).history), ColumnSight(snapshot.at, Trends(SampleFeed(snapshot).history))
    drawn = [*head(view, width, KEYS), *problem_lines(snapshot.problems, view.now, width),
             *event_lines(happened, width, 8), *picture(snapshot, trends, width, 8), *panel_lines(snapshot, width, 12)]
    for row in rows_of(snapshot, view.now):
        drawn += detail_lines(view, row.name, trends, width)
    cells = [column.show(item, sight)[1] for item in mail_items(snapshot, view.now) for column in MAIL.columns]
    cells += [column.show(item, sight)[1] for item in sprayer_items(snapshot, view.now) for column in SPRAYERS.columns]
    cells += [style for item in matrix_items(snapshot, view.now) for _, style in item.cells]
    rows = [(row.name, row.state, row.rank, row.astray) for row in rows_of(snapshot, view.now)]
    return [looks_of(drawn), cells, rows]


def exported(snapshot: Snapshot) -> tuple[object, ...]:
    """What programs get, without the sentences."""
    def bare(problem: Mapping[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in problem.items() if key not in ("what", "means")}

    status = documents.status(snapshot)
    change = Steady(after=0.0).look(snapshot)
    alert: Any = {} if change is None else change.document()
    return (code(snapshot), [bare(p) for p in status["problems"]], [bare(p) for p in alert.get("problems", ())],
            {key: value for key, value in alert.items() if key != "problems"}, exposition(snapshot))


def outcome() -> list[object]:
    """All that is decided and drawn, without the letters of sentences."""
    alarms = Alarms(bell=True, notify=True)
    return [(screens(snapshot, happened, 80), screens(snapshot, happened, 120), exported(snapshot),
             suggested(next(iter(snapshot.problems), None)), len(unlock.suggested(snapshot)), alarms.sound(snapshot),
             [item.rank for item in event_items(happened, snapshot.at)]) for snapshot, happened in every(DRAWN)]


def test_between_them_the_pools_have_every_problem() -> None:
    seen = {problem.code for looks in concluded() for snapshot in looks for problem in snapshot.problems}
    assert set(ProblemCode) - seen <= {ProblemCode.RECORDED}
    kinds = {event.kind for _, happened in every(SEEDS) for event in happened}
    assert set(EventKind) - kinds <= {EventKind.WATCHER_FAILED, EventKind.WATCHER_REPLACED, EventKind.LEFT}


def test_in_a_language_of_x_everything_else_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    found, before = concluded(), outcome()
    speak_x(monkeypatch)
    for snapshot, happened in every(SEEDS):
        told = [sentence for problem in snapshot.problems for sentence in (what(problem), means(problem))]
        told += map(text, happened)
        assert not [sentence for sentence in told if re.search(r"[A-Za-wyz]", sentence)]
        assert status_text(snapshot)
    assert concluded() == found, "verdicts, the order of problems, next steps"
    for mine, theirs in zip(outcome(), before, strict=True):
        assert mine == theirs
