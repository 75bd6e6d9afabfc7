"""The screen's end of the watching process: a feed that starts it, reads what it finds, and replaces it."""

from __future__ import annotations

import logging
import pickle
import select
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress

from tuiha.config.errors import ConfigError
from tuiha.model.codes import Ended, EventKind, WatcherEnding
from tuiha.model.facts import Event, Severity, Snapshot
from tuiha.watch.child.launch import Process, launched
from tuiha.watch.child.messages import (
    LAST,
    POLL,
    KnownPast,
    KnownVerdict,
    Message,
    News,
    Outline,
    Refusal,
    Started,
    receive,
)
from tuiha.watch.feed import Subscribers
from tuiha.watch.history import History
from tuiha.words.events import ending

EVENTS = 1000  # kept
SILENCE = 20.0  # seconds without a look, after which the process counts as hanging
AGAIN = (0.5, 2.0, 5.0)  # seconds before it is started again: the first time, the second, each further time
GOOD = 60.0  # seconds after which one that ends counts as the first again
END = 0.05  # seconds that it is waited for at the end; it then ends by itself
_log = logging.getLogger(__name__)


class WatchingEnded(Exception):
    """The watching process ended before it had begun; the text says how, and where to look."""


class Apart:
    """Offers a `Feed` of a live pool that another process watches and records.

    The process starts at once. It ends with this one, however this one ends; when it ends before that, or is silent
    for `silence` seconds, an event says so and another one is started.
    """

    def __init__(
        self, command: Sequence[str], process: Process | None = None, *, silence: float = SILENCE, log: str = ""
    ) -> None:
        """`command` starts a program that calls `process.watch` on its standard streams, and may have started `process`
        already; `log` is where it logs.
        """
        self._command, self._silence, self._log = tuple(command), silence, log
        self._outline: Future[Outline] = Future()
        self._started: Future[None] = Future()
        self._latest: Snapshot | None = None
        self._events: tuple[Event, ...] = ()
        self._history: History | None = None
        self._day: tuple[KnownVerdict, ...] = ()
        self._subscribers = Subscribers()
        self._trouble: str | None = None
        self._lost: str | None = None
        self._ending = threading.Event()
        self._process = process or launched(self._command)
        self._thread = threading.Thread(target=self._work, name="tuiha-apart", daemon=True)
        self._thread.start()

    # Life

    @property
    def pid(self) -> int:
        """The watching process; another one after it was replaced."""
        return self._process.pid

    def outline(self) -> Outline:
        """What a screen needs of the settings; waits for it. Raises ConfigError, WatchingEnded."""
        return self._outline.result()

    def start(self) -> None:
        """Wait until looks come. Raises ConfigError when a token or a certificate cannot be read, WatchingEnded."""
        self._started.result()

    def stop(self) -> None:
        """Tell the process to end. It writes what it has recorded; nobody waits for that."""
        self._ending.set()
        self._hang_up()
        self._thread.join(END)

    def _hang_up(self) -> None:
        stdin = self._process.stdin
        if stdin is not None:
            with suppress(OSError):
                stdin.close()

    # The feed

    def latest(self) -> Snapshot | None:
        """The newest snapshot; None before the first."""
        return self._latest

    def subscribe(self, call: Callable[[Snapshot], None]) -> Callable[[], None]:
        """Have `call` called with each new snapshot, on a thread of this feed's. Returns what ends it."""
        return self._subscribers.add(call)

    def events(self) -> tuple[Event, ...]:
        """What changed, newest first."""
        return self._events

    def history(self, node: str, metric: str) -> tuple[float | None, ...]:
        """The last 15 minutes of a figure, oldest first, evenly spaced; the pool's own under its name."""
        return () if self._history is None else self._history.read(node, metric)

    @property
    def day(self) -> tuple[KnownVerdict, ...]:
        """The verdicts of the last day as far as they were recorded before this began, oldest first."""
        return self._day

    def poll_now(self) -> None:
        """Look again at once."""
        stdin = self._process.stdin
        if stdin is not None:
            with suppress(OSError, ValueError):  # it has ended: the next one looks anyway
                stdin.write(POLL)

    @property
    def recording_lost(self) -> str | None:
        """Why what is seen is recorded nowhere; None when it is, here or by another process."""
        return self._lost

    @property
    def recording_trouble(self) -> str | None:
        """Why nothing is recorded now; None when all is well."""
        return self._trouble

    # On the thread

    def _work(self) -> None:
        before = 0  # how often one ended that had not been good for long
        while True:
            began = time.monotonic()
            how = self._read(self._process)
            if self._ending.is_set() or not self._goes_on(how):
                return
            before = 0 if time.monotonic() - began > GOOD else before + 1
            self._happened(how)
            if not self._replaced(max(before, 1)):
                return

    def _replaced(self, times: int) -> bool:
        """Start another one after a pause, which is the longer the more often it was done; False at the end."""
        while not self._ending.wait(AGAIN[min(times, len(AGAIN)) - 1]):
            try:
                self._process = launched(self._command)
            except OSError as error:
                self._happened(Ended(WatcherEnding.NO_START, reason=error.strerror or ""))
                times += 1
                continue
            if self._ending.is_set():  # told to end in between: this one was not there to hear it
                self._hang_up()
            return True
        return False

    def _read(self, process: Process) -> Ended:
        """Take what one process sends until it ends; returns how it ended."""
        stdout, silent, looked = process.stdout, False, False
        if stdout is None:
            return Ended(WatcherEnding.NO_PIPE)
        with stdout, suppress(EOFError, OSError, pickle.UnpicklingError):
            while not silent:
                silent = looked and not _ready(stdout.fileno(), self._patience())
                if not silent:
                    message = receive(stdout.fileno())
                    looked = looked or isinstance(message, News)  # before that, a secret may be asked of a person
                    self._take(message)
        self._hang_up()
        if silent:
            process.kill()
        try:
            code = process.wait(LAST + 1.0)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        if silent:
            return Ended(WatcherEnding.SILENT, self._patience())
        return Ended(WatcherEnding.SIGNAL, -code) if code < 0 else Ended(WatcherEnding.CODE, code)

    def _patience(self) -> float:
        """Seconds without a look until the process counts as hanging."""
        return max(self._silence, 5 * self.outline().interval)

    def _goes_on(self, how: Ended) -> bool:
        """Whether another process is worth a try: not when the first one never began; whoever waits is told."""
        if self._started.done() and self._started.exception() is None:
            return True
        log = f"; its log is {self._log}" if self._log else ""
        error = WatchingEnded(f"the process that watches the pool {ending(how)}{log}")
        for waiting in (self._outline, self._started):
            if not waiting.done():
                waiting.set_exception(error)
        return False

    def _happened(self, how: Ended) -> None:
        """Tell on the screen what became of the process; the data on it gets old meanwhile, and is marked so."""
        _log.warning("the watching process %s", ending(how))
        pool = self.outline().pool
        event = Event(time.time(), Severity.BAD, pool, EventKind.WATCHER_REPLACED, how)
        self._events = (event, *self._events)[:EVENTS]
        if self._latest is not None:
            self._subscribers.tell(self._latest)

    def _take(self, message: Message) -> None:
        _TAKES[type(message)](self, message)

    def _take_outline(self, outline: Outline) -> None:
        if not self._outline.done():
            self._history = History(outline.interval)
            self._outline.set_result(outline)

    def _take_started(self, _: Started) -> None:
        if not self._started.done():
            self._started.set_result(None)

    def _take_refusal(self, refusal: Refusal) -> None:
        waiting = [one for one in (self._outline, self._started) if not one.done()]
        for one in waiting:
            one.set_exception(ConfigError(*refusal.problems))
        if not waiting:
            self._happened(Ended(WatcherEnding.REFUSED, reason=str(refusal.problems[0])))

    def _take_past(self, past: KnownPast) -> None:
        if self._history is not None:
            for known in past.figures:
                self._history.fill(known.at, known.until, known.figures)
        self._day = past.verdicts

    def _take_news(self, news: News) -> None:
        if self._history is not None:
            self._history.record(news.snapshot)
        self._events = (*news.events, *self._events)[:EVENTS]
        self._trouble, self._lost = news.trouble, news.lost
        self._latest = news.snapshot
        self._subscribers.tell(news.snapshot)


_TAKES: dict[type, Callable[..., None]] = {
    Outline: Apart._take_outline, Started: Apart._take_started, Refusal: Apart._take_refusal, News: Apart._take_news,
    KnownPast: Apart._take_past,
}


def _ready(descriptor: int, seconds: float) -> bool:
    """Whether something comes within that time; asked twice, as a process that was stopped has slept through it."""
    return any(select.select([descriptor], [], [], wait)[0] for wait in (seconds, 0.5))
