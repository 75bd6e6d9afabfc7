"""The supervisor's child processes: started unprivileged, killed, paused and resumed with all that is below them."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import IO

from tuiha.lab.pool import reaper
from tuiha.lab.pool.account import Account
from tuiha.lab.pool.watchdog import Watchdog

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)
_STEP = 0.01
_LAST_LINES = 30
_REASON = re.compile(r"\b(FATAL|PANIC|ALERT)\b|\bError\b|[a-z]Error:")


class ChildState(StrEnum):
    """What a child process is doing."""

    RUNNING = "running"
    PAUSED = "paused"  # SIGSTOP: it is there and answers nothing
    KILLED = "killed"  # by an order
    ENDED = "ended"  # by itself


class ChildError(Exception):
    """An order does not fit the child's state, or a child did not start. The text is for people."""


@dataclass(frozen=True, slots=True)
class ChildCommand:
    """How a child is started, or a program that only does one thing."""

    argv: Sequence[str]
    cwd: Path
    env: Mapping[str, str]
    death_signal: signal.Signals = signal.SIGKILL  # what the kernel sends it when the supervisor is gone
    talks: bool = False  # its standard input and output are pipes; else nothing and its log
    ends: bool = False  # it is done when it ends with exit code 0
    files: tuple[int, ...] = ()  # file descriptors that it inherits
    ours: bool = False  # it runs as the supervisor's own user: it acts for operators, and reads what is theirs


