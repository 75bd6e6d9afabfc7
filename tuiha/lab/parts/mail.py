"""The mail clusters: Valkey keeps the mailboxes, two pymap nodes a cluster serve them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tuiha.lab.parts.users import DemoUser
from tuiha.lab.pool.children import ChildCommand
from tuiha.lab.pool.layout import Layout
from tuiha.lab.runtime.binaries import Binaries

VALKEY = "valkey"
MONITOR = "tuiha-monitor"
PROBE = "probe"
# Each cluster has a database of its own in the one Valkey.
CLUSTERS = {"east": ("mail1", "mail2"), "west": ("mail3", "mail4")}
NODES = tuple(name for names in CLUSTERS.values() for name in names)

_UP = 20.0
_STEP = 0.02


class MailSetupError(Exception):
    """The mail clusters could not be set up. The text is for people."""


@dataclass(frozen=True, slots=True)
class Mail:
    """The mail clusters of one embedded pool."""

    layout: Layout
    ports: dict[str, int]  # mail server -> port

    @property
    def socket(self) -> Path:
        """Valkey's socket."""
        return self.layout.node(VALKEY) / "valkey.sock"

    def valkey(self, binaries: Binaries) -> ChildCommand:
        """How Valkey is started: no TCP port, and what it holds survives a kill."""
        folder = self.layout.node(VALKEY)
        return ChildCommand(
            [str(binaries.valkey), "--port", "0", "--unixsocket", str(self.socket), "--unixsocketperm", "700",
             "--dir", str(folder), "--save", "", "--appendonly", "yes", "--appendfsync", "everysec",
             "--databases", str(len(CLUSTERS)), "--notify-keyspace-events", "Kt", "--loglevel", "notice"],
            cwd=folder, env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
        )

    def arguments(self, name: str) -> list[str]:
        """The arguments of one mail server's module."""
        database = next(number for number, names in enumerate(CLUSTERS.values()) if name in names)
        return [name, str(self.ports[name]), str(self.socket), str(database)]


async def add_users(mail: Mail, users: Sequence[DemoUser]) -> None:
    """Give all users, the monitor and the probe their log-ins in Valkey. Raises MailSetupError."""
    commands: list[tuple[str, ...]] = []
    for number, cluster in enumerate(CLUSTERS):
        commands.append(("SELECT", str(number)))
        commands.append(_user(MONITOR, mail.layout.read_secret("mail_monitor"), role="admin"))
        commands.append(_user(PROBE, mail.layout.read_secret("mail_probe")))
        commands.extend(_user(user.name, user.password) for user in users if user.cluster == cluster)
    try:
        async with asyncio.timeout(_UP):
            await _send(mail.socket, commands)
    except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
        raise MailSetupError(f"Valkey does not take the users: {error or 'no answer'}; "
                             f"its log is {mail.layout.logs / VALKEY}.log") from error


async def set_user(mail: Mail, user: DemoUser, **more: str) -> None:
    """Give a user this log-in; `more`: fields that make trouble (see `mailtrouble.py`). Raises MailSetupError."""
    await _change(mail, user, _user(user.name, user.password, **more))


async def remove_user(mail: Mail, user: DemoUser) -> None:
    """Remove a user's log-in; the mailbox stays. Raises MailSetupError."""
    await _change(mail, user, ("DEL", f"/users/{user.name}"))


async def _change(mail: Mail, user: DemoUser, command: tuple[str, ...]) -> None:
    number = list(CLUSTERS).index(user.cluster)
    try:
        async with asyncio.timeout(_UP):
            await _send(mail.socket, [("SELECT", str(number)), command])
    except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
        raise MailSetupError(f"Valkey does not change the user {user.name}: {error or 'no answer'}") from error


def _user(name: str, password: str, **more: str) -> tuple[str, ...]:
    return ("SET", f"/users/{name}", json.dumps({"password": password, **more}))


async def _send(socket: Path, commands: Sequence[tuple[str, ...]]) -> None:
    """Send commands to Valkey at once and check every answer."""
    while True:
        try:
            reader, writer = await asyncio.open_unix_connection(str(socket))
            break
        except (FileNotFoundError, ConnectionRefusedError):  # it is starting; the caller has the deadline
            await asyncio.sleep(_STEP)
    try:
        writer.write(b"".join(map(encode, commands)))
        await writer.drain()
        for _ in commands:
            answer = await reader.readline()
            if answer[:1] not in (b"+", b":"):
                raise OSError(answer.decode(errors="replace").strip() or "the connection was closed")
    finally:
        writer.close()


def encode(words: Iterable[str]) -> bytes:
    """A command in Valkey's protocol."""
    raw = [word.encode() for word in words]
    return b"*%d\r\n" % len(raw) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in raw)


async def greets(port: int) -> bool:
    """Whether an IMAP server greets on a loopback port."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    try:
        return (await reader.readline()).startswith(b"* OK")
    except OSError:
        return False
    finally:
        writer.close()
