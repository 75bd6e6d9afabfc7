"""The confirmation: from what to what, what it means, and what has to be typed by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tuiha.model.facts import DatabaseFacts, Snapshot
from tuiha.model.operations.intent import Condition
from tuiha.model.operations.plans import CheckVerdict
from tuiha.model.problems.operation import running
from tuiha.tui.draw.lists import wrapped
from tuiha.tui.draw.marks import state_mark
from tuiha.tui.draw.spans import BLANK, Line, Span, clean, fit, left, spread, width_of
from tuiha.tui.operations.lines.plan import loss_style, title_of, user_parts, wanted
from tuiha.words.guard import countdown
from tuiha.words.plans import changed, no_return, outage
from tuiha.words.step_names import step_name

if TYPE_CHECKING:
    from tuiha.operate.plans.plan import Plan

_LABEL = 21  # cells of "Point of no return"
_BOX = 76  # cells of a box, at most


@dataclass(frozen=True, slots=True)
class ConfirmSight:
    """A plan that is being confirmed, and what the screen knows beside it."""

    plan: Plan
    snapshot: Snapshot | None = None
    reason: str = ""
    edit: str = ""  # the key that changes the reason
    overridden: tuple[str, ...] = ()
    void: tuple[str, ...] = ()  # why the plan holds no more
    refused: str = ""  # why it was not started

    @property
    def expected(self) -> tuple[str, ...]:
        """What has to be typed still."""
        return () if self.void else wanted(self.plan, self.overridden)


def above_entry(sight: ConfirmSight, width: int, room: int) -> list[Line]:
    """What stands over the line to type into, in at most `room` lines: the last ones say what has to be typed."""
    plan = sight.plan
    standing: Span = ("NOT STARTED: THE PLAN IS VOID", "bad bold") if sight.void else (
        "NOTHING HAS STARTED YET", "heading bold")
    title: tuple[Span, ...] = ((" CONFIRM  ", "armed bold"), (title_of(plan.kind, plan.target), "strong bold"))
    top = [Line(spread(title, (("  ", "text"), standing, (" ", "text")), width))]
    picture = _picture(plan, sight.snapshot, width)
    facts = [
        *_fact("Data loss", plan.loses, width, loss_style(plan)),
        *_fact("Outage", outage([step.id for step in plan.steps]), width),
        *_fact("Point of no return", no_return([clean(step_name(step.says)) for step in plan.steps],
                                               plan.point_of_no_return), width,
               "bad bold" if plan.point_of_no_return else "text"),
        *_reason(sight, width),
    ]
    asked = [*_same(sight, width), *(_void(sight, width) if sight.void else [
        *_refused(sight, width), *_done(sight, width), *_asked(sight, width)])]
    for gap in ([BLANK], []):
        lines = [*top, *gap, *picture, *(gap if picture else ()), *facts, *gap, *asked]
        if len(lines) <= room:
            return lines
    rest = [*facts, *asked]
    return [*top, *rest[len(rest) - max(0, room - 1) :]] if len(rest) >= room else [*top, *rest]


def below_entry(sight: ConfirmSight, width: int) -> list[Line]:
    """What stands under the line to type into."""
    if sight.void:
        return []
    later = sight.expected[1:]
    more = f"   then {len(later)} more: {', then '.join(later)}" if later else ""
    hint = f"Type it by hand, as fast as you usually type. Pasting is blocked.{more}"
    return [Line(fit(((f" {part}", "quiet"),), width)) for part in wrapped(hint, width - 2)]


def _same(sight: ConfirmSight, width: int) -> list[Line]:
    """That another one has begun the same, or that a guard is about to."""
    snapshot, kind = sight.snapshot, sight.plan.kind
    found = running(snapshot)
    if found is not None and found.kind == kind and found.condition is Condition.RUNNING:
        return [Line(fit(((f" {found.owner} has begun {kind}: operation {found.id}", "armed bold"),), width))]
    report = snapshot.guard.report if snapshot is not None and snapshot.guard is not None else None
    if report is None:
        return []
    return [Line(fit(((f" guard {report.name}: {countdown(one)}", "armed"),), width))
            for one in report.outlook if one.order == kind]


def _fact(label: str, text: str, width: int, style: str = "text") -> list[Line]:
    return [Line(fit(((f" {left('' if place else label, _LABEL - 1)}", "quiet"), (part, style)), width))
            for place, part in enumerate(wrapped(clean(text), max(10, width - _LABEL - 1)))]


def _reason(sight: ConfirmSight, width: int) -> list[Line]:
    """The reason that is recorded, with the key that changes it."""
    end: tuple[Span, ...] = ((f"  {sight.edit}", "flow bold"), (" edit ", "quiet")) if sight.edit else ()
    room = width - _LABEL - width_of(end) - 2
    parts = wrapped(clean(f'"{sight.reason}"'), max(10, room))
    lines = []
    for place, part in enumerate(parts):
        start: tuple[Span, ...] = ((f" {left('' if place else 'Reason, recorded', _LABEL - 1)}", "quiet"),
                                   (part, "armed"))
        lines.append(Line(spread(start, () if place else end, width)))
    return lines


def _asked(sight: ConfirmSight, width: int) -> list[Line]:
    """What has to be typed next: the name; or, before it, an override in a box of its own."""
    first, *later = sight.expected
    if later:
        return _override_box(sight, first, width)
    words = "To start, type the name"
    return [Line(fit(((f" {words} ", "text"), (f" {clean(first)} ", "strong bold@cursor"), (" then ", "text"),
                      ("ctrl+x", "flow bold")), width))]


def _override_box(sight: ConfirmSight, words: str, width: int) -> list[Line]:
    """The check that stops it, and the words that override it."""
    name = words.removeprefix("override ")
    found = [check for check in sight.plan.checks if check.name == name and check.verdict is CheckVerdict.BAD]
    wide = min(_BOX, width - 2)
    inside: list[tuple[Span, ...]] = []
    for check in found:
        limit = f"  (wanted: {check.limit})" if check.limit else ""
        text = clean(f"{check.name} {check.subject}: {check.value}{limit}")
        inside += [((part, "warning bold"),) for part in wrapped(text, wide - 4)]
    inside.append((("To start in spite of it, type ", "text"), (f" {clean(words)} ", "strong bold@cursor"),
                   (" then ", "text"), ("ctrl+x", "flow bold")))
    title = " A CHECK STOPS THIS "
    return [
        Line(fit(((f" ┌─{title}{'─' * max(0, wide - len(title) - 3)}┐", "warning"),), width)),
        *(Line(fit(((" │ ", "warning"), *fit(spans, wide - 4), (" │", "warning")), width)) for spans in inside),
        Line(fit(((f" └{'─' * (wide - 2)}┘", "warning"),), width)),
    ]


def _done(sight: ConfirmSight, width: int) -> list[Line]:
    """The overrides that were typed."""
    return [Line(fit(((" ✓ ", "well"), (f"override {name}", "warning")), width)) for name in sight.overridden]


def _refused(sight: ConfirmSight, width: int) -> list[Line]:
    if not sight.refused:
        return []
    parts = wrapped(clean(f"REFUSED, nothing has happened: {sight.refused}"), width - 2)
    return [Line(fit(((f" {part}", "bad bold"),), width)) for part in parts]


def _void(sight: ConfirmSight, width: int) -> list[Line]:
    """Why the plan holds no more, and what to do."""
    lines = [Line(fit(((" The situation changed since this plan was made:", "bad bold"),), width))]
    lines += [Line(fit(((f"   {part}", "warning"),), width)) for said in sight.void
              for part in wrapped(clean(said), width - 4)]
    return [*lines, Line(fit(((" Nothing has happened. ", "text"), ("esc", "flow bold"),
                              (" goes back to a new plan.", "text")), width))]


# From what to what


def _picture(plan: Plan, snapshot: Snapshot | None, width: int) -> list[Line]:
    """From what to what, in one line; empty where nothing goes from one place to another."""
    draw = _PICTURES.get(plan.kind)
    spans = () if draw is None or snapshot is None else draw(plan, snapshot)
    if not spans and (parts := user_parts(plan.details)):
        spans = (("users  ", "quiet"), (",  ".join(parts), "strong"))
    return [Line(fit((("   ", "text"), *spans), width))] if spans else []


def _database(snapshot: Snapshot, name: str) -> tuple[Span, ...]:
    found: DatabaseFacts | None = next((one for one in snapshot.databases if one.name == name), None)
    if found is None:
        return ((name, "strong bold"),)
    mark, style = state_mark(found.state)
    role = found.role if found.reachable and found.role else found.state
    return ((f"{mark} ", style), (f"{name} ", "strong bold"), (str(role), style))


def _roles(means: str, arrow: str) -> Callable[[Plan, Snapshot], tuple[Span, ...]]:
    """The two databases of a plan with an arrow between them, and what becomes of the second."""
    def drawn(plan: Plan, snapshot: Snapshot) -> tuple[Span, ...]:
        roles = plan.roles
        if roles is None:
            return ()
        _, old, new = roles
        return (*_database(snapshot, old), (f"  {arrow}  ", "armed bold"), *_database(snapshot, new),
                (f"   {means.format(old=old, new=new)}", "text"))
    return drawn


def _mail(plan: Plan, snapshot: Snapshot) -> tuple[Span, ...]:
    users, places = plan.details.get("users"), plan.details.get("logins")
    if not isinstance(users, int) or not isinstance(places, Mapping):
        return ()
    return ((plan.target[0], "strong bold"), (f"  {users:,} users  ", "text"), ("──▶", "armed bold"),
            (f"  {', '.join(map(str, places))}", "strong bold"))


_PICTURES: Mapping[str, Callable[[Plan, Snapshot], tuple[Span, ...]]] = {
    "switchover": _roles("{new} becomes the active database", "──▶"),
    "failover": _roles("{new} becomes the active database", "──▶"),
    "degrade": _roles("{old} continues without {new}", "─╳─"),
    "protect": _roles("commits wait for {new} again", "──▶"),
    "rejoin": _roles("{new} follows {old} again", "──▶"),
    "failover-mail": _mail,
}


def void_by(facts: tuple[Mapping[str, object], Mapping[str, object]]) -> tuple[str, ...]:
    """Why a plan is void, from the facts that void it: as they were and as they are."""
    return changed(*facts) or ("the plan's file does not say what was planned",)

