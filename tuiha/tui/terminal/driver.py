"""A driver for terminals that may stall or vanish, and that ends without waiting for a time-out.

Differences from Textual's own: a write never waits for the terminal (a frame is left out while one
is still on its way), a closed terminal ends the dashboard instead of a thread spinning on it, and
the input thread is woken by a pipe when it should end.
"""

from __future__ import annotations

import contextlib
import os
import select
import selectors
import signal
import sys
import termios
import threading
from codecs import getincrementaldecoder
from collections import deque
from collections.abc import Callable, Iterable

from textual import messages
from textual.app import App
from textual.drivers._writer_thread import WriterThread
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message

from tuiha.tui.terminal.sequences import Keys

LAST_WORDS = 0.2  # seconds that the last bytes may take at the end
_POLL = 0.1  # seconds between the parser's looks at an escape that stands alone


class PatientWriter(WriterThread):
    """Writes on a thread of its own from a queue without a limit, and says when it has caught up.

    It writes to the descriptor itself: a lock of a buffered file that a stalled write holds would
    keep the interpreter from ending.
    """

    def __init__(self, fileno: int, drained: Callable[[], None]) -> None:
        super().__init__(sys.__stderr__)  # type: ignore[arg-type]
        self._descriptor = fileno
        self._drained = drained
        self._pending: deque[bytes] = deque()
        self._change = threading.Condition()
        self._busy = False
        self._ending = False
        self.broken = False

    @property
    def behind(self) -> bool:
        """Whether something is still waiting to be written."""
        with self._change:
            return self._busy or bool(self._pending)

    def write(self, text: str) -> None:
        """Queue a text. Never waits; after the terminal has vanished nothing is kept."""
        if self.broken or not text:
            return
        with self._change:
            self._pending.append(text.encode("utf-8", "replace"))
            self._change.notify()

    def run(self) -> None:
        """Write what is queued until told to end."""
        while True:
            with self._change:
                self._busy = False
                idle = not self._pending
                if idle and self._ending:
                    return
            if idle:
                self._drained()
            with self._change:
                while not self._pending and not self._ending:
                    self._change.wait()
                data = b"".join(self._pending)
                self._pending.clear()
                self._busy = bool(data)
            if not self._write_all(data):
                return

    def _write_all(self, data: bytes) -> bool:
        while data:
            try:
                data = data[os.write(self._descriptor, data) :]
            except BlockingIOError:
                select.select([], [self._descriptor], [], _POLL)
            except OSError:  # the terminal is gone: there is nobody to write for
                with self._change:
                    self.broken = True
                    self._busy = False
                    self._pending.clear()
                return False
        return True

    def stop(self) -> None:
        """Let what is queued out, but wait no longer than a moment for a terminal that does not read."""
        with self._change:
            self._ending = True
            self._change.notify()
        self.join(LAST_WORDS)


class TerminalDriver(LinuxDriver):
    """Textual's driver with the patient writer and a quick end."""

    def __init__(
        self, app: App[object], *, debug: bool = False, mouse: bool = False,
        size: tuple[int, int] | None = None,
    ) -> None:
        self._writer: PatientWriter | None = None
        super().__init__(app, debug=debug, mouse=False, size=size)
        self._wake_read, self._wake_write = os.pipe()
        self.on_drained: Callable[[], None] | None = None

    @property
    def behind(self) -> bool:
        """Whether the terminal has not taken everything yet."""
        return self._writer is not None and self._writer.behind

    @property
    def _writer_thread(self) -> PatientWriter | None:
        """The writer. Whichever Textual makes when it starts, the patient one takes its place."""
        return self._writer

    @_writer_thread.setter
    def _writer_thread(self, made: WriterThread | None) -> None:
        terminal = sys.__stderr__.fileno() if sys.__stderr__ is not None else 2
        self._writer = None if made is None else PatientWriter(terminal, self._tell_drained)

    def _tell_drained(self) -> None:
        if self.on_drained is not None:
            self.on_drained()

    def disable_input(self) -> None:
        """End the input thread at once."""
        if self.exit_event.is_set():
            return
        signal.signal(signal.SIGWINCH, signal.SIG_DFL)
        self.exit_event.set()
        os.write(self._wake_write, b"x")
        if self._key_thread is not None:
            self._key_thread.join()
            self._key_thread = None
        os.read(self._wake_read, 1)
        self.exit_event.clear()
        with contextlib.suppress(termios.error):
            termios.tcflush(self.fileno, termios.TCIFLUSH)

    def stop_application_mode(self) -> None:
        """Give the terminal back, colours included."""
        if self._writer_thread is not None:
            self.write("\x1b[0m")
        super().stop_application_mode()

    def _run_input_thread(self) -> None:
        try:
            self.run_input_thread()
        except Exception as error:  # noqa: BLE001 - told by the application, which ends with it
            self._loop.call_soon_threadsafe(self._app._handle_exception, error)

    def run_input_thread(self) -> None:
        """Read keys until told to end or until the terminal is gone."""
        parser = Keys()
        decode = getincrementaldecoder("utf-8")("replace").decode
        with selectors.DefaultSelector() as selector:
            try:
                selector.register(self.fileno, selectors.EVENT_READ)
            except PermissionError:  # a file or /dev/null: no key will come from it
                return
            selector.register(self._wake_read, selectors.EVENT_READ)
            while not self.exit_event.is_set():
                waiting = parser.waiting  # for what may follow an escape
                ready = {key.fd for key, _ in selector.select(_POLL if waiting else None)}
                if self._wake_read in ready:
                    return
                if self.fileno in ready:
                    data = self._read()
                    if not data:
                        self.send_message(messages.ExitApp())
                        return
                    self._process(parser.feed(decode(data)))
                self._process(parser.tick())

    def _process(self, found: Iterable[Message]) -> None:
        for message in found:
            self.process_message(message)

    def _read(self) -> bytes:
        try:
            return os.read(self.fileno, 4096)
        except OSError:
            return b""
