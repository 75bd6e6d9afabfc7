"""The floors hold, and what only looks, or only computes, loads no more than it needs."""

from __future__ import annotations

import ast
import graphlib
import importlib.util
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[2]

COMMANDS = "tuiha.cli.commands."


def imported_by(module: str) -> set[str]:
    """The modules in memory after importing one, in a new interpreter."""
    code = f"import sys, {module}; print('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_the_floors_hold() -> None:
    done = subprocess.run([sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()",
                           "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


def test_no_circle_of_imports_not_even_for_types() -> None:
    graph = grimp.build_graph("tuiha", cache_dir=None)  # with what is imported for types alone
    imports = {name: graph.find_modules_directly_imported_by(name) for name in graph.modules}
    graphlib.TopologicalSorter(imports).prepare()  # raises CycleError with the modules of a circle


@pytest.mark.parametrize("module", ["tuiha.model", "tuiha.config", "tuiha.config.load", "tuiha.config.settings",
                                    "tuiha.config.secrets", "tuiha.config.find", "tuiha.config.places"])
def test_low_floors_load_no_network_and_no_screen(module: str) -> None:
    assert not imported_by(module) & {"aiohttp", "asyncpg", "textual"}


@pytest.mark.parametrize("module", ["tuiha.config.load", "tuiha.config.find", "tuiha.config.places", "tuiha.cli.main"])
def test_starting_is_light(module: str) -> None:
    """What every command imports brings neither the validator nor the YAML parser."""
    assert not imported_by(module) & {"pydantic", "yaml", "aiohttp", "asyncpg", "textual"}


@pytest.mark.parametrize("module", ["tuiha.watch.watcher", "tuiha.watch.once", COMMANDS + "look.status",
                                    COMMANDS + "look.events", COMMANDS + "operate.users"])
def test_what_looks_never_acts(module: str) -> None:
    assert importlib.util.find_spec(module) is not None
    found = imported_by(module)
    assert not {name for name in found if name.startswith(("tuiha.operate", "tuiha.lab", "tuiha.tui", "textual"))}


def test_every_session_with_a_database_begins_with_a_proof() -> None:
    """asyncpg by itself hands a clear-text password to whatever listens there."""
    package = Path(__file__).parents[2] / "tuiha"
    callers = {str(path.relative_to(package)) for path in package.rglob("*.py")
               for word in ("asyncpg.connect(", "asyncpg.create_pool(") if word in path.read_text(encoding="utf-8")}
    assert callers == {"drivers/databases/scram.py"}


SQL = re.compile(r"\b(SELECT\s+[\w*('$]|INSERT INTO|UPDATE \w+ SET|DELETE FROM|ALTER SYSTEM|"
                 r"CREATE (TABLE|ROLE|FUNCTION|OR))")
# Statements for operators to type; SQLite; what the laboratory sets up.
ELSEWHERE = ("words/", "model/", "watch/recording/", "lab/parts/enterprise.py", "lab/drill/faults/mail.py")


def texts(path: Path) -> Iterator[str]:
    """The texts in a module that are no docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = {id(node.body[0].value) for node in ast.walk(tree)
                  if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value


def test_statements_have_two_homes() -> None:
    """Those on the pool's tables stand in pooldb, those on PostgreSQL itself in the drivers of databases."""
    found = {path.relative_to(ROOT / "tuiha").as_posix() for path in (ROOT / "tuiha").rglob("*.py")
             if any(SQL.search(text) for text in texts(path))}
    assert len(found) > 20, "the pattern finds statements"
    homes = ("pooldb/", "drivers/databases/")
    assert {path for path in found if not path.startswith((*homes, *ELSEWHERE))} == set()
