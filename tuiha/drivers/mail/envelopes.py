"""Envelopes of messages, read from FETCH responses."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime

from tuiha.drivers.mail.wire import ImapError, Response, Value

ITEMS = b"(UID INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER.FIELDS (MESSAGE-ID SUBJECT DATE FROM)])"
_FIELD_LIMIT = 900  # characters kept of one header field
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True)
class Envelope:
    """One message. Texts are bounded, on one line, and free of control characters."""

    uid: int
    message_id: str  # as the header has it, with <>; empty when the message has none
    subject: str  # decoded (RFC 2047)
    date: datetime | None  # when it arrived (INTERNALDATE), else its Date header; UTC
    size: int  # bytes
    sender: str = ""  # decoded From


def search_date(day: date) -> bytes:
    """A date as SEARCH wants it; independent of the locale."""
    return f"{day.day}-{_MONTHS[day.month - 1]}-{day.year:04d}".encode("ascii")


def number(value: Value) -> int:
    """A number of up to 64 bits. Raises ImapError for anything else."""
    if isinstance(value, bytes) and value.isdigit() and len(value) <= 19:
        return int(value)
    raise ImapError("the server's answer has something else where a number belongs")


def envelope(response: Response) -> Envelope | None:
    """The envelope in a FETCH response; None when it carries none (a change of flags, for instance).

    Raises ImapError when the response is not well formed.
    """
    values = response.values()
    items = values[3] if len(values) == 4 else None
    if not isinstance(items, list) or len(items) % 2:
        raise ImapError("the server's FETCH answer is not well formed")
    found: dict[bytes, Value] = {}
    for key, value in zip(items[::2], items[1::2], strict=True):
        if not isinstance(key, bytes):
            raise ImapError("the server's FETCH answer is not well formed")
        found[key.upper().partition(b"[")[0]] = value
    header = found.get(b"BODY")
    if b"UID" not in found or not isinstance(header, bytes):
        return None
    fields = header_fields(header)
    return Envelope(
        uid=number(found[b"UID"]),
        message_id=clean(fields.get("message-id", "")),
        subject=decoded(fields.get("subject", "")),
        date=_internal_date(found.get(b"INTERNALDATE")) or _header_date(fields.get("date", "")),
        size=number(found.get(b"RFC822.SIZE", b"0")),
        sender=decoded(fields.get("from", "")),
    )


def header_fields(raw: bytes) -> dict[str, str]:
    """Header fields by lower-case name, unfolded; the first of a name counts."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    fields: dict[str, str] = {}
    for line in re.sub(r"\r?\n(?=[ \t])", "", text).splitlines():
        name, colon, value = line.partition(":")
        if colon:
            fields.setdefault(name.strip().lower(), value.strip())
    return fields


def clean(text: str) -> str:
    """One bounded line without control characters and without lone surrogates."""
    printable = "".join(c if c.isprintable() else " " for c in text[: _FIELD_LIMIT * 2])
    return " ".join(printable.split())[:_FIELD_LIMIT]


def decoded(text: str) -> str:
    """A header's text with its encoded words decoded; what cannot be decoded stays as it is."""
    if "=?" not in text:
        return clean(text)
    from email.errors import HeaderParseError
    from email.header import decode_header

    pieces: list[str] = []
    try:
        for piece, charset in decode_header(text[: _FIELD_LIMIT * 8]):
            pieces.append(piece if isinstance(piece, str) else _piece(piece, charset))
    except (HeaderParseError, ValueError):
        return clean(text)
    return clean("".join(pieces))


def _piece(piece: bytes, charset: str | None) -> str:
    try:
        return piece.decode(charset or "ascii", "replace")
    except (LookupError, ValueError):  # unknown charset, or one that is no text encoding
        return piece.decode("ascii", "replace")


def _internal_date(value: Value) -> datetime | None:
    if not isinstance(value, bytes):
        return None
    match = re.fullmatch(rb" ?(\d{1,2})-([A-Za-z]{3})-(\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)", value)
    if match is None or (month := match[2].decode("ascii").title()) not in _MONTHS:
        return None
    iso = (
        f"{int(match[3]):04d}-{_MONTHS.index(month) + 1:02d}-{int(match[1]):02d}"
        f"T{match[4].decode()}:{match[5].decode()}:{match[6].decode()}"
        f"{match[7].decode()}{match[8].decode()}:{match[9].decode()}"
    )
    try:
        return datetime.fromisoformat(iso).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _header_date(text: str) -> datetime | None:
    from email.utils import parsedate_to_datetime

    try:
        parsed = parsedate_to_datetime(text[:100])
        return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
