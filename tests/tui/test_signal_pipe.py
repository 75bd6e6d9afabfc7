"""A signal reaches the loop that draws, however much threads have told it."""

from __future__ import annotations

import subprocess
import sys

SCENE = """
import asyncio, os, signal, threading
from contextlib import ExitStack
from tuiha.tui.terminal.app import on_signals

async def main():
    loop, told = asyncio.get_running_loop(), asyncio.Event()
    def much():
        for _ in range(20000):
            loop.call_soon_threadsafe(lambda: None)
    with ExitStack() as stack:
        {listen}
        thread = threading.Thread(target=much)
        thread.start()
        thread.join()  # the loop has had no turn
        os.kill(os.getpid(), signal.SIGTERM)
        try:
            async with asyncio.timeout(1):
                await told.wait()
        except TimeoutError:
            print("lost")
        else:
            print("told")
    print(getattr(signal.getsignal(signal.SIGTERM), "name", "?"))

asyncio.run(main())
"""


def outcome(listen: str) -> tuple[str, str]:
    """What a process prints that is told to end while its loop has thousands of things to do."""
    done = subprocess.run([sys.executable, "-c", SCENE.replace("{listen}", listen)], capture_output=True, text=True,
                          timeout=60, check=False)
    return done.stdout, done.stderr


def test_a_signal_is_not_lost_among_what_threads_tell() -> None:
    listen = "stack.enter_context(on_signals((signal.SIGTERM, signal.SIGHUP), told.set))"
    assert outcome(listen) == ("told\nSIG_DFL\n", "")


def test_as_asyncio_does_it_the_signal_is_lost() -> None:
    """The negative control; and Python writes a traceback onto the terminal."""
    text, errors = outcome("loop.add_signal_handler(signal.SIGTERM, told.set)")
    assert text.startswith("lost\n")
    assert "BlockingIOError" in errors
