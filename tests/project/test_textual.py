"""Which private names of Textual this program rests on. Its minor versions are pinned; before another one is allowed,
each of these has to be looked at.
"""

from __future__ import annotations

import ast
import importlib
import tomllib
from collections.abc import Iterator
from pathlib import Path

import rich.console
import rich.style
from textual.app import App
from textual.driver import Driver
from textual.drivers._writer_thread import WriterThread
from textual.drivers.linux_driver import LinuxDriver
from textual.screen import Screen
from textual.widget import Widget

ROOT = Path(__file__).parents[2]
IMPORTED = {
    "textual._ansi_sequences": {"ANSI_SEQUENCES_KEYS"},
    "textual._compositor": {"ChopsUpdate", "LayoutUpdate"},
    "textual._keyboard_protocol": {"FUNCTIONAL_KEYS"},
    "textual._xterm_parser": {"XTermParser"},
    "textual.drivers._writer_thread": {"WriterThread"},
    "textual.keys": {"_character_to_key"},
}
"""Private modules, and private names of public ones."""
USED = {
    "_app", "_batch_count", "_close_messages_no_wait", "_color_system", "_display", "_driver", "_exception", "_exit",
    "_exit_renderables", "_fatal_error", "_filters", "_handle_exception", "_installed_screens", "_key_thread", "_loop",
    "_make_ansi_codes", "_print_error_renderables", "_run_input_thread", "_running", "_sequence_to_key_events",
    "_sync_available", "_writer_thread",
}
"""Private attributes of its objects, and of Rich's, that are read, called or replaced."""


def trees() -> Iterator[ast.Module]:
    for path in sorted((ROOT / "tuiha" / "tui").rglob("*.py")):
        yield ast.parse(path.read_text(encoding="utf-8"), str(path))


def imported() -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "textual":
                hidden = any(part.startswith("_") for part in (node.module or "").split("."))
                names = {one.name for one in node.names if hidden or one.name.startswith("_")}
                if names:
                    found.setdefault(node.module or "", set()).update(names)
    return found


def foreign() -> set[str]:
    """Private attributes that the program itself does not define, or that it defines over Textual's own."""
    used: set[str] = set()
    own: set[str] = set()
    for tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and _private(node.attr):
                (own if isinstance(node.ctx, ast.Store) else used).add(node.attr)
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _private(node.name):
                own.add(node.name)
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and _private(node.target.id):
                own.add(node.target.id)
    return (used - own) | ((used | own) & theirs() & USED)


def _private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def theirs() -> set[str]:
    kinds = (App, Driver, LinuxDriver, WriterThread, Screen, Widget, rich.console.Console, rich.style.Style)
    return {name for kind in kinds for name in dir(kind)} | USED


def test_what_is_used_of_textual_is_written_down() -> None:
    assert imported() == IMPORTED
    assert foreign() == USED


def test_all_of_it_is_there() -> None:
    for module, names in IMPORTED.items():
        for name in names:
            assert hasattr(importlib.import_module(module), name), (module, name)


def test_its_minor_version_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert "textual~=8.2" in project["dependencies"]
