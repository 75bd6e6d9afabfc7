"""The pair side by side: role, identity, timeline, write position, lag, what commits wait for, slots, sessions."""

from __future__ import annotations

from collections.abc import Sequence

from tuiha.model.databases.durability import IN_STEP
from tuiha.model.facts import DatabaseFacts, Snapshot
from tuiha.model.quotes import standbys
from tuiha.model.reports import DatabaseRole, DatabaseState
from tuiha.tui.draw import figures
from tuiha.tui.draw.head import attachment_spans, ordered_pair
from tuiha.tui.draw.marks import DOWN, OK, state_mark
from tuiha.tui.draw.plots import Metric, Plotted, seconds, size
from tuiha.tui.draw.rows import is_astray
from tuiha.tui.draw.spans import BLANK, Line, Span, fit, left
from tuiha.words import guard
from tuiha.words.reports.backups import backup_age, backup_result

LABEL = 11  # cells of a label
NARROW = 38  # cells for a database: with fewer the labels are shorter
_NOTHING: Span = (figures.UNKNOWN, "quiet")

LAG_BYTES = Metric("lag_bytes", "BYTES BEHIND", size, least=1000.0)
LAG_SECONDS = Metric("lag_seconds", "SECONDS BEHIND", seconds, least=0.01)
WAITING = Metric("queue", "REQUESTS HELD", figures.count, "warning", least=10.0)
COMMITS = Metric("transactions_per_second", "TRANSACTIONS/S", figures.count)


def position(value: int | None) -> str:
    """A place in the write-ahead log as PostgreSQL writes it, `0/4C4B40`."""
    return figures.UNKNOWN if value is None else f"{value >> 32:X}/{value & 0xFFFFFFFF:X}"


def pair_plots(snapshot: Snapshot) -> tuple[Plotted, ...]:
    """What is plotted of the pair: how far the second is behind, what the first commits, what waits for it."""
    pool = [Plotted(snapshot.pool, LAG_BYTES), Plotted(snapshot.pool, LAG_SECONDS)]
    if snapshot.active is not None:
        pool.append(Plotted(snapshot.active, COMMITS))
    return (*pool, Plotted(snapshot.pool, WAITING))


def attached_line(snapshot: Snapshot, width: int) -> Line:
    """To which physical database the servers are attached; anything but one for all is on a red ground."""
    wrong = any(is_astray(server, snapshot) for server in snapshot.servers)
    systems = {database.system_identifier for database in snapshot.databases if database.system_identifier}
    spans: list[Span] = [(" SERVERS    ", "heading"), *attachment_spans(snapshot)]
    if wrong:
        astray = ", ".join(server.name for server in snapshot.servers if is_astray(server, snapshot))
        spans = [(f" {DOWN} SPLIT: {astray} not on {snapshot.active}   ", "bad bold"), *attachment_spans(snapshot)]
    if len(systems) > 1:
        wrong = True
        spans.append(("   the two are different clusters: no common history", "bad bold"))
    return Line(fit(spans, width), "alarm" if wrong else "ground")


def backup_lines(snapshot: Snapshot, width: int) -> list[Line]:
    """The age of the pair's backup and its last result; no line where no backup is configured."""
    found = snapshot.backup
    if found is None:
        return []
    old, wrong = found.is_old(snapshot.at), found.error is not None or found.failed is not None
    spans: list[Span] = [
        (" BACKUP     ", "heading"), (backup_age(found, snapshot.at), "warning" if old else "text"), ("   ", "text"),
        (backup_result(found), "warning" if wrong else "well"), (f"   {found.source}", "quiet")]
    return [Line(fit(spans, width))]


def panel_lines(snapshot: Snapshot, width: int, room: int) -> list[Line]:
    """The pair in at most `room` lines: the weightiest facts first."""
    pair = ordered_pair(snapshot)
    if room <= 0 or not pair:
        return []
    half = width // 2
    before, label = ("   ", LABEL) if half >= NARROW else (" ", LABEL - 2)
    facts = [_facts(database, snapshot, before, label, half) for database in pair]
    lines = [attached_line(snapshot, width), *backup_lines(snapshot, width)][:room]
    rows = min(max(len(one) for one in facts), room - len(lines))
    for row in range(rows):
        spans: list[Span] = []
        for one in facts:
            spans += fit(one[row] if row < len(one) else (), half)
        lines.append(Line(fit(spans, width)))
    if room - len(lines) > 0:
        lines.append(BLANK)
    return lines[:room]


def guard_lines(snapshot: Snapshot, width: int, room: int) -> list[Line]:
    """The guard: its orders; of each order that it thinks of how it stands, and the evidence. In `room` lines."""
    record = snapshot.guard
    if record is None:
        return []
    state = guard.state(record, snapshot.at)
    orders = "" if record.report is None else f"  may {', '.join(record.report.orders)}"
    lines: list[Sequence[Span]] = [((f" {state.upper()[:5]}", "heading"), (f"{state[5:]}{orders}", "text"))]
    for outlook in () if record.report is None else record.report.outlook:
        lines.append((("   ", "text"), (guard.countdown(outlook), "warning bold" if outlook.held else "armed bold")))
        there = ", ".join(guard.there(outlook, sign) for sign in outlook.signs)
        lines.append((("   ", "text"), (f"{OK} ", "well"), (there, "quiet")))
    return [Line(fit(spans, width)) for spans in lines[:room]]


