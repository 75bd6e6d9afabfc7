"""The wall: one pool that is read from across a room, and a word on each of the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tuiha.model.facts import (
    DatabaseFacts,
    MailFacts,
    NodeKind,
    ServerFacts,
    Severity,
    Snapshot,
    SprayerFacts,
)
from tuiha.model.operations.catalogue import OPERATIONS
from tuiha.model.problems import symptoms
from tuiha.model.problems.operation import running
from tuiha.model.scene import serves
from tuiha.model.since import verdict_since
from tuiha.tui.draw import figures
from tuiha.tui.draw.head import VERDICT_STYLES, aged, pair_line
from tuiha.tui.draw.lists import event_lines, rule, wrapped
from tuiha.tui.draw.marks import state_mark
from tuiha.tui.draw.plots import fitting_plots
from tuiha.tui.draw.spans import BLANK, Line, Span, clean, cut, fit, folded, joined, spread, width_of
from tuiha.tui.draw.view import View
from tuiha.tui.views.pool.plots import pool_plots
from tuiha.tui.views.wall.day import day_line, stretches
from tuiha.tui.views.wall.letters import fitting_scale, large
from tuiha.tui.views.wall.pools import OnWall, all_pools
from tuiha.words.next import command
from tuiha.words.problems import detail, means, state
from tuiha.words.states import served, serving

WALL = "WALL"
SIDE = 30  # cells from which words stand beside the large ones
SHARE = 0.42  # of the rows: the band takes at most so many
NAMED = 20  # nodes of a kind that have a mark each; of more there are numbers
Node = ServerFacts | DatabaseFacts | SprayerFacts | MailFacts
EVENTS = 5  # rows of events that plots leave


def wall_lines(pools: Sequence[OnWall], shown: int, width: int, height: int) -> list[Line]:
    """The whole wall: the pool that is shown now, and the line of all pools when there are several."""
    if not pools:
        return [Line(fit(((" no pool to watch", "warning"),), width))]
    pool = pools[shown]
    bottom = [all_pools(pools, shown, width)] if len(pools) > 1 else []
    room = max(1, height - len(bottom))
    lines = [_top(pool.view, shown, len(pools), width), *_banner(pool, width)]
    snapshot = pool.view.snapshot
    if snapshot is None:
        text = pool.failed or "looking at the pool"
        lines += [BLANK, Line(fit(((f" {text}", "bad bold" if pool.failed else "quiet"),), width))]
    else:
        lines += aged(pool.view, _body(pool, snapshot, width, room - len(lines)))
    lines = lines[:room]
    return [*lines, *[BLANK] * (room - len(lines)), *bottom]


def _top(view: View, shown: int, pools: int, width: int) -> Line:
    interval = view.snapshot.interval if view.snapshot is not None else 1.0
    which: list[Span] = [(f"{shown + 1} of {pools}", "quiet")] if pools > 1 else []
    age: list[Span] = [("age ", "quiet"), (figures.age_text(view.age, interval) if view.snapshot else "-",
                                           "bad bold" if view.old else "quiet")]
    clock: list[Span] = [(figures.clock(view.now) + "Z", "quiet")] if view.clock else []
    end = (*joined([which, [(WALL, "heading bold")], age, clock]), (" ", "text"))
    return Line(spread(((" ", "text"), (cut(view.pool, max(8, width // 2)), "strong bold")), end, width))


def _banner(pool: OnWall, width: int) -> list[Line]:
    """Old data are never shown as if they were new."""
    if not pool.stale:
        return []
    age = figures.duration(pool.view.age)
    text = f" THIS IS {age} OLD: nobody knows how the pool is now"
    return [Line(fit(((text.center(width), "bad bold"),), width), "alarm")]


def _body(pool: OnWall, snapshot: Snapshot, width: int, room: int) -> list[Line]:
    lines = _band(pool, snapshot, width, room)
    gap = [BLANK] if room >= 16 else []
    lines += [*gap, *_cause(pool, snapshot, width, large_words=room >= 18)]
    lines += [*gap, *_marks(snapshot, width), *gap, pair_line(pool.view, width)]
    since = min((at for at in (pool.watched_since, verdict_since(snapshot)) if at), default=pool.view.known_at)
    known = stretches(pool.view.events, pool.view.known_at, snapshot, since, pool.day)
    day = [day_line(known, pool.view.now, width)]
    spare = room - len(lines) - len(day)
    plots = fitting_plots(pool_plots(snapshot)[: 4 if width >= 150 else 3 if width >= 100 else 2], pool.trends,
                          snapshot.at, width, spare - len(gap) - (EVENTS + 1 if spare > 20 else 0))
    lines += [*gap, *plots] if plots else []
    lines += day if room > len(lines) else []
    spare = room - len(lines)
    if spare >= 3:
        lines += [rule(width), *event_lines(pool.view.events, width, spare - 1)]
    return lines


def _band(pool: OnWall, snapshot: Snapshot, width: int, room: int) -> list[Line]:
    """The verdict, as large as fits, on the ground of its state; beside it or under it what users have of it."""
    ground = VERDICT_STYLES[snapshot.verdict]
    told = _users(pool, snapshot)
    word = snapshot.verdict.value
    edge = 1 if room >= 14 else 0
    scale = fitting_scale(word, width - 2, max(1, int(room * SHARE)) - 2 * edge)
    letters = [word] if scale is None or room < 10 else large(word, scale)
    wide = width_of([(letters[0], "")])
    beside = width - wide - 6 >= max(SIDE, *(width_of([(text, "")]) for text in told))
    rows: list[tuple[Span, ...]] = []
    first = max(0, (len(letters) - len(told)) // 2)
    for place, row in enumerate(letters):
        text = told[place - first] if beside and 0 <= place - first < len(told) else ""
        rows.append(((f"  {row}", "strong bold"), (f"    {text}", "strong bold")))
    if not beside:
        rows += [((f"  {part}", "strong bold"),) for text in told for part in wrapped(text, width - 3)]
    blank: list[tuple[Span, ...]] = [()] * edge
    return [Line(fit(spans, width), ground) for spans in (*blank, *rows, *blank)]


def _users(pool: OnWall, snapshot: Snapshot) -> list[str]:
    """For how long it is so, and how many users are served or are not."""
    there, total = serving(snapshot)
    users = snapshot.users
    unserved = (server for server in snapshot.servers if not serves(server))
    lost = users if not there and users is not None else sum(server.users or 0 for server in unserved)
    since = verdict_since(snapshot)
    told = []
    if snapshot.unserved_since is not None:
        told.append(served(snapshot, pool.view.known_at))
    elif since is not None:
        told.append(f"for {figures.duration(pool.view.known_at - since)}")
    if lost:
        told.append(f"{lost:,} {'' if users is None else f'of {users:,} '}users are not served")
    elif snapshot.users is not None:
        told.append(f"{users:,} users are served")
    told.append(f"{there} of {total} servers serve")
    return told


def _cause(pool: OnWall, snapshot: Snapshot, width: int, *, large_words: bool) -> list[Line]:
    """The one cause, in words that are wide where there is room, and who is working on it."""
    if not snapshot.problems:
        return [Line(fit(((" All good, no action needed.", "well"),), width))]
    worst = snapshot.problems[0]
    style = {Severity.BAD: "bad bold", Severity.WARNING: "warning bold"}.get(worst.severity, "strong bold")
    name = clean(state(worst) if worst.kind is NodeKind.POOL else f"{worst.subject} {state(worst)}")
    spaced = " ".join(name.upper())
    wide = large_words and width_of([(spaced, "")]) <= width - 4
    lines = [Line(fit(((f" {spaced if wide else name}", style),), width))]
    told = detail(worst) or means(worst)
    lines += [Line(fit(((f" {part}", "text"),), width)) for part in wrapped(clean(told), width - 2)[:2]]
    lines.append(Line(fit(_work(snapshot), width)))
    more = len(symptoms.folded(snapshot.problems)) - 1
    if more:
        lines.append(Line(fit(((f" and {more} more {'problem' if more == 1 else 'problems'}", "quiet"),), width)))
    return lines


def _work(snapshot: Snapshot) -> tuple[Span, ...]:
    """Who is working on it; or what comes next, and that nobody does it yet."""
    found = running(snapshot)
    if found is not None:
        known = OPERATIONS.get(found.kind)
        title = known.titled(()) if known is not None else found.kind
        return ((f" {title}", "armed bold"),
                (f": {found.owner} has been working on it since {figures.clock(found.since)[:5]}Z", "armed"))
    then = snapshot.problems[0].next
    return ((f" Next: {command(then)}", "flow bold"), ("   no operation runs yet", "quiet")) if then else ()


def _marks(snapshot: Snapshot, width: int) -> list[Line]:
    """One mark a node, by kind; of many nodes how many there are of each mark."""
    groups: tuple[tuple[str, Sequence[Node], bool], ...] = (
        ("SERVERS", snapshot.servers, False), ("DATABASES", snapshot.databases, True),
        ("SPRAYERS", snapshot.sprayers, False), ("MAIL", snapshot.mail, False))
    spans: list[Span] = [(" ", "text")]
    for title, nodes, named in groups:
        if not nodes:
            continue
        marks = [state_mark(node.state) for node in nodes]
        spans.append((f"{title}  ", "heading"))
        if len(nodes) > NAMED:
            counted = sorted(Counter(marks).items(), key=lambda one: -one[1])
            spans += [part for mark, number in counted for part in (mark, (f" {number:,}  ", "text"))]
        else:
            spans += [part for mark, node in zip(marks, nodes, strict=True)
                      for part in (mark, (f" {clean(node.name)}  " if named else " ", "text"))]
        spans.append(("   ", "text"))
    return folded(Line(tuple(spans)), width, 1)
