"""Everything that `tuiha init` was told of, looked at side by side."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

from tuiha.drivers.sprayers.configuration import ProxyConfiguration
from tuiha.drivers.sprayers.survey import survey as survey_configuration
from tuiha.model.survey.facts import FoundHaproxy, FoundMail, FoundPair, FoundSprayer, Survey
from tuiha.watch.survey.database import DatabaseLogin, Place, survey_pair
from tuiha.watch.survey.haproxy import survey_socket
from tuiha.watch.survey.mail import survey_mail
from tuiha.watch.survey.patroni import survey_patroni


@dataclass(frozen=True, slots=True)
class Sources:
    """Where to look. Every one is optional."""

    pool: str
    login: DatabaseLogin
    haproxy: ProxyConfiguration | None = None
    sockets: tuple[str, ...] = ()  # of HAProxy: unix:/PATH or tcp:HOST:PORT
    backend: str | None = None
    postgres: tuple[Place, ...] = ()
    patroni: str | None = None
    mail: tuple[tuple[str, str, int], ...] = ()  # cluster, host, port
    authority: str | None = None  # a file: who signed the certificates


async def survey(sources: Sources, context: ssl.SSLContext) -> Survey:
    """Look at everything. Raises nothing for what does not answer: that is a remark."""
    haproxy, pair, mail = await asyncio.gather(
        _haproxy(sources, context), _pair(sources, context), _mail(sources, context))
    return Survey(sources.pool, haproxy, pair, tuple(mail), sources.authority)


async def _haproxy(sources: Sources, context: ssl.SSLContext) -> FoundHaproxy | None:
    if sources.haproxy is None and not sources.sockets:
        return None
    running = await asyncio.gather(*(survey_socket(socket, number, sources.backend, context)
                                     for number, socket in enumerate(sources.sockets, 1)))
    if sources.haproxy is None:
        return merged(running)
    written = await asyncio.to_thread(survey_configuration, sources.haproxy, sources.backend)
    return with_sockets(written, running) if running else written


def merged(running: Sequence[FoundHaproxy]) -> FoundHaproxy:
    """Several sprayers of one pool: they have the same servers."""
    servers = {server.name: server for found in running for server in found.servers}
    remarks = dict.fromkeys(remark for found in running for remark in found.remarks)
    return FoundHaproxy(tuple(sprayer for found in running for sprayer in found.sprayers),
                        tuple(servers.values()), tuple(remarks))


def with_sockets(written: FoundHaproxy, running: Sequence[FoundHaproxy]) -> FoundHaproxy:
    """A configuration file, and the sockets of those that run with it."""
    seen = merged(running)
    pairs = zip_longest(written.sprayers, seen.sprayers)
    sprayers = tuple(_one(file, socket) for file, socket in pairs)
    servers = written.servers or seen.servers
    return FoundHaproxy(sprayers, servers, (*written.remarks, *seen.remarks))


def _one(file: FoundSprayer | None, socket: FoundSprayer | None) -> FoundSprayer:
    if file is None or socket is None:
        found = file or socket
        assert found is not None  # zip_longest gives one of the two
        return found
    return replace(file, socket=socket.socket, operator=None, secure=False)


async def _pair(sources: Sources, context: ssl.SSLContext) -> FoundPair | None:
    if sources.patroni is not None:
        return await survey_patroni(sources.patroni, sources.login.database, context)
    return await survey_pair(sources.postgres, sources.login, context) if sources.postgres else None


async def _mail(sources: Sources, context: ssl.SSLContext) -> list[FoundMail]:
    return list(await asyncio.gather(*(survey_mail(*place, context) for place in sources.mail)))
