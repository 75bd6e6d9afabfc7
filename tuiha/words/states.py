"""States in words: why a node is as it is, as its note."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tuiha.model.facts import DatabaseFacts, MailFacts, ServerFacts, SprayerFacts
from tuiha.model.reports import Managed

OUT_OF_SERVICE = "out of service"
NOT_OURS = "accepts writes, not ours"  # of a second database that follows nobody
NOT_REPLICATING = "not replicating"
TWO_PRIMARIES = "TWO PRIMARIES"
UNKNOWN = "unknown"
SPELLED: Mapping[str, str] = {"sync": "synchronous"}  # where there is room for it


def note(facts: ServerFacts | DatabaseFacts | SprayerFacts | MailFacts) -> str:
    """A few words for the last column of a table; may be empty."""
    told = _NOTES.get(type(facts))
    return _said(facts) if told is None else told(facts)


def in_words(said: Managed) -> str:
    """A node as the manager of the pair reports it, in a few words."""
    if said.error is not None:
        return said.error
    more = [word for word, is_so in (("paused", said.paused), ("pending restart", said.pending_restart)) if is_so]
    return ", ".join([said.role or "role unknown", said.state or "state unknown", *more])


def of_manager(said: Managed | None) -> str:
    """The note of a node that a manager has; empty without one."""
    return "" if said is None else f"Patroni: {in_words(said)}"


def _said(facts: ServerFacts | DatabaseFacts | SprayerFacts | MailFacts) -> str:
    return facts.note or facts.error or ""


def _mail(facts: MailFacts) -> str:
    return facts.error or (OUT_OF_SERVICE if facts.in_service is False else facts.note)


_NOTES: Mapping[type, Callable[[Any], str]] = {
    DatabaseFacts: lambda facts: _said(facts) or of_manager(facts.managed),
    MailFacts: _mail,
}
