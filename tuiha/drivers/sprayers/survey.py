"""What a HAProxy's configuration says of a pool: its sprayers, and the servers of one backend. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv6Address

from tuiha.config.tls import is_loopback
from tuiha.drivers.reach import short
from tuiha.drivers.sprayers.configuration import ProxyConfiguration, ProxyLine, ProxySection
from tuiha.model.survey.facts import FoundHaproxy, FoundServer, FoundSprayer, Part, Remark, RemarkCode, joined

MOST_SERVERS = 1000
_ANYWHERE = frozenset({"", "*", "0.0.0.0", "::", "[::]"})
_FAMILY = re.compile(r"^(?:ipv4|ipv6|tcp|tcp4|tcp6|mptcp4|mptcp6)@")
_ELSEWHERE = re.compile(r"^(?:unix|uxst|abns|abnsz|uxdg|fd|sockpair|quic4|quic6|udp|udp4|udp6|rhttp|rev)@|^/")
_HOST = re.compile(r"[^\s:/@\[\]]{0,253}")
_MAP = re.compile(r"set-map\(([^),\s]+)\)(?![^\n]*X-Tuiha-Full)")  # of users: not the one of full servers
_HELD = re.compile(r"map(?:_str)?\(([^),\s]*held[^),\s]*)")


def survey(found: ProxyConfiguration, backend: str | None = None) -> FoundHaproxy:
    """The facts. `backend` names the one with the pool servers; without it the likeliest is taken."""
    remarks = [Remark(Part.SPRAYERS, RemarkCode.CONDITION, str(number)) for number in found.conditions[:5]]
    chosen, others = _backend(found, backend)
    if others:
        remarks.append(Remark(Part.SERVERS, RemarkCode.OTHER_BACKENDS, chosen.name if chosen is not None else "",
                              ", ".join(short(other.name, 60) for other in others[:10])))
    if chosen is None:
        remarks.append(Remark(Part.SERVERS, RemarkCode.NO_BACKEND, backend or ""))
    servers, told = ([], list[Remark]()) if chosen is None else _servers(chosen)
    sprayers, more = _sprayers(found, chosen)
    return FoundHaproxy(tuple(sprayers), tuple(servers), (*remarks, *told, *more))


# ---------------------------------------------------------------------------- the backend and its servers


_NAME = re.compile(r"[A-Za-z0-9_.:-]{1,200}")  # of a backend, as HAProxy accepts one


def _backend(found: ProxyConfiguration, wanted: str | None) -> tuple[ProxySection | None, list[ProxySection]]:
    """The backend with the pool servers, and others that could be it."""
    those = [one for one in found.of("backend", "listen")
             if _NAME.fullmatch(one.name) and any(True for _ in _reached(one))]
    if wanted is not None:
        return next((one for one in those if one.name == wanted), None), []
    led_to = {name for front in found.of("frontend", "listen") for name in _leads_to(front)}
    those.sort(key=lambda one: (one.name != "pool", _mode(one) != "http", one.kind == "backend"
                                and one.name not in led_to, -sum(1 for _ in _reached(one))))
    return (those[0], those[1:]) if those else (None, [])


def _mode(section: ProxySection) -> str:
    modes = [line.words[1] for line in section.all("mode") if len(line.words) > 1]
    return modes[-1] if modes else "tcp"


def _leads_to(front: ProxySection) -> Iterator[str]:
    for line in front.lines:
        if line.words[0] in ("default_backend", "use_backend") and len(line.words) > 1:
            yield line.words[1]


def _reached(section: ProxySection) -> Iterator[ProxyLine]:
    """The servers of a backend that are at an address of the network."""
    for line in section.lines:
        least = {"server": 3, "server-template": 4}.get(line.words[0])
        if least is not None and len(line.words) >= least and not _ELSEWHERE.search(line.words[least - 1]):
            yield line


def _servers(section: ProxySection) -> tuple[list[FoundServer], list[Remark]]:
    found: dict[str, FoundServer] = {}
    remarks: list[Remark] = []
    secure = any("ssl" in line.words for line in section.all("default-server"))
    for number, line in enumerate(_reached(section)):
        name = short(line.words[1], 200)
        if number == MOST_SERVERS:
            remarks.append(Remark(Part.SERVERS, RemarkCode.TOO_MANY, section.name, str(MOST_SERVERS)))
            break
        one = _server(line, name, secure)
        if isinstance(one, Remark):
            remarks.append(one)
            continue
        found.setdefault(name, one)
        if not one.secure and not is_loopback(one.host):
            remarks.append(Remark(Part.SERVERS, RemarkCode.PLAIN_SERVER, name))
    return list(found.values()), remarks


def _server(line: ProxyLine, name: str, secure: bool) -> FoundServer | Remark:
    if line.words[0] == "server-template":
        return Remark(Part.SERVERS, RemarkCode.TEMPLATE, name, short(line.words[3], 100))
    where = _place(line.words[2])
    if "${" in line.words[2] or "$" in line.words[2]:
        return Remark(Part.SERVERS, RemarkCode.VARIABLE, name, short(line.words[2], 100))
    if where is None or where[0] in _ANYWHERE:
        return Remark(Part.SERVERS, RemarkCode.NO_ADDRESS, name, short(line.words[2], 100))
    return FoundServer(name, *where, secure=(secure or "ssl" in line.words) and "no-ssl" not in line.words)


def _place(address: str) -> tuple[str, int] | None:
    """Host and port of an address as HAProxy writes it; None where there is no port."""
    host, colon, port = _FAMILY.sub("", address).rpartition(":")
    if not colon or not re.fullmatch(r"[0-9]{1,5}", port) or not 0 < int(port) < 65536:
        return None
    bare = host.strip("[]")
    known = _is_ipv6(bare) if ":" in bare else _HOST.fullmatch(bare) is not None and bare.isprintable()
    return (bare, int(port)) if known else None


def _is_ipv6(text: str) -> bool:
    try:
        return IPv6Address(text).scope_id is None
    except ValueError:
        return False


# ---------------------------------------------------------------------------- the sprayers


@dataclass(frozen=True, slots=True)
class _Socket:
    """A runtime socket: a file, or a place in the network."""

    admin: bool
    path: str | None = None
    place: tuple[str, int] | None = None


def _sprayers(found: ProxyConfiguration, chosen: ProxySection | None) -> tuple[list[FoundSprayer], list[Remark]]:
    """The sprayers that the peers are; without peers the one that reads this file."""
    remarks: list[Remark] = []
    front = None if chosen is None else _front(found, chosen)
    if front is None and chosen is not None:
        remarks.append(Remark(Part.SPRAYERS, RemarkCode.NO_FRONT, chosen.name))
    text = "\n".join(" ".join(line.words) for section in found.sections for line in section.lines)
    maps, held = _MAP.search(text), _HELD.search(text)
    common = FoundSprayer("", backend=None if chosen is None else chosen.name, map=maps[1] if maps else None,
                          held=held[1] if held else None)
    sockets = list(_sockets(found))
    peers = list(_peers(found))
    if len(peers) < 2:
        node = next((line.words[1] for one in found.of("global") for line in one.all("node")
                     if len(line.words) > 1), "spray1")
        host, port = front if front is not None else (None, None)
        own = _own(sockets, remarks)
        return [replace(common, name=short(node, 200), host=host, port=port, socket=own)], remarks
    forwarded = list(_forwarded(found, sockets))
    if not forwarded:
        code = RemarkCode.LOCAL_SOCKET if any(one.path for one in sockets) else RemarkCode.NO_SOCKET
        remarks.append(Remark(Part.SPRAYERS, code, next((one.path for one in sockets if one.path), "")))
    sprayers = []
    for name, host in peers:
        watch = next((port for admin, port in forwarded if not admin), forwarded[0][1] if forwarded else None)
        act = next((port for admin, port in forwarded if admin), None)
        shown = (None, None) if front is None else (front[0] or host, front[1])
        sprayers.append(replace(
            common, name=name, host=shown[0], port=shown[1], secure=bool(forwarded),
            socket=None if watch is None else f"tcp:{joined(host, watch)}",
            operator=None if act is None or act == watch else f"tcp:{joined(host, act)}"))
    return sprayers, remarks


def _front(found: ProxyConfiguration, chosen: ProxySection) -> tuple[str | None, int] | None:
    """Where devices connect: host (None: any of the sprayer's) and port of the frontend that leads to the backend."""
    fronts = [chosen] if chosen.kind == "listen" else [
        one for one in found.of("frontend", "listen") if chosen.name in _leads_to(one)]
    binds = [(line, one) for front in fronts for line in front.all("bind") if len(line.words) > 1
             for one in line.words[1].split(",")]
    binds.sort(key=lambda bind: "ssl" not in bind[0].words)
    places = [place for _, one in binds if not _ELSEWHERE.search(one) and (place := _place(one)) is not None]
    if not places:
        return None
    host, port = places[0]
    return None if host in _ANYWHERE else host, port


def _sockets(found: ProxyConfiguration) -> Iterator[_Socket]:
    for section in found.of("global"):
        prefix = next((line.words[2] for line in section.all("unix-bind", "prefix") if len(line.words) > 2), "")
        for line in section.all("stats", "socket"):
            if len(line.words) < 3:
                continue
            address, rest = line.words[2], line.words[3:]
            admin = "admin" in rest[rest.index("level") + 1:][:1] if "level" in rest else False
            path = address.removeprefix("unix@").removeprefix("uxst@")
            if path.startswith("/"):
                yield _Socket(admin, path=f"{prefix}{path}")
            elif not _ELSEWHERE.search(address) and (place := _place(address)) is not None:
                yield _Socket(admin, place=place)


def _own(sockets: Sequence[_Socket], remarks: list[Remark]) -> str | None:
    """The runtime socket of a HAProxy on this machine, best the one that may act."""
    for one in sorted(sockets, key=lambda one: (not one.admin, one.path is None)):
        if one.path is not None:
            return f"unix:{one.path}"
        assert one.place is not None
        if is_loopback(one.place[0]):
            return f"tcp:{joined(*one.place)}"
    plain = next((one.place for one in sockets if one.place is not None), None)
    remarks.append(Remark(Part.SPRAYERS, RemarkCode.NO_SOCKET) if plain is None else
                   Remark(Part.SPRAYERS, RemarkCode.PLAIN_SOCKET, joined(*plain)))
    return None


def _peers(found: ProxyConfiguration) -> Iterator[tuple[str, str]]:
    for section in found.of("peers"):
        for line in section.lines:
            if line.words[0] in ("peer", "server") and len(line.words) > 2:
                place = _place(line.words[2])
                if place is not None and place[0] not in _ANYWHERE and "$" not in line.words[2]:
                    yield short(line.words[1], 200), place[0]


def _forwarded(found: ProxyConfiguration, sockets: Sequence[_Socket]) -> Iterator[tuple[bool, int]]:
    """Frontends with TLS that lead to a runtime socket: whether it may act, and the port."""
    backends = {one.name: one for one in found.of("backend")}
    for front in found.of("frontend"):
        bind = next((line for line in front.all("bind") if len(line.words) > 1 and "ssl" in line.words), None)
        place = None if bind is None else _place(bind.words[1])
        behind = next((backends[name] for name in _leads_to(front) if name in backends), None)
        if place is None or behind is None:
            continue
        for line in behind.all("server"):
            path = line.words[2].removeprefix("unix@") if len(line.words) > 2 else ""
            one = next((one for one in sockets if one.path is not None and path.startswith("/")
                        and one.path.endswith(path)), None)
            if one is not None:
                yield one.admin, place[1]
