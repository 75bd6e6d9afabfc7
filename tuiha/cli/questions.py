"""Questions in a terminal, in plain lines: each has a default, and a wrong answer is asked again."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TypeVar

from tuiha.cli import exits
from tuiha.cli.output.streams import say

T = TypeVar("T")

NONE = "none"  # the answer that leaves out what has a default
_TRIES = 5


def can_ask() -> bool:
    """Whether somebody sits in front of this."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def ask(question: str, default: str, read: Callable[[str], T]) -> T | None:
    """What `read` makes of the answer; None for one that leaves it out. Raises CommandError when nobody answers."""
    for _ in range(_TRIES):
        try:
            answer = _line(f"{question} [{default or 'skip'}]: ") or default
            return None if not answer or answer == NONE else read(answer)
        except UnicodeDecodeError:
            say("  this is not UTF-8: check the terminal's character set, or use ASCII")
        except ValueError as error:
            say(f"  {error}")
    raise exits.CommandError(f"{_TRIES} answers could not be used. Nothing was written.", exits.USAGE)


def ask_secret(question: str) -> str | None:
    """A secret, which is not shown; None when it is left out."""
    import getpass

    try:
        return getpass.getpass(f"{question} [skip]: ") or None
    except EOFError:
        raise _nobody() from None


def _line(prompt: str) -> str:
    sys.stderr.write(prompt)
    sys.stderr.flush()
    line = sys.stdin.readline()
    if not line:
        sys.stderr.write("\n")
        raise _nobody()
    return line.strip()


def _nobody() -> exits.CommandError:
    return exits.CommandError("the answers ended. Nothing was written.", exits.USAGE)