def _facts(database: DatabaseFacts, snapshot: Snapshot, before: str, label: int, width: int) -> list[tuple[Span, ...]]:
    """Lines of one database. Both have the same ones in the same places, so that they compare."""
    good = database.state is DatabaseState.UP
    role = database.role if database.reachable and database.role else database.state
    access = {True: "read and write", False: "read only", None: ""}[database.writable]
    title: tuple[Span, ...] = (
        (" ", "text"), state_mark(database.state), (f" {database.name} ", "strong bold"),
        (role, "well bold" if good else "bad bold"),
        (f"  {access or database.error or ''}", "quiet" if good else "bad"),
    )
    by_label: dict[str, Sequence[Span]] = {
        "should be": (_text(database.expected, "bad" if _wrong_role(database) else "text"),),
        "identity": (_text(database.system_identifier),),
        "timeline": (_text(database.timeline, "bad" if _forked(database, snapshot) else "text"),),
        "position": _position(database),
        "lag": _behind(database, snapshot),
        "commits": _waits(database),
        "slots": _slots(database),
        "sessions": _sessions(database, width - label - len(before)),
        "rate": (_text(None if database.transactions_per_second is None
                        else f"{figures.count(database.transactions_per_second)} transactions/s"),),
        "address": (_text(database.address, "quiet"),),
        "version": (_text(database.version, "quiet"),),
    }
    order = ("identity", "timeline", "lag", "position", "commits", "sessions", "slots", "rate", "should be",
             "address", "version")
    second = database.role is DatabaseRole.SECONDARY
    return [title, *(((before + left("stream" if second and word == "commits" else word, label), "quiet"),
                      *by_label[word]) for word in order)]


def _text(value: object, style: str = "text") -> Span:
    return _NOTHING if value in (None, "") else (str(value), style)


def _wrong_role(database: DatabaseFacts) -> bool:
    return database.role is not None and database.expected is not None and database.role != database.expected


def _forked(database: DatabaseFacts, snapshot: Snapshot) -> bool:
    known = {other.timeline for other in snapshot.databases if other.reachable and other.timeline is not None}
    return len(known) > 1 and database.name != snapshot.active


def _position(database: DatabaseFacts) -> Sequence[Span]:
    spans: list[Span] = [_text(position(database.position))]
    if database.replayed is not None and database.replayed != database.position:
        spans.append((f"  replayed {position(database.replayed)}", "quiet"))
    return spans


def _behind(database: DatabaseFacts, snapshot: Snapshot) -> Sequence[Span]:
    if not database.reachable:
        return (_NOTHING,)
    if database.name == snapshot.active or (snapshot.active is None and database.role is DatabaseRole.PRIMARY):
        return (("none (primary)", "quiet"),)
    lag = "" if database.lag_seconds is None else seconds(database.lag_seconds)
    if database.sync_state is None:  # the primary does not know it, or cannot be asked
        return (("not replicating", "bad"), (f"  {lag}", "quiet"))
    style = "well" if not database.lag_bytes else "text"
    words = ", ".join(word for word in (figures.size(database.lag_bytes), lag) if word)
    return ((words, style), ("  ", "text"),
            (database.sync_state, "well" if database.sync_state in IN_STEP else "warning"))


def _waits(database: DatabaseFacts) -> Sequence[Span]:
    """What a commit waits for, or on a secondary whether the stream is up."""
    if not database.reachable:
        return (_NOTHING,)
    if database.role is DatabaseRole.SECONDARY:
        streams = {True: ("up", "text"), False: ("down", "bad"), None: _NOTHING}
        return (streams[database.receiving],)
    names = database.synchronous_names
    if names is None:
        return (_NOTHING,)
    return ((f"wait for {waited_for(names)}", "well"),) if names else (("wait for no other database", "warning"),)


def waited_for(names: str) -> str:
    """PostgreSQL's `FIRST 1 (db2)` as people say it: `db2`, or `1 of db2, db3`."""
    found = standbys(names)
    if found is None:
        return names
    listed = ", ".join(found.names)
    return listed if found.number >= len(found.names) else f"{found.number} of {listed}"


def _slots(database: DatabaseFacts) -> Sequence[Span]:
    if not database.slots:
        return (("none", "quiet") if database.reachable else _NOTHING,)
    spans: list[Span] = []
    for slot in database.slots:
        mark: Span = (f"{OK} ", "well") if slot.active else (f"{DOWN} ", "warning")
        kept = "" if slot.kept_bytes is None else f" keeps {figures.size(slot.kept_bytes)}"
        lost = slot.state in ("lost", "unreserved")
        state = f" {slot.state}" if lost else ""
        spans += [mark, (slot.name, "text"), (f"{kept}{state}  ", "bad" if lost else "quiet")]
    return spans


def _sessions(database: DatabaseFacts, room: int) -> Sequence[Span]:
    """How many there are, and of each pool server while that fits."""
    if database.pool_sessions is None:
        return (_NOTHING,)
    spans: list[Span] = [(figures.count(database.pool_sessions), "text")]
    each = "  ".join(f"{said.server} {said.sessions}" for said in database.sessions)
    if each:
        few = len(each) + 6 <= room
        spans.append((f"   {each}" if few else f"  of {len(database.sessions)} clients", "quiet"))
    return spans
