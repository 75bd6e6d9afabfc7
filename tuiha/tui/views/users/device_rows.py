"""The devices of a user as rows of a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from tuiha.tui.draw import figures
from tuiha.tui.draw.columns import Column, ColumnSight, Lasting, Sheet
from tuiha.tui.draw.filter import Fields
from tuiha.tui.draw.lists import wrapped
from tuiha.tui.draw.rows import RowOrder
from tuiha.tui.draw.spans import Line, Span, clean
from tuiha.tui.operations.lines.plan import labelled

if TYPE_CHECKING:  # with its drivers it is heavy
    from tuiha.watch.reader import DeviceRow


@dataclass(frozen=True, slots=True)
class DeviceItem(Lasting):
    """One device."""

    row: DeviceRow

    @property
    def name(self) -> str:
        """Its name."""
        return self.row.name

    @property
    def rank(self) -> int:
        """2: revoked; 3: as it should be."""
        return 2 if self.row.revoked_at is not None else 3


def _ago(at: datetime | None, sight: ColumnSight) -> str:
    return "-" if at is None else figures.duration(max(0.0, sight.at - at.timestamp()))


def _access(item: DeviceItem, sight: ColumnSight) -> Span:
    at = item.row.revoked_at
    return ("may come in", "quiet") if at is None else (f"REVOKED {_ago(at, sight)}", "warning bold")


COLUMNS: tuple[Column[DeviceItem], ...] = (
    Column("device", "DEVICE", 0, lambda item, _: (item.name, "strong bold"), 8, 32),
    Column("kind", "KIND", 60, lambda item, _: (item.row.kind, "heading"), 6, 16),
    Column("access", "ACCESS", 0, _access, 15),
    Column("seen", "LAST SEEN", 0, lambda item, sight: (_ago(item.row.last_seen, sight), "text"), 9, numeric=True),
    Column("behind", "BEHIND", 40, lambda item, _: (figures.count(item.row.behind), "text"), 7, numeric=True),
    Column("registered", "REGISTERED", 70,
           lambda item, sight: (_ago(item.row.registered_at, sight), "quiet"), 10, numeric=True),
    Column("note", "", 100, lambda item, _: ("", "quiet"), 0),
)
SHEET = Sheet(COLUMNS, ("device", "access", "seen", "behind", "kind", "registered", "note"))
ORDERS: tuple[RowOrder[DeviceItem], ...] = (
    RowOrder("name", "device", lambda item: (item.name.encode(),)),
    RowOrder("last seen", "seen", lambda item: (-item.row.last_seen.timestamp(),)),
)
FIELDS: Fields[DeviceItem] = Fields({"device": lambda item: item.name, "kind": lambda item: item.row.kind}, {})


def device_lines(item: DeviceItem, user: str, now: float, width: int) -> list[Line]:
    """One device at length."""
    row = item.row
    told: list[tuple[str, str, str]] = [
        ("Kind", f"{row.kind}, registered {_since(row.registered_at, now)} ago, last seen "
                 f"{_since(row.last_seen, now)} ago", "text"),
        ("Has", "every change" if not row.behind else f"not the last {figures.count(row.behind)} changes", "text"),
    ]
    if row.revoked_at is None:
        told.append(("Revoked", "no", "quiet"))
    else:
        told.append(("Revoked", f"{_since(row.revoked_at, now)} ago: {row.revoked_reason or 'no reason was given'}. "
                                f"It knows {user}'s password: change that at the mail server", "warning"))
    lines = []
    for label, text, style in told:
        parts: Sequence[str] = wrapped(clean(text), width - 10)[:2]
        lines += [labelled("" if place else label, ((part, style),), width) for place, part in enumerate(parts)]
    return lines


def _since(at: datetime, now: float) -> str:
    return figures.duration(max(0.0, now - at.timestamp()))
