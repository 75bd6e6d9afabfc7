"""Operations as rows of a table: those that run, and those that ran."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tuiha.model.operations.plans import OperationStatus
from tuiha.model.problems.operation import Running
from tuiha.model.words import date_of, span
from tuiha.tui.draw.columns import Column, ColumnSight, Lasting, Sheet
from tuiha.tui.draw.filter import Fields
from tuiha.tui.draw.rows import RowOrder
from tuiha.tui.draw.spans import Line, Span, clean, fit
from tuiha.tui.operations.lines.steps import RESULTS, step_line
from tuiha.tui.operations.operator import StartedOperation
from tuiha.words.results import WORDS

_RANKS = {OperationStatus.DONE: 3, OperationStatus.UNDONE: 3, OperationStatus.CANCELLED: 2}  # the others: 1


@dataclass(frozen=True, slots=True)
class OperationRow(Lasting):
    """One operation as the table shows it."""

    facts: StartedOperation
    now: float  # unix seconds

    @property
    def name(self) -> str:
        """Its id."""
        return self.facts.id

    @property
    def rank(self) -> int:
        """0 when something has to be done about it, 1 while it runs."""
        standing = self.facts.standing
        return _RANKS.get(standing.status, 1) if standing.settled or standing.running else 0

    @property
    def what(self) -> str:
        """Kind and target."""
        return " ".join((self.facts.kind, *self.facts.target))

    @property
    def result(self) -> str:
        """Its result in a word."""
        return WORDS[self.facts.state]

    @property
    def seconds(self) -> float:
        """How long it took, or has been running."""
        return max(0.0, self.now - self.facts.started_at) if self.facts.seconds is None else self.facts.seconds


def operation_rows(
    known: Sequence[StartedOperation], running: Running | None, now: float
) -> tuple[OperationRow, ...]:
    """A row for each; the one that the ledger names is among them, whoever started it."""
    rows = [OperationRow(facts, now) for facts in known]
    if running is not None and running.id not in {facts.id for facts in known}:
        rows.append(OperationRow(StartedOperation(
            running.id, running.kind, (), running.owner, "", OperationStatus.RUNNING, (), running.since,
            host=running.host, elsewhere=True), now))
    return tuple(rows)


def when(at: float) -> str:
    """A day and a time, UTC."""
    found = date_of(at) if at else None
    return "-" if found is None else f"{found:%m-%d %H:%M:%S}"


def _result(row: OperationRow, _: ColumnSight) -> Span:
    return (row.result, RESULTS[row.facts.state])


COLUMNS: tuple[Column[OperationRow], ...] = (
    Column("started", "STARTED", 0, lambda row, _: (when(row.facts.started_at), "quiet"), 14),
    Column("what", "WHAT", 0, lambda row, _: (row.what, "strong bold"), 10, 30),
    Column("result", "RESULT", 0, _result, 7, 11),
    Column("took", "TOOK", 60, lambda row, _: (span(row.seconds), "text"), 6, numeric=True),
    Column("who", "BY, FROM", 60, lambda row, _: (row.facts.who, "heading"), 9, 24),
    Column("note", "WHY", 80, lambda row, _: (row.facts.reason, "text"), 0),
    Column("id", "OPERATION", 120, lambda row, _: (row.facts.id, "quiet"), 20, 24),
)
SHEET = Sheet(COLUMNS, ("what", "result", "started", "who", "took", "note", "id"))
ORDERS: tuple[RowOrder[OperationRow], ...] = (
    RowOrder("newest first", "started", lambda row: (-row.facts.started_at,)),
    RowOrder("what", "what", lambda row: (row.what, -row.facts.started_at)),
    RowOrder("result, worst first", "result", lambda row: (row.rank, -row.facts.started_at)),
    RowOrder("longest first", "took", lambda row: (-row.seconds,)),
    RowOrder("operator", "who", lambda row: (row.facts.who, -row.facts.started_at)),
)
FIELDS: Fields[OperationRow] = Fields(
    {
        "what": lambda row: row.what, "result": lambda row: row.result, "by": lambda row: row.facts.who,
        "why": lambda row: row.facts.reason, "id": lambda row: row.facts.id,
    },
    {"took": lambda row: row.seconds},
)


def step_lines(row: OperationRow, width: int) -> list[Line]:
    """The steps of an operation with what was read back, and what was said of it."""
    facts = row.facts
    lines = [step_line(step, row.now, width) for step in facts.steps]
    why = f": {facts.reason}" if facts.reason else ""
    told = f" by {facts.who}{f', from {facts.host}' if facts.host else ''}{why}"
    lines.insert(0, Line(fit(((clean(told), "armed"),), width)))
    if not facts.steps:
        text = f"its journal is on {facts.host or 'another host'}" if facts.elsewhere else "no steps are known"
        lines.append(Line(fit(((f" {text}", "quiet"),), width)))
    if facts.next:
        lines.append(Line(fit(((f" {facts.next}", "text"),), width)))
    return lines
