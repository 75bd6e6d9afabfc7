"""Events, and the notices that wake the pool servers."""

from __future__ import annotations

ADD_EVENT = "INSERT INTO event (severity, subject, text) VALUES ($1, $2, $3)"

NEWEST_EVENTS = "SELECT id, at, severity, subject, text FROM event ORDER BY id DESC LIMIT $1"

# The pool servers listen to `tuiha`; the notice says which of them it is for, or what happened.
WAKE = "SELECT pg_notify('tuiha', $1)"
