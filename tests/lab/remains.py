"""What an embedded pool may leave behind: processes, files, shared memory."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from tests.until import until
from tuiha.lab.pool import reaper
from tuiha.lab.pool.control import LabControl

DEADLINE = 30.0


@dataclass(frozen=True)
class Traces:
    """Everything that must be gone when a pool is."""

    folder: Path
    processes: frozenset[tuple[int, int]]  # (pid, start time)
    segments: frozenset[int]  # System V shared memory

    def left(self) -> list[str]:
        """What is still there."""
        found = [f"folder {self.folder}"] if self.folder.exists() else []
        for pid, started in self.processes:
            known = reaper.stat(pid)
            if known is not None and known[1] == started:
                found.append(f"process {pid}")
        return found + [f"segment {segment}" for segment in self.segments & _segments()]


def _segments() -> frozenset[int]:
    lines = Path("/proc/sysvipc/shm").read_text().splitlines()[1:]
    return frozenset(int(line.split()[1]) for line in lines)


async def traces(folder: Path) -> Traces:
    """Note all that belongs to a running pool."""
    state = await LabControl(folder).state()
    roots = {part.pid for part in state.parts if part.pid is not None}
    roots |= {state.supervisor} | ({state.watchdog} if state.watchdog is not None else set())
    table = reaper.processes()
    found = frozenset((pid, table[pid][1]) for pid in reaper.below(roots, table))
    return Traces(folder, found, frozenset(reaper.shared_memory(str(folder))))


async def until_nothing_is_left(noted: Traces) -> None:
    """Wait until all that was noted is gone."""
    await until(lambda: not noted.left(), f"all gone; left: {noted.left()}")


def owner(pid: int) -> int:
    """The user id of a process."""
    return os.stat(f"/proc/{pid}").st_uid


def state_of(pid: int) -> str:
    """The kernel's letter for what a process is doing: S, R, T (stopped), ..."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
