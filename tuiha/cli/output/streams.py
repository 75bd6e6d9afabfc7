"""stdout is data, stderr is narration."""

from __future__ import annotations

import os
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tuiha.cli.exits import OutputLost

# What a terminal would obey: control characters, and those that turn the direction of writing round.
_OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")

_NO_SCREEN = ("", "dumb", "unknown")  # kinds of terminal, by $TERM, that can only write line after line


def has_screen() -> bool:
    """Whether the kind of terminal can be painted on."""
    return os.environ.get("TERM", "") not in _NO_SCREEN


def harmless(text: str) -> str:
    """Text that may hold something from elsewhere (a name, an answer), so that a terminal only shows it."""
    return _OBEYED.sub(" ", text)


def put(text: str) -> None:
    """Write a line of data to stdout, at once."""
    write(harmless(text) + "\n")
    flush()


def write(text: str) -> None:
    """Write to stdout. Raises OutputLost where that cannot take it, BrokenPipeError where nobody reads."""
    with _to_stdout():
        sys.stdout.write(text)


def flush() -> None:
    """Send what was written to stdout. Raises what `write` raises."""
    with _to_stdout():
        sys.stdout.flush()


@contextmanager
def _to_stdout() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputLost(error.strerror or str(error)) from None


def say(text: str) -> None:
    """Write a line of narration to stderr, at once."""
    try:
        sys.stderr.write(harmless(text) + "\n")
        sys.stderr.flush()
    except BrokenPipeError:
        raise
    except OSError:  # nobody can be told; what is done counts, and its exit code
        return


@contextmanager
def progress(text: str, after: float = 1.0) -> Iterator[None]:
    """Say what is being waited for, once, when the block takes longer than `after` seconds."""
    timer = threading.Timer(after, say, (f"{text} ...",))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
