"""Lines 1 to 3: the verdict, the worst problem with what to do next, the database pair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tuiha.model.databases.durability import IN_STEP
from tuiha.model.facts import DatabaseFacts, NodeKind, Problem, Protection, Severity, Snapshot, Verdict
from tuiha.model.problems.symptoms import folded
from tuiha.model.reports import DatabaseState
from tuiha.model.scene import GONE, seen
from tuiha.tui.draw import figures
from tuiha.tui.draw.current import running_line
from tuiha.tui.draw.marks import DOWN, IDLE, OK, WARN, state_mark
from tuiha.tui.draw.rows import is_astray
from tuiha.tui.draw.spans import Line, Span, cut, fit, joined, shrink, spread, width_of
from tuiha.tui.draw.view import View
from tuiha.words import guard, problems, states
from tuiha.words import next as following
from tuiha.words.states import served, serving

VERDICT_STYLES: dict[Verdict, str] = {
    Verdict.HEALTHY: "well",
    Verdict.DEGRADED: "warning",
    Verdict.DISPUTED: "warning",
    Verdict.SPLIT: "bad",
    Verdict.DOWN: "bad",
}
_VERDICT_MARKS = {"well": OK, "warning": WARN, "bad": DOWN}
SEVERITY_STYLES: dict[Severity, str] = {
    Severity.BAD: "bad",
    Severity.WARNING: "warning",
    Severity.NOTE: "text",
}
_MODE_STYLES = {"LOCKED": "heading bold", "UNLOCKED": "armed bold", "REPLAY": "warning bold"}
NO_KEYS: Mapping[str, str] = {}
ROOMY = 100  # columns from which on line 1 has room for the age of data that is new


def ground_of(snapshot: Snapshot | None) -> str:
    """The ground of line 2: red when the pool is split or down."""
    alarming = snapshot is not None and snapshot.verdict in (Verdict.SPLIT, Verdict.DOWN)
    return "alarm" if alarming else "ground"


def head(view: View, width: int, keys: Mapping[str, str] = NO_KEYS, listed: str = "",
         ) -> tuple[Line, Line, Line]:
    """Lines 1 to 3 of every screen; `keys` are those that lead to operations here: as declared, and as bound.

    `listed`: the key that lists all problems.
    """
    first, second, third = verdict_line(view, width), problem_line(view, width, keys, listed), pair_line(view, width)
    second, third = aged(view, (second, third))
    return first, second, third


def aged(view: View, lines: Sequence[Line]) -> Sequence[Line]:
    """The lines as they are, or without their colours when the picture is old."""
    if not view.old:
        return lines
    return [Line(tuple((text, "quiet") for text, _ in line.spans), line.ground if line.ground == "cursor" else "ground")
            for line in lines]


def is_known(snapshot: Snapshot | None) -> bool:
    """Whether anything can be said of the pool: before the first server has answered nothing can."""
    return snapshot is not None and (not snapshot.servers or seen(snapshot.servers))


def verdict_line(view: View, width: int) -> Line:
    """Line 1: pool, verdict, how many servers serve, protection; mode, UTC. Of an old picture only what was, and when.

    While nobody is served, or the pool is split, the whole line is turned round.
    """
    snapshot = view.snapshot
    end = _line_one_end(view, width)
    room = width - width_of(end) - 3
    pool: list[Span] = [(cut(view.pool, max(8, room // 2)), "strong bold")]
    if snapshot is None or not is_known(snapshot):
        start = shrink([pool, [("looking at the pool", "quiet")]], room)
        return Line(spread(((" ", "text"), *start), (*end, (" ", "text")), width))
    if view.old:
        was: list[Span] = [(f"{IDLE} was {snapshot.verdict.value}", "quiet bold")]
        at: list[Span] = [(f"at {figures.clock(snapshot.at)}Z, {figures.duration(view.age)} ago", "quiet")]
        start = shrink([pool, was, at], room)
        return Line(spread(((" ", "text"), *start), (*end, (" ", "text")), width))
    style = VERDICT_STYLES[snapshot.verdict]
    verdict: list[Span] = [(f"{_VERDICT_MARKS[style]} ", style), (snapshot.verdict.value, f"{style} bold")]
    start = shrink([pool, verdict, _served(snapshot, view.now), *_standing(snapshot)], room)
    ground = "bad" if snapshot.verdict in (Verdict.SPLIT, Verdict.DOWN) else "ground"
    return Line(spread(((" ", "text"), *start), (*end, (" ", "text")), width), ground)


def _served(snapshot: Snapshot, now: float) -> list[Span]:
    there, total = serving(snapshot)
    return [(served(snapshot, now), "text" if there == total else "bad bold")]


def _standing(snapshot: Snapshot) -> list[list[Span]]:
    """The rest of line 1; while nobody is served nothing of it matters."""
    groups: list[list[Span]] = []
    if snapshot.guard is not None:
        acts = snapshot.guard.report is not None and not snapshot.guard.to_acknowledge \
            and snapshot.guard.notes.paused(snapshot.at) is None
        groups.append([(guard.state(snapshot.guard, snapshot.at), "well" if acts else "warning bold")])
    if snapshot.unserved_since is not None and snapshot.held_by is None:
        return groups
    if snapshot.protection:
        style = "well" if snapshot.protection is Protection.PROTECTED else "warning bold"
        groups.insert(0, [(snapshot.protection, style)])
    if snapshot.users is not None:
        groups.append([(figures.count(snapshot.users), "text"), (" users", "quiet")])
    if snapshot.epoch is not None:
        groups.append([("epoch ", "quiet"), (str(snapshot.epoch), "text")])
    return groups


def _line_one_end(view: View, width: int) -> tuple[Span, ...]:
    interval = view.snapshot.interval if view.snapshot else 1.0
    stale = view.old
    mode: list[Span] = [(view.mode, _MODE_STYLES.get(view.mode, "armed bold"))]
    if view.paused:
        mode += [(" ", "text"), ("PAUSED", "warning bold")]
    if view.unrecorded:
        mode += [(" ", "text"), ("NOT RECORDED" if width >= 100 else "no rec", "warning")]
    age = figures.age_text(view.age, interval) if view.snapshot else "-"
    aged: list[Span] = [("age ", "quiet"), (age, "bad bold" if stale else "quiet")] if stale or width >= ROOMY else []
    clock: list[Span] = [(figures.clock(view.now) + "Z", "quiet")]
    if not view.clock:
        return joined([mode, aged] if stale else [mode])
    return joined([mode, aged] if width < 60 else [mode, aged, clock])


def problem_line(view: View, width: int, keys: Mapping[str, str] = NO_KEYS, listed: str = "") -> Line:
    """Line 2: the worst problem, how many more there are, and what comes next: its key if any, and the command."""
    snapshot = view.snapshot
    ground = ground_of(snapshot)
    if snapshot is None or not is_known(snapshot):
        return Line(fit(((" waiting for the first answers", "quiet"),), width))
    if view.old:
        return Line(fit(((" this is how the pool was; nothing has been seen since", "quiet"),), width))
    found = running_line(view, width, ground)
    if found is not None:
        return found
    if not snapshot.problems:
        text = "all good, no action needed"
        return Line(fit(((" " + text, "quiet"),), width), ground)
    worst = snapshot.problems[0]
    style = SEVERITY_STYLES[worst.severity]
    start: list[Span] = [(" ! ", f"{style} bold"), *problem_spans(worst, view.now)]
    command = _guard_next(snapshot, width) or _what_next(worst, keys, width, width - width_of(start) - 2)
    more = len(folded(snapshot.problems)) - 1
    room = width - width_of(start) - width_of(command) - 4
    return Line(spread(start, (("  ", "text"), *_counted(more, listed, room), *command), width), ground)


def _counted(more: int, listed: str, room: int) -> tuple[Span, ...]:
    """How many problems there are beside the worst, and the key that lists them; nothing when there is none."""
    key: tuple[Span, ...] = ((f"[{listed}]", "flow bold"),) if listed else ()
    forms: tuple[tuple[Span, ...], ...] = (
        ((f"+{more} more", "quiet"), *(((" ", "text"), *key) if key else ()), ("  ", "text")),
        ((f"+{more}", "quiet"), *key, ("  ", "text")),
        ((f"+{more}", "quiet"), ("  ", "text")),
    )
    return next((form for form in forms if width_of(form) <= room and more), ())


def _guard_next(snapshot: Snapshot, width: int) -> list[Span]:
    """What the guard is about to do; empty when it does nothing."""
    coming = None if snapshot.guard is None else snapshot.guard.coming
    return [] if coming is None else [(cut(guard.countdown(coming), max(12, width // 2)), "armed bold"), (" ", "text")]


def _what_next(problem: Problem, keys: Mapping[str, str], width: int, room: int) -> list[Span]:
    """The key, if one leads there, and the command: as short as it must be for what is wrong to be read whole."""
    if problem.next is None:
        return [(" ", "text")]
    key = keys.get(following.key(problem.next) or "")
    pressed: list[Span] = [(key, "flow bold")] if key else []
    command = following.command(problem.next)
    forms = [command.removeprefix(prefix) for prefix in ("", "tuiha ", "tuiha plan ")[width < 100 :]]
    made: list[Span] = []
    for form in (*forms, "") if key else forms:
        told: list[Span] = [(cut(form, max(12, width // 2 - 4)), "flow" if key else "flow bold")] if form else []
        made = [("next: ", "quiet"), *joined([pressed, told]), (" ", "text")]
        if width_of(made) <= room:
            break
    return made


def problem_spans(problem: Problem, now: float) -> list[Span]:
    """A problem in a few words: `mail2 DOWN 4m12s  imap: connection refused`. The pool's name is on line 1 already."""
    style = SEVERITY_STYLES[problem.severity]
    subject = "" if problem.kind is NodeKind.POOL else f"{problem.subject} "
    spans: list[Span] = [(f"{subject}{problems.state(problem)}", f"{style} bold")]
    if problem.since is not None:
        least = "at least " if problem.at_least else ""
        spans.append((f" {least}{figures.duration(now - problem.since)}", style))
    told = problems.detail(problem)
    if told:
        spans.append((f"  {told}", style))
    return spans


