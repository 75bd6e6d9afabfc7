"""Mutation testing of what decides about the database: `python -m tests.programs.mutation [NAME...]`.

The tests of a module are collected once, and run once on the code as it is; databases that they share go on running.
Then each mutant gets a process of its own, forked from there. It runs the tests that enter the mutant's function, the
fastest first, until one fails. A mutant that no test finds survives. Known tools leave decorated functions alone, and
the gate is made of these; or they start Python and PostgreSQL again for every mutant.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import signal
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from tests.programs.mutation.sites import Mutant, mutants
from tests.programs.mutation.swap import NoSuchFunction, module_of, put_in
from tests.programs.mutation.targets import TARGETS

FOUND, SURVIVED, TOO_LONG, NO_TEST, NOT_PUT_IN = "found", "SURVIVED", "found: no end", "NO TEST", "not put in"
_PATIENCE = 10.0  # seconds beyond what the tests took ten times over
_COMPUTING = 2.0  # of these, seconds of computing


class _Plugin:
    """Takes the place of pytest's own loop over the tests."""

    def __init__(self, paths: Sequence[str], only: str, results: Path | None) -> None:
        self._paths = paths
        self._only = only
        self._results = results
        self._known = _read(results)
        self._failed = False
        self._why = ""
        self.counts: Counter[str] = Counter()
        self.ready = True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._failed = self._failed or report.failed
        if report.failed:
            self._why = report.longreprtext

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        entered, seconds = self._as_it_is(session.items)
        if not self.ready:
            return True
        for path in self._paths:
            for mutant in mutants(path, Path(path).read_text(encoding="utf-8")):
                if self._only in mutant.key:
                    self._one(mutant, session.items, entered, seconds)
        return True

    def _as_it_is(self, items: Sequence[pytest.Item]) -> tuple[dict[str, set[str]], dict[str, float]]:
        """Run all tests once: which functions each enters, and its seconds."""
        entered: dict[str, set[str]] = defaultdict(set)
        seconds: dict[str, float] = {}
        files = {str(module_of(path).__file__): path for path in self._paths}
        for item in items:
            began = time.monotonic()
            with _watched(files) as names:
                _run(item, items)
            seconds[item.nodeid] = time.monotonic() - began
            for name in names:
                entered[name].add(item.nodeid)
            if self._failed:
                _say(f"{item.nodeid} fails without any mutant: nothing can be judged\n{self._why}")
                self.ready = False
                return entered, seconds
        _say(f"{len(items)} tests, {sum(seconds.values()):.1f} s")
        return entered, seconds

    def _one(
        self, mutant: Mutant, items: Sequence[pytest.Item], entered: dict[str, set[str]], seconds: dict[str, float]
    ) -> None:
        if mutant.key in self._known:
            self._count(mutant, self._known[mutant.key], again=True)
            return
        wanted = entered.get(f"{mutant.path}:{mutant.function}", set()) if mutant.function else set(seconds)
        chosen = sorted((item for item in items if item.nodeid in wanted), key=lambda item: seconds[item.nodeid])
        if not chosen:
            self._count(mutant, NO_TEST)
            return
        needs = sum(seconds[item.nodeid] for item in chosen)
        child = os.fork()
        if child == 0:
            self._in_child(mutant, chosen, items, _COMPUTING + 10 * needs)
        self._count(mutant, _ended(child, _PATIENCE + 10 * needs))

    def _in_child(
        self, mutant: Mutant, chosen: Sequence[pytest.Item], items: Sequence[pytest.Item], limit: float
    ) -> None:
        """Run the tests until one fails; never returns."""
        code = 1
        try:
            os.setpgid(0, 0)
            resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(limit), math.ceil(limit) + 1))
            silent = os.open(os.devnull, os.O_WRONLY)
            os.dup2(silent, 1)
            os.dup2(silent, 2)
            put_in(mutant)
            self._failed = False
            for item in chosen:
                _run(item, items)
                if self._failed:
                    break
            code = 1 if self._failed else 0
        except NoSuchFunction:
            code = 3
        finally:
            os._exit(code)

    def _count(self, mutant: Mutant, result: str, again: bool = False) -> None:
        self.counts[result] += 1
        if result not in (FOUND, TOO_LONG):
            _say(f"{result}: {mutant.key}")
        if self._results is not None and not again:
            with self._results.open("a", encoding="utf-8") as file:
                file.write(json.dumps([mutant.key, result]) + "\n")


