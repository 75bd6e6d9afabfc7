"""Every text for people in a room of tuiha, read from the source: constants, templates and f-strings."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOMS = Path(__file__).parents[2] / "tuiha"
_CODE = ("default-src ", "Coroutine[")  # how texts begin that nobody reads
_FIGURE = re.compile(r"\{[^{}]*\}")


class Text(NamedTuple):
    """A text with its place; figures are `x`."""

    place: str
    text: str


def texts(*rooms: str) -> Iterator[Text]:
    """All texts of two words or more."""
    for path in sorted(path for room in rooms for path in (ROOMS / room).rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in _strings(tree):
            text = _FIGURE.sub("x", _said(node))
            if " " in text.strip() and not text.startswith(_CODE):
                yield Text(f"{path.relative_to(ROOMS)}:{node.lineno}", text.strip())


def _strings(tree: ast.AST) -> Iterator[ast.Constant | ast.JoinedStr]:
    """The strings that are not documentation, each once."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue  # a docstring
        if isinstance(node, ast.JoinedStr):
            yield node
            for part in node.values:
                if isinstance(part, ast.FormattedValue):
                    yield from _strings(part.value)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node
        else:
            yield from _strings(node)


def _said(node: ast.Constant | ast.JoinedStr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    return "".join(str(part.value) if isinstance(part, ast.Constant) else "x" for part in node.values)
