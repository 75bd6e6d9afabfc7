"""Exit codes, and the one error by which a command ends with one of them and a message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tuiha.model.operations.statements import Statement

OK: Final = 0
DEGRADED: Final = 1  # `status`: served, but not whole
FAILED: Final = 1  # anything that changes: failed, and nothing changed
USAGE: Final = 2  # usage or configuration
UNREACHABLE: Final = 3
REFUSED: Final = 4  # a check, a confirmation, a role, another operation
UNKNOWN: Final = 5  # still running, or the outcome could not be read back
INTERRUPTED: Final = 130  # ctrl+c
PIPE_CLOSED: Final = 141  # whoever read stdout went away


class CommandError(Exception):
    """A command cannot go on. The text is for people: what happened, to what, and what to do."""

    def __init__(self, message: str, code: int = FAILED, said: Statement | None = None) -> None:
        """`said` is the reason of a refusal, for programs."""
        super().__init__(message)
        self.code = code
        self.said = said


class OutputLost(CommandError):
    """What was to be printed could not be written: a full disk, for instance. What the command did is done."""

    def __init__(self, why: str) -> None:
        super().__init__(f"the output could not be written to where stdout leads: {why}. What was asked may be done "
                         "all the same: look again", FAILED)