class Adopted:
    """A child process that another process started: what is used of subprocess.Popen."""

    stdin: IO[bytes] | None = None
    stdout: IO[bytes] | None = None

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def send_signal(self, number: int) -> None:
        """Signal it, unless it is known to have ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def poll(self) -> int | None:
        """The exit code when it has ended."""
        return self._wait(os.WNOHANG)

    def wait(self) -> int | None:
        """Wait for its end."""
        return self._wait(0)

    def _wait(self, options: int) -> int | None:
        if self.returncode is None:
            try:
                pid, status = os.waitpid(self.pid, options)
            except ChildProcessError:  # it is no child any more: its exit code is nobody's to know
                self.returncode = -1
            else:
                self.returncode = os.waitstatus_to_exitcode(status) if pid else None
        return self.returncode


@dataclass(slots=True)
class Child:
    """A child process, living or not."""

    name: str
    process: subprocess.Popen[bytes] | Adopted
    command: ChildCommand
    state: ChildState = ChildState.RUNNING
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def alive(self) -> bool:
        """Whether there is a process, paused or not."""
        return self.state in (ChildState.RUNNING, ChildState.PAUSED)


class Children:
    """All children by name. Used from the main thread of the supervisor only."""

    def __init__(self, logs: Path, account: Account | None, watchdog: Watchdog,
                 on_end: Callable[[Child], None]) -> None:
        self._logs = logs
        self._account = account
        self._watchdog = watchdog
        self._on_end = on_end
        self._children: dict[str, Child] = {}

    def get(self, name: str) -> Child | None:
        """The child of a name, living or not; None when there never was one."""
        return self._children.get(name)

    def start(self, name: str, command: ChildCommand) -> Child:
        """Start a child. Raises ChildError when one of that name lives, or the program cannot be run."""
        old = self._children.get(name)
        if old is not None and old.alive:
            raise ChildError(f"{name} is {old.state} (process {old.process.pid})")
        try:
            process = self._spawn(name, command)
        except OSError as error:
            raise ChildError(f"{name} could not be started: {error}") from error
        return self._keep(Child(name, process, command))

    def adopt(self, name: str, pid: int, command: ChildCommand) -> Child:
        """Take in a child that another process started; `command` would start it again."""
        return self._keep(Child(name, Adopted(pid), command))

    def _keep(self, child: Child) -> Child:
        self._children[child.name] = child
        self._watchdog.add(child.process.pid)
        return child

    def open_log(self, name: str) -> int:
        """A file descriptor of a child's log, for the child to write to."""
        return os.open(self._logs / f"{name}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)

    def _spawn(self, name: str, command: ChildCommand) -> subprocess.Popen[bytes]:
        parent = os.getpid()

        def before_exec() -> None:  # runs in the child, after it has dropped its rights
            _LIBC.prctl(_PR_SET_PDEATHSIG, int(command.death_signal), 0, 0, 0)
            if os.getppid() != parent:
                os._exit(1)

        account = None if command.ours else self._account
        log = self.open_log(name)
        try:
            return subprocess.Popen(
                list(command.argv), cwd=command.cwd, env=dict(command.env),
                stdin=subprocess.PIPE if command.talks else subprocess.DEVNULL,
                stdout=subprocess.PIPE if command.talks else log, stderr=log, pass_fds=command.files,
                process_group=0, umask=0o022 if command.ours else 0o077, preexec_fn=before_exec,
                user=None if account is None else account.uid,
                group=None if account is None else account.gid,
                extra_groups=None if account is None else [],
            )
        finally:
            os.close(log)

    def notice(self) -> None:
        """Look which children ended; called on SIGCHLD."""
        for child in list(self._children.values()):
            if child.alive and child.process.poll() is not None:
                child.state = ChildState.ENDED
                self._forget(child)
                self._on_end(child)
        self._watchdog.check()

    def _forget(self, child: Child) -> None:
        child.gone.set()
        self._watchdog.remove(child.process.pid)
        if child.process.stdin is not None:
            child.process.stdin.close()

    async def stop(self, name: str, number: signal.Signals, seconds: float) -> None:
        """Ask a child to end by a signal to it alone; returns when it has. Raises ChildError when it does not."""
        child = self._living(name)
        child.process.send_signal(number)
        try:
            async with asyncio.timeout(seconds):
                await child.gone.wait()
        except TimeoutError:
            raise ChildError(f"{name} did not end within {seconds:g} s. {self.last_words(name)}") from None

    async def kill(self, name: str) -> None:
        """SIGKILL a child and everything below it; returns when all of it is gone."""
        child = self._living(name)
        await self._kill(child)

    async def _kill(self, child: Child) -> None:
        child.state = ChildState.KILLED
        # Stopped first, so that nothing new appears below it between the look and the kill.
        tree = self._freeze(child)
        _signal_all(tree, signal.SIGKILL)
        for pid in tree:
            await _gone(pid)
        child.process.wait()
        self._forget(child)

    def pause(self, name: str) -> None:
        """SIGSTOP a child and everything below it."""
        child = self._living(name)
        if child.state is ChildState.PAUSED:
            raise ChildError(f"{name} is paused already; `tuiha lab resume {name}` lets it go on")
        self._freeze(child)
        child.state = ChildState.PAUSED

    def resume(self, name: str) -> None:
        """SIGCONT a paused child and everything below it."""
        child = self._living(name)
        if child.state is not ChildState.PAUSED:
            raise ChildError(f"{name} is not paused")
        tree = reaper.below({child.process.pid}, reaper.processes())
        _signal_all(tree - {child.process.pid}, signal.SIGCONT)
        _signal_all({child.process.pid}, signal.SIGCONT)
        child.state = ChildState.RUNNING

    async def finish(self, name: str, command: ChildCommand, seconds: float) -> None:
        """Start a child that does one thing and ends. Raises ChildError when it fails or takes too long."""
        child = self.start(name, command)
        deadline = time.monotonic() + seconds
        while child.alive:
            if time.monotonic() > deadline:
                await self._kill(child)
                raise ChildError(f"{name} did not end within {seconds:g} s. {self.last_words(name)}")
            await asyncio.sleep(_STEP)
        if child.process.returncode != 0:
            raise ChildError(f"{name} failed with exit code {child.process.returncode}. {self.last_words(name)}")

    def last_words(self, name: str) -> str:
        """The end of a child's log, for a message; the log itself goes with the pool."""
        try:
            lines = (self._logs / f"{name}.log").read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return "It has no log."
        telling = [line.strip() for line in lines if line.strip()][-_LAST_LINES:]
        # The reason comes before the consequences.
        start = next((at for at, line in enumerate(telling) if _REASON.search(line)), max(0, len(telling) - 3))
        return "Its last words: " + " / ".join(telling[max(0, start - 1):start + 3]) if telling else "It said nothing."

    def _living(self, name: str) -> Child:
        child = self._children.get(name)
        if child is None:
            raise ChildError(f"{name} was never started")
        if not child.alive:
            raise ChildError(f"{name} is not running ({child.state}); `tuiha lab start {name}` starts it")
        return child

    def _freeze(self, child: Child) -> set[int]:
        """Stop a child and all that is below it, whatever group or session that is in; returns the process ids."""
        frozen: set[int] = set()
        while True:
            tree = reaper.below({child.process.pid}, reaper.processes())
            fresh = tree - frozen
            if not fresh:
                return frozen
            _signal_all(fresh, signal.SIGSTOP)
            frozen |= fresh


async def _gone(pid: int) -> None:
    """Wait for a killed process; the kernel does not tell about those that are not children."""
    while reaper.stat(pid) is not None:  # noqa: ASYNC110 - there is no event to wait for
        await asyncio.sleep(_STEP)


def _signal_all(pids: set[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
