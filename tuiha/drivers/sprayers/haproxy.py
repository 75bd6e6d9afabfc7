"""An IP sprayer: HAProxy, watched and steered through its runtime socket."""

from __future__ import annotations

import re
import ssl as tls
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from tuiha.config import tls as certificates
from tuiha.drivers.protocols import DriverError
from tuiha.drivers.reach import host_and_port, short
from tuiha.drivers.sprayers.runtime import (
    PAYLOAD_LIMIT,
    Row,
    Runtime,
    escaped,
    map_paths,
    map_size,
    text,
    typed_info,
    typed_rows,
    whole,
    word,
)
from tuiha.model.reports import AddressRow, BackendReport, BackendState, SprayerReport

if TYPE_CHECKING:
    from tuiha.config.parts import Sprayer
    from tuiha.drivers.site import Site

# HAProxy adds detail to some words: "UP 1/3", "MAINT (via s1)", "DOWN (agent)", "no check".
_STATES: Mapping[str, BackendState] = {
    "UP": BackendState.UP,
    "no": BackendState.UP,
    "DOWN": BackendState.DOWN,
    "DRAIN": BackendState.DRAIN,
    "NOLB": BackendState.DRAIN,
    "MAINT": BackendState.MAINT,
}


_FEW = 50  # entries that are set one by one
ADMIN = "admin"  # the level of a runtime socket that may change servers


