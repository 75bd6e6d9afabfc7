"""Everything that is drawn, for terminals that have less: in ASCII, or with the glyphs of Linux's own console."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from rich.cells import cell_len

_GLYPHS = {
    "●": "*", "✗": "x", "▲": "!", "○": "o", "▸": ">", "▏": "_", "▶": ">", "◀": "<", "▾": "v", "▴": "^", "▼": "v",
    "…": ".", "·": ".", "╌": "-", "╳": "X", "→": ">", "←": "<", "↑": "^", "↓": "v", "×": "x", "±": "+", "—": "-",
    "–": "-", "━": "=", "╸": "-", "╺": "-", "─": "-", "▮": "#", "▯": ".", "█": "#", "│": "|", "┃": "|", "║": "|",
    "═": "=", "✓": "+", "≥": ">", "≤": "<",
}
_SPARKS = dict(zip("▁▂▃▄▅▆▇", "_.,-~+=", strict=True))
# The console of Linux has the 256 glyphs of the first PC, in nearly every font that is loaded into it.
_CONSOLE = frozenset(bytes(range(128, 255)).decode("cp437"))
_ON_CONSOLE = {
    "●": "■", "○": "·", "▮": "█", "▯": "░", "╌": "─", "━": "═", "┃": "║", "╸": "─", "╺": "─", "▁": "_", "▂": "_",
    "▃": "▄", "▅": "▄", "▆": "█", "▇": "█", "▏": "│", "✓": "√",
}


@lru_cache(maxsize=4096)
def on_console(text: str) -> str:
    """The text in as many cells, each a character that the console of Linux can show."""
    return text if text.isascii() else "".join(map(_glyph, text))


def _glyph(character: str) -> str:
    if character in _CONSOLE or character.isascii():
        return character
    return _ON_CONSOLE.get(character) or _shown(character)


@lru_cache(maxsize=4096)
def in_ascii(text: str) -> str:
    """The text in as many cells, each an ASCII character."""
    return text if text.isascii() else "".join(map(_shown, text))


def _shown(character: str) -> str:
    if character.isascii():
        return character
    known = _GLYPHS.get(character) or _SPARKS.get(character)
    if known is not None:
        return known
    code = ord(character)
    if 0x2800 <= code <= 0x28FF:  # braille: by how many dots there are
        return " .:|#"[(int.bit_count(code - 0x2800) + 1) // 2]
    if 0x2500 <= code <= 0x257F:
        return _box(character)
    return _letter(character)


def _box(character: str) -> str:
    """A box character by the arms that its name tells."""
    name = unicodedata.name(character)
    if "VERTICAL" in name and "AND" not in name:
        return "|"
    if "HORIZONTAL" in name and "AND" not in name:
        return "=" if "HEAVY" in name else "-"
    return "+"


def _letter(character: str) -> str:
    """A letter of somebody's name: without its accents, or a question mark for each of its cells."""
    plain = unicodedata.normalize("NFKD", character)[:1]
    size = cell_len(character)
    return plain if size == 1 and plain.isascii() and plain.isprintable() else "?" * size
