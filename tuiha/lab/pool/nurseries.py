"""The supervisor's end of a nursery (`nursery.py`): Python processes that start already imported."""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from tuiha.lab.pool.children import ChildError, Children, Command
from tuiha.lab.runtime.python import Python

_PR_SET_CHILD_SUBREAPER = 36
_ANSWER = 60.0  # seconds: the imports, on a very busy machine


def take_orphans_in(yes: bool) -> None:
    """Whether this process becomes the parent of descendants whose parent ended."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, int(yes), 0, 0, 0)


class Nursery:
    """One nursery, for the processes of one plan: name -> module and its arguments."""

    def __init__(self, name: str, imports: str, plan: Mapping[str, Sequence[str]], python: Python, cwd: Path,
                 children: Children) -> None:
        self._name = name
        self._children = children
        self._plan = plan
        self._command = {part: Command(python.module(*words), cwd=cwd, env=python.env) for part, words in plan.items()}
        logs = {part: children.open_log(part) for part in plan}
        try:
            fitted = {part: [str(logs[part]), *words] for part, words in plan.items()}
            argv = python.module("tuiha.lab.pool.nursery", imports, json.dumps(fitted), str(os.getpid()))
            self._child = children.start(name, Command(argv, cwd=cwd, env=python.env, talks=True, ends=True,
                                                       files=tuple(logs.values())))
        finally:
            for descriptor in logs.values():
                os.close(descriptor)
        self._reader: asyncio.StreamReader | None = None

    async def release(self, *names: str) -> None:
        """Start processes of the plan; returns when they are children. Raises ChildError."""
        process = self._child.process
        assert process.stdin is not None
        try:
            process.stdin.write("".join(f"{name}\n" for name in names).encode())
            process.stdin.flush()
            async with asyncio.timeout(_ANSWER):
                reader = await self._answers()
                for _ in names:
                    words = (await reader.readline()).split()
                    if len(words) != 2:
                        raise ChildError(f"{self._name} ended too early. {self._children.last_words(self._name)}")
                    name = words[0].decode()
                    self._children.adopt(name, int(words[1]), self._command[name])
        except BrokenPipeError:
            raise ChildError(f"{self._name} ended. {self._children.last_words(self._name)}") from None
        except TimeoutError:
            raise ChildError(f"{self._name} does not answer after {_ANSWER:g} s") from None

    async def _answers(self) -> asyncio.StreamReader:
        if self._reader is None:
            reader = asyncio.StreamReader()
            await asyncio.get_running_loop().connect_read_pipe(
                lambda: asyncio.StreamReaderProtocol(reader), self._child.process.stdout)
            self._reader = reader
        return self._reader

    def close(self) -> None:
        """Let the nursery end; what it started goes on."""
        if self._child.process.stdin is not None:
            self._child.process.stdin.close()
