"""The history of operations in the database: is it as it was written, and which record is the first that is not."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

_FIELDS = ("kind", "target", "state", "who", "reason")
_CLOSE = 0.001  # seconds: times are kept as numbers in one place and as timestamps in the other


@dataclass(frozen=True, slots=True)
class ChainLink:
    """One record of the chain, and what its events are now."""

    number: int
    content: str  # JSON of the operation, as it was kept
    events: str  # the ids that it seals, as PostgreSQL writes them
    events_digest: str
    digest: str
    events_now: str  # the digest of these events as they are

    @property
    def operation(self) -> str:
        """The operation's id, for people."""
        found = _parsed(self.content)
        return str(found.get("id", "?")) if found else "?"


@dataclass(slots=True)
class Chain:
    """Follows the chain from its beginning; `broken` says what is wrong with the first record that is not as it was."""

    anchors: Mapping[int, str] = field(default_factory=dict)  # number -> digest, as hosts noted them
    records: int = 0
    broken: str = ""
    newest: dict[str, Mapping[str, Any]] = field(default_factory=dict)  # operation -> what was kept last
    began: float | None = None  # when the first operation in it was started
    _head: str = ""

    def add(self, links: Iterable[ChainLink]) -> None:
        """The next records, in order."""
        for link in links:
            self.broken = self.broken or next(self._wrong(link), "")
            self.records, self._head = link.number, link.digest
            content = _parsed(link.content)
            if content is not None and isinstance(content.get("id"), str):
                self.newest[content["id"]] = content
                self.began = self.began if self.began is not None else _number(content.get("started_at"))

    def _wrong(self, link: ChainLink) -> Iterator[str]:
        named = f"record {link.number} (operation {link.operation})"
        if link.number != self.records + 1:
            yield f"record {self.records + 1} is missing"
        parts = (self._head, str(link.number), link.events, link.events_digest, link.content)
        if hashlib.sha256("\n".join(parts).encode()).hexdigest() != link.digest:
            yield f"{named} is not as it was written, or the one before it is not"
        if self.anchors.get(link.number, link.digest) != link.digest:
            yield f"{named} is another one than this host noted when it was written"
        if link.events_now != link.events_digest:
            yield f"{named} seals the events {link.events}: one of them was changed, removed or added"

    def end(self) -> None:
        """There are no more records: none that a host noted may be missing."""
        later = min((number for number in self.anchors if number > self.records), default=None)
        if later is not None and not self.broken:
            self.broken = f"record {later} is missing, which this host noted when it was written"

    def compare(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """The rows of `operation` (times in unix seconds) against what was kept last of each."""
        found = {row["id"]: row for row in rows}
        for name, kept in self.newest.items():
            if not self.broken and (name not in found or not _same(kept, found[name])):
                what = "is not what was kept of it" if name in found else "is missing"
                self.broken = f"the row of operation {name} {what}"
        added = [name for name, row in found.items()
                 if name not in self.newest and self.began is not None and row["started_at"] > self.began]
        if added and not self.broken:
            self.broken = f"the row of operation {min(added)} was never kept as a record"


def _same(kept: Mapping[str, Any], row: Mapping[str, Any]) -> bool:
    times = all(_near(_number(kept.get(name)), row[name]) for name in ("started_at", "ended_at"))
    return times and all(kept.get(name) == row[name] for name in _FIELDS) and kept.get("journal") == row["journal"]


def _near(one: float | None, other: float | None) -> bool:
    return one == other if one is None or other is None else abs(one - other) < _CLOSE


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _parsed(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
