"""Letters and figures that are read from across a room: five dots high, drawn in blocks."""

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
HIGH = 5  # rows when a dot is two cells
LOW = 3  # rows when two dots share a cell
_HALVES = {(False, False): " ", (True, False): "▀", (False, True): "▄", (True, True): "█"}


def _dots(text: str) -> list[str]:
    """The text as five rows of dots, a gap between letters."""
    letters = [_ROWS.get(letter) or _ROWS.get(letter.upper()) or _ROWS[" "] for letter in text]
    widths = [max(map(len, letter)) for letter in letters]
    return [" ".join(letter[row].ljust(width) for letter, width in zip(letters, widths, strict=True))
            for row in range(5)]


def width_of_large(text: str, high: bool) -> int:
    """Cells that the text takes."""
    return len(_dots(text)[0]) * (2 if high else 1)


def large(text: str, high: bool) -> list[str]:
    """The text in five rows (a dot is two cells) or, not high, in three (a dot is half a cell)."""
    rows = _dots(text)
    if high:
        return ["".join("██" if dot == "#" else "  " for dot in row) for row in rows]
    rows = [*rows, " " * len(rows[0])]
    return ["".join(_HALVES[upper == "#", lower == "#"] for upper, lower in zip(rows[top], rows[top + 1], strict=True))
            for top in (0, 2, 4)]
