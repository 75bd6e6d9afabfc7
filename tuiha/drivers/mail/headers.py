"""Header fields as senders write them: folded, 8-bit, with encoded words (RFC 2047) and dates of many forms.

Lines end at CRLF or LF and nowhere else: what else Unicode takes for a line's end may stand in a Subject.
"""

from __future__ import annotations

import encodings
import re
from base64 import b64decode
from binascii import Error as Base64Error
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from encodings.aliases import aliases
from functools import cache
from pkgutil import iter_modules

FIELD_LIMIT = 900  # characters kept of one header field
_RAW_LIMIT = FIELD_LIMIT * 8  # characters of a field that are decoded
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WORD = re.compile(r"=\?([^?\s*]{1,60})(?:\*[^?\s]{0,20})?\?([bBqQ])\?(.*?)\?=", re.DOTALL)
_JAPANESE = re.compile(rb"\x1b\$[@B]")  # two bytes for each character from here on (RFC 1468)
_KANJI_RUN = re.compile(rb"\x1b\$[@B]((?:[\x21-\x7e]{2})*)(?:\x1b\([BJ])?")
_KANA_RUN = re.compile(rb"\x1b\(I([\x21-\x5f]*)(?:\x1b\([BJ])?")
_ESCAPE = re.compile(r"=([0-9A-Fa-f]{2})|(_)|([^\0-\x7f]+)|(.)", re.DOTALL)
# What senders call otherwise than Python does, or call by the name of a smaller set.
_CHARSETS = {
    "iso-8859-1": "cp1252", "latin1": "cp1252", "us-ascii": "utf-8", "ascii": "utf-8", "ansi_x3.4-1968": "utf-8",
    "utf8": "utf-8", "unicode-1-1-utf-8": "utf-8", "gb2312": "gb18030", "gbk": "gb18030", "x-gbk": "gb18030",
    "ks_c_5601-1987": "cp949", "euc-kr": "cp949", "x-sjis": "cp932", "shift_jis": "cp932", "shift-jis": "cp932",
    "windows-31j": "cp932",
    "iso-8859-8-i": "iso-8859-8", "iso-8859-6-i": "iso-8859-6", "x-mac-roman": "mac-roman", "windows-874": "cp874",
    "iso-2022-jp": "iso-2022-jp-ext", "big5": "big5hkscs", "x-windows-949": "cp949", "utf-8-mac": "utf-8",
}
# No mail is written in these, and one Subject takes seconds with them.
_UNUSED = frozenset({"punycode", "idna", "undefined", "unicode_escape", "raw_unicode_escape"})
_ARRIVAL = re.compile(
    r"\s*(\d{1,2})[-\s]([A-Za-z]{3})[a-z]*[-\s](\d{2}|\d{4})\s+(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,]\d+)?)?"
    r"\s*(?:([+-])(\d{2}):?(\d{2})|Z|UTC?|GMT|)\s*", re.IGNORECASE)


def header_fields(raw: bytes) -> dict[str, str]:
    """Header fields by lower-case name, unfolded; the first of a name counts. A Message-ID that is cut off is none."""
    fields: dict[str, str] = {}
    lines = re.sub(rb"\r?\n(?=[ \t])", b"", raw).split(b"\n")
    for line in lines:
        name, colon, value = line.partition(b":")
        if colon and name[:1] not in (b" ", b"\t"):
            fields.setdefault(name.strip().lower().decode("latin-1"), text(value).strip(" \t\r\n\0"))
    last = lines[-1].partition(b":")[0].strip().lower()
    if last == b"message-id" and not fields.get("message-id", "").endswith(">"):
        fields.pop("message-id", None)
    return fields


def text(raw: bytes) -> str:
    """Bytes of a header: UTF-8, also when cut within a character, else windows-1252; ISO-2022-JP by its marks."""
    if _JAPANESE.search(raw):
        with suppress(UnicodeDecodeError):
            return _japanese(raw)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        cut = error.start >= len(raw) - 3 and error.reason == "unexpected end of data"
        if cut and not raw[: error.start].isascii():  # otherwise one byte may well be a letter of windows-1252
            return raw[: error.start].decode("utf-8")
    return raw.decode("cp1252", "replace")


def _japanese(raw: bytes) -> str:
    """ISO-2022-JP; with rows that only Windows has, when its mailers sent them under that name. Raises ValueError."""
    try:
        return raw.decode("iso2022_jp_ext")
    except UnicodeDecodeError:
        kana = _KANA_RUN.sub(lambda run: bytes(one | 0x80 for one in run[1]), raw)
        return _KANJI_RUN.sub(lambda run: _shifted(run[1]), kana).decode("cp932")


