"""The right of the picture: the database pair and how the secondary follows; and under it the mail clusters."""

from __future__ import annotations

from collections.abc import Iterable

from tuiha.model.facts import DatabaseFacts, MailFacts, Snapshot, Verdict
from tuiha.model.reports import DatabaseRole, DatabaseState, MailState
from tuiha.tui.draw import figures
from tuiha.tui.draw.head import ordered_pair, relation
from tuiha.tui.draw.marks import state_mark, state_style
from tuiha.tui.draw.spans import Line, Span, fit, left, right, width_of
from tuiha.words import states


def database_rows(snapshot: Snapshot, rows: int) -> dict[str, int]:
    """The picture's row of each database: the active one on top, the other three under it."""
    return {
        database.name: row
        for database, row in zip(ordered_pair(snapshot), (0, min(3, rows - 1)), strict=False)
    }


def database_block(snapshot: Snapshot, rows: int) -> list[tuple[Span, ...]]:
    """The pair, and between the two how the second follows the first."""
    block: list[tuple[Span, ...]] = [()] * rows
    places = database_rows(snapshot, rows)
    longest = min(10, max((width_of([(database.name, "")]) for database in snapshot.databases), default=0))
    for database in ordered_pair(snapshot):
        row = places.get(database.name)
        if row is None:
            continue
        block[row] = _name_spans(database, longest)
        if row + 1 < rows:
            block[row + 1] = _figure_spans(database)
    found = relation(snapshot)
    if found and rows > 2:
        first, *rest = found.words
        told = ", ".join((states.SPELLED.get(first, first), *rest))
        if snapshot.verdict is Verdict.SPLIT and not found.follows:
            told = states.TWO_PRIMARIES
        block[2] = (("  ", "text"), ("▼" if found.follows else "╳", found.style), (f" {told}", found.style))
    return block


def _name_spans(database: DatabaseFacts, name: int) -> tuple[Span, ...]:
    word = database.role if database.reachable and database.role else database.state
    good = database.state is DatabaseState.UP
    start: tuple[Span, ...] = (
        state_mark(database.state), (" ", "text"), (left(database.name, name), "strong bold"), (" ", "text"),
        (left(word, 9), "well bold" if good else "bad bold"),
    )
    if not database.reachable:
        return start
    access = {True: "rw", False: "ro", None: "  "}[database.writable]
    line = "" if database.timeline is None else f"timeline {database.timeline}"
    return (*start, (f" {access}  {line}", "quiet" if good else "bad"))


def _figure_spans(database: DatabaseFacts) -> tuple[Span, ...]:
    if not database.reachable:
        return ((f"  {states.note(database) or 'does not answer'}", "bad"),)
    if database.state is DatabaseState.ROGUE_PRIMARY:
        return ((f"  {states.note(database) or 'writable outside this pool'}", "bad"),)
    words: list[str] = []
    if database.role is DatabaseRole.PRIMARY:
        if database.transactions_per_second is not None:
            words.append(f"{figures.count(database.transactions_per_second)} tx/s")
        if database.pool_sessions is not None:
            words.append(f"{database.pool_sessions} sessions")
    text = "   ".join(words) or states.note(database)
    return ((f"  {text}", "quiet"),)


def mail_lines(snapshot: Snapshot, width: int, most: int) -> tuple[Line, ...]:
    """The mail clusters in at most `most` lines, one a line, their servers under one another."""
    clusters = _clusters(snapshot.mail)
    if not clusters or not most:
        return ()
    kept = clusters if len(clusters) <= most else clusters[: most - 1]
    named = min(14, max(width_of([(cluster, "")]) for cluster, _ in clusters))
    name = min(14, max(width_of([(server.name, "")]) for server in snapshot.mail))
    lines = []
    for place, (cluster, servers) in enumerate(kept):
        start: list[Span] = [(" MAIL   " if place == 0 else " " * 8, "heading"), (left(cluster, named + 2), "heading")]
        lines.append(Line(fit((*start, *_cluster_spans(servers, name)), width)))
    hidden = [server for _, servers in clusters[len(kept) :] for server in servers]
    if hidden:
        troubled = sum(server.state is not MailState.UP for server in hidden)
        word = (f"{troubled} not up", "bad") if troubled else ("all up", "quiet")
        text = f"        {len(clusters) - len(kept)} more clusters, {len(hidden)} servers: "
        lines.append(Line(fit(((text, "quiet"), word), width)))
    return tuple(lines)


def _clusters(mail: Iterable[MailFacts]) -> list[tuple[str, list[MailFacts]]]:
    clusters: dict[str, list[MailFacts]] = {}
    for server in mail:
        clusters.setdefault(server.cluster, []).append(server)
    return list(clusters.items())


def _cluster_spans(servers: list[MailFacts], name: int) -> list[Span]:
    spans: list[Span] = []
    for server in servers:
        up = server.state is MailState.UP
        users = f"{figures.count(server.users)} users" if up or server.users else ""
        counted: Span = (right(users, 12), "text" if server.users else "quiet")
        spans += [state_mark(server.state), (f" {left(server.name, name)} ", "strong bold")]
        if up:
            spans += [counted, (f"  {left(figures.milliseconds(server.latency_ms, ' '), 9)}", "quiet")]
        else:
            spans += [(f" {left(server.state, 9)}", f"{state_style(server.state)} bold"), counted, (" ", "text")]
    return spans
