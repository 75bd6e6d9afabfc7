"""A process that imports once and forks many: `python -m tuiha.lab.pool.nursery IMPORTS PLAN SUPERVISOR`.

Imports are most of what starting a Python process costs, and they can happen while the databases are made. IMPORTS
are module names separated by commas, PLAN is a JSON object name -> [log's file descriptor, module, arguments...],
SUPERVISOR is a process id. For each name on a line of its standard input it starts that process and writes "NAME PID"
to its standard output. It ends at the input's end.

The processes become children of the supervisor, not of this process: their parent, forked in between, ends at once,
and the supervisor is its nearest living ancestor that takes such orphans in (PR_SET_CHILD_SUBREAPER).
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import runpy
import signal
import sys
import time

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
_ADOPTED = 10.0  # seconds; it takes microseconds


def main() -> None:
    """Import, then fork what is asked for."""
    imports, plan_text, supervisor = sys.argv[1:]
    plan: dict[str, list[str]] = json.loads(plan_text)
    libc = ctypes.CDLL(None, use_errno=True)
    for name in imports.split(","):
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # what is imported stays shared with the forked processes
    # Not through sys.stdin: what it reads ahead, a forked process would have read too.
    with os.fdopen(os.dup(0), encoding="utf-8", closefd=True) as orders:
        for line in orders:
            name = line.strip()
            started = _start(int(supervisor), libc)
            if started is None:
                orders.close()
                return _become(libc, name, plan)
            os.write(1, f"{name} {started}\n".encode())
    return None


def _start(supervisor: int, libc: ctypes.CDLL) -> int | None:
    """Fork a process that is the supervisor's child; returns its id, and None in that process."""
    answer, tell = os.pipe()
    between = os.fork()
    if between != 0:
        os.close(tell)
        with os.fdopen(answer) as told:
            pid = int(told.read())
        os.waitpid(between, 0)
        return pid
    os.close(answer)
    pid = os.fork()
    if pid != 0:
        os.write(tell, str(pid).encode())
        os._exit(0)
    os.close(tell)
    _until_adopted(supervisor, libc)
    return None


def _until_adopted(supervisor: int, libc: ctypes.CDLL) -> None:
    """Wait until the supervisor is the parent; from then on the kernel ends this process with it."""
    deadline = time.monotonic() + _ADOPTED
    while os.getppid() != supervisor:
        if time.monotonic() > deadline:
            os._exit(1)
        time.sleep(0.0005)
    libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != supervisor:
        os._exit(1)


def _become(libc: ctypes.CDLL, name: str, plan: dict[str, list[str]]) -> None:
    """Be the process of the plan."""
    log, module, *arguments = plan[name]
    os.setpgid(0, 0)
    libc.prctl(_PR_SET_NAME, name.encode(), 0, 0, 0)  # what `top` shows
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (int(log), 1), (int(log), 2)):
        os.dup2(source, target)
    for done_with in (nothing, *(int(words[0]) for words in plan.values())):
        os.close(done_with)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
