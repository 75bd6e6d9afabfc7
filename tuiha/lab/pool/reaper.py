"""The watchdog of an embedded pool: when its supervisor is gone, however it went, it leaves nothing behind.

A process of its own, in a session of its own, started as `python -I -S reaper.py FOLDER`: the standard library
only, so that it is there in 20 ms and works from anywhere. Its standard input is a pipe whose other end the
supervisor alone holds. Lines on it name the processes to look after: `+ PID START` and `- PID`, where START is the
process's start time in clock ticks since boot (a process id can be used again, the pair cannot). At the end of
the pipe it ends every process named and everything below them, paused ones too, removes the System V shared
memory that PostgreSQL may have left, and removes the run folder.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import sys
import time

_GRACE = 1.0  # seconds between asking and killing
_STEP = 0.02
_LIMIT = 10.0  # seconds after which it stops trying

Processes = dict[int, tuple[int, int]]  # pid -> (parent's pid, start time)


def processes() -> Processes:
    """Every live process of this machine; zombies are left out."""
    found: Processes = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            known = stat(int(entry))
            if known is not None:
                found[int(entry)] = known
    return found


def stat(pid: int) -> tuple[int, int] | None:
    """(parent's pid, start time) of a live process; None when it is gone or a zombie."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in ("Z", "X") else (int(fields[1]), int(fields[19]))


def below(roots: set[int], table: Processes) -> set[int]:
    """These processes and all their descendants."""
    children: dict[int, list[int]] = {}
    for pid, (parent, _) in table.items():
        children.setdefault(parent, []).append(pid)
    found: set[int] = set()
    waiting = [pid for pid in roots if pid in table]
    while waiting:
        pid = waiting.pop()
        if pid not in found:
            found.add(pid)
            waiting.extend(children.get(pid, ()))
    return found


def strays(folder: str, table: Processes) -> set[int]:
    """PostgreSQL's own processes that work in the folder: they outlive a paused parent that was killed."""
    return {pid for pid in table if _link(pid, "cwd").startswith(folder + "/") and _is_postgres(pid)}


def _is_postgres(pid: int) -> bool:
    return os.path.basename(_link(pid, "exe").removesuffix(" (deleted)")) == "postgres"


def _link(pid: int, name: str) -> str:
    try:
        return os.readlink(f"/proc/{pid}/{name}")
    except OSError:  # gone, or somebody else's
        return ""


def end(folder: str, watched: dict[int, int]) -> None:
    """End what is watched (pid -> start time) and everything below it: asked first, then killed."""
    asked: set[tuple[int, int]] = set()
    started = time.monotonic()
    while time.monotonic() - started < _LIMIT:
        table = processes()
        roots = {pid for pid, start in watched.items() if pid in table and table[pid][1] == start}
        alive = below(roots, table) | strays(folder, table) | {pid for pid, start in asked
                                                               if pid in table and table[pid][1] == start}
        alive.discard(os.getpid())
        if not alive:
            return
        late = time.monotonic() - started > _GRACE
        for pid in alive:
            known = (pid, table[pid][1])
            if late:
                _signal(pid, signal.SIGKILL)
            elif known not in asked:
                # PostgreSQL waits for its clients at SIGTERM; SIGINT ends them.
                _signal(pid, signal.SIGINT if _is_postgres(pid) else signal.SIGTERM)
                _signal(pid, signal.SIGCONT)
            asked.add(known)
        time.sleep(_STEP)


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def shared_memory(folder: str) -> list[int]:
    """Ids of System V segments that the databases below the folder wrote into their postmaster.pid."""
    found = []
    for node in os.listdir(folder):
        try:
            descriptor = os.open(os.path.join(folder, node, "data", "postmaster.pid"),
                                 os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            owner = os.fstat(descriptor).st_uid
            with open(descriptor, encoding="utf-8", errors="replace") as file:
                lines = file.read(4096).splitlines()
        except OSError:
            continue
        words = lines[6].split() if len(lines) > 6 else []
        if len(words) == 2 and words[1].isdigit() and _creator(int(words[1])) == (lines[0], str(owner)):
            found.append(int(words[1]))
    return found


def _creator(segment: int) -> tuple[str, str] | None:
    """The process and the user that created a segment; None when there is no such segment.

    The user as well: a file that the pool's account wrote must not make root remove what is another user's.
    """
    with open("/proc/sysvipc/shm", encoding="utf-8") as file:
        for line in file.readlines()[1:]:
            fields = line.split()
            if int(fields[1]) == segment:
                return fields[4], fields[9]
    return None


def remove(folder: str) -> None:
    """Remove shared memory and the folder."""
    libc = ctypes.CDLL(None, use_errno=True)
    for segment in shared_memory(folder):
        libc.shmctl(segment, 0, None)  # 0: IPC_RMID
    # A folder in which something is still being written takes a second try.
    for _ in range(50):
        shutil.rmtree(folder, ignore_errors=True)
        if not os.path.exists(folder):
            return
        time.sleep(_STEP)


def read(watched: dict[int, int]) -> None:
    """Follow the pipe to its end."""
    for line in sys.stdin:
        words = line.split()
        if len(words) == 3 and words[0] == "+":
            watched[int(words[1])] = int(words[2])
        elif len(words) == 2 and words[0] == "-":
            watched.pop(int(words[1]), None)


def main(folder: str) -> None:
    """Wait for the supervisor's end, then clean up."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    watched: dict[int, int] = {}
    read(watched)
    end(folder, watched)
    if os.path.isdir(folder):
        remove(folder)


if __name__ == "__main__":
    main(sys.argv[1])