class Haproxy:
    """One sprayer. `backend` is the one with the pool servers, `map` the path of the user -> server map."""

    capabilities: frozenset[str] = frozenset(
        {"poll", "set state", "set address", "add server", "delete server", "map"}
    )

    def __init__(
        self,
        name: str,
        socket: str,
        backend: str = "pool",
        map: str | None = None,
        ssl: tls.SSLContext | None = None,
        held: str | None = None,
        operator: str | None = None,
    ) -> None:
        """`operator` is the socket that changes go to; without one they go to the socket that is watched."""
        self.name = name
        self.address = socket
        self._runtime = Runtime(socket, ssl)
        self._acting = self._runtime if operator is None else Runtime(operator, ssl)
        self._backend = word(backend, "a backend's name")
        self._map = None if map is None else word(map, "a map's path")
        self._held = None if held is None else word(held, "a map's path")

    # ------------------------------------------------------------------ looking

    async def poll(self) -> SprayerReport:
        """Ask for sessions, backends and the size of the map. Raises DriverError."""
        questions = ["show info json", f"show stat {self._backend} 6 -1 json"]
        if self._map is not None or self._held is not None:
            questions.append("show map")  # lists the maps with their sizes, not their entries
        answers = [await self._runtime.ask(question) for question in questions]
        if answers[1].startswith("No such proxy"):
            raise DriverError(f"backend '{self._backend}' is not in this sprayer's configuration")
        learned = map_size(answers[2], self._map) if self._map is not None else None
        seen = report(answers[0], answers[1], learned, await self._addresses())
        maps = map_paths(answers[2]) if len(answers) > 2 else ()
        wanted = [path for path in (self._map, self._held) if path is not None]
        return replace(seen, maps=maps, lacking=tuple(path for path in wanted if path not in maps))

    async def _addresses(self) -> tuple[AddressRow, ...] | None:
        """What keepalived has said of the virtual addresses; None when it was never asked to, or has said nothing."""
        if self._held is None:
            return None
        listing = await self._runtime.ask(f"show map {self._held}")
        if not listing or listing.startswith("Unknown map"):
            return None
        return tuple(AddressRow(*entry) for entry in entries(listing))

    async def process(self) -> int | None:
        """Its process id: another one, and it has started anew. None: not told. Raises DriverError."""
        found = typed_info(await self._runtime.ask("show info json")).get("Pid")
        return found if isinstance(found, int) else None

    async def map_entries(self) -> dict[str, str]:
        """The whole user -> server map: costly when it is big, so only on demand. Raises DriverError."""
        listing = await self._runtime.ask(f"show map {self._the_map()}")
        if listing.startswith("Unknown map"):
            raise DriverError(f"the sprayer has no map {self._map}")
        return dict(entries(listing))

    async def close(self) -> None:
        """Nothing is kept open between commands."""

    # ------------------------------------------------------------------ steering

    async def level(self) -> str:
        """What the socket that changes go to is allowed: user, operator or admin. Raises DriverError."""
        return short(await self._acting.ask("show cli level"), 40)

    async def set_state(self, server: str, state: Literal["ready", "drain", "maint"]) -> None:
        """Let a server take users, let it only keep the ones it has, or take it out. Raises DriverError."""
        await self._command(f"set server {self._path(server)} state {word(state, 'a state')}")

    async def set_checks(self, server: str, on: bool) -> None:
        """Check a server's health, or rest: then it counts as well, and nobody is cut off. Raises DriverError."""
        await self._command(f"{'enable' if on else 'disable'} health {self._path(server)}")

    async def set_address(self, server: str, address: str) -> None:
        """Send a server's users to another `HOST:PORT` (an IP address)."""
        host, port = _host_and_port(address)
        answer = await self._acting.ask(f"set server {self._path(server)} addr {host} port {port}")
        if answer and "changed" not in answer and "no need to change" not in answer:
            raise DriverError(f"the sprayer refuses: {short(answer)}")

    async def add_server(self, server: str, address: str, options: str = "check inter 200ms fall 2 rise 1") -> None:
        """Add a pool server to the backend and let it take users. `options` as HAProxy's `add server` has them."""
        host, port = _host_and_port(address)
        words = " ".join(word(option, "an option of a server") for option in options.split())
        await self._command(f"add server {self._path(server)} {host}:{port} {words}", "New server registered.")
        if "check" in options.split():
            await self._command(f"enable health {self._path(server)}")
        await self.set_state(server, "ready")

    async def del_server(self, server: str) -> None:
        """Remove a server that was put in `maint` and has no session left."""
        await self._command(f"del server {self._path(server)}", "Server deleted.")

    async def set_map(self, user: str, server: str) -> None:
        """Send a user to a server from now on."""
        entry = f"{self._the_map()} {escaped(user)} {escaped(server)}"
        answer = await self._acting.ask(f"set map {entry}")
        if answer.startswith("entry not found"):
            answer = await self._acting.ask(f"add map {entry}")
        if answer:
            raise DriverError(f"the sprayer refuses: {short(answer)}")

    async def put_map(self, entries: Mapping[str, str]) -> None:
        """Set entries, few or many; those of other users stay. Raises DriverError.

        For many the map is read first: what is not in it goes in by the thousand, the rest is set if it differs.
        """
        there = await self.map_entries() if len(entries) > _FEW else None
        bulk = {user: server for user, server in entries.items()
                if there is not None and user not in there and not _has_space(user)}
        for chunk in chunks(bulk.items()):
            if answer := await self._acting.ask(f"add map {self._the_map()}", chunk):
                raise DriverError(f"the sprayer refuses: {short(answer)}")
        for user, server in entries.items():
            if user not in bulk and (there is None or there.get(user) != server):
                await self.set_map(user, server)

    async def del_map(self, user: str) -> None:
        """Forget where a user is. A user that is not in the map is no error."""
        answer = await self._acting.ask(f"del map {self._the_map()} {escaped(user)}")
        if answer and not answer.startswith("Key not found"):
            raise DriverError(f"the sprayer refuses: {short(answer)}")

    async def replace_map(self, entries: Mapping[str, str]) -> None:
        """Replace the whole map in one step: users see the old map or the new one.

        A chunk that is refused ends it and leaves the old map, as a commit would then install half a map.
        """
        path = self._the_map()
        created = re.fullmatch(r"New version created: (\d{1,10})", await self._acting.ask(f"prepare map {path}"))
        if created is None:
            raise DriverError(f"the sprayer has no map {path}")
        version = created[1]
        try:
            for chunk in chunks(entries.items()):
                if answer := await self._acting.ask(f"add map @{version} {path}", chunk):
                    raise DriverError(f"the sprayer refuses: {short(answer)}")
        except DriverError:
            await self._acting.ask(f"clear map @{version} {path}")
            raise
        await self._command(f"commit map @{version} {path}")

    def _path(self, server: str) -> str:
        return f"{self._backend}/{word(server, 'the name of a server')}"

    def _the_map(self) -> str:
        if self._map is None:
            raise DriverError(f"no map is configured for sprayer {self.name}")
        return self._map

    async def _command(self, command: str, expected: str = "") -> None:
        answer = await self._acting.ask(command)
        if answer != expected:
            raise DriverError(f"the sprayer refuses: {short(answer)}")


