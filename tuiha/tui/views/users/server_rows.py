"""The users of one server, as its detail lists them."""

from __future__ import annotations

from collections.abc import Sequence

from tuiha.tui.draw.columns import Sheet, Sight, cells_of, placed, row_line, title_line
from tuiha.tui.draw.lists import rule
from tuiha.tui.draw.spans import Line, fit
from tuiha.tui.draw.trends import Trends
from tuiha.tui.draw.view import no_history
from tuiha.tui.views.users.rows import SHEET, UserItem

SHEET_OF_ONE = Sheet(
    tuple(column for column in SHEET.columns if column.key != "server"),
    tuple(key for key in SHEET.weight if key != "server"),
)


def server_user_lines(
    users: Sequence[UserItem], told: str, trouble: str, now: float, width: int
) -> tuple[Line, ...]:
    """The list with its titles; `told` says how many there are, `trouble` why they cannot be read now."""
    title = rule(width, f"users: {told}")
    if trouble:
        title = rule(width, "users")
        return (title, Line(fit(((f" {trouble}", "warning"),), width)))
    if not users:
        return (title,)
    sight = Sight(now, Trends(no_history))
    columns = placed(users, sight, width, SHEET_OF_ONE)
    rows = (row_line(cells_of(user, columns, sight), columns, width, False, "ground") for user in users)
    return (title, title_line(columns, width, ""), *rows)
