"""A plan as people read it, and what still has to be typed to start it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from tuiha.model.operations.catalogue import OPERATIONS
from tuiha.model.operations.plans import CheckVerdict, Extent
from tuiha.tui.draw.lists import wrapped
from tuiha.tui.draw.marks import WARN
from tuiha.tui.draw.spans import BLANK, Line, Span, clean, cut, fit, left, right, spread, width_of

if TYPE_CHECKING:
    from tuiha.operate.plans.plan import Check, Plan, PlannedStep

_VERDICTS: Mapping[CheckVerdict, Span] = {
    CheckVerdict.OK: ("✓", "well"), CheckVerdict.WARNING: (WARN, "warning"),
    CheckVerdict.BAD: ("✗", "bad bold"), CheckVerdict.NEVER: ("✗", "bad bold"),
}
_LABEL = 9  # cells of "Checks  " and its like
_NAME = 12  # cells of the name of a check
_STEP = 92  # cells of a step and its target, at most: farther apart they are not read as one line


def title_of(kind: str, target: Sequence[str]) -> str:
    """What an operation is, in words."""
    known = OPERATIONS.get(kind)
    return " ".join((kind, *target)) if known is None else known.titled(target)


def labelled(label: str, spans: Sequence[Span], width: int) -> Line:
    """A line with a label in the left column."""
    return Line(fit(((f" {left(label, _LABEL - 1)}", "quiet"), *spans), width))


def screen_title(word: str, kind: str, target: Sequence[str], end: Span, width: int) -> Line:
    """The line under the rule: which of the four screens this is, of what."""
    start: tuple[Span, ...] = ((f" {word}  ", "armed bold"), (title_of(kind, target), "strong bold"))
    return Line(spread(start, (("  ", "text"), end, (" ", "text")), width))


def plan_lines(plan: Plan, changed: Sequence[str], width: int, short: bool = False) -> tuple[Line, ...]:
    """The whole plan; `changed` facts became others while it was read. In `short`, good checks share lines."""
    lines = [screen_title("PLAN", plan.kind, plan.target, (f"plan {plan.id}", "quiet"), width)]
    lines += [Line(fit(((f" {WARN} planned again, another fact: {fact}", "warning"),), width)) for fact in changed]
    lines += [] if short else [BLANK]
    told = [check for check in plan.checks if not short or check.verdict is not CheckVerdict.OK]
    good = [check for check in plan.checks if check not in told]
    lines += _good_lines(good, width)
    for place, check in enumerate(told):
        lines += _check_lines("" if place or good else "Checks", check, width)
    lines += _losses(plan, width)
    lines += _figures(plan.details, width)
    lines += [] if short else [BLANK]
    for place, step in enumerate(plan.steps):
        if step.point_of_no_return:
            lines.append(labelled("", (("── NO RETURN FROM HERE ──", "bad bold"),), width))
        lines += _step_lines("" if place else "Steps", step, width, short)
    return tuple(lines)


def _losses(plan: Plan, width: int) -> list[Line]:
    style = "text" if plan.loss.extent is Extent.NONE else "warning bold"
    return [labelled("" if place else "Loses", ((text, style),), width)
            for place, text in enumerate(wrapped(clean(plan.loses), width - _LABEL - 1))]


def _check_lines(label: str, check: Check, width: int) -> list[Line]:
    mark, style = _VERDICTS[check.verdict]
    told = f"{check.subject}  {check.value}" if check.subject else check.value
    good = check.verdict is CheckVerdict.OK
    room = width - _LABEL - _NAME - 4
    first, *rest = wrapped(clean(told), room) if width_of([(clean(told), "")]) > room else [told]
    spans: list[Span] = [
        (f"{mark} ", style), (left(check.name, _NAME) + " ", "quiet" if good else style),
        (first, "text" if good else style),
    ]
    rows: list[list[Span]] = [spans]
    rows += [[(f"{'':{_NAME + 3}}{part}", "text" if good else style)] for part in rest]
    if check.limit and not good:
        limit: Span = (f"(wanted: {clean(check.limit)})", "quiet")
        fits = _LABEL + width_of([*rows[-1], ("  ", ""), limit]) <= width
        rows[-1:] = [[*rows[-1], ("  ", "quiet"), limit]] if fits else [rows[-1], [(" " * (_NAME + 3), "quiet"), limit]]
    lines = [labelled("" if place else label, row, width) for place, row in enumerate(rows)]
    if check.remedy and not good:
        parts = wrapped(clean(check.remedy), width - _LABEL - 3)
        lines += [labelled("", ((f"  {part}", "quiet"),), width) for part in parts]
    return lines


def _good_lines(checks: Sequence[Check], width: int) -> list[Line]:
    """The good checks by name, each name once."""
    if not checks:
        return []
    names = ", ".join(dict.fromkeys(clean(check.name) for check in checks))
    parts = wrapped(f"{len(checks)} good: {names}", width - _LABEL - 3)
    return [labelled("" if place else "Checks", (("  " if place else "✓ ", "well"), (part, "text")), width)
            for place, part in enumerate(parts)]


def _step_lines(label: str, step: PlannedStep, width: int, short: bool) -> list[Line]:
    """A step; what does not fit goes on below it, or in `short` is cut."""
    style = "bad bold" if step.point_of_no_return else "text"
    room = max(20, min(_STEP, width - _LABEL - 19))  # the number, the limit and whether it can be undone take the rest
    target = room // 4
    action = room - target
    does, places = ([clean(text)] if short else wrapped(clean(text), size) or [""]
                    for text, size in ((step.action, action), (step.target, target)))
    limit = (right(f"{step.limit_seconds:g} s", 7) + "  ", "quiet")
    undo = ("undo" if step.undo and not step.point_of_no_return else "", "quiet")
    return [labelled("" if row else label, (
        ("   " if row else f"{right(str(step.number), 2)} ", "quiet"), (left(act, action) + " ", style),
        (left(place, target), "heading"), *(() if row else (limit, undo)),
    ), width) for row, (act, place) in enumerate(zip_longest(does, places, fillvalue=""))]


def _figures(details: Mapping[str, Any], width: int) -> list[Line]:
    """Users of each server before and after, where the plan moves users."""
    before, after = details.get("users_before"), details.get("users_after")
    if not isinstance(before, Mapping) or not isinstance(after, Mapping):
        return []
    names = sorted({*before, *after})
    parts = [f"{name} {before.get(name, 0)} ▸ {after.get(name, 0)}" for name in names]
    return [labelled("" if place else "Users", ((text, "text"),), width)
            for place, text in enumerate(wrapped(",  ".join(parts), width - _LABEL - 1))]


def wanted(plan: Plan, overridden: Sequence[str]) -> tuple[str, ...]:
    """The lines that have to be typed still: an override for each check that stops it, then the name."""
    bad = [check.name for check in plan.checks if check.verdict is CheckVerdict.BAD and check.name not in overridden]
    return (*(f"override {name}" for name in dict.fromkeys(bad)), plan.confirm)


def forbidden(plan: Plan) -> str | None:
    """The check that nobody can override; None when there is none."""
    never = next((check for check in plan.checks if check.verdict is CheckVerdict.NEVER), None)
    return None if never is None else f"{never.name}: {never.subject} {never.value}".replace("  ", " ")


def confirm_lines(plan: Plan, overridden: Sequence[str], void: Sequence[str], width: int) -> tuple[Line, ...]:
    """What starts when the name is typed, and what has to be typed."""
    lines = [screen_title("CONFIRM", plan.kind, plan.target, (f"plan {plan.id}", "quiet"), width), BLANK]
    if void:
        return (*lines, *_void_lines(void, width))
    lines += _losses(plan, width)
    number = plan.point_of_no_return
    turning = f"none from step {number} of {len(plan.steps)} on" if number else "every step can be undone"
    lines += [labelled("Return", ((turning, "bad bold" if number else "text"),), width), BLANK]
    lines += [labelled("" if place else "Typed", (("✓ ", "well"), (f"override {name}", "warning"),), width)
              for place, name in enumerate(overridden)]
    first, *later = wanted(plan, overridden)
    lines.append(labelled("Type", ((first, "strong bold"), ("   then ctrl+x", "flow")), width))
    lines += [labelled("then", ((text, "quiet"), ("   then ctrl+x", "quiet")), width) for text in later]
    hint = wrapped("Type it by hand, as fast as you usually type. Pasting is blocked.", width - 2)
    return (*lines, BLANK, *(Line(fit(((f" {part}", "quiet"),), width)) for part in hint))


def _void_lines(void: Sequence[str], width: int) -> list[Line]:
    title: tuple[Span, ...] = ((" VOID", "bad bold"), ("  a fact that this plan rests on is another one now:", "text"))
    lines = [Line(fit(title, width)), *(Line(fit(((f"   {fact}", "warning"),), width)) for fact in void)]
    return [*lines, BLANK, Line(fit(((" esc goes back to a new plan. Nothing has happened.", "text"),), width))]


def changed_facts(before: Mapping[str, Any], after: Mapping[str, Any], path: str = "") -> tuple[str, ...]:
    """The facts that differ, each as `name: old ▸ new`."""
    found: list[str] = []
    for name in sorted({*before, *after}, key=str):
        old, new = before.get(name), after.get(name)
        where = f"{path}{name}"
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found += changed_facts(old, new, f"{where} ")
        elif old != new:
            found.append(f"{where}: {cut(clean(_told(old)), 40)} ▸ {cut(clean(_told(new)), 40)}")
    return tuple(found)


def _told(value: object) -> str:
    if value is None:
        return "nothing"
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
