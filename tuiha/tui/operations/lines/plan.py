"""A plan as people read it, and what still has to be typed to start it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tuiha.model.operations.catalogue import OPERATIONS
from tuiha.model.operations.plans import CheckVerdict, Extent
from tuiha.model.words import natural
from tuiha.tui.draw.lists import wrapped
from tuiha.tui.draw.marks import WARN
from tuiha.tui.draw.spans import BLANK, Line, Span, clean, fit, left, right, spread, width_of
from tuiha.words.plans import changed, outage, way_back
from tuiha.words.step_names import step_name

if TYPE_CHECKING:
    from tuiha.operate.plans.plan import Check, Plan, PlannedStep

_VERDICTS: Mapping[CheckVerdict, Span] = {
    CheckVerdict.OK: ("✓", "well"), CheckVerdict.WARNING: (WARN, "warning"),
    CheckVerdict.BAD: ("✗", "bad bold"), CheckVerdict.NEVER: ("✗", "bad bold"),
}
LABEL = 12  # cells of "Data loss" and its like
_NAME = 12  # cells of the name of a check
_STEP = 92  # cells of a step and its target, at most: farther apart they are not read as one line
_NAMED = 8  # servers whose users are told
_LIMITS = 17  # cells of a step's limit and of whether it can be undone


def title_of(kind: str, target: Sequence[str]) -> str:
    """What an operation is, in words."""
    known = OPERATIONS.get(kind)
    return " ".join((kind, *target)) if known is None else known.titled(target)


def labelled(label: str, spans: Sequence[Span], width: int) -> Line:
    """A line with a label in the left column."""
    return Line(fit(((f" {left(label, LABEL - 1)}", "quiet"), *spans), width))


def told(label: str, text: str, width: int, style: str = "text") -> list[Line]:
    """A label, and a text in as many lines as it takes."""
    return [labelled("" if place else label, ((part, style),), width)
            for place, part in enumerate(wrapped(clean(text), width - LABEL - 1))] if text else []


def apart(start: Sequence[Span], end: Sequence[Span], width: int) -> list[Line]:
    """Both in one line where they fit, else in two: nothing of either is cut."""
    if width_of((*start, *end)) <= width:
        return [Line(spread(start, end, width))]
    return [Line(fit(start, width)), Line(spread((), end, width))]


def screen_title(word: str, kind: str, target: Sequence[str], end: Span, width: int) -> Line:
    """The line under the rule: which of the four screens this is, of what."""
    start: tuple[Span, ...] = ((f" {word}  ", "armed bold"), (title_of(kind, target), "strong bold"))
    return Line(spread(start, (("  ", "text"), end, (" ", "text")), width))


@dataclass(frozen=True, slots=True)
class PlanSight:
    """A plan, and what the screen knows beside it."""

    plan: Plan
    opened: Plan | None = None  # as it was when the screen was opened
    reason: str = ""
    saved: str = ""  # the command that applies the plan that was kept


@dataclass(frozen=True, slots=True)
class _Detail:
    """How much is told of a plan: the first that fits is shown."""

    gaps: bool = True
    good: bool = False  # also each check that passed
    folds_end: bool = False  # the steps after the point of no return share lines
    folds_all: bool = False  # all steps but that one share lines


_DETAILS = (_Detail(), _Detail(folds_end=True), _Detail(gaps=False, folds_end=True),
            _Detail(gaps=False, folds_end=True, folds_all=True))


def plan_lines(sight: PlanSight, width: int, room: int, each: bool = False) -> tuple[Line, ...]:
    """The plan in `room` lines if that can be, as detailed as fits; with `each` everything, however long that is."""
    if each:
        return _lines(sight, width, _Detail(good=True))
    made: tuple[Line, ...] = ()
    for detail in _DETAILS:
        made = _lines(sight, width, detail)
        if len(made) <= room:
            break
    return made


def _lines(sight: PlanSight, width: int, detail: _Detail) -> tuple[Line, ...]:
    plan = sight.plan
    gap = [BLANK] if detail.gaps else []
    lines = [screen_title("PLAN", plan.kind, plan.target, _standing(plan, width), width), *gap]
    lines += told("Saved", sight.saved, width, "flow")
    lines += told("Data loss", plan.loses, width, loss_style(plan))
    lines += told("Outage", outage([step.id for step in plan.steps]), width)
    lines += told("Undo", way_back([step.undo for step in plan.steps], plan.point_of_no_return), width)
    lines += told("Reason", sight.reason and f'"{sight.reason}"', width, "armed")
    lines += told("Users", ",  ".join(user_parts(plan.details)), width)
    lines += [*gap, *_checks(plan.checks, width, detail.good), *_changed(sight, width), *gap]
    return (*lines, *_steps(plan.steps, width, detail))


def _standing(plan: Plan, width: int) -> Span:
    """Whether it can be started, as the end of the title."""
    number = f"plan {plan.id}   " if width >= 100 else ""
    if forbidden(plan) is not None:
        return (f"{number}CANNOT BE STARTED", "bad bold")
    if plan.stopped_by:
        return (f"{number}STOPPED BY A CHECK", "warning bold")
    return (f"{number}READY TO START", "well bold")


def loss_style(plan: Plan) -> str:
    """How what can be lost is drawn."""
    return "text" if plan.loss.extent is Extent.NONE else "warning bold"


# Checks


def _checks(checks: Sequence[Check], width: int, good: bool) -> list[Line]:
    """What is not as it should be in full, and how many checks passed in one line; with `good` each of those, too."""
    passed = [check for check in checks if check.verdict is CheckVerdict.OK]
    others = [check for check in checks if check.verdict is not CheckVerdict.OK]
    key: tuple[Span, ...] = (("   v", "flow bold"), (" hides them" if good else " shows them", "quiet"))
    lines = [labelled("Checks", (("✓ ", "well"), (f"{len(passed)} passed", "text"), *key), width)] if passed else []
    for check in (*others, *(passed if good else ())):
        lines += _check_lines("" if lines else "Checks", check, width)
    return lines


def _check_lines(label: str, check: Check, width: int) -> list[Line]:
    mark, style = _VERDICTS[check.verdict]
    text = f"{check.subject}  {check.value}" if check.subject else check.value
    good = check.verdict is CheckVerdict.OK
    room = width - LABEL - _NAME - 4
    first, *rest = wrapped(clean(text), room) if width_of([(clean(text), "")]) > room else [text]
    spans: list[Span] = [
        (f"{mark} ", style), (left(check.name, _NAME) + " ", "quiet" if good else style),
        (first, "text" if good else style),
    ]
    rows: list[list[Span]] = [spans]
    rows += [[(f"{'':{_NAME + 3}}{part}", "text" if good else style)] for part in rest]
    if check.limit and not good:
        limit: Span = (f"(wanted: {clean(check.limit)})", "quiet")
        fits = LABEL + width_of([*rows[-1], ("  ", ""), limit]) <= width
        rows[-1:] = [[*rows[-1], ("  ", "quiet"), limit]] if fits else [rows[-1], [(" " * (_NAME + 3), "quiet"), limit]]
    lines = [labelled("" if place else label, row, width) for place, row in enumerate(rows)]
    if check.remedy and not good:
        parts = wrapped(clean(check.remedy), width - LABEL - 3)
        lines += [labelled("", ((f"  {part}", "quiet"),), width) for part in parts]
    return lines


def _changed(sight: PlanSight, width: int) -> list[Line]:
    """What is different since the plan was opened: facts, and checks that pass or fail now."""
    before, now = sight.opened, sight.plan
    if before is None or (before.id == now.id and before.checks == now.checks):
        return []
    said = [*changed(before.facts, now.facts), *_turned(before, now)]
    return told("Changed", f"since you opened this plan: {'; '.join(said)}", width, "warning") if said else []


def _turned(before: Plan, now: Plan) -> list[str]:
    """Checks that pass now and did not, and the other way round."""
    def bad(plan: Plan) -> dict[str, None]:
        return dict.fromkeys(f"{check.name} {check.subject}".strip() for check in plan.stopped_by)

    was, is_now = bad(before), bad(now)
    return [*(f"check passes now: {one}" for one in was if one not in is_now),
            *(f"check fails now: {one}" for one in is_now if one not in was)]


# Steps


def _steps(steps: Sequence[PlannedStep], width: int, detail: _Detail) -> list[Line]:
    turn = next((place for place, step in enumerate(steps) if step.point_of_no_return), None)
    before = steps if turn is None else steps[:turn]
    lines = _folded(before, width) if detail.folds_all else [
        line for step in before for line in _step_lines(step, width, detail.folds_end)]
    if turn is not None:
        mark = "══ POINT OF NO RETURN ".ljust(min(_STEP, width - LABEL - 2), "═")
        lines.append(labelled("", ((mark, "bad bold"),), width))
        lines += _step_lines(steps[turn], width, detail.folds_end)
        after = steps[turn + 1 :]
        lines += _folded(after, width) if detail.folds_end else [
            line for step in after for line in _step_lines(step, width, short=False)]
    if lines:
        lines[0] = labelled("Steps", lines[0].spans[1:], width)
    return lines


def _step_lines(step: PlannedStep, width: int, short: bool) -> list[Line]:
    """A step with its limit; what does not fit goes on below it, or in `short` its name stands for it."""
    style = "bad bold" if step.point_of_no_return else "text"
    room = max(20, min(_STEP, width - LABEL - 4) - _LIMITS)
    places = clean(step.target)
    where = width_of([(places, "")]) + 2 if clean(step.target) not in step.action else 0
    action, size = clean(step.does if where else step.action), max(12, room - where)
    if short and width_of([(action, "")]) > size:
        action = clean(step_name(step.says))
    first, *rest = wrapped(action, size) or [""]
    limit = right(f"max {step.limit_seconds:g} s", 10)
    undo = "  undo" if step.undo and not step.point_of_no_return else ""
    spans: tuple[Span, ...] = (
        (f"{right(str(step.number), 2)}  ", "quiet"), (left(first, size), style),
        *(((left(f"  {places}", where), "heading"),) if where else ()), (limit, "quiet"), (undo, "quiet"))
    return [labelled("", spans, width), *(labelled("", ((f"    {part}", style),), width) for part in rest)]


def _folded(steps: Sequence[PlannedStep], width: int) -> list[Line]:
    """Steps in a row by their names."""
    if not steps:
        return []
    first, last = steps[0].number, steps[-1].number
    numbers = f"{first:>2}  " if first == last else f"{first}-{last}  "
    parts = wrapped(", ".join(clean(step_name(step.says)) for step in steps), width - LABEL - len(numbers) - 2)
    return [labelled("", ((" " * len(numbers) if place else numbers, "quiet"), (part, "text")), width)
            for place, part in enumerate(parts)]


def user_parts(details: Mapping[str, Any]) -> list[str]:
    """Users of each server before and after, where the plan moves users; of many servers the first ones."""
    before, after = details.get("users_before"), details.get("users_after")
    if not isinstance(before, Mapping) or not isinstance(after, Mapping):
        return []
    moved = [name for name in sorted({*before, *after}, key=natural) if before.get(name, 0) != after.get(name, 0)]
    parts = [f"{name} {before.get(name, 0):,} ▸ {after.get(name, 0):,}" for name in moved]
    return parts if len(parts) <= _NAMED else [*parts[: _NAMED - 1], f"and {len(parts) - _NAMED + 1} servers more"]


# What has to be typed


def wanted(plan: Plan, overridden: Sequence[str]) -> tuple[str, ...]:
    """The lines that have to be typed still: an override for each check that stops it, then the name."""
    bad = [check.name for check in plan.checks if check.verdict is CheckVerdict.BAD and check.name not in overridden]
    return (*(f"override {name}" for name in dict.fromkeys(bad)), plan.confirm)


def forbidden(plan: Plan) -> str | None:
    """The check that nobody can override; None when there is none."""
    never = next((check for check in plan.checks if check.verdict is CheckVerdict.NEVER), None)
    return None if never is None else f"{never.name}: {never.subject} {never.value}".replace("  ", " ")
