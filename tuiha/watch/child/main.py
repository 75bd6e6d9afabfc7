"""The watching process: a watcher and a recorder whose looks go into a pipe.

It ends when the pipe that it is told things through is closed, so also when the screen's process was killed; and it
ends by itself when its watcher has, for the screen's process to start another one. A screen that does not read keeps
neither polling nor recording waiting: it gets the newest look when it reads again.
"""

from __future__ import annotations

import gc
import logging
import os
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tuiha.config.errors import ConfigError
from tuiha.config.load import load
from tuiha.model.facts import Event, Snapshot
from tuiha.watch.child.launch import FAULT
from tuiha.watch.child.messages import LAST, KnownPast, News, Refusal, Started, outline_of, send
from tuiha.watch.watcher import Watcher

if TYPE_CHECKING:
    from tuiha.watch.recording.setup import OptionalRecording

ENDED = 0  # the exit code when nobody listens any more
LOOK = 1.0  # seconds between two looks at whether the watcher is still there
_log = logging.getLogger(__name__)


def watch(path: Path, news: int, told: int, *, recorded: bool = True) -> int:
    """Watch the configured pool: looks go to the descriptor `news`, requests come from `told`. Returns an exit code."""
    try:
        return _Watching(path, news, told, recorded).run()
    except BrokenPipeError:
        return ENDED
    except ConfigError as error:
        send(news, Refusal(error.problems))
        return FAULT


class _Watching:
    """One life of the process."""

    def __init__(self, path: Path, news: int, told: int, recorded: bool) -> None:
        self._news, self._told, self._base = news, told, path.parent
        self._to_record = recorded
        self._pool = load(path)
        send(news, outline_of(self._pool))
        self._watcher = Watcher(self._pool, self._base)
        self._change = threading.Condition()
        self._newest: Snapshot | None = None
        self._sent: Event | None = None  # the newest event that was sent
        self._past: KnownPast | None = None  # read, and not sent yet
        self._ending = False

    def run(self) -> int:
        """Until nobody listens, or the watcher has ended."""
        threading.Thread(target=self._listen, name="tuiha-told", daemon=True).start()
        self._watcher.start()
        recording: OptionalRecording | None = None
        settled = False
        try:
            send(self._news, Started())
            self._watcher.subscribe(self._take)
            while (snapshot := self._next()) is not None:
                trouble = None if recording is None else recording.trouble
                lost = None if recording is None else recording.lost
                send(self._news, News(snapshot, self._happened(), trouble, lost))
                if self._past is not None:
                    past, self._past = self._past, None
                    send(self._news, past)
                if not settled:  # nothing that can wait is done before the screen has its first look
                    settled = True
                    threading.Thread(target=self._remember, name="tuiha-past", daemon=True).start()
                    recording = self._recorded() if self._to_record else None
                    _settle()
            return ENDED if self._ending else FAULT
        finally:
            _end_in(LAST)
            self._watcher.stop()
            if recording is not None:
                recording.stop()

    def _recorded(self) -> OptionalRecording:
        """Begin to record."""
        from tuiha.watch.recording.setup import OptionalRecording

        recording = OptionalRecording(self._pool, self._base)
        recording.start(self._watcher)
        return recording

    def _remember(self) -> None:
        """On a thread of its own: what is known of the time before this process, for plots and for the wall's day.

        The recording first: the servers themselves know less, and fill what it leaves open.
        """
        recorded, remembered = self._recorded_past(), self._watcher.remembered()
        if recorded is not None or remembered:
            known = recorded or KnownPast((), ())
            self._past = KnownPast((*known.figures, *remembered), known.verdicts)

    def _recorded_past(self) -> KnownPast | None:
        if not self._pool.recording.enabled:
            return None
        from tuiha.watch.recording.past import past_of
        from tuiha.watch.recording.setup import place_of

        try:
            return past_of(place_of(self._pool, self._base), time.time())
        except (ConfigError, OSError) as error:  # the recorder says so, too
            _log.warning("what was recorded before cannot be read: %s", error)
            return None

    def _listen(self) -> None:
        """On a thread of its own: each request, until the pipe ends."""
        while os.read(self._told, 64):
            self._watcher.poll_now()
        with self._change:
            self._ending = True
            self._change.notify()
        _end_in(LAST)

    def _take(self, snapshot: Snapshot) -> None:
        """On the watcher's thread: never waits for the screen."""
        with self._change:
            self._newest = snapshot
            self._change.notify()

    def _next(self) -> Snapshot | None:
        """The newest look that was not sent; None at the end."""
        with self._change:
            while self._newest is None and not self._ending:
                self._change.wait(LOOK)
                if not self._watcher.alive:
                    _log.error("the watcher has ended")
                    return None
            snapshot, self._newest = self._newest, None
            return None if self._ending else snapshot

    def _happened(self) -> tuple[Event, ...]:
        """Events that were not sent, newest first."""
        every = self._watcher.events()
        known = next((place for place, event in enumerate(every) if event is self._sent), len(every))
        self._sent = every[0] if every else None
        return every[:known]


def _settle() -> None:
    """What is there now stays, and need not be looked through again."""
    gc.collect()
    gc.freeze()
    gc.enable()


def _end_in(seconds: float) -> None:
    """Nobody is left who could end a process that hangs: it ends by itself."""
    timer = threading.Timer(seconds, os._exit, (FAULT,))
    timer.daemon = True
    timer.start()
