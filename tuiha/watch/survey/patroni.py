"""A cluster as Patroni's REST interface describes it."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from tuiha.config.tls import is_loopback
from tuiha.drivers.databases.patroni_rest import document, parse_config, parse_node
from tuiha.drivers.http import Asker
from tuiha.drivers.protocols import DriverError
from tuiha.drivers.reach import short
from tuiha.model.problems.causes import Cause
from tuiha.model.survey.facts import FoundDatabase, FoundPair, Part, Remark, RemarkCode
from tuiha.model.survey.pair import CERTIFICATE

SECONDS = 5.0  # for all questions together
MOST_MEMBERS = 20
_LIMIT = 1024 * 1024  # bytes of one answer
_ORIGIN = re.compile(r"https?://(?:\[[0-9a-fA-F:.]+\]|[0-9A-Za-z._-]+):([0-9]{1,5})(?=/|$)")
_LEADERS = frozenset({"leader", "standby_leader"})


async def survey_patroni(url: str, database: str, context: ssl.SSLContext) -> FoundPair:
    """The members of the cluster behind the address of one of them. What fails is a remark."""
    asker = Asker(url, None, context, secret=False)
    try:
        async with asyncio.timeout(SECONDS):
            cluster = await _document(asker, "/cluster")
            node = parse_node(await _document(asker, "/patroni"), False)
            config = parse_config(await _document(asker, "/config"))
    except TimeoutError:
        return _unread(url, database, f"no answer in {SECONDS:g} s", None)
    except DriverError as error:
        return _unread(url, database, str(error), error.cause)
    finally:
        await asker.close()
    listed = cluster.get("members")
    nodes = tuple(_members(listed if isinstance(listed, list) else []))
    remarks = [Remark(Part.DATABASE, RemarkCode.PLAIN_PATRONI, one.name or "", one.rest or "")
               for one in nodes if _is_plain(one.rest)]
    remarks += [Remark(Part.DATABASE, RemarkCode.PARTIAL_MEMBER, one.name or "")
                for one in nodes if not one.host or one.rest is None]
    if config.synchronous is not True:
        remarks.append(Remark(Part.DATABASE, RemarkCode.NOT_SYNCHRONOUS_PATRONI))
    if not any(one.primary for one in nodes):
        remarks.append(Remark(Part.DATABASE, RemarkCode.NO_LEADER))
    return FoundPair(nodes, manager=True, scope=_text(cluster.get("scope")),
                     system_identifier=node.system_identifier, database=database, remarks=tuple(remarks))


def _unread(url: str, database: str, why: str, cause: Cause | None) -> FoundPair:
    host = urlsplit(url).hostname or ""
    untrusted = cause in CERTIFICATE
    code = RemarkCode.UNTRUSTED if untrusted else RemarkCode.UNREAD_PATRONI
    return FoundPair((FoundDatabase(host, 5432, rest=url),), manager=True, database=database, untrusted=untrusted,
                     remarks=(Remark(Part.DATABASE, code, url, why),))


async def _document(asker: Asker, path: str) -> Mapping[str, Any]:
    status, raw = await asker.get(path, _LIMIT)
    if status not in (200, 503):  # 503: of a member that is not running, with its state
        raise DriverError(f"{path} answers {status}")
    return document(raw, path)


def _members(listed: list[Any]) -> Iterator[FoundDatabase]:
    for one in listed[:MOST_MEMBERS]:
        name = _text(one.get("name")) if isinstance(one, dict) else None
        if name is None:
            continue
        host, port = _text(one.get("host")) or "", one.get("port")
        known = isinstance(port, int) and 0 < port < 65536 and re.fullmatch(r"[0-9a-zA-Z._:-]{1,253}", host)
        yield FoundDatabase(host if known else "", port if known else 5432, name, _text(one.get("role")) in _LEADERS,
                            rest=_rest(one.get("api_url")))


def _rest(url: object) -> str | None:
    """The address of a member's interface, without its path; None where there is none."""
    found = _ORIGIN.match(url) if isinstance(url, str) else None
    return found[0] if found is not None and 0 < int(found[1]) < 65536 else None


def _is_plain(rest: str | None) -> bool:
    return rest is not None and rest.startswith("http://") and not is_loopback(urlsplit(rest).hostname or "")


def _text(value: object) -> str | None:
    return (short(value, 100) or None) if isinstance(value, str) else None