def pair_line(view: View, width: int) -> Line:
    """Line 3: the database pair, its replication, and which database the servers are attached to."""
    snapshot = view.snapshot
    if snapshot is None:
        return Line(fit(((" DB", "heading"),), width))
    pair = ordered_pair(snapshot)
    end: tuple[Span, ...] = (("  ", "text"), *attachment_spans(snapshot), (" ", "text"))
    spans = _pair_spans(snapshot, pair, access=True)
    if _astray(snapshot) and width_of((*spans, *end)) > width:
        spans = _pair_spans(snapshot, pair, access=False)
    found = relation(snapshot)
    told: list[Span] = [] if found is None else [("  ", "text"), (found.text, found.style)]
    if found is not None and width_of((*spans, *told)) > width:  # the seconds give way, and are not cut in two
        told = [("  ", "text"), (found.short, found.style)]
    if width_of((*spans, *told, *end)) > width:  # one of the two gives way: the one that is less of a worry
        told, end = ([], end) if _astray(snapshot) else (told, ((" ", "text"),))
    return Line(spread((*spans, *told), end, width))


def ordered_pair(snapshot: Snapshot) -> tuple[DatabaseFacts, ...]:
    """The databases, the active one first, then one that is in step with it."""
    return tuple(sorted(snapshot.databases, key=lambda one: (one.name != snapshot.active,
                                                             one.sync_state not in IN_STEP)))