def _run(item: pytest.Item, items: Sequence[pytest.Item]) -> None:
    """Run one test. Another one is named as the next, so that what the tests of the session share goes on."""
    item.session._setupstate.teardown_exact(item)  # what other modules share, and this one does not
    another = next((one for one in items if one is not item), None)
    item.ihook.pytest_runtest_protocol(item=item, nextitem=another)


def _ended(child: int, patience: float) -> str:
    until = time.monotonic() + patience
    while time.monotonic() < until:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            code = os.waitstatus_to_exitcode(status)
            return {0: SURVIVED, 3: NOT_PUT_IN, -signal.SIGXCPU: TOO_LONG, -signal.SIGKILL: TOO_LONG}.get(code, FOUND)
        time.sleep(0.005)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return TOO_LONG


@contextmanager
def _watched(files: dict[str, str]) -> Iterator[set[str]]:
    """Which functions of these files are entered meanwhile, on any thread."""
    names: set[str] = set()

    def look(frame: FrameType, event: str, _: Any) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename in files:
            names.add(f"{files[code.co_filename]}:{code.co_qualname.partition('.<locals>')[0]}")

    threading.setprofile(look)
    sys.setprofile(look)
    try:
        yield names
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


def _read(results: Path | None) -> dict[str, str]:
    """What an earlier run found; survivors are tried again."""
    if results is None or not results.exists():
        return {}
    read = dict(json.loads(line) for line in results.read_text(encoding="utf-8").splitlines())
    return {key: result for key, result in read.items() if result in (FOUND, TOO_LONG)}


def _say(text: str) -> None:
    sys.__stdout__.write(f"{text}\n")  # type: ignore[union-attr]
    sys.__stdout__.flush()  # type: ignore[union-attr]


def main() -> int:
    """Try every mutant of the targets, and print the survivors and the score. 1 when one survived."""
    parser = argparse.ArgumentParser(description="Put faults into the code; the tests must find each of them.")
    parser.add_argument("names", metavar="NAME", nargs="*", help=f"of {', '.join(TARGETS)}; none: all of them")
    parser.add_argument("--only", default="", help="mutants whose line has this text")
    parser.add_argument("--results", type=Path, help="file of results; what it says was found is not tried again")
    parser.add_argument("--list", action="store_true", help="list the mutants, and try none")
    arguments = parser.parse_args()
    chosen = {name: TARGETS[name] for name in arguments.names} if arguments.names else TARGETS
    if arguments.list:
        for target in chosen.values():
            for path in target.paths:
                for mutant in mutants(path, Path(path).read_text(encoding="utf-8")):
                    _say(mutant.key)
        return 0
    total: Counter[str] = Counter()
    for name, target in chosen.items():  # a process each: pytest cannot run twice in one
        told, tell = os.pipe()
        if (child := os.fork()) == 0:
            plugin = _Plugin(target.paths, arguments.only, arguments.results)
            pytest.main(["-o", "addopts=", "-p", "no:cacheprovider", "-p", "no:terminal", *target.tests],
                        plugins=[plugin])
            os.write(tell, json.dumps(plugin.counts).encode())
            os._exit(0)
        os.close(tell)
        os.waitpid(child, 0)
        counts = Counter(json.loads(os.read(told, 65536) or b"{}"))
        os.close(told)
        _say(f"{name}: {score(counts)}")
        total += counts
    _say(f"all: {score(total)}")
    return int(total[SURVIVED] + total[NO_TEST] > 0)


def score(counts: Counter[str]) -> str:
    """The figures in words."""
    found, every = counts[FOUND] + counts[TOO_LONG], sum(counts.values()) - counts[NOT_PUT_IN]
    share = 100 * found / every if every else 0.0
    return f"{every} mutants, {found} found ({share:.1f} %), of these {counts[TOO_LONG]} did not end; " \
           f"{counts[SURVIVED]} survived, {counts[NO_TEST]} without a test"


if __name__ == "__main__":
    raise SystemExit(main())
