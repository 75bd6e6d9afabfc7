"""The settings that every session of ours states for itself, and which defaults of an administrator fit. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

# As PostgreSQL prints them, since they are read back. Each can be set by an administrator for a role, for a database
# or for all, and would change what our statements mean or how long they may take.
STATED: Mapping[str, str] = {
    "default_transaction_isolation": "read committed",  # a compare-and-set must see what others committed
    "default_transaction_read_only": "off",
    "default_transaction_deferrable": "off",
    "search_path": "public",
    "synchronous_commit": "on",
    "client_min_messages": "notice",  # a commit that nobody confirmed comes back with a warning
    "statement_timeout": "0",  # a commit that waits for the secondary must never be cancelled
    "lock_timeout": "0",
    # A server that vanishes in the middle of a transaction must not keep its locks: others need them to take its users
    # over. That is about a lease; a commit that waits is not idle.
    "idle_in_transaction_session_timeout": "5s",
    "idle_session_timeout": "0",
    "standard_conforming_strings": "on",
    "DateStyle": "ISO, MDY",
    "IntervalStyle": "postgres",
    "extra_float_digits": "1",
    "bytea_output": "hex",
}
LATER = ("transaction_timeout",)  # set once the session is there: it is not known before PostgreSQL 17
# No session without a superuser's rights can set these: they have to be so.
KEPT: Mapping[str, str] = {"session_replication_role": "origin", "role": "none"}

_NOTHING = re.compile(r"0+\s*[a-z]*")
_PATHS = frozenset({"public", '"$user", public', '"$user",public'})
_OTHERS: Mapping[str, frozenset[str]] = {  # values that come to the same
    "search_path": _PATHS,
    "synchronous_commit": frozenset({"on", "remote_apply", "true", "yes", "1"}),
    "client_min_messages": frozenset({"notice", "warning", "log", "info", "debug", "debug1", "debug2", "debug3",
                                      "debug4", "debug5"}),
    "default_transaction_isolation": frozenset({"read committed", "read uncommitted"}),
    "standard_conforming_strings": frozenset({"on", "true", "yes", "1"}),
    "default_transaction_read_only": frozenset({"off", "false", "no", "0"}),
    "default_transaction_deferrable": frozenset({"off", "false", "no", "0"}),
    "extra_float_digits": frozenset({"1", "2", "3"}),
}
# Looks of values: what we state does not depend on them, so nobody need hear of another default.
QUIET = frozenset({"DateStyle", "IntervalStyle", "extra_float_digits", "bytea_output"})
WATCHED = (*(name for name in STATED if name not in QUIET), *LATER, *KEPT)


def fits(name: str, value: str) -> bool:
    """Whether a value of a watched setting, as PostgreSQL prints it or as it was written, does no harm."""
    said = value.strip().lower()
    if name.endswith("_timeout"):
        return _NOTHING.fullmatch(said) is not None or said == STATED.get(name)
    return said in _OTHERS.get(name, frozenset()) or said == KEPT.get(name, STATED.get(name, "")).lower()
