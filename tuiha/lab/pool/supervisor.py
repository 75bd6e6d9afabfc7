"""The process that owns an embedded pool: `python -m tuiha.lab.pool.supervisor`.

It starts every part as its own child and takes orders on a unix socket in the run folder: one JSON object a line,
{"do": ORDER, "name": PART}, answered by {"ok": true, ...} or {"ok": false, "error": TEXT}; the order `agent` has
"action" and "argument" as well, and `start` may have "words": a module and its arguments, run as that pool server.
While it starts, it tells its progress on standard output, one JSON object a line: {"folder": PATH}, then {"step": TEXT}
for each step, at the end {"ready": true} or {"failed": TEXT, "running": PATH or null}. It ends at SIGTERM, SIGINT, the
order `stop`, and with `--lifeline` at the end of its standard input. Cleaning up is the watchdog's: however this
process ends, the same thing happens.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import resource
import signal
import sys
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from tuiha.lab.parts.haproxy import SprayerError
from tuiha.lab.parts.mail import MailSetupError
from tuiha.lab.parts.postgres import DatabaseSetupError
from tuiha.lab.pool import pointer
from tuiha.lab.pool.account import NoAccount, unprivileged
from tuiha.lab.pool.assembly import Assembly, OrderError, PoolOptions
from tuiha.lab.pool.children import Child, ChildError, Children
from tuiha.lab.pool.layout import make_folder, prepare
from tuiha.lab.pool.watchdog import Watchdog
from tuiha.lab.runtime.binaries import MissingServers

_KNOWN = (OrderError, ChildError, DatabaseSetupError, MailSetupError, SprayerError, MissingServers, NoAccount,
          pointer.AlreadyRunning, OSError)
_FILES = 65536

Answer = dict[str, Any]


class Supervisor:
    """Builds the pool, then carries out orders until it is told to stop."""

    def __init__(self, options: PoolOptions, announce: bool) -> None:
        account = unprivileged()
        self._announce = announce
        self._options = options
        self._folder = make_folder(account)
        tell({"folder": str(self._folder)})
        self._watchdog = Watchdog(self._folder)
        self._watchdog.start()
        self._layout = prepare(self._folder, account)
        _narrate_into(self._layout.logs / "supervisor.log")
        self._children = Children(self._layout.logs, account, self._watchdog, self._ended)
        self._stop = asyncio.Event()
        self._ready = False
        self._broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        by_name: dict[str, Callable[[str], Awaitable[Answer]]] = {
            "state": self._state, "kill": self._kill, "pause": self._pause, "resume": self._resume,
            "add server": self._add, "stop": self._end,
        }
        self._orders: dict[str, Callable[[Answer], Awaitable[Answer]]] = {
            **{do: _named(carry_out) for do, carry_out in by_name.items()},
            "start": self._start, "agent": self._agent,
        }

    async def run(self, lifeline: bool) -> int:
        """Build, serve orders, stop. Returns the exit code."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self._stop.set)
        loop.add_signal_handler(signal.SIGCHLD, self._children.notice)
        if lifeline:
            loop.add_reader(sys.stdin.fileno(), self._look_at_lifeline)
        server = await asyncio.start_unix_server(self._serve, str(self._layout.socket))
        self._layout.socket.chmod(0o600)
        if self._announce:
            pointer.point(self._folder)
        try:
            return await self._build_and_wait()
        finally:
            server.close()
            if self._announce:
                pointer.forget(self._folder)

    async def _build_and_wait(self) -> int:
        self._assembly = Assembly(self._layout, self._options, self._children, lambda text: tell({"step": text}))
        stop = asyncio.create_task(self._stop.wait())
        build = asyncio.create_task(self._assembly.build())
        first: set[asyncio.Future[Any]] = {stop, build, self._broken}
        await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
        if not build.done():
            build.cancel()
            await asyncio.wait({build})
        if self._broken.done():
            self._broken.result()  # what made the build fail, in place of its consequences
        if not stop.done():
            await build
            self._ready = True
            tell({"ready": True})
            quiet()
            await stop
        stop.cancel()
        return 0

    def _look_at_lifeline(self) -> None:
        if not os.read(sys.stdin.fileno(), 4096):
            asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
            self._stop.set()

    def _ended(self, child: Child) -> None:
        code = child.process.returncode
        if child.command.ends and code == 0:
            return
        words = self._children.last_words(child.name)
        sys.stderr.write(f"{child.name} ended by itself (exit code {code}). {words}\n")
        sys.stderr.flush()
        if not self._ready and not self._broken.done():
            self._broken.set_exception(OrderError(f"{child.name} ended while the pool started "
                                                  f"(exit code {code}). {words}"))

    # Orders

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                writer.write(json.dumps(await self._answer(line)).encode() + b"\n")
                await writer.drain()
        except (ConnectionError, ValueError):  # it hung up, or its line has no end
            return
        finally:
            writer.close()

    async def _answer(self, line: bytes) -> Answer:
        try:
            order = json.loads(line)
            do = str(order["do"])
            name = str(order.get("name", ""))
        except (ValueError, TypeError, KeyError, AttributeError):
            return {"ok": False, "error": "an order is a JSON object with 'do'"}
        if do not in self._orders:
            return {"ok": False, "error": f"there is no order '{do}'; there are {', '.join(self._orders)}"}
        if not self._ready and do not in ("state", "stop"):
            return {"ok": False, "error": "the pool is still starting"}
        try:
            return {"ok": True, **await self._orders[do](order)}
        except _KNOWN as error:
            return {"ok": False, "error": str(error)}
        except Exception as error:  # noqa: BLE001 - one order's fault must not end the pool
            traceback.print_exception(error)
            return {"ok": False, "error": f"{do} {name} failed by a fault of tuiha: {type(error).__name__}: {error}"}

    def _checked(self, name: str) -> str:
        if name not in self._assembly.names():
            raise OrderError(self._assembly.unknown(name))
        return name

    async def _state(self, name: str) -> Answer:
        return {"folder": str(self._folder), "ready": self._ready, "parts": self._assembly.parts(),
                "watchdog": self._watchdog.pid, "pid": os.getpid()}

    async def _kill(self, name: str) -> Answer:
        await self._children.kill(self._checked(name))
        return {}

    async def _pause(self, name: str) -> Answer:
        self._children.pause(self._checked(name))
        return {}

    async def _resume(self, name: str) -> Answer:
        await self._assembly.resume(self._checked(name))
        return {}

    async def _start(self, order: Answer) -> Answer:
        words = order.get("words", [])
        if not isinstance(words, list):
            raise OrderError("'words' is a list: a module and its arguments")
        await self._assembly.start(str(order.get("name", "")), [str(word) for word in words])
        return {}

    async def _add(self, name: str) -> Answer:
        return {"name": await self._assembly.add_server()}

    async def _agent(self, order: Answer) -> Answer:
        name, action, argument = (str(order.get(key, "")) for key in ("name", "action", "argument"))
        return await self._assembly.agents.act(name, action, argument)

    async def _end(self, name: str) -> Answer:
        asyncio.get_running_loop().call_later(0.05, self._stop.set)  # after the answer
        return {"folder": str(self._folder)}