def _host_and_port(address: str) -> tuple[str, int]:
    try:
        host, port = host_and_port(address)
    except ValueError as error:
        raise DriverError(str(error)) from None
    return word(host, "an address"), port


def _has_space(value: str) -> bool:
    return any(c.isspace() for c in value)


def chunks(entries: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Map entries as payloads under HAProxy's limit, one `key value` a line. Raises DriverError for a bad entry."""
    lines: list[str] = []
    size = 0
    for key, value in entries:
        if _has_space(key + value):
            raise DriverError(f"'{short(key, 60)}' cannot be an entry of a sprayer's map")
        escaped(key), escaped(value)  # the same bounds as for a single entry
        line = f"{key} {value}\n"
        length = len(line.encode("utf-8"))
        if lines and size + length > PAYLOAD_LIMIT:
            yield "".join(lines)
            lines, size = [], 0
        lines.append(line)
        size += length
    if lines:
        yield "".join(lines)


def entries(listing: str) -> Iterator[tuple[str, str]]:
    """Keys and values of a map, as `show map PATH` lists them. Raises DriverError when none of it is an entry.

    A key that a sprayer learned may hold a line break: what is not an entry for that is left out.
    """
    found = [re.fullmatch(r"0x[0-9a-f]+ (.*) (\S+)", line) for line in listing.split("\n")] if listing else []
    if found and not any(found):
        raise DriverError(f"the sprayer's map is not well formed: {short(listing, 60)}")
    yield from ((entry[1], entry[2]) for entry in found if entry is not None)


def report(
    info: str, statistics: str, learned: int | None, addresses: tuple[AddressRow, ...] | None = None
) -> SprayerReport:
    """A report from the answers to `show info json` and `show stat ... json`. Raises DriverError."""
    facts = typed_info(info)
    rows = typed_rows(statistics)
    totals = [row for row in rows if _is_total(row)]
    if len(totals) != 1:
        raise DriverError("the sprayer's statistics hold no total of the backend")
    uptime, process = facts.get("Uptime_sec"), facts.get("Pid")
    return SprayerReport(
        version=text(facts, "Version"),
        sessions=whole(totals[0], "scur"),
        backends=tuple(_backend(row) for row in rows if not _is_total(row)),
        uptime_seconds=uptime if isinstance(uptime, int) else None,
        learned=learned,
        requests=whole(totals[0], "req_tot") if "req_tot" in totals[0] else None,
        addresses=addresses,
        process=process if isinstance(process, int) else None,
    )


def _is_total(row: Row) -> bool:
    """Whether a row is the whole backend's (type 1). A server may be called BACKEND; its row is of type 2."""
    return row.get("type", 1) == 1 and row.get("svname") == "BACKEND"


def _backend(row: Row) -> BackendReport:
    status = text(row, "status")
    state = _STATES.get(status.split()[0])
    if state is None:
        raise DriverError(f"the sprayer has an unknown state for {text(row, 'svname')}: {status}")
    since = row.get("lastchg")
    return BackendReport(
        server=text(row, "svname"),
        state=state,
        sessions=whole(row, "scur"),
        queue=whole(row, "qcur"),
        requests=whole(row, "req_tot" if "req_tot" in row else "stot"),
        since_seconds=since if isinstance(since, int) and since >= 0 else None,
        check=_check(row),
        checked=status != "no check",
    )


def _check(row: Row) -> str | None:
    """The last health check in words, for instance "L7STS 503: Service Unavailable"."""
    if "check_status" not in row:
        return None
    code = f" {row['check_code']}" if row.get("check_code") else ""
    told = row.get("last_chk") or row.get("check_desc")
    return short(f"{row['check_status']}{code}" + (f": {told}" if told else ""))


def open_haproxy(sprayer: Sprayer, site: Site) -> Haproxy:
    """The driver of a HAProxy. Raises ConfigError."""
    assert sprayer.socket is not None  # the settings are validated
    return Haproxy(sprayer.name, sprayer.socket, sprayer.backend, sprayer.map,
                   certificates.for_sprayer(sprayer, site.base), sprayer.held, sprayer.operator)
