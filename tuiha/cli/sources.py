"""What `tuiha init` is told, by options or by answers, as places to look at.

Each function raises ValueError for a word that it cannot use; the text says why, and what to write.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from tuiha.drivers.sprayers.configuration import ProxyConfiguration

POSTGRES_PORT, IMAP_PORT = 5432, 993
_ORIGIN = re.compile(r"(https?://(?:\[[0-9a-fA-F:.]+\]|[0-9A-Za-z._-]+):([0-9]{1,5}))/?")
_HOST = re.compile(r"[^\s:/@\[\]=,]{1,253}")


def pool_name(text: str) -> str:
    """A pool's name."""
    from tuiha.config.draft.names import is_name

    if not is_name(text):
        raise ValueError(f"'{text}' is not a name: use letters, digits, '.', '_' and '-', at most 63, a letter or "
                         "digit first")
    return text


def place(text: str, port: int) -> tuple[str, int]:
    """HOST or HOST:PORT, an IPv6 address in brackets."""
    from tuiha.drivers.reach import host_and_port

    wrong = ValueError(f"'{text}' is not HOST:PORT: write for example host.example.org:{port} or '[::1]:{port}'")
    host, number = text, port
    if re.search(r":[0-9]+$", text) and (text.startswith("[") or text.count(":") == 1):
        try:
            host, number = host_and_port(text)
        except ValueError:
            raise wrong from None
    elif text.startswith("[") and text.endswith("]"):
        host = text[1:-1]
    known = re.compile(r"[0-9a-fA-F:.]+") if ":" in host and text.startswith("[") else _HOST
    if known.fullmatch(host) is None or not host.isprintable():
        raise wrong
    return host, number


def database(text: str) -> tuple[tuple[str, int], str | None, str | None]:
    """A database's place, the role and the database's name: HOST:PORT, or postgresql://ROLE@HOST:PORT/DATABASE."""
    if not text.startswith(("postgresql://", "postgres://")):
        return place(text, POSTGRES_PORT), None, None
    parts = urlsplit(text)
    if parts.password is not None:
        raise ValueError("a password on the command line is visible to every user of this machine: take it out, and "
                         "set PGPASSWORD")
    return (place(parts.netloc.rpartition("@")[2], POSTGRES_PORT), parts.username or None,
            parts.path.strip("/") or None)


def patroni(text: str) -> str:
    """The address of a Patroni's REST interface."""
    found = _ORIGIN.fullmatch(text)
    if found is None or not 0 < int(found[2]) < 65536:
        raise ValueError(f"'{text}' is not the address of a Patroni: write for example https://db1.example.org:8008")
    return found[1]


def mail_server(text: str) -> tuple[str, str, int]:
    """A mail server and its cluster: HOST:PORT, or CLUSTER=HOST:PORT."""
    from tuiha.config.draft.document import MAIL_CLUSTER

    cluster, equals, where = text.partition("=")
    return (pool_name(cluster) if equals else MAIL_CLUSTER, *place(where if equals else text, IMAP_PORT))


def runtime_socket(text: str) -> str:
    """A runtime socket of HAProxy: a path, unix:/PATH, or tcp:HOST:PORT."""
    if text.startswith("tcp:"):
        host, port = place(text[4:], 0)
        if not port:
            raise ValueError(f"'{text}' has no port: write tcp:HOST:PORT")
        return f"tcp:[{host}]:{port}" if ":" in host else f"tcp:{host}:{port}"
    path = text.removeprefix("unix:")
    if not path or not path.isprintable():
        raise ValueError(f"'{text}' is not a socket: write its path, or tcp:HOST:PORT")
    return f"unix:{Path(path).expanduser().absolute()}"


def haproxy(path: Path) -> ProxyConfiguration:
    """HAProxy's configuration in a file, or in the *.cfg of a folder."""
    from tuiha.drivers.protocols import DriverError
    from tuiha.drivers.sprayers.configuration import parse, texts

    try:
        return parse(texts(path.expanduser()))
    except DriverError as error:
        raise ValueError(f"HAProxy's configuration {path} cannot be used: {error}") from None
