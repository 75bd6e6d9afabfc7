"""What other threads tell the loop that draws."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from threading import Thread

from textual import events

from tests.tui.acting import made
from tuiha.tui.terminal.threads import on_this_loop

WHERE: ContextVar[str] = ContextVar("where", default="nowhere")


def from_a_thread(call: object) -> None:
    assert callable(call)
    thread = Thread(target=call)
    thread.start()
    thread.join()


async def test_the_call_is_made_in_the_context_that_made_it() -> None:
    found: list[str] = []
    WHERE.set("here")
    told = on_this_loop(lambda: found.append(WHERE.get()))
    for _ in range(2):
        from_a_thread(told)
    await asyncio.sleep(0)
    assert found == ["here", "here"]


async def test_as_asyncio_does_it_the_context_is_the_threads() -> None:
    """The negative control: there a widget that has left the screen does not find its application."""
    found: list[str] = []
    WHERE.set("here")
    loop = asyncio.get_running_loop()
    from_a_thread(lambda: loop.call_soon_threadsafe(lambda: found.append(WHERE.get())))
    await asyncio.sleep(0)
    assert found == ["nowhere"]


def test_a_loop_that_has_ended_is_told_nothing() -> None:
    async def told() -> object:
        return on_this_loop(lambda: None)

    from_a_thread(asyncio.run(told()))


def test_a_terminal_that_catches_up_after_the_last_screen_draws_nothing() -> None:
    app = made(None)
    app._skipped = True
    app._drained()
    assert not app.screen_stack


async def test_a_key_that_comes_back_after_the_last_screen_is_nobodys() -> None:
    app = made(None)
    await app.on_event(events.Key("j", "j"))
    assert not app.screen_stack
