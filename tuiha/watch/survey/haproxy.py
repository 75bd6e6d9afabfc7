"""What a running HAProxy says of itself at its runtime socket."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from tuiha.config.tls import is_loopback
from tuiha.drivers.protocols import DriverError
from tuiha.drivers.reach import short
from tuiha.drivers.sprayers.runtime import Runtime, map_paths, typed_info
from tuiha.drivers.sprayers.survey import MOST_SERVERS
from tuiha.model.survey.facts import FoundHaproxy, FoundServer, FoundSprayer, Part, Remark, RemarkCode

SECONDS = 5.0  # for all questions together


async def survey_socket(socket: str, number: int, backend: str | None, context: ssl.SSLContext) -> FoundHaproxy:
    """The sprayer behind a socket (unix:/PATH or tcp:HOST:PORT), and its servers. A failure is a remark.

    `number` names the sprayer that does not name itself; `context` is for sockets that are not on this machine.
    """
    plain = FoundSprayer(f"spray{number}", socket=socket, backend=backend)
    local = socket.startswith("unix:") or is_loopback(socket.removeprefix("tcp:").rpartition(":")[0])
    runtime = Runtime(socket, None if local else context)
    try:
        async with asyncio.timeout(SECONDS):
            info = typed_info(await runtime.ask("show info json"))
            state, maps = await runtime.ask("show servers state"), map_paths(await runtime.ask("show map"))
    except TimeoutError:
        return _unread(plain, f"no answer in {SECONDS:g} s")
    except DriverError as error:
        return _unread(plain, str(error))
    by_backend: dict[str, list[FoundServer]] = {}
    for name, server in _servers(state):
        by_backend.setdefault(name, []).append(server)
    chosen, remarks = _chosen(by_backend, backend)
    node = info.get("Node") or info.get("node")
    users = next((path for path in maps if not any(other in Path(path).name for other in ("held", "full"))), None)
    held = next((path for path in maps if "held" in path), None)
    sprayer = FoundSprayer(short(node, 200) if isinstance(node, str) and node else plain.name, socket=socket,
                           backend=chosen, map=users, held=held)
    servers = by_backend.get(chosen or "", [])
    if len(servers) > MOST_SERVERS:
        remarks.append(Remark(Part.SERVERS, RemarkCode.TOO_MANY, chosen or "", str(MOST_SERVERS)))
    return FoundHaproxy((sprayer,), tuple(servers[:MOST_SERVERS]), tuple(remarks))


def _unread(sprayer: FoundSprayer, why: str) -> FoundHaproxy:
    return FoundHaproxy((sprayer,), (), (Remark(Part.SPRAYERS, RemarkCode.UNREAD_SPRAYER, sprayer.socket or "", why),))


def _chosen(found: Mapping[str, list[FoundServer]], wanted: str | None) -> tuple[str | None, list[Remark]]:
    """The backend with the pool servers, and what to know of the others."""
    if wanted is not None:
        return wanted, [] if wanted in found else [Remark(Part.SERVERS, RemarkCode.NO_BACKEND, wanted)]
    names = sorted(found, key=lambda name: (name != "pool", -len(found[name]), name))
    if not names:
        return None, [Remark(Part.SERVERS, RemarkCode.NO_BACKEND)]
    others = ", ".join(names[1:11])
    return names[0], [Remark(Part.SERVERS, RemarkCode.OTHER_BACKENDS, names[0], others)] if others else []


def _servers(state: str) -> Iterator[tuple[str, FoundServer]]:
    """Backend and server of each row of `show servers state` that has an address."""
    lines = state.splitlines()
    head = next((line for line in lines if line.startswith("# ")), "")
    columns = head.removeprefix("# ").split()
    seen: Counter[tuple[str, str]] = Counter()
    for line in lines:
        row = dict(zip(columns, line.split(), strict=False))
        port, name = row.get("srv_port", ""), row.get("srv_name", "")
        address = row.get("srv_fqdn", "-")
        if address == "-":
            address = row.get("srv_addr", "-")
        if line.startswith("#") or not re.fullmatch(r"[0-9]{1,5}", port) or not 0 < int(port) < 65536:
            continue
        if address in ("-", "0.0.0.0", "::") or not re.fullmatch(r"[0-9a-zA-Z._:-]{1,253}", address):
            continue
        seen[row["be_name"], name] += 1
        if seen[row["be_name"], name] == 1:
            yield short(row["be_name"]), FoundServer(short(name), address, int(port), row.get("srv_use_ssl") == "1")
