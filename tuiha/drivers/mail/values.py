"""Nested values of IMAP responses: read what is wanted, step over everything else, whatever it looks like."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from tuiha.drivers.mail.wire import ImapError, Response, readable

Value: TypeAlias = "bytes | list[Value] | None"

_DEPTH_LIMIT = 12  # nested parentheses of a value that is wanted; others may be as deep as they like
_DIGITS = 19  # a number of 63 bits has no more
_TOKEN = re.compile(
    rb'[\s\0]*(?:(?P<open>\()|(?P<close>\))|"(?P<quoted>(?:[^"\\]|\\.)*)"'
    rb'|(?P<section>(?:BODY|BODY\.PEEK|BINARY|BINARY\.SIZE)\[)|(?P<atom>[^\s()"\0][^\s()\0]*))',
    re.IGNORECASE | re.DOTALL)
_IN_SECTION = re.compile(rb'(?:[^"\]]|"(?:[^"\\]|\\.)*")*', re.DOTALL)
_ORIGIN = re.compile(rb"\](?:[ \t]*<[\d.]*>)?")  # some repeat the length as well, or put a blank before it


class ValueKind(Enum):
    """What a token is."""

    OPEN = "("
    CLOSE = ")"
    STRING = "string or literal"
    ATOM = "atom"


@dataclass(frozen=True, slots=True)
class Token:
    """One token; `data` is the text of an atom or string."""

    kind: ValueKind
    data: bytes = b""

    @property
    def value(self) -> bytes | None:
        """The text; None for NIL."""
        return None if self.kind is ValueKind.ATOM and self.data.upper() == b"NIL" else self.data


def tokens(parts: Sequence[bytes]) -> Iterator[Token]:
    """Tokens of a response, `parts` as in Response. Raises ImapError for a quoted string without an end."""
    section: list[bytes] | None = None  # of BODY[...: a field's name in it may be a literal
    for place, part in enumerate(parts):
        if place % 2:
            if section is None:
                yield Token(ValueKind.STRING, part)
            else:
                section.append(part)
            continue
        at = 0
        while at < len(part):
            if section is not None:
                at, done = _section(part, at, section)
                if done:
                    yield Token(ValueKind.ATOM, b"".join(section))
                    section = None
                continue
            found = _TOKEN.match(part, at)
            if found is None:
                if not part[at:].strip(b" \t\r\n\0\f\v"):
                    break
                raise ImapError(f"the server's answer is not well formed: '{readable(part[at : at + 40])}'")
            at = found.end()
            if found["section"] is not None:
                section = [found["section"]]
            else:
                yield _token(found)


def _section(part: bytes, at: int, section: list[bytes]) -> tuple[int, bool]:
    inner = _IN_SECTION.match(part, at)
    end = inner.end() if inner is not None else at
    section.append(part[at:end])
    closing = _ORIGIN.match(part, end)
    if closing is None:
        return len(part), False
    section.append(closing[0])
    return closing.end(), True


def _token(found: re.Match[bytes]) -> Token:
    if found["open"] is not None:
        return Token(ValueKind.OPEN)
    if found["close"] is not None:
        return Token(ValueKind.CLOSE)
    if found["quoted"] is not None:
        return Token(ValueKind.STRING, re.sub(rb"\\(.)", rb"\1", found["quoted"], flags=re.DOTALL))
    return Token(ValueKind.ATOM, found["atom"])


def parse(parts: Sequence[bytes]) -> list[Value]:
    """All values: atoms, strings and literals are bytes, NIL is None, parentheses are lists.

    Raises ImapError when the text is not well formed or nested too deeply.
    """
    rest = tokens(parts)
    values: list[Value] = []
    for token in rest:
        if token.kind is ValueKind.CLOSE:
            raise ImapError("the server's answer is not well formed: ')' without '('")
        values.append(_nested(rest, 1) if token.kind is ValueKind.OPEN else token.value)
    return values


def _nested(rest: Iterator[Token], depth: int) -> list[Value]:
    if depth > _DEPTH_LIMIT:
        raise ImapError("the server's answer is nested too deeply")
    inner: list[Value] = []
    for token in rest:
        if token.kind is ValueKind.CLOSE:
            return inner
        inner.append(_nested(rest, depth + 1) if token.kind is ValueKind.OPEN else token.value)
    raise ImapError("the server's answer is not well formed: a parenthesis is left open")


def _step_over(rest: Iterator[Token]) -> None:
    depth = 1
    for token in rest:
        depth += (token.kind is ValueKind.OPEN) - (token.kind is ValueKind.CLOSE)
        if depth == 0:
            return


def items(response: Response, wanted: frozenset[bytes]) -> dict[bytes, Value]:
    """What a FETCH response says: the wanted items by name in upper case; a section follows its name.

    A value is left out when it is none that can be read, or missing. Raises ImapError when the response is not well
    formed; what was read before is lost then, as its end cannot be trusted either.
    """
    rest = tokens(response.parts)
    found: dict[bytes, Value] = {}
    for token in rest:  # up to the list
        if token.kind is ValueKind.OPEN:
            break
    for token in rest:
        if token.kind is ValueKind.CLOSE:
            break
        if token.kind is ValueKind.OPEN:  # something without a name
            _step_over(rest)
            continue
        name = token.data.upper()
        value = next(rest, None)
        if value is None or value.kind is ValueKind.CLOSE:
            break
        if value.kind is not ValueKind.OPEN:
            found.setdefault(name, value.value)
        elif name in wanted:
            found[name] = _nested(rest, 1)
        else:
            _step_over(rest)
    return found


def number(value: Value) -> int | None:
    """A number of up to 63 bits, leading zeros or not; None for anything else."""
    if not isinstance(value, bytes):
        return None
    digits = value.strip().lstrip(b"0") or value.strip()[-1:]
    if not digits.isdigit() or len(digits) > _DIGITS:
        return None
    found = int(digits)
    return found if found < 2**63 else None
