"""stdout is data, stderr is narration."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager


def put(text: str) -> None:
    """Write a line of data to stdout, at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def say(text: str) -> None:
    """Write a line of narration to stderr, at once."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


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