def _pair_spans(snapshot: Snapshot, pair: tuple[DatabaseFacts, ...], *, access: bool) -> list[Span]:
    """The databases with the arrow between them; with `access` also who of them takes writes."""
    spans: list[Span] = [(" DB  ", "heading")]
    for place, database in enumerate(pair):
        if place:
            spans += [(" ", "text"), _arrow(snapshot), (" ", "text")]
        spans += _database_spans(database, access)
    return spans


def _database_spans(database: DatabaseFacts, access: bool) -> list[Span]:
    role = database.role if database.reachable and database.role else database.state
    good = database.state is DatabaseState.UP
    style = "well" if good else "bad bold"
    spans: list[Span] = [state_mark(database.state), (f" {database.name} ", "strong bold"), (role, style)]
    if access and database.writable is not None and database.reachable:
        spans.append((" rw" if database.writable else " ro", "quiet" if good else "bad"))
    return spans


@dataclass(frozen=True, slots=True)
class Relation:
    """How the second database follows the first, and how that is drawn."""

    follows: bool
    words: tuple[str, ...]
    style: str

    @property
    def text(self) -> str:
        """All of it."""
        return ", ".join(self.words)

    @property
    def short(self) -> str:
        """The same without the last figure, where there is more than one."""
        return ", ".join(self.words[:-1] or self.words)


def relation(snapshot: Snapshot) -> Relation | None:
    """How the secondary follows the primary; None when there is no second database."""
    pair = ordered_pair(snapshot)
    if len(pair) < 2:
        return None
    second = pair[1]
    if second.state is DatabaseState.ROGUE_PRIMARY:
        return Relation(False, (states.NOT_OURS,), "bad bold")
    if not second.reachable:
        return Relation(False, (states.NOT_REPLICATING,),
                        "bad bold" if snapshot.protection is Protection.PROTECTED else "warning")
    if second.sync_state is None and second.lag_bytes is None:
        return Relation(False, (states.NOT_REPLICATING,), "bad bold")
    style = "well" if second.sync_state in IN_STEP else "warning"
    words = [second.sync_state or states.UNKNOWN, f"{figures.size(second.lag_bytes)}"]
    if second.lag_seconds is not None:
        words.append(figures.milliseconds(second.lag_seconds * 1000, " "))
    return Relation(True, tuple(words), style)


def _arrow(snapshot: Snapshot) -> Span:
    found = relation(snapshot)
    if found is None or not found.follows:
        return ("╌╳╌", "bad bold")
    return ("──▶", found.style)


def _astray(snapshot: Snapshot) -> bool:
    return any(is_astray(server, snapshot) for server in snapshot.servers)


def attachment_spans(snapshot: Snapshot) -> tuple[Span, ...]:
    """To which database the servers are attached; anything but one for all is said in red."""
    places: dict[str, int] = {}
    for server in snapshot.servers:
        if server.database and server.state not in GONE:
            places[server.database] = places.get(server.database, 0) + 1
    if not places:
        return (("no server attached", "bad bold"),) if snapshot.servers else ()
    if len(places) == 1 and not _astray(snapshot):
        database, number = next(iter(places.items()))
        total = len(snapshot.servers)
        how_many = "all" if number == total else f"{number} of {total}"
        answers = any(one.name == database and one.reachable for one in snapshot.databases)
        style = "bad" if not answers else "well" if number == total else "text"
        return ((f"{how_many} on ", "quiet"), (database, style))
    parts = " / ".join(f"{number} on {name}" for name, number in sorted(places.items()))
    return ((parts, "bad bold"),)
