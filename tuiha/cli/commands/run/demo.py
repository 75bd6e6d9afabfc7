"""`tuiha demo`: a real pool on this machine with load, and its dashboard, or its figures with --headless."""

from __future__ import annotations

import argparse
import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any

from tuiha.cli import exits
from tuiha.cli.arguments import whole
from tuiha.cli.output.streams import put, say
from tuiha.cli.screens.looks import add_looks, looks_of

if TYPE_CHECKING:
    from tuiha.lab.embedded import EmbeddedPool
    from tuiha.model.documents import DemoDocument

HELP = """Start an embedded pool on this machine - pool servers, a database pair, sprayers, mail clusters, devices and a
mailer - and show it on the dashboard. Everything is gone when it ends.

With --headless there is no dashboard: the load runs for a while, a checker verifies what every device saw, and the
figures are printed.

exit codes: 0 all well, 1 something failed, was lost, came twice or was monitored twice, or the pool did not start"""

SECONDS = 30


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the size of the pool, and what is printed."""
    parser.add_argument("--servers", type=whole(1, 16), default=4, metavar="N", help="pool servers (4)")
    parser.add_argument("--users", type=whole(1, 5000), default=200, metavar="N", help="users (200)")
    parser.add_argument("--headless", action="store_true", help="no dashboard: run, verify, print the figures")
    parser.add_argument("--seconds", type=whole(1, 86400), metavar="S",
                        help=f"end after so many seconds (with --headless: {SECONDS})")
    parser.add_argument("--json", action="store_true", help="with --headless: print one JSON object (tuiha.demo/1)")
    add_guard(parser)
    add_looks(parser)


def add_guard(parser: argparse.ArgumentParser) -> None:
    """Add --guard."""
    parser.add_argument("--guard", action="store_true",
                        help="with a guard, which acts on the loss of a database")


def run(arguments: argparse.Namespace) -> int:
    """Show the pool, or run it headless; the code says whether all was well."""
    if arguments.json and not arguments.headless:
        raise exits.CommandError("--json needs --headless: the dashboard prints nothing", exits.USAGE)
    return _headless(arguments) if arguments.headless else _dashboard(arguments)


# ---------------------------------------------------------------------- the dashboard


def _dashboard(arguments: argparse.Namespace) -> int:
    import sys

    from tuiha.lab.embedded import EmbeddedPool

    if not (sys.stdin.isatty() and sys.stdout.isatty() and sys.stderr.isatty()):
        raise exits.CommandError("the dashboard needs a terminal; `tuiha demo --headless` does without", exits.USAGE)
    pool = EmbeddedPool(arguments.servers, arguments.users, load=True, announce=True, say=say,
                        guards=int(arguments.guard))
    with InBackground(pool.open, pool.close) as starting:
        # While the parts of the pool start in processes of their own, this one imports what it will need.
        from tuiha.cli.logfile import log_to_file
        from tuiha.cli.screens.dashboard import show_pool
        from tuiha.cli.screens.watcher import watch_apart

        _wait(starting)
        log_to_file()  # a line of a log on the screen would be a line too many
        watched = watch_apart(pool.config_path)
        try:
            with _ended_after(arguments.seconds):
                return show_pool(watched, pool.config_path, lambda _: looks_of(arguments), mode="DEMO")
        finally:
            watched.stop()


def _wait(starting: Any) -> None:
    """Wait for the pool. Raises CommandError when it does not start."""
    from tuiha.lab.embedded import RunningAlready, StartError

    try:
        starting.result()
    except RunningAlready as error:
        raise exits.CommandError(f"{error}; `tuiha` shows it", exits.REFUSED) from None
    except StartError as error:
        raise exits.CommandError(str(error)) from None


def _ended_after(seconds: int | None) -> Any:
    """End the dashboard after so many seconds, in the way a terminal would: by SIGTERM, which it obeys."""
    import contextlib
    import os
    import signal
    import threading

    if seconds is None:
        return contextlib.nullcontext()
    timer = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGTERM))
    timer.daemon = True
    stack = contextlib.ExitStack()
    stack.callback(timer.cancel)
    timer.start()
    return stack


# ---------------------------------------------------------------------- headless


def _headless(arguments: argparse.Namespace) -> int:
    import asyncio
    import json

    from tuiha.lab.embedded import StartError
    from tuiha.lab.load.process import LoadFailed

    try:
        report = asyncio.run(_measure(arguments))
    except (StartError, LoadFailed) as error:
        raise exits.CommandError(str(error)) from None
    put(json.dumps(document(report)) if arguments.json else "\n".join(table(report)))
    _tell(report)
    return exits.FAILED if failed(report) else exits.OK


async def _measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Run pool and load. The load is started here, not by the pool, so that its report comes back here."""
    from tuiha.lab.embedded import EmbeddedPool

    seconds = arguments.seconds or SECONDS
    async with EmbeddedPool(arguments.servers, arguments.users, load=False, say=say,
                            guards=int(arguments.guard)) as pool:
        return await _load(pool, seconds)


