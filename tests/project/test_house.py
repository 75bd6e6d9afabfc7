"""Rooms are found by their names: sizes of folders, names of files and of classes."""

from __future__ import annotations

import ast
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "tuiha"
MOST = 18  # modules in one folder
NOUNS = frozenset({"homecoming", "finding", "recording"})  # these end in -ing and are nouns


def modules() -> Iterator[Path]:
    """Every module, packages' own files too."""
    yield from sorted(PACKAGE.rglob("*.py"))


def name(path: Path) -> str:
    """The dotted name of a module."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


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
