"""From other threads back to the loop that draws."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from collections.abc import Callable
from typing import ParamSpec

P = ParamSpec("P")


def on_this_loop(call: Callable[P, object]) -> Callable[P, None]:
    """The call, made on the loop that runs now, whatever thread asks for it; nothing once that loop has ended.

    It is made in the context of now: Textual keeps its application there, and a widget that has been taken off the
    screen finds it nowhere else.
    """
    loop, context = asyncio.get_running_loop(), contextvars.copy_context()

    def ask(*args: P.args, **named: P.kwargs) -> None:
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(lambda: call(*args, **named), context=context)

    return ask
