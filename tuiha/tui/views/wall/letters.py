"""Letters that are read from across a room: of dots, as large as the screen allows."""

from __future__ import annotations

from collections.abc import Mapping

# Each is five rows of dots; a missing one is drawn as a gap.
_ROWS: Mapping[str, tuple[str, str, str, str, str]] = {
    "0": ("###", "# #", "# #", "# #", "###"),
    "1": (" # ", "## ", " # ", " # ", "###"),
    "2": ("###", "  #", "###", "#  ", "###"),
    "3": ("###", "  #", " ##", "  #", "###"),
    "4": ("# #", "# #", "###", "  #", "  #"),
    "5": ("###", "#  ", "###", "  #", "###"),
    "6": ("###", "#  ", "###", "# #", "###"),
    "7": ("###", "  #", " # ", " # ", " # "),
    "8": ("###", "# #", "###", "# #", "###"),
    "9": ("###", "# #", "###", "  #", "###"),
    "A": ("###", "# #", "###", "# #", "# #"),
    "D": ("## ", "# #", "# #", "# #", "## "),
    "E": ("###", "#  ", "## ", "#  ", "###"),
    "G": ("###", "#  ", "# #", "# #", "###"),
    "H": ("# #", "# #", "###", "# #", "# #"),
    "I": ("###", " # ", " # ", " # ", "###"),
    "L": ("#  ", "#  ", "#  ", "#  ", "###"),
    "N": ("#  #", "## #", "# ##", "#  #", "#  #"),
    "O": ("###", "# #", "# #", "# #", "###"),
    "P": ("###", "# #", "###", "#  ", "#  "),
    "R": ("## ", "# #", "## ", "# #", "# #"),
    "S": ("###", "#  ", "###", "  #", "###"),
    "T": ("###", " # ", " # ", " # ", " # "),
    "U": ("# #", "# #", "# #", "# #", "###"),
    "W": ("#   #", "#   #", "# # #", "## ##", "#   #"),
    "Y": ("# #", "# #", "###", " # ", " # "),
    "K": ("# #", "# #", "## ", "# #", "# #"),
    "k": ("#  ", "# #", "## ", "# #", "# #"),
    "M": ("#   #", "## ##", "# # #", "#   #", "#   #"),
    "m": ("     ", "     ", "#### ", "# # #", "# # #"),
    "s": ("   ", " ##", "#  ", " ##", "## "),
    ",": ("  ", "  ", "  ", " #", "# "),
    ".": (" ", " ", " ", " ", "#"),
    "/": ("  #", "  #", " # ", "#  ", "#  "),
    "-": ("   ", "   ", "###", "   ", "   "),
    "<": ("  #", " # ", "#  ", " # ", "  #"),
    "%": ("# #", "  #", " # ", "#  ", "# #"),
    " ": ("  ", "  ", "  ", "  ", "  "),
}
SMALL = 0  # the scale at which a dot is half a cell
LARGEST = 6
_HALVES = {(False, False): " ", (True, False): "▀", (False, True): "▄", (True, True): "█"}


def rows_of(scale: int) -> int:
    """Rows that letters take at a scale."""
    return 3 if scale == SMALL else 5 * scale


def width_of_large(text: str, scale: int) -> int:
    """Cells that the text takes at a scale."""
    return len(_dots(text)[0]) * max(1, 2 * scale)


def large(text: str, scale: int) -> list[str]:
    """The text in large letters: a dot is half a cell at the smallest scale, then two cells, four in two rows, ..."""
    rows = _dots(text)
    if scale != SMALL:
        drawn = ["".join(("█" if dot == "#" else " ") * 2 * scale for dot in row) for row in rows]
        return [row for row in drawn for _ in range(scale)]
    rows = [*rows, " " * len(rows[0])]
    return ["".join(_HALVES[upper == "#", lower == "#"] for upper, lower in zip(rows[top], rows[top + 1], strict=True))
            for top in (0, 2, 4)]


def fitting_scale(text: str, width: int, rows: int) -> int | None:
    """The largest scale at which the text fits; None when not even the smallest does."""
    fits = [scale for scale in range(LARGEST + 1)
            if width_of_large(text, scale) <= width and rows_of(scale) <= rows]
    return fits[-1] if fits else None


def _dots(text: str) -> list[str]:
    """The text as five rows of dots, a gap between letters."""
    letters = [_ROWS.get(letter) or _ROWS.get(letter.upper()) or _ROWS[" "] for letter in text]
    widths = [max(map(len, letter)) for letter in letters]
    return [" ".join(letter[row].ljust(width) for letter, width in zip(letters, widths, strict=True))
            for row in range(5)]
