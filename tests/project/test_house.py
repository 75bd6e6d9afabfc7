"""Rooms are found by their names: sizes of folders, names of files and classes, no import circles."""

from __future__ import annotations

import ast
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "tuiha"
MOST = 18  # modules in one folder
NOUNS = frozenset({"homecoming", "finding"})  # these end in -ing and are nouns


def modules(top: Path = PACKAGE) -> Iterator[Path]:
    """Every module below a folder, packages' own files too."""
    yield from sorted(top.rglob("*.py"))


def name(path: Path, root: Path = ROOT) -> str:
    """The dotted name of a module."""
    return ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")


def imports(root: Path = ROOT, package: str = "tuiha") -> dict[str, set[str]]:
    """Which module imports which, imports for types and inside of functions included."""
    trees = {name(path, root): ast.parse(path.read_text(encoding="utf-8")) for path in modules(root / package)}
    found: dict[str, set[str]] = {}
    for module, tree in trees.items():
        asked: set[str] = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module:
                for alias in node.names:
                    whole = f"{node.module}.{alias.name}"
                    asked.add(whole if whole in trees else node.module)
            elif isinstance(node, ast.Import):
                asked.update(alias.name for alias in node.names)
        found[module] = {other for other in asked if other in trees and other != module}
    return found


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Groups of modules that need each other: those that reach each other over imports."""
    def reached(start: str) -> set[str]:
        seen: set[str] = set()
        ways = [start]
        while ways:
            for other in graph[ways.pop()] - seen:
                seen.add(other)
                ways.append(other)
        return seen

    reach = {module: reached(module) for module in graph}
    groups = {frozenset({m} | {o for o in reach[m] if m in reach[o]}) for m in graph if m in reach[m]}
    return sorted(sorted(group) for group in groups)


def test_no_module_needs_one_that_needs_it() -> None:
    assert circles(imports()) == []


def test_a_circle_by_types_would_be_found(tmp_path: Path) -> None:
    package = tmp_path / "pair"
    package.mkdir()
    (package / "one.py").write_text("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from pair.two import B\n")
    (package / "two.py").write_text("from pair.one import A\n")
    (package / "three.py").write_text("from pair.one import A\n")
    assert circles(imports(tmp_path, "pair")) == [["pair.one", "pair.two"]]


def test_no_folder_holds_more_modules_than_one_can_survey() -> None:
    per = Counter(path.parent for path in modules() if path.name != "__init__.py")
    assert {str(folder.relative_to(ROOT)): count for folder, count in per.items() if count > MOST} == {}


def test_files_have_nouns_for_names() -> None:
    assert [name(path) for path in modules() if path.stem.endswith("ing") and path.stem not in NOUNS] == []


def test_a_public_class_name_stands_for_one_thing() -> None:
    homes: dict[str, set[str]] = defaultdict(set)
    for path in modules():
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes[node.name].add(name(path))
    assert {one: sorted(found) for one, found in homes.items() if len(found) > 1} == {}


@pytest.mark.parametrize("path", [p for p in modules() if p.name == "__init__.py"], ids=name)
def test_a_room_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
