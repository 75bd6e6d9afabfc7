"""Names and texts as they are written in other languages: one function for each. Pure.

A database may be called `first`, a role `all`, a folder `it's`: each is a word of a language that it is written into.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")
_STANDBY_WORDS = frozenset({"first", "any"})  # of the language of synchronous_standby_names
_STANDBYS = re.compile(r"\s*(?:(FIRST|ANY)?\s*(\d+)\s*\((.*)\)|(.*))\s*", re.IGNORECASE | re.DOTALL)
_STANDBY = re.compile(r'\s*(?:"((?:[^"]|"")*)"|([^\s",()]+))\s*(?:,|$)')


def literal(text: str) -> str:
    """A text in SQL: `it's` is `'it''s'`. Raises ValueError for a NUL, which no text of PostgreSQL holds."""
    if "\0" in text:
        raise ValueError("a text of PostgreSQL holds no NUL character")
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """The name of a role or a table in SQL; in quotes where it could be read as something else. Raises ValueError."""
    if "\0" in name:
        raise ValueError("a name of PostgreSQL holds no NUL character")
    # Key words that are reserved, such as `all` and `user`, have no underscore; but current_user and its like.
    plain = _PLAIN.fullmatch(name) and "_" in name and not name.startswith(("current_", "session_", "system_"))
    return name if plain else '"' + name.replace('"', '""') + '"'


def setting(text: str) -> str:
    """A value in postgresql.conf, where a backslash escapes as well. Raises ValueError for a line break or NUL."""
    if any(letter in text for letter in "\r\n\0"):
        raise ValueError("a setting of PostgreSQL is one line")
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def conninfo(words: Mapping[str, str]) -> str:
    """A connection string of libpq: `host=db1 application_name='a b'`."""
    return " ".join(f"{key}={_conninfo_value(value)}" for key, value in words.items())


def _conninfo_value(value: str) -> str:
    if value and re.fullmatch(r"[^\s'\\]+", value):
        return value
    return "'" + re.sub(r"(['\\])", r"\\\1", value) + "'"


def pgpass(*fields: str) -> str:
    """A line of a password file of libpq: host, port, database, user, password. `*` is any. Raises ValueError."""
    if any(letter in field for field in fields for letter in "\r\n\0"):
        raise ValueError("a field of a password file is one line")
    return ":".join(re.sub(r"([\\:])", r"\\\1", field) for field in fields)


def slot(node: str) -> str:
    """The replication slot of a database: small letters, digits and `_` are all that a slot's name may have."""
    return re.sub(r"[^a-z0-9_]", "_", node.lower())


def shell(words: Sequence[str], names: Sequence[str], options: Sequence[str] = ()) -> str:
    """A command for people to type: our words, names of theirs, options. `--` goes before a name like `-anna`."""
    if any(name.startswith("-") for name in names):
        return shlex.join([*words, *options, "--", *names])
    return shlex.join([*words, *names, *options])


@dataclass(frozen=True, slots=True)
class Standbys:
    """What synchronous_standby_names says."""

    number: int  # so many of them each commit waits for
    names: tuple[str, ...]
    any: bool = False  # whichever they are; else the first ones that are there


def wait_for(name: str) -> str:
    """synchronous_standby_names for one secondary. PostgreSQL compares names without case, quoted or not."""
    plain = _PLAIN.fullmatch(name) and name not in _STANDBY_WORDS
    return f"FIRST 1 ({name})" if plain else 'FIRST 1 ("' + name.replace('"', '""') + '")'


def standbys(text: str) -> Standbys | None:
    """synchronous_standby_names as PostgreSQL reads it; None for what it would refuse. Empty: nobody."""
    whole = _STANDBYS.fullmatch(text)
    if whole is None:
        return None
    kind, number, listed, bare = whole.groups()
    try:
        names = tuple(_names(bare if number is None else listed))
    except ValueError:
        return None
    if (number is not None and not names) or not all(names):
        return None
    return Standbys(int(number) if number is not None else min(1, len(names)), names, (kind or "").lower() == "any")


def _names(listed: str) -> Iterator[str]:
    """The names of a list. Raises ValueError where it is none."""
    at, again = 0, False
    while at < len(listed) or again:
        found = _STANDBY.match(listed, at)
        if found is None or (found[2] or "").lower() in _STANDBY_WORDS:
            if not listed.strip():
                return
            raise ValueError(listed)
        yield found[1].replace('""', '"') if found[1] is not None else found[2]
        at, again = found.end(), found[0].rstrip().endswith(",")


def reset(name: str, role: str, database: str) -> str:
    """The statement that takes a default of an administrator's back; empty `role`: all, empty `database`: all."""
    if not role:
        return f"ALTER DATABASE {identifier(database)} RESET {name}" if database else f"ALTER ROLE ALL RESET {name}"
    where = f" IN DATABASE {identifier(database)}" if database else ""
    return f"ALTER ROLE {identifier(role)}{where} RESET {name}"
