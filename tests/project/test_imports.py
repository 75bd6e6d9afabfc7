"""A command imports what it needs, and no more: each is run in an interpreter of its own, and its modules are read."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

NETWORK = ("aiohttp", "asyncpg", "asyncio", "ssl")
SETTINGS = ("pydantic", "yaml", "tuiha.config.settings")
SCREENS = ("textual", "rich", "tuiha.tui")
OTHERS = ("cryptography", "platformdirs", "prometheus_client", "psutil", "shtab")
ROOMS = ("tuiha.drivers", "tuiha.lab", "tuiha.operate", "tuiha.pooldb", "tuiha.server", "tuiha.watch")

# What is asked of `tuiha`, and what that has no need of.
LIGHT: dict[str, tuple[str, ...]] = {
    "--version": (*NETWORK, *SETTINGS, *SCREENS, *OTHERS, *ROOMS, "dataclasses", "json", "tuiha.model", "tuiha.words"),
    "--help": (*NETWORK, *SETTINGS, *SCREENS, *OTHERS, *ROOMS, "dataclasses", "json", "tuiha.model", "tuiha.words"),
    "explain DEGRADED": (*NETWORK, *SETTINGS, *SCREENS, *OTHERS, *ROOMS),
    "status --help": (*NETWORK, *SETTINGS, *SCREENS, *OTHERS, *ROOMS, "dataclasses"),
    "plan --help": (*NETWORK, *SETTINGS, *SCREENS, *OTHERS, *ROOMS),
    "undo --help": (*NETWORK, *SETTINGS, *SCREENS, *OTHERS, *ROOMS),
}
# These ask the nodes of a pool, none of which is there.
ASKING: dict[str, tuple[str, ...]] = {
    "status": ("aiohttp", *SCREENS, *OTHERS, "tuiha.lab", "tuiha.operate", "tuiha.server", "tuiha.model.check",
               "tuiha.words.findings", "tuiha.words.explain", "tuiha.words.glossary"),
    "status --json": ("aiohttp", *SCREENS, *OTHERS, "tuiha.lab", "tuiha.operate", "tuiha.server", "tuiha.model.check",
                      "tuiha.words.findings"),
    "plan drain s1": ("aiohttp", *SCREENS, "cryptography", "prometheus_client", "psutil", "shtab", "tuiha.lab",
                      "tuiha.server", "tuiha.model.check", "tuiha.words.findings"),
}
_PROGRAM = """
import sys
from tuiha.cli.main import main
try:
    code = main(sys.argv[1:])
except SystemExit as end:
    code = end.code
print("imported:", *sys.modules, file=sys.stderr)
raise SystemExit(code)
"""
# Nothing listens at these ports of loopback.
_POOL = """\
pool: nowhere
servers: [{name: s1, address: "http://127.0.0.1:1"}, {name: s2, address: "http://127.0.0.1:2"}]
database:
  nodes: [{name: db1, address: "127.0.0.1:3"}, {name: db2, address: "127.0.0.1:4"}]
  roles:
    pool: {user: tuiha_pool, password: {env: SECRET}}
    watcher: {user: tuiha_watch, password: {env: SECRET}}
    coordinator: {user: tuiha_coordinator, password: {env: SECRET}}
sprayers: [{name: spray1, address: "127.0.0.1:5", socket: "tcp:127.0.0.1:6", map: /users, held: /held}]
mail:
  - cluster: main
    servers: [{name: mail1, address: "127.0.0.1:8", security: plain}]
    monitor: {user: monitor, password: {env: SECRET}}
    probe: {user: probe, password: {env: SECRET}}
control: {viewer: {env: SECRET}, operator: {env: SECRET}}
ledger: {path: ledger.json}
"""


def imported(words: Iterable[str]) -> tuple[int, frozenset[str]]:
    """The exit code of `tuiha WORDS`, and the modules in memory when it ends."""
    done = subprocess.run([sys.executable, "-c", _PROGRAM, *words], env={**os.environ, "SECRET": "none"},
                          capture_output=True, text=True, check=False, timeout=60)
    said, _, modules = done.stderr.rpartition("imported:")
    assert modules, said
    return done.returncode, frozenset(modules.split())


def among(modules: Iterable[str], unneeded: Iterable[str]) -> set[str]:
    """Those of the packages and modules that were imported all the same."""
    return {name for name in unneeded if any(one == name or one.startswith(f"{name}.") for one in modules)}


@pytest.mark.parametrize("words", LIGHT)
def test_what_asks_nobody_imports_no_client(words: str) -> None:
    code, modules = imported(words.split())
    assert code == 0
    assert among(modules, LIGHT[words]) == set()


@pytest.mark.parametrize("words", ASKING)
def test_what_asks_a_pool_imports_its_own_clients(words: str, tmp_path: Path) -> None:
    (tmp_path / "tuiha.yaml").write_text(_POOL, encoding="utf-8")
    code, modules = imported([*words.split(), "--config", str(tmp_path / "tuiha.yaml")])
    assert code in (3, 4), "nothing of the pool is there"
    assert among(modules, ASKING[words]) == set()
    assert among(modules, ("asyncio", "asyncpg", "pydantic")) == {"asyncio", "asyncpg", "pydantic"}, "it did ask"
