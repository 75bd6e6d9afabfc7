"""Starting a runner: a process in a session of its own, which outlives the terminal and whoever started it.

It takes a runner half a second to load. So its process is started first, loads while the plan's facts are read once
more, and is then handed its operation over a socket, or let go.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tuiha.model.operations.refusals import Refused
from tuiha.operate.plans.kinds import OperationRefused
from tuiha.operate.records.journal import Journal
from tuiha.operate.records.store import Folder, writing

RUNNER: tuple[str, ...] = (sys.executable, "-m", "tuiha.operate.run.runner")


@dataclass(frozen=True, slots=True)
class RunnerOrder:
    """What a runner is to do."""

    operation: str
    undo: bool
    lock: int | None = None  # the descriptor of the operation's lock, already held; None: to be taken


class Starter:
    """A runner's process that loads and waits for its operation."""

    def __init__(self, config_path: Path) -> None:
        self._channel, there = socket.socketpair()
        with there:
            process = subprocess.Popen(
                [*RUNNER, "--config", str(config_path.resolve()), "--handed", str(there.fileno())],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                start_new_session=True, pass_fds=[there.fileno()],
            )
        threading.Thread(target=process.wait, name="runner", daemon=True).start()  # no zombie stays

    async def begin(self, folder: Folder, by: str, *, undo: bool = False) -> None:
        """Hand the operation over, as `by` asked. Raises Refused when another runner has it already; NotKept.

        The lock is taken here and handed over: there is no moment in which nobody has it.
        """
        await asyncio.to_thread(self._begin, folder, by, undo)

    def _begin(self, folder: Folder, by: str, undo: bool) -> None:
        with writing(folder.path):
            self._handed_over(folder, by, undo)

    def _handed_over(self, folder: Folder, by: str, undo: bool) -> None:
        lock = folder.lock()
        if lock is None:
            raise OperationRefused(Refused.RUNNING(operation=folder.id))
        try:
            folder.forget_requests()
            _open_again(folder, by, undo)
            message = json.dumps({"operation": folder.id, "undo": undo}).encode()
            with open(folder.log, "ab") as log, suppress(BrokenPipeError):  # it died: whoever follows is told so
                socket.send_fds(self._channel, [message], [lock, log.fileno()])
        finally:
            os.close(lock)

    def close(self) -> None:
        """A runner that was handed nothing ends."""
        self._channel.close()


@asynccontextmanager
async def loading_runner(config_path: Path) -> AsyncIterator[Starter]:
    """A runner that loads meanwhile, for an operation that may yet be refused."""
    starter = await asyncio.to_thread(Starter, config_path)
    try:
        yield starter
    finally:
        starter.close()


async def start_runner(folder: Folder, config_path: Path, by: str, *, undo: bool = False) -> None:
    """Start the runner of an operation, as `by` asked. Raises Refused when one runs it already."""
    async with loading_runner(config_path) as runner:
        await runner.begin(folder, by, undo=undo)


def handed(descriptor: int) -> RunnerOrder | None:
    """In the runner: wait for the operation; its log is stdout and stderr from then on. None when it was let go."""
    with socket.socket(fileno=descriptor) as channel:
        message, descriptors, _, _ = socket.recv_fds(channel, 4096, 2)
    if not message:
        return None
    lock, log = descriptors
    os.dup2(log, sys.stdout.fileno())
    os.dup2(log, sys.stderr.fileno())
    os.close(log)
    return RunnerOrder(**json.loads(message), lock=lock)


def _open_again(folder: Folder, by: str, undo: bool) -> None:
    """From here on an earlier result is not the last word; who follows must not take it for that."""
    lost = not folder.reading().records
    journal = Journal(folder.journal)
    try:
        if lost:  # or nobody would know that there were any
            journal.put("damage", text="its records are lost")
        journal.put("start", host=socket.gethostname(), by=by, undo=undo).result()
    finally:
        journal.close()