def _shifted(pairs: bytes) -> bytes:
    """Characters of JIS X 0208, two bytes each, as Shift JIS has them: two rows of 94 in one of 188."""
    made = bytearray()
    for row, cell in zip(pairs[::2], pairs[1::2], strict=True):
        made.append((row + 1) // 2 + (0x70 if row < 0x5F else 0xB0))
        made.append(cell + 0x7E if row % 2 == 0 else cell + (0x1F if cell < 0x60 else 0x20))
    return bytes(made)


def clean(words: str) -> str:
    """One bounded line without control characters and without lone surrogates."""
    printable = "".join(c if c.isprintable() else " " for c in words[: FIELD_LIMIT * 2])
    return " ".join(printable.split())[:FIELD_LIMIT]


def decoded(words: str) -> str:
    """A header's text with its encoded words decoded; what cannot be decoded stays as it is.

    Neighbours in one charset are joined before they are decoded: some senders cut them within a character.
    """
    words = words[:_RAW_LIMIT]
    found: list[str] = []
    charset, waiting, at = "", b"", 0
    for word in _WORD.finditer(words, 0, words.rfind("?=") + 2):  # without that end each beginning would look for it
        between = words[at : word.start()]
        if waiting and (between.strip() or word[1].lower() != charset):
            found.append(_in(waiting, charset))
            waiting = b""
        if between.strip() or at == 0:
            found.append(between)
        charset = word[1].lower()
        waiting += _unpacked(word[2], word[3], charset)
        at = word.end()
    if waiting:
        found.append(_in(waiting, charset))
    return clean("".join([*found, words[at:]]))


def _unpacked(encoding: str, packed: str, charset: str) -> bytes:
    if encoding in "bB":
        sound = re.sub(r"[^A-Za-z0-9+/]", "", packed.replace("-", "+").replace("_", "/"))
        if len(sound) % 4 == 1:
            sound = sound[:-1]
        try:
            return b64decode(sound + "=" * (-len(sound) % 4))
        except (Base64Error, ValueError):
            return b""
    made = bytearray()
    for piece in _ESCAPE.finditer(packed):
        if piece[1]:
            made.append(int(piece[1], 16))
        elif piece[2]:
            made.append(0x20)
        else:
            made += _packed(piece[0], charset)
    return bytes(made)


def _packed(characters: str, charset: str) -> bytes:
    """Characters that should have been encoded, as they came."""
    try:
        return characters.encode(_codec(charset))
    except (LookupError, ValueError):
        return characters.encode("utf-8", "replace")


def _codec(charset: str) -> str:
    """Python's name of a charset. Raises LookupError for one that it does not know."""
    name = _CHARSETS.get(charset, charset)
    if encodings.normalize_encoding(name) not in _known():
        raise LookupError(f"unknown charset: {name}")
    return name


@cache
def _known() -> frozenset[str]:
    """The character sets that Python has. It keeps every other name that it is asked for, for ever."""
    return frozenset({one.name for one in iter_modules(encodings.__path__)} | {*aliases}) - _UNUSED


def _in(raw: bytes, charset: str) -> str:
    try:
        name = _codec(charset)
        if name == _CHARSETS["iso-2022-jp"]:
            with suppress(UnicodeDecodeError):
                return _japanese(raw)
        if name != "utf-8":
            return raw.decode(name, "replace")
    except (LookupError, ValueError):  # unknown, or no encoding of text
        pass
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("utf-8", "replace") if charset.startswith("utf") else raw.decode("cp1252", "replace")


def arrival(raw: bytes) -> datetime | None:
    """An INTERNALDATE in UTC, in whatever form: RFC 3501's, ISO 8601, or a mail's; None when it is none."""
    words = raw[:100].decode("latin-1")
    found = _ARRIVAL.fullmatch(words)
    if found is None:
        return _iso(words) or mail_date(words)
    day, month, year, hour, minute, second = found[1], found[2].lower(), int(found[3]), found[4], found[5], found[6]
    if month not in _MONTHS:
        return None
    if len(found[3]) == 2:
        year += 2000 if year < 70 else 1900
    ahead = timedelta(hours=int(found[8] or 0), minutes=int(found[9] or 0))
    try:
        zone = timezone(-ahead if found[7] == "-" else ahead)
        at = datetime(year, _MONTHS.index(month) + 1, int(day), int(hour), int(minute), min(int(second or 0), 59))
        return at.replace(tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _iso(words: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(words.strip())
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def mail_date(words: str) -> datetime | None:
    """A Date header in UTC; None when it is none."""
    try:
        at = parsedate_to_datetime(words[:100])
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError, AttributeError):
        return None
