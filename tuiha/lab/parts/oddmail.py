"""Mails that any stranger can send and that no mail program expects, for drills and benchmarks.

Each has more header than a monitor wants to hold, or bytes that no header may have. Each is made for a Message-ID, so
that a checker recognizes what became of it.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

_LONG_SUBJECT = b"A" * 90_000  # Postfix lets a field of this length pass, and repeats are not its affair
_ENDLESS = 1_500_000  # bytes


class Odd(StrEnum):
    """What is odd about a mail."""

    WIDE = "wide"  # twelve Subject fields of 90 kB: together more than 1 MiB of what a monitor asks for
    MANY = "many"  # as much in 6,000 fields, and the Message-ID behind all of them
    ENDLESS = "endless"  # one field of 1.5 MB without a break
    RAW = "raw"  # NUL, other control characters, and bytes beyond ASCII that are no UTF-8
    PLAIN = "plain"  # an ordinary mail


def _wide(message_id: bytes) -> bytes:
    return b"".join((message_id, *(b"Subject: " + _LONG_SUBJECT + b"\r\n" for _ in range(12)),
                     b"From: list@example.org\r\n"))


def _many(message_id: bytes) -> bytes:
    # Not more and smaller ones: the embedded mail servers take a second for ten thousand, and answer nobody meanwhile.
    return b"".join((*(b"Subject: %0180d\r\n" % number for number in range(6_000)), message_id))


def _endless(message_id: bytes) -> bytes:
    return b"".join((b"Subject: " + b"B" * _ENDLESS + b"\r\n", message_id, b"From: list@example.org\r\n"))


def _raw(message_id: bytes) -> bytes:
    return b"".join((b"From: J\xf6rg M\xfcller <\x00joerg@example.org>\r\n",
                     b"Subject: \xff\xfe \x85 \x0b\x00 caf\xe9\r\nDate: \x00\x01 never \xe9\r\n", message_id))


def _plain(message_id: bytes) -> bytes:
    return b"From: shop@example.org\r\nSubject: an ordinary mail\r\n" + message_id


_HEADERS: dict[Odd, Callable[[bytes], bytes]] = {
    Odd.WIDE: _wide, Odd.MANY: _many, Odd.ENDLESS: _endless, Odd.RAW: _raw, Odd.PLAIN: _plain,
}


def compose(kind: Odd, message_id: str, subject: str | None = None) -> bytes:
    """The mail; `message_id` without angle brackets. `subject` adds one more Subject field in front."""
    first = b"" if subject is None else f"Subject: {subject}\r\n".encode()
    return first + _HEADERS[kind](f"Message-ID: <{message_id}>\r\n".encode()) + b"\r\nThe body.\r\n"
