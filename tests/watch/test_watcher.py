"""The watcher's thread: start, stop, subscribers, history, failures at the start."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tests.doubles.drivers import Fleet, settings
from tests.until import wait_until
from tuiha.config.load import ConfigError, ConfigProblem
from tuiha.config.settings import Pool
from tuiha.drivers.protocols import DriverError
from tuiha.model.facts import Snapshot
from tuiha.watch.history import History
from tuiha.watch.poller import Poller
from tuiha.watch.watcher import Watcher
from tuiha.words.events import text


def test_it_watches_in_a_thread_of_its_own_and_ends() -> None:
    fleet = Fleet()
    watcher = Watcher(settings(), Path(), fleet.make(), History(1.0))
    assert watcher.latest() is None
    threads: list[str] = []
    seen: list[Snapshot] = []

    def broken(snapshot: Snapshot) -> None:
        raise ValueError("a screen's fault")

    watcher.subscribe(broken)
    def keep(snapshot: Snapshot) -> None:
        threads.append(threading.current_thread().name)
        seen.append(snapshot)

    end = watcher.subscribe(keep)
    watcher.start()
    try:
        wait_until(lambda: len(seen) > 3)
        end()
        kept = len(seen)
        latest = watcher.latest()
        assert latest is not None
        wait_until(lambda: (now := watcher.latest()) is not None and now.number > latest.number + 3)
        assert len(seen) <= kept + 1  # one may have been under way
        assert set(threads) == {"tuiha-watch"}
        fleet.mail1.error = DriverError("connection refused")
        wait_until(lambda: any(e.subject == "mail1" for e in watcher.events()))
        assert [e.at for e in watcher.events()] == sorted((e.at for e in watcher.events()), reverse=True)
        known = [value for value in watcher.history("s1", "users") if value is not None]
        assert known
        assert set(known) == {125.0}
        assert watcher.history("nobody", "users") == ()
    finally:
        watcher.stop()
    assert not any(thread.name == "tuiha-watch" for thread in threading.enumerate())
    assert fleet.s1.closed
    watcher.poll_now()  # harmless when it has ended


def test_poll_now_does_not_wait_for_the_interval() -> None:
    fleet = Fleet()
    watcher = Watcher(settings(interval="10m", timeout="1s"), Path(), fleet.make())
    watcher.start()
    try:
        wait_until(lambda: watcher.latest() is not None)
        watcher.poll_now()
        wait_until(lambda: fleet.s1.polls == 2)
    finally:
        watcher.stop()


def test_a_missing_token_is_raised_where_it_is_started() -> None:
    def make(pool: Pool, base: Path) -> Poller:
        raise ConfigError(ConfigProblem("file viewer.token cannot be read (No such file or directory)"))

    with pytest.raises(ConfigError, match=r"viewer\.token"):
        Watcher(settings(), Path(), make).start()


def test_a_fault_in_concluding_is_told_and_the_watching_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = Fleet()
    watcher = Watcher(settings(), Path(), fleet.make())
    watcher.start()
    try:
        wait_until(lambda: watcher.latest() is not None)
        monkeypatch.setattr("tuiha.watch.poller.conclude", lambda *_: 1 / 0)
        wait_until(lambda: any("ZeroDivisionError" in text(e) for e in watcher.events()))
        monkeypatch.undo()
        before = watcher.latest()
        wait_until(lambda: watcher.latest() is not before)
    finally:
        watcher.stop()


def test_a_watcher_that_nobody_draws_from_keeps_no_history() -> None:
    """At a thousand servers it would be 49 MB, kept a second time in the process that draws."""
    fleet = Fleet()
    watcher = Watcher(settings(), Path(), fleet.make())
    watcher.start()
    try:
        wait_until(lambda: watcher.latest() is not None)
        assert watcher.history("s1", "users") == ()
    finally:
        watcher.stop()