async def _load(pool: EmbeddedPool, seconds: int) -> dict[str, Any]:
    from tuiha.lab.load.process import LoadProcess

    load = await LoadProcess.start(pool.config_path, pool.users_path, "--seconds", str(seconds))
    say(f"devices and mailer run for {seconds} s, then the checker verifies")
    try:
        return await load.report(seconds)
    finally:
        await load.kill()


def document(report: dict[str, Any]) -> DemoDocument:
    """The JSON object of `--headless --json`, from the load's report.

    - requests, failures, latency_ms: as `tuiha.lab.load.tally.Tally` counts them. A failure is a request that got no
      good answer from either sprayer; a 503 with Retry-After that the device obeyed is none.
    - messages: accepted by a mail server. changes: given to devices; a message comes to each device of its user.
    - lost, doubled: pairs of a device and a change that it should have and has not, or was given again, as
      `tuiha.lab.load.checker` finds them. A change that a device holds and the sync history lacks, and a number
      missing in the sync history, count as lost as well.
    - monitored_twice: signs of two monitors for one user in the sync history.
    - routed_direct_share: of the answers to requests that were sent after the user's first answer had come, the share
      without `X-Tuiha-Forwarded-By`: the sprayer knew the monitoring server. 0 to 1; null without answers.
    - users_per_server: at the end; null when the database could not be read.
    """
    return {
        "schema": "tuiha.demo/1",
        "seconds": report["seconds"],
        "requests": report["requests"],
        "failures": report["failures"],
        "messages": report["messages"],
        "changes": report["changes"],
        "lost": report["lost"] + report["unrecorded"] + report["history_gaps"],
        "doubled": report["doubled"],
        "monitored_twice": report["monitored_twice"],
        "routed_direct_share": report["routed_direct_share"],
        "users_per_server": report["users_per_server"],
        "latency_ms": report["latency_ms"],
    }


def table(report: dict[str, Any]) -> list[str]:
    """The same figures for people, aligned."""
    from tuiha.cli.output.table import aligned, cell

    figures = document(report)
    share, latency = figures["routed_direct_share"], figures["latency_ms"]
    rows = [
        ["requests", f"{figures['requests']:,}", f"in {figures['seconds']:g} s, of {report['devices']:,} devices"],
        ["failures", f"{figures['failures']:,}", "no good answer from either sprayer"],
        ["messages", f"{figures['messages']:,}", "accepted by the mail servers"],
        ["changes", f"{figures['changes']:,}", "given to devices"],
        ["lost", f"{figures['lost']:,}", "due to a device and not given"],
        ["doubled", f"{figures['doubled']:,}", "given to a device again"],
        ["monitored twice", f"{figures['monitored_twice']:,}", "signs of two monitors for one user"],
        ["routed direct", cell(share, "{:.1%}"), "answers straight from the monitoring server"],
        ["latency p50", cell(latency["p50"], "{:,.1f} ms"), ""],
        ["latency p95", cell(latency["p95"], "{:,.1f} ms"), ""],
        ["latency p99", cell(latency["p99"], "{:,.1f} ms"), ""],
        *([f"users on {name}", f"{users:,}", ""] for name, users in (figures["users_per_server"] or {}).items()),
    ]
    return aligned(rows, right=[1])


def failed(report: dict[str, Any]) -> bool:
    """Whether something is not 0 that must be, or could not be verified."""
    figures = document(report)
    never = figures["failures"], figures["lost"], figures["doubled"], figures["monitored_twice"]
    return any(never) or not report["history_read"]


def _tell(report: dict[str, Any]) -> None:
    """Name examples of what is wrong."""
    for kind, examples in report["examples"].items():
        for example in examples:
            say(f"{kind.replace('_', ' ')}: {example}")
    for reason, count in report["reasons"].items():
        if reason.startswith("failed"):
            say(f"{count:,} requests {reason}")
    if not report["history_read"]:
        say("the sync history could not be read: only what the devices saw was verified")


class InBackground:
    """Opens in a thread at once; closes there, and waits for that, when the block ends. Gives the opening's future."""

    def __init__(self, opening: Callable[[], Awaitable[None]], closing: Callable[[], Awaitable[None]]) -> None:
        self._opening = opening
        self._closing = closing
        self._opened: Future[None] = Future()
        self._thread = threading.Thread(target=self._work, name="tuiha-background")
        self._stop = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop
        self._runs = threading.Event()  # set once there is a loop

    def __enter__(self) -> Future[None]:
        self._thread.start()
        return self._opened

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._runs.wait()
        with suppress(RuntimeError):  # the loop has ended already: it never opened
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _work(self) -> None:
        asyncio.run(self._keep())

    async def _keep(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._runs.set()
        opening, stopping = asyncio.ensure_future(self._opening()), asyncio.create_task(self._stop.wait())
        await asyncio.wait({opening, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not opening.done():
            opening.cancel()
        try:
            await opening
        except asyncio.CancelledError:
            self._opened.cancel()
            stopping.cancel()
            return
        except Exception as error:  # noqa: BLE001 - it belongs to whoever waits for the opening
            self._opened.set_exception(error)
            stopping.cancel()
            return
        self._opened.set_result(None)
        await stopping
        await self._closing()
