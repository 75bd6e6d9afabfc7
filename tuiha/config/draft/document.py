"""A survey as a commented configuration. What was not found stands there as a placeholder."""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from tuiha.config.draft.names import NodeNames, is_name
from tuiha.config.tls import is_loopback
from tuiha.model.survey.facts import (
    FoundDatabase,
    FoundHaproxy,
    FoundMail,
    FoundPair,
    FoundServer,
    FoundSprayer,
    Part,
    Remark,
    RemarkCode,
    Survey,
    joined,
    label,
)
from tuiha.words.survey import comments as words
from tuiha.words.survey.remarks import said

_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9_./@-]*(?::[A-Za-z0-9_./@\[\]-]+)*")
_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})
COLUMN = 48  # of the comments
WIDTH = 118


def scalar(text: str) -> str:
    """A text as YAML, in quotes where it could be read as something else. Raises ValueError for control characters."""
    if not text.isprintable():
        raise ValueError("a control character cannot be in a configuration")
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    return "'" + text.replace("'", "''") + "'"


class Page:
    """The lines. `off` is where a # stands in front of them: what is put then is commented out."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self.off: int | None = None

    def text(self) -> str:
        """The whole page."""
        return "\n".join(self._lines) + "\n"

    def gap(self) -> None:
        """An empty line."""
        self._lines.append("")

    def remark(self, text: str, depth: int = 0, first: str = "") -> None:
        """A comment on lines of its own; `first` stands in front of it, and the other lines are indented below."""
        margin = " " * depth + "# "
        for paragraph in "".join(c if c.isprintable() or c == "\n" else " " for c in text).split("\n"):
            lines = textwrap.wrap(paragraph, WIDTH, initial_indent=margin + first, break_long_words=False,
                                  subsequent_indent=margin + " " * len(first), break_on_hyphens=False)
            self._lines += [line.rstrip() for line in lines] or [margin.rstrip()]

    def put(self, depth: int, text: str, comment: str = "") -> None:
        """A line of YAML with a comment behind it."""
        line = " " * depth + text
        if self.off is not None:
            line = line[:self.off] + "#" + line[self.off:]
        if not comment:
            self._lines.append(line)
            return
        column = max(COLUMN, len(line) + 2)
        room = max(WIDTH - column, 40)
        first, *rest = textwrap.wrap(comment, room, break_long_words=False, break_on_hyphens=False)
        self._lines.append(f"{line:<{column}}# {first}")
        self._lines += [" " * column + f"# {more}" for more in rest]


MAIL_CLUSTER = "mail"
_WORD = re.compile(r"[A-Za-z0-9_.:\[\]/@%+=~#-]{1,255}")  # what HAProxy's runtime socket takes as one word
_PLACEHOLDER = ".example.org"  # of hosts that are not known
_CHANGE, _NOTE = f"{words.CHANGE}: ", "NOTE: "


@dataclass(frozen=True, slots=True)
class DraftedPool:
    """The text of the file, and all remarks on it."""

    text: str
    remarks: tuple[Remark, ...]


@dataclass(frozen=True, slots=True)
class _Sprayer:
    """A sprayer with the address and the socket that can be written."""

    found: FoundSprayer
    address: str
    host_known: bool


def draft(survey: Survey) -> DraftedPool:
    """The configuration of a pool. Every name and address in it is one that the loader accepts."""
    names = NodeNames()
    pair, known = _pair(survey.pair or FoundPair(), names)
    servers, more = _servers(survey.haproxy, names)
    sprayers = _sprayers(survey.haproxy, names)
    mail = _mail(survey.mail, names)
    remarks = [*_of(survey), *more, *names.remarks]
    page = Page()
    page.remark(words.HEAD)
    page.gap()
    page.put(0, f"pool: {scalar(survey.pool)}", words.KEYS["pool"])
    _Writer(page, survey, remarks, known).everything(servers, pair, sprayers, mail)
    return DraftedPool(page.text(), tuple(dict.fromkeys(remarks)))


def _of(survey: Survey) -> Iterable[Remark]:
    yield from () if survey.haproxy is None else survey.haproxy.remarks
    yield from () if survey.pair is None else survey.pair.remarks
    for one in survey.mail:
        yield from one.remarks
    for cluster, count in Counter(one.cluster for one in survey.mail).items():
        if count == 1:
            yield Remark(Part.MAIL, RemarkCode.ONE_MAIL_SERVER, cluster)


# ---------------------------------------------------------------------------- names, and what can be written


def _pair(pair: FoundPair, names: NodeNames) -> tuple[FoundPair, bool]:
    """The pair with a name for each node, each address once; without one placeholders, and False."""
    nodes: list[FoundDatabase] = []
    told: set[str] = set()
    for node in pair.nodes:
        place = joined(node.host, node.port)
        rest = node.rest
        if not node.host or place in told or (pair.manager and (rest is None or rest in told)):
            continue  # a remark says so, or it is listed twice
        told |= {place, rest or place}
        number = len(nodes) + 1
        name = names.guess(label(node.host), f"db{number}") if node.name is None else names.take(
            Part.DATABASE, node.name, f"db{number}")
        nodes.append(replace(node, name=name))
    known = bool(nodes)
    if not known:
        nodes = [FoundDatabase(f"db{number}{_PLACEHOLDER}", 5432, names.guess(None, f"db{number}"),
                               rest=f"https://db{number}{_PLACEHOLDER}:8008") for number in (1, 2)]
    return replace(pair, nodes=tuple(nodes)), known


def _servers(found: FoundHaproxy | None, names: NodeNames) -> tuple[list[FoundServer], list[Remark]]:
    servers: dict[str, FoundServer] = {}
    remarks: list[Remark] = []
    for one in () if found is None else found.servers:
        address = _url(one)
        if address in servers:
            remarks.append(Remark(Part.SERVERS, RemarkCode.SAME_ADDRESS, one.name, servers[address].name))
            continue
        servers[address] = replace(one, name=names.take(Part.SERVERS, one.name, f"s{len(servers) + 1}"))
    return list(servers.values()), remarks


def _url(server: FoundServer) -> str:
    secure = server.secure or not is_loopback(server.host)
    return f"{'https' if secure else 'http'}://{joined(server.host, server.port)}"


def _sprayers(found: FoundHaproxy | None, names: NodeNames) -> list[_Sprayer]:
    sprayers = []
    for number, one in enumerate(() if found is None else found.sprayers, 1):
        name = names.take(Part.SPRAYERS, one.name, f"spray{number}")
        socket = one.socket if one.socket is None or one.socket.isprintable() else None
        kept = replace(one, name=name, socket=socket, backend=_word(one.backend), map=_word(one.map),
                       held=_word(one.held))
        address = joined(one.host or "sync.example.org", one.port or 443)
        sprayers.append(_Sprayer(kept, address, one.host is not None))
    return sprayers


def _leaves(socket: str) -> bool:
    """Whether what is said to a socket leaves this machine."""
    return socket.startswith("tcp:") and not is_loopback(socket[4:].rpartition(":")[0])


def _word(text: str | None) -> str | None:
    return text if text is not None and _WORD.fullmatch(text) else None


def _mail(found: Sequence[FoundMail], names: NodeNames) -> dict[str, list[tuple[str, FoundMail]]]:
    clusters: dict[str, list[tuple[str, FoundMail]]] = {}
    for number, one in enumerate(found, 1):
        name = names.guess(label(one.host), f"mail{number}")
        clusters.setdefault(one.cluster if is_name(one.cluster) else MAIL_CLUSTER, []).append((name, one))
    return clusters


# ---------------------------------------------------------------------------- the page


class _Writer:
    """Writes the sections, each with its remarks above it."""

    def __init__(self, page: Page, survey: Survey, remarks: Sequence[Remark], known: bool) -> None:
        """`known`: the databases are no placeholders."""
        self._page = page
        self._put = page.put
        self._survey = survey
        self._remarks = tuple(dict.fromkeys(remarks))
        self._known = known
        self._said: set[str] = set()

    def everything(self, servers: Sequence[FoundServer], pair: FoundPair, sprayers: Sequence[_Sprayer],
                   mail: dict[str, list[tuple[str, FoundMail]]]) -> None:
        """All sections."""
        self._head(Part.SERVERS, bool(servers))
        self._servers(servers)
        self._head(Part.DATABASE, self._known)
        self._database(pair)
        self._head(Part.SPRAYERS, any(one.found.socket for one in sprayers))
        self._sprayers(sprayers)
        self._head(Part.MAIL, bool(mail))
        self._mail(mail)
        self._rest()

    def _head(self, part: Part, found: bool) -> None:
        self._page.gap()
        self._page.remark(words.SECTIONS[part])
        if not found:
            self._page.remark(words.MISSING[part], first=_NOTE)
        for one in self._remarks:
            if one.part is part:
                self._page.remark(said(one), first=_NOTE)

    def _tell(self, key: str) -> str:
        """What a key means: said where it stands first."""
        told = "" if key in self._said else words.KEYS[key]
        self._said.add(key)
        return told

    def _tls(self, depth: int, example: str, untrusted: bool = False) -> None:
        """Who is trusted: the authority that was named, or the system's trust store."""
        authority = self._survey.authority
        if authority is not None:
            self._put(depth, "tls:")
            self._put(depth + 2, f"ca: {scalar(authority)}", self._tell("ca"))
            return
        self._put(depth, "tls: {}", f"{_CHANGE}{words.CHANGES['untrusted']}" if untrusted else self._tell("no ca"))
        self._put(depth, f"#tls: {{ca: {example}}}", self._tell("or ca"))

    # ------------------------------------------------------------------ servers

    def _servers(self, servers: Sequence[FoundServer]) -> None:
        if not servers:
            self._page.off = 0
        self._put(0, "servers:")
        for one in servers or [FoundServer("s1", "s1.example.org", 8443, True)]:
            self._put(2, f"- name: {scalar(one.name)}")
            self._put(4, f"address: {scalar(_url(one))}", self._tell("server.address"))
            if one.secure or not is_loopback(one.host):
                self._tls(4, f"tls/pool-ca.crt, certificate: tls/{one.name}.crt, key: tls/{one.name}.key")
        self._page.off = None

    # ------------------------------------------------------------------ the pair

    def _database(self, pair: FoundPair) -> None:
        self._put(0, "database:")
        if pair.manager:
            self._put(2, "driver: patroni")
        self._put(2, f"name: {scalar(pair.database)}", self._tell("database.name"))
        self._put(2, "nodes:")
        for node in pair.nodes:
            self._node(pair, node)
        self._partner(pair)
        self._roles(pair)
        if pair.system_identifier is not None and re.fullmatch(r"[0-9]{1,20}", pair.system_identifier):
            self._put(2, f"system_identifier: {scalar(pair.system_identifier)}", self._tell("database.identifier"))
        if not all(is_loopback(node.host) for node in pair.nodes):
            self._tls(2, "tls/database-ca.crt", pair.untrusted and not pair.manager)
        if pair.manager:
            self._patroni(pair)

    def _node(self, pair: FoundPair, node: FoundDatabase) -> None:
        told = self._tell("database.member" if pair.manager else "database.node")
        if node.primary is not None and not pair.manager:
            told = self._tell("database.primary" if node.primary else "database.secondary")
        self._put(4, f"- name: {scalar(node.name or '')}", told)
        self._put(6, f"address: {scalar(joined(node.host, node.port))}",
                  f"{_CHANGE}{words.CHANGES['database']}" if not self._known else "")
        if not pair.manager or node.rest is None:
            return
        host = node.rest.partition("://")[2]
        plain = node.rest.startswith("http://") and not is_loopback(host.rpartition(":")[0])
        self._put(6, f"rest: {scalar(f'https://{host}' if plain else node.rest)}",
                  f"{_CHANGE}{words.CHANGES['patroni']}" if plain else "")

    def _partner(self, pair: FoundPair) -> None:
        """A placeholder for the other database of a pair."""
        if len(pair.nodes) > 1:
            return
        name = next(name for name in ("db1", "db2") if name != pair.nodes[0].name)
        self._page.off = 4
        self._put(4, f"- name: {name}")
        self._put(6, f"address: {name}{_PLACEHOLDER}:5432", f"{_CHANGE}{words.CHANGES['partner']}")
        if pair.manager:
            self._put(6, f"rest: https://{name}{_PLACEHOLDER}:8008")
        self._page.off = None

    def _roles(self, pair: FoundPair) -> None:
        self._put(2, "roles:")
        for role, user in (("pool", "tuiha_pool"), ("watcher", "tuiha_watch"), ("coordinator", "tuiha_coordinator")):
            if role == "coordinator":
                self._page.off = 4
            self._put(4, f"{role}:", self._tell(f"role.{role}"))
            self._put(6, f"user: {user}")
            self._put(6, f"password: {{file: secrets/{user}}}")
        self._page.off = None

    def _patroni(self, pair: FoundPair) -> None:
        self._put(2, "patroni:")
        scope = pair.scope
        self._put(4, "#scope: main" if scope is None else f"scope: {scalar(scope)}", self._tell("database.scope"))
        if any((node.rest or "").startswith("https://") or not is_loopback(node.host) for node in pair.nodes):
            self._tls(4, "tls/patroni-ca.crt", pair.untrusted)

    # ------------------------------------------------------------------ sprayers

    def _sprayers(self, sprayers: Sequence[_Sprayer]) -> None:
        usable = [one for one in sprayers if one.found.socket is not None]
        missing = [one for one in sprayers if one.found.socket is None]
        example = FoundSprayer("spray1", "sync.example.org", 443, "unix:/run/haproxy/admin.sock")
        if not usable:
            self._page.off = 0
            missing = missing or [_Sprayer(example, "sync.example.org:443", True)]
        self._put(0, "sprayers:")
        for one in usable:
            self._sprayer(one, one.found.socket or "")
        self._page.off = 2 if usable else 0
        for one in missing:
            self._sprayer(one, one.found.socket or "unix:/run/haproxy/admin.sock")
        self._page.off = None

    def _sprayer(self, one: _Sprayer, socket: str) -> None:
        found = one.found
        self._put(2, f"- name: {scalar(found.name)}")
        change = "" if one.host_known else f"{_CHANGE}{words.CHANGES['sprayer.host']}"
        self._put(4, f"address: {scalar(one.address)}", change or self._tell("sprayer.address"))
        self._put(4, f"socket: {scalar(socket)}", self._tell("sprayer.socket"))
        if found.operator is not None:
            self._put(4, f"operator: {scalar(found.operator)}", self._tell("sprayer.operator"))
        backend = None if found.backend == "pool" else found.backend
        for key, value in (("backend", backend), ("map", found.map), ("held", found.held)):
            if value is not None:
                self._put(4, f"{key}: {scalar(value)}", self._tell(f"sprayer.{key}"))
        if found.secure or any(map(_leaves, (socket, found.operator or ""))):
            self._tls(4, "tls/pool-ca.crt, certificate: tls/watcher.crt, key: tls/watcher.key")

    # ------------------------------------------------------------------ mail

    def _mail(self, clusters: dict[str, list[tuple[str, FoundMail]]]) -> None:
        if not clusters:
            self._page.off = 0
        self._put(0, "mail:")
        example = FoundMail(MAIL_CLUSTER, "mail1.example.org", 993, "tls")
        for cluster, servers in (clusters or {MAIL_CLUSTER: [("mail1", example)]}).items():
            self._cluster(cluster, servers)
        self._page.off = None

    def _cluster(self, cluster: str, servers: Sequence[tuple[str, FoundMail]]) -> None:
        known = [one for _, one in servers if one.offers_plain is not None]
        identity = all(one.offers_plain for one in known)
        if self._page.off is None and known:
            dovecot = any(one.product == "Dovecot" for one in known)
            self._page.remark(words.dovecot(identity) if dovecot else words.other_mail(identity), 2)
        self._put(2, f"- cluster: {scalar(cluster)}")
        self._put(4, "servers:")
        for name, one in servers:
            self._put(6, f"- name: {scalar(name)}")
            self._put(8, f"address: {scalar(joined(one.host, one.port))}")
            change = "" if one.security else f"{_CHANGE}{words.CHANGES['mail.security']}"
            self._put(8, f"security: {one.security or 'tls'}", change)
        self._put(4, "monitor:", self._tell("mail.monitor"))
        self._put(6, "user: tuiha-monitor")
        self._put(6, "password: {file: secrets/mail_monitor}")
        self._put(6, f"acts: {'identity' if identity else 'master'}",
                  self._tell("mail.acts" if not known else "mail.identity" if identity else "mail.master"))
        self._put(4, "probe:", self._tell("mail.probe"))
        self._put(6, "user: tuiha-probe")
        self._put(6, "password: {file: secrets/mail_probe}")
        if any(one.security != "plain" for _, one in servers):
            self._tls(4, "tls/mail-ca.crt", any(one.untrusted for _, one in servers))

    # ------------------------------------------------------------------ what is the same for all

    def _rest(self) -> None:
        self._page.gap()
        self._put(0, "ledger:", self._tell("ledger"))
        self._put(2, "path: ledger.json", self._tell("ledger.path"))
        self._page.gap()
        self._put(0, "control:")
        self._put(2, "viewer: {file: secrets/viewer_token}", self._tell("control.viewer"))
        self._put(2, "#operator: {file: secrets/operator_token}", self._tell("control.operator"))