def _named(carry_out: Callable[[str], Awaitable[Answer]]) -> Callable[[Answer], Awaitable[Answer]]:
    """An order that takes nothing but the name of a part."""
    return lambda order: carry_out(str(order.get("name", "")))


def tell(fact: Answer) -> None:
    """A line of progress on standard output; nobody may be listening any more."""
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.write(json.dumps(fact) + "\n")
        sys.stdout.flush()


def quiet() -> None:
    """Close standard output: whoever waited for the start has read all there is."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, sys.stdout.fileno())
    os.close(nothing)


def _narrate_into(log: Path) -> None:
    """Send standard error to a log in the run folder."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(descriptor, sys.stderr.fileno())
    os.close(descriptor)


def _first(error: BaseException) -> BaseException:
    """The first error inside groups of errors."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


async def _run(options: PoolOptions, announce: bool, lifeline: bool) -> int:
    try:
        return await Supervisor(options, announce).run(lifeline)
    except Exception as error:  # noqa: BLE001 - the last place where a failure can become words
        first = _first(error)
        traceback.print_exception(error)
        tell({"failed": str(first) if isinstance(first, _KNOWN) else f"{type(first).__name__}: {first}",
              "running": str(first.folder) if isinstance(first, pointer.AlreadyRunning) else None})
        return 1


def main() -> int:
    """Read the arguments and supervise."""
    parser = argparse.ArgumentParser(prog="python -m tuiha.lab.pool.supervisor", description=__doc__)
    parser.add_argument("--servers", type=int, default=4)
    parser.add_argument("--users", type=int, default=200)
    parser.add_argument("--no-load", action="store_true")
    parser.add_argument("--ledger", choices=("file", "etcd"), default="file")
    parser.add_argument("--guards", type=int, default=0)
    parser.add_argument("--announce", action="store_true", help="be the pool that commands find")
    parser.add_argument("--lifeline", action="store_true", help="end when standard input ends")
    arguments = parser.parse_args()
    os.umask(0o022)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _FILES if hard == resource.RLIM_INFINITY else min(hard, _FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    options = PoolOptions(arguments.servers, arguments.users, not arguments.no_load, arguments.ledger,
                          arguments.guards)
    return asyncio.run(_run(options, arguments.announce, arguments.lifeline))


if __name__ == "__main__":
    sys.exit(main())
