"""What rows of the table do: plant a fault, carry out a remedy."""

from __future__ import annotations

import asyncio
import copy
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from tests.remedies.scene import Scene
from tuiha.model.check.finding import Finding
from tuiha.words.findings import said

Plant = Callable[[Scene], Awaitable[None]]
Mend = Callable[[Scene, Finding], Awaitable[None]]
Key = tuple[str | int, ...]

RELOAD = "SELECT pg_reload_conf()"


@dataclass(frozen=True)
class Fault:
    """One row: how a fault comes to be, what check must say, and what it must advise, which is then done."""

    name: str
    plant: Plant
    subject: str
    what: str  # with which the finding begins
    remedy: str  # what its advice must hold
    mend: Mend
    alone: bool = False  # it hides others, or stops the pool: nothing else is planted beside it
    slow: bool = False  # a process is restarted, or an operation runs: not with every change


# Planting


def statements(*sql: str, on: str = "db1", database: str = "tuiha") -> Plant:
    """Run statements as the superuser."""

    async def plant(scene: Scene) -> None:
        await scene.sql(*sql, on=on, database=database)

    return plant


def system(name: str, value: str, on: str = "db1") -> Plant:
    """A setting of the whole system."""
    return statements(f"ALTER SYSTEM SET {name} = {value}", RELOAD, on=on)


def configured(*changes: tuple[Key, Any]) -> Plant:
    """Change keys of the configuration; None takes one out."""

    async def plant(scene: Scene) -> None:
        for key, value in changes:
            _set(scene, key, value)

    return plant


def order(do: str, part: str) -> Plant:
    """Kill, pause, resume or start a part."""

    async def plant(scene: Scene) -> None:
        await getattr(scene.pool, do)(part)

    return plant


# Mending


def told(on: str = "db1", database: str = "tuiha", reload: bool = False) -> Mend:
    """Run the row's remedy, which is SQL: the engine has seen that it is in the advice, and calls with it."""

    async def mend(scene: Scene, finding: Finding) -> None:
        orders = [RELOAD] if reload else []
        await scene.sql(scene.kept["remedy"], *orders, on=on, database=database)

    return mend


def restored(*keys: Key) -> Mend:
    """Write keys of the configuration as they were."""

    async def mend(scene: Scene, finding: Finding) -> None:
        for key in keys:
            _set(scene, key, _get(scene.original, key))

    return mend


def done(*acts: Plant) -> Mend:
    """Do something in the world."""

    async def mend(scene: Scene, finding: Finding) -> None:
        for act in acts:
            await act(scene)

    return mend


def shell(pattern: str) -> Mend:
    """Run a command of the advice in a shell."""

    async def mend(scene: Scene, finding: Finding) -> None:
        command = re.search(pattern, said(finding).fix)
        assert command is not None, said(finding).fix
        process = await asyncio.create_subprocess_shell(command[0])
        assert await process.wait() == 0
        scene.kept.pop("mode", None)

    return mend


def _get(settings: Any, key: Key) -> Any:
    for part in key:
        settings = settings[part] if isinstance(part, int) else (settings or {}).get(part)
    return settings


def _set(scene: Scene, key: Key, value: Any) -> None:
    inside: Any = scene.settings
    for part in key[:-1]:
        inside = inside[part] if isinstance(part, int) else inside.setdefault(part, {})
    last = key[-1]
    if value is None and isinstance(last, str):
        inside.pop(last, None)
    elif value is None:
        del inside[last]
    else:
        inside[last] = copy.deepcopy(value)
