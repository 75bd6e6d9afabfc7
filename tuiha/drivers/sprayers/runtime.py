"""HAProxy's runtime socket: one command, one connection, one bounded answer; and its JSON."""

from __future__ import annotations

import asyncio
import json
import re
import ssl as tls
from collections.abc import Mapping

from tuiha.drivers.protocols import DriverError
from tuiha.drivers.reach import cause_of, host_and_port, short, why

ANSWER_LIMIT = 64 * 1024 * 1024  # bytes; 5,000 servers as JSON are about 60 MB
PAYLOAD_LIMIT = 12_000  # bytes of one payload: HAProxy refuses what does not fit its buffer of 16 kB

Row = Mapping[str, "int | str"]


class Runtime:
    """A runtime socket, `unix:/PATH` or `tcp:HOST:PORT`."""

    def __init__(self, socket: str, ssl: tls.SSLContext | None = None) -> None:
        kind, _, rest = socket.partition(":")
        if kind not in ("unix", "tcp") or not rest:
            raise ValueError(f"'{socket}' is neither unix:/PATH nor tcp:HOST:PORT")
        self._path = rest if kind == "unix" else None
        self._host, self._port = host_and_port(rest) if kind == "tcp" else ("", 0)
        self._ssl = ssl

    async def ask(self, command: str, payload: str | None = None) -> str:
        """Send one command (with `payload` lines after it) and return the answer. Raises DriverError."""
        if any(c in command for c in "\r\n\0"):
            raise DriverError("a line break or NUL character cannot be sent to a sprayer")
        text = f"{command}\n" if payload is None else f"{command} <<\n{payload}\n"
        try:
            reader, writer = await self._open()
        except OSError as error:
            raise DriverError(why(error, self._ssl is not None), cause_of(error)) from None
        try:
            writer.write(text.encode("utf-8"))
            return await _read(reader)
        except OSError as error:
            raise DriverError(why(error, self._ssl is not None), cause_of(error)) from None
        finally:
            writer.transport.abort()  # the answer is complete, or nobody wants it any more

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._path is not None:
            return await asyncio.open_unix_connection(self._path)
        return await asyncio.open_connection(self._host, self._port, ssl=self._ssl)


async def _read(reader: asyncio.StreamReader) -> str:
    answer = bytearray()
    while chunk := await reader.read(256 * 1024):
        answer += chunk
        if len(answer) > ANSWER_LIMIT:
            raise DriverError("the sprayer's answer is too long")
    if not answer:
        raise DriverError("the sprayer closed its runtime socket without an answer")
    return answer.decode("utf-8", "replace").strip()


def word(value: str, what: str) -> str:
    """A name as one word of a command. Raises DriverError for what HAProxy could take for more than that."""
    if re.fullmatch(r"[A-Za-z0-9_.:\[\]/@%+=~#-]{1,255}", value) is None:
        raise DriverError(f"'{short(value, 60)}' cannot be {what}")
    return value


def fits_map(value: str) -> bool:
    """Whether a text can be an entry of a map. HAProxy takes #0x... for the address of an entry, and ends a command
    at << that is its last word.
    """
    try:
        escaped(value)
    except DriverError:
        return False
    return not value.startswith("#0x") and "<<" not in value


def escaped(value: str) -> str:
    """A map's key or value as one word of a command. Raises DriverError for control characters."""
    if not value or not value.isprintable() or len(value) > 1000:
        raise DriverError(f"'{short(value, 60)}' cannot be an entry of a sprayer's map")
    return re.sub(r"([\\ ;#\"'])", r"\\\1", value)


def typed_rows(text: str) -> list[Row]:
    """`show stat json`: one row of fields for each proxy or server. Raises DriverError."""
    rows = _json(text)
    if not isinstance(rows, list):
        raise DriverError("the sprayer's answer is not a list of statistics")
    return [typed_fields(row) for row in rows]


def typed_info(text: str) -> Row:
    """`show info json` as one row of fields. Raises DriverError."""
    return typed_fields(_json(text))


def _json(text: str) -> object:
    try:
        found: object = json.loads(text)
    except (ValueError, RecursionError):
        raise DriverError(f"the sprayer refuses: {short(text, 100)}") from None
    told = _fault(found)
    if told is not None:
        raise DriverError(f"the sprayer cannot tell its statistics: {short(told, 100)}")
    return found


def _fault(found: object) -> str | None:
    """What HAProxy says in place of statistics, for instance that its buffer is too short; None when it says none."""
    for one in found[:1] + found[-1:] if isinstance(found, list) else [found]:
        inner = one[0] if isinstance(one, list) and one else one
        if isinstance(inner, dict) and isinstance(inner.get("errorStr"), str):
            return str(inner["errorStr"])
    return None


def typed_fields(row: object) -> Row:
    """Name -> value of HAProxy's typed JSON; entries that are not of that shape are an error."""
    if not isinstance(row, list):
        raise DriverError("the sprayer's statistics are not well formed")
    found: dict[str, int | str] = {}
    for entry in row:
        name = _inside(entry, "field", "name")
        value = _inside(entry, "value", "value")
        if not isinstance(name, str):
            raise DriverError("the sprayer's statistics are not well formed")
        if isinstance(value, int | str) and not isinstance(value, bool):
            found[name] = value
    return found


def _inside(entry: object, outer: str, inner: str) -> object:
    middle = entry.get(outer) if isinstance(entry, dict) else None
    if not isinstance(middle, dict) or inner not in middle:
        raise DriverError("the sprayer's statistics are not well formed")
    return middle[inner]


def whole(row: Row, field: str) -> int:
    """A counter or gauge of a row. Raises DriverError naming it."""
    value = row.get(field)
    if not isinstance(value, int) or not 0 <= value < 2**63:
        raise DriverError(f"field '{field}' of the sprayer's statistics is missing or wrong")
    return value


def text(row: Row, field: str) -> str:
    """A text of a row. Raises DriverError naming it."""
    value = row.get(field)
    if not isinstance(value, str) or not value:
        raise DriverError(f"field '{field}' of the sprayer's statistics is missing or wrong")
    return short(value)


def map_paths(listing: str) -> tuple[str, ...]:
    """The paths of the maps that `show map` lists, as far as they are maps of a file."""
    found = (re.match(r"-?\d+ \((.{1,1000}?)\)", line) for line in listing.splitlines()[:1000])
    return tuple(one[1] for one in found if one is not None)


def map_size(listing: str, path: str) -> int | None:
    """How many entries the map at `path` has, from `show map`; None when the sprayer has no such map."""
    for line in listing.splitlines():
        if f"({path})" in line and (count := re.search(r"entry_cnt=(\d{1,18})\b", line)):
            return int(count[1])
    return None
