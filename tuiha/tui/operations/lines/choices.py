"""Operations to choose from. Whether one may be done now is not judged here: the operation's own checks say it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tuiha.model.facts import NodeKind, Problem, Snapshot
from tuiha.model.operations.catalogue import Group, Operation, of_group
from tuiha.tui.draw.head import ordered_pair
from tuiha.tui.draw.lists import wrapped
from tuiha.tui.draw.marks import CURSOR
from tuiha.tui.draw.rows import Row
from tuiha.tui.draw.spans import BLANK, Line, Span, fit, left, width_of
from tuiha.words.next import key

if TYPE_CHECKING:
    from tuiha.operate.plans.plan import Plan

FAILS_OVER = "f"  # the key of the menu
ASKING = "asking the pool ..."


@dataclass(frozen=True, slots=True)
class Choice:
    """A kind of operation with its target; `missing` says what has to be chosen first, empty when nothing has."""

    kind: str
    target: tuple[str, ...]
    title: str
    means: str
    missing: str = ""


@dataclass(frozen=True, slots=True)
class Judged:
    """What an operation's own checks say of it now."""

    against: str = ""  # why it cannot be done at all; empty when it can
    bad: tuple[str, ...] = ()  # checks that stop it unless they are overridden


def judged(plan: Plan) -> Judged:
    """Whether a plan can be carried out: no override helps against NEVER, and a reason does against BAD."""
    never = [check for check in plan.stopped_by if check.verdict == "never"]
    if never:
        told = (f"{check.subject}: {check.value}, wanted {check.limit}" + (f"; {check.remedy}" if check.remedy else "")
                for check in never)
        return Judged(". ".join(told))
    return Judged(bad=tuple(dict.fromkeys(check.name for check in plan.stopped_by)))


def choices(snapshot: Snapshot | None, row: Row | None) -> tuple[Choice, ...]:
    """What `f` offers: the database pair, and the mail server under the cursor."""
    if snapshot is None:
        return ()
    return (*_database_choices(snapshot), *_mail_choices(snapshot, row))


def suggested(problem: Problem | None) -> tuple[str, tuple[str, ...]] | None:
    """The operation that ends a problem by way of `f`, with its target; None when none does."""
    then = None if problem is None else problem.next
    return None if then is None or key(then) != FAILS_OVER else (then.operation, then.targets)


def _database_choices(snapshot: Snapshot) -> tuple[Choice, ...]:
    pair = ordered_pair(snapshot)
    if len(pair) < 2:
        return ()
    active, partner = pair[0].name, pair[1].name
    return tuple(
        Choice(one.name, (partner,) if one.named else (), one.offer.format(active=active, partner=partner),
               one.means.format(active=active, partner=partner))
        for one in _offered(Group.DATABASE)
    )


def _mail_choices(snapshot: Snapshot, row: Row | None) -> tuple[Choice, ...]:
    mail = next((mail for mail in snapshot.mail if row is not None and mail.name == row.name), None)
    offered = _offered(Group.MAIL)
    if mail is None or row is None or row.kind is not NodeKind.MAIL:
        missing = "put the cursor on a mail server first"
        return (Choice(offered[0].name, (), offered[0].offer.format(target="a mail server"), "", missing),)
    return tuple(Choice(one.name, (mail.name,), one.offer.format(target=mail.name), one.means) for one in offered)


def _offered(group: Group) -> tuple[Operation, ...]:
    """The kinds of a group that a menu offers."""
    return tuple(one for one in of_group(group) if one.offer)


def begun_at(offered: Sequence[Choice], judged: Mapping[Choice, Judged], wanted: Sequence[str]) -> int:
    """Where the cursor begins: on what is wanted (a kind or a target) if it can be done, else on the first that can."""
    free = [place for place, choice in enumerate(offered)
            if not choice.missing and not judged.get(choice, Judged()).against]
    best = [place for place in free if {offered[place].kind, *offered[place].target} & set(wanted)]
    return next(iter((*best, *free)), 0)


def menu_lines(
    heading: str, offered: Sequence[Choice], judged: Mapping[Choice, Judged] | None, cursor: int, against: str | None,
    width: int, why: str = "",
) -> tuple[Line, ...]:
    """The menu; `why` says why the cursor began where it did.

    `judged` has what was answered so far, None where nothing is asked before the plan; `against` is why nothing at all
    can be done, None when something can.
    """
    lines: list[Line] = [
        Line(fit(((f" {heading}", "armed bold"), ("   each is planned first", "quiet")), width)), BLANK,
    ]
    if why and not against:
        lines[1] = Line(fit(((f" {why}", "text"),), width))
    if against:
        lines[1] = Line(fit(((f" not now: {against}", "warning"),), width))
    column = min(max((width_of([(choice.title, "")]) for choice in offered), default=0), width // 2)
    for place, choice in enumerate(offered):
        here = place == cursor
        told, told_style = _told(choice, judged, here)
        quiet = bool(against) or _refused(choice, judged) != ""
        mark: Span = (f" {CURSOR} " if here else "   ", "flow bold")
        title: Span = (left(choice.title, column), "quiet" if quiet else "strong bold")
        lines.append(Line(fit((mark, title, ("  ", "text"), (told, "quiet" if against else told_style)), width),
                          "cursor" if here else "ground"))
    lines += _under(offered[cursor], judged, width) if offered else [
        Line(fit((("   the pool was not looked at yet", "quiet"),), width))]
    return tuple(lines)


def _refused(choice: Choice, judged: Mapping[Choice, Judged] | None) -> str:
    known = None if judged is None else judged.get(choice)
    return choice.missing or ("" if known is None else known.against)


def _told(choice: Choice, judged: Mapping[Choice, Judged] | None, here: bool) -> Span:
    refused = _refused(choice, judged)
    if refused:
        return refused, "warning" if here else "quiet"
    if judged is not None and choice not in judged:
        return ASKING, "quiet"
    bad = () if judged is None else judged[choice].bad
    return (f"stopped by {', '.join(bad)}", "warning") if bad else (choice.means, "text")


def _under(choice: Choice, judged: Mapping[Choice, Judged] | None, width: int) -> list[Line]:
    """What is said of the choice under the cursor, in full."""
    refused = _refused(choice, judged)
    bad = () if judged is None or choice not in judged else judged[choice].bad
    text = f"not now: {refused}" if refused else (
        f"{', '.join(bad)}: the plan explains the check, and how to override it" if bad else "")
    parts = wrapped(text, width - 4) if text else []
    return [BLANK, *(Line(fit(((f"   {part}", "warning"),), width)) for part in parts)] if parts else []
