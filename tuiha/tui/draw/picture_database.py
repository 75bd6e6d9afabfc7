"""The right of the picture: the database pair and how the secondary follows; and under it the mail clusters."""

from __future__ import annotations

from collections.abc import Iterable

from tuiha.model.facts import DatabaseFacts, MailFacts, Snapshot, Verdict
from tuiha.tui.draw import figures
from tuiha.tui.draw.head import ordered_pair, relation_text
from tuiha.tui.draw.marks import state_mark, state_style
from tuiha.tui.draw.spans import Line, Span, fit, width_of


def database_rows(snapshot: Snapshot, rows: int) -> dict[str, int]:
    """The picture's row of each database: the active one on top, the other three under it."""
    return {
        database.name: row
        for database, row in zip(ordered_pair(snapshot), (0, min(3, rows - 1)), strict=False)
    }


def database_block(snapshot: Snapshot, rows: int, width: int) -> list[tuple[Span, ...]]:
    """The pair, and between the two how the second follows the first."""
    block: list[tuple[Span, ...]] = [()] * rows
    places = database_rows(snapshot, rows)
    for database in ordered_pair(snapshot):
        row = places.get(database.name)
        if row is None:
            continue
        block[row] = _name_spans(database, width)
        if row + 1 < rows:
            block[row + 1] = _figure_spans(database)
    relation = relation_text(snapshot)
    if relation and rows > 2:
        text, style = relation
        broken = "not" in text
        if snapshot.verdict is Verdict.SPLIT and broken:
            text = "TWO PRIMARIES"
        synchronous = text.replace("sync", "synchronous", 1) if text.startswith("sync") else text
        block[2] = (("  ", "text"), ("╳" if broken else "▼", style), (f" {synchronous}", style))
    return block


def _name_spans(database: DatabaseFacts, width: int) -> tuple[Span, ...]:
    word = database.role if database.reachable and database.role else database.state
    good = database.state == "UP"
    start: tuple[Span, ...] = (
        state_mark(database.state), (" ", "text"), (database.name, "strong bold"), (" ", "text"),
        (word, "well bold" if good else "bad bold"),
    )
    if not database.reachable:
        return start
    access = {True: "rw", False: "ro", None: ""}[database.writable]
    line = "" if database.timeline is None else f"timeline {database.timeline}"
    return (*fit(start, max(width - 16, width_of(start) + 1)), (f"{access}  {line}", "quiet" if good else "bad"))


def _figure_spans(database: DatabaseFacts) -> tuple[Span, ...]:
    if not database.reachable:
        return ((f"  {database.error or database.note or 'does not answer'}", "bad"),)
    if database.state == "STRAY":
        return ((f"  {database.note or 'writable outside this pool'}", "bad"),)
    words: list[str] = []
    if database.role == "PRIMARY":
        if database.transactions_per_second is not None:
            words.append(f"{figures.count(database.transactions_per_second)} tx/s")
        if database.pool_sessions is not None:
            words.append(f"{database.pool_sessions} sessions")
    text = "   ".join(words) or database.note
    return ((f"  {text}", "quiet"),)


def mail_lines(snapshot: Snapshot, width: int, most: int) -> tuple[Line, ...]:
    """The mail clusters in at most `most` lines; a cluster is not broken over lines when it fits one."""
    indent = 9
    lines: list[list[Span]] = [[(" MAIL    ", "heading")]]
    for cluster, servers in _clusters(snapshot.mail):
        spans = _cluster_spans(cluster, servers)
        if width_of(lines[-1]) > indent and width_of(lines[-1]) + width_of(spans) > width:
            lines.append([(" " * indent, "text")])
        lines[-1] += spans
    hidden = len(lines) - most
    kept = lines[:most]
    if hidden > 0:
        kept[-1] = [*fit(kept[-1], width - 12), ("  more: list", "quiet")]
    return tuple(Line(fit(spans, width)) for spans in kept)


def _clusters(mail: Iterable[MailFacts]) -> list[tuple[str, list[MailFacts]]]:
    clusters: dict[str, list[MailFacts]] = {}
    for server in mail:
        clusters.setdefault(server.cluster, []).append(server)
    return list(clusters.items())


def _cluster_spans(cluster: str, servers: list[MailFacts]) -> list[Span]:
    spans: list[Span] = [(cluster, "heading"), ("  ", "text")]
    for server in servers:
        spans += [state_mark(server.state), (f" {server.name} ", "strong bold")]
        if server.state != "UP":
            spans.append((f"{server.state} ", f"{state_style(server.state)} bold"))
        if server.users or server.state == "UP":
            spans.append((f"{figures.count(server.users)} users", "text" if server.users else "quiet"))
        if server.state == "UP" and server.latency_ms is not None:
            spans.append((f" {figures.milliseconds(server.latency_ms, ' ')}", "quiet"))
        spans.append(("    ", "text"))
    return spans
