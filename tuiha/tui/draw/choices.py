"""What can be failed over now, and why the rest cannot: read from the snapshot, before anything is planned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tuiha.model.facts import DatabaseFacts, MailFacts, NodeKind, Snapshot
from tuiha.model.managed import not_here
from tuiha.model.verdict import UNPROTECTED
from tuiha.tui.draw.head import ordered_pair
from tuiha.tui.draw.lists import wrapped
from tuiha.tui.draw.marks import CURSOR
from tuiha.tui.draw.rows import Row
from tuiha.tui.draw.spans import BLANK, Line, Span, fit, left, width_of


@dataclass(frozen=True, slots=True)
class Choice:
    """A kind of operation with its target; `against` says why it is not offered, empty when it is."""

    kind: str
    target: tuple[str, ...]
    title: str
    means: str
    against: str = ""


def choices(snapshot: Snapshot | None, row: Row | None) -> tuple[Choice, ...]:
    """What `f` offers: the database pair, and the mail server under the cursor."""
    if snapshot is None:
        return ()
    return (*_database_choices(snapshot), *_mail_choices(snapshot, row))


def _database_choices(snapshot: Snapshot) -> tuple[Choice, ...]:
    pair = ordered_pair(snapshot)
    if len(pair) < 2:
        return ()
    first, second = pair[0], pair[1]
    way = f"{first.name} ──▶ {second.name}"
    running_alone = snapshot.protection == UNPROTECTED
    theirs = not_here("degrade", snapshot.manager), not_here("protect", snapshot.manager)
    alone = "the pool runs without a secondary already" if running_alone else ""
    writes = first.reachable and bool(first.writable)
    return (
        Choice("switchover", (), f"switch over  {way}", "planned: nothing is lost", _against_switchover(first, second)),
        Choice("failover", (), f"fail over  {way}", f"{first.name} is gone", _against_failover(first, second)),
        Choice("degrade", (), f"go on without {second.name}", "commits wait for nobody",
               theirs[0] or alone or ("" if writes else f"{first.name} does not take writes: fail over")),
        Choice("protect", (), f"protect: commits wait for {second.name} again", "the end of degraded",
               theirs[1] or ("the pool is protected" if not running_alone else
                             "" if writes else f"{first.name} does not take writes")),
        Choice("rejoin", (second.name,), f"rejoin {second.name}", f"make it follow {first.name}",
               _against_rejoin(first, second)),
    )


def _against_switchover(first: DatabaseFacts, second: DatabaseFacts) -> str:
    if not first.reachable or not first.writable:
        return f"{first.name} does not take writes: fail over instead"
    return "" if second.state == "UP" else f"{second.name} is {second.state}: there is nothing to switch to"


def _against_failover(first: DatabaseFacts, second: DatabaseFacts) -> str:
    if first.reachable and first.writable:
        return f"{first.name} takes writes: switch over instead"
    return "" if second.reachable else f"{second.name} does not answer either"


def _against_rejoin(first: DatabaseFacts, second: DatabaseFacts) -> str:
    if not first.reachable:
        return f"{first.name} does not answer: nothing to follow"
    if first.state != "UP" or not first.writable:
        return f"{first.name} is {first.state} and takes no writes: nothing to follow"
    return f"{second.name} follows {first.name}" if second.state == "UP" and second.lag_bytes is not None else ""


def _mail_choices(snapshot: Snapshot, row: Row | None) -> tuple[Choice, ...]:
    mail = next((mail for mail in snapshot.mail if row is not None and mail.name == row.name), None)
    if mail is None or row is None or row.kind is not NodeKind.MAIL:
        missing = "put the cursor on a mail server first"
        return (Choice("failover-mail", (), "take a mail server out of service", "", missing),)
    return (_out(snapshot, mail), _back(mail))


def _out(snapshot: Snapshot, mail: MailFacts) -> Choice:
    partners = [other for other in snapshot.mail if other.cluster == mail.cluster and other.name != mail.name]
    against = ""
    if mail.in_service is False:
        against = f"{mail.name} is out of service"
    elif not any(other.state == "UP" for other in partners):
        against = f"no other mail server of {mail.cluster} is UP"
    title = f"take {mail.name} out of service"
    return Choice("failover-mail", (mail.name,), title, "its users go to its partners", against)


def _back(mail: MailFacts) -> Choice:
    against = f"{mail.name} is in service" if mail.in_service is not False else ""
    return Choice("return-mail", (mail.name,), f"return {mail.name} to service", "its users come back", against)


def menu_lines(
    heading: str, offered: Sequence[Choice], cursor: int, against: str | None, width: int
) -> tuple[Line, ...]:
    """The menu; `against` is why nothing at all is offered, None when something is."""
    lines: list[Line] = [
        Line(fit(((f" {heading}", "armed bold"), ("   each is planned first", "quiet")), width)), BLANK,
    ]
    if against:
        lines[1] = Line(fit(((f" not now: {against}", "warning"),), width))
    column = min(max((width_of([(choice.title, "")]) for choice in offered), default=0), width // 2)
    for place, choice in enumerate(offered):
        reason = choice.against
        here = place == cursor
        mark: Span = (f" {CURSOR} " if here else "   ", "flow bold")
        title: Span = (left(choice.title, column), "quiet" if reason or against else "strong bold")
        told: Span = (choice.means, "quiet" if against else "text")
        if reason:
            told = (reason, "warning" if here else "quiet")
        lines.append(Line(fit((mark, title, ("  ", "text"), told), width), "cursor" if here else "ground"))
    told_here = offered[cursor].against if offered else ""
    if told_here:
        parts = wrapped(f"not now: {told_here}", width - 4)
        lines += [BLANK, *(Line(fit(((f"   {part}", "warning"),), width)) for part in parts)]
    if not offered:
        lines.append(Line(fit((("   the pool was not looked at yet", "quiet"),), width)))
    return tuple(lines)
