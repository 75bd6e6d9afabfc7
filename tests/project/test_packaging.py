"""What is installed is whole: themes, configuration and SQL are in the wheel, and are found from there."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from importlib.metadata import distributions
from pathlib import Path

import pytest

from tuiha.config.plugins import OURS, DriverKind

ROOT = Path(__file__).parents[2]

# Runs with the unpacked wheel as its only tuiha, from an empty folder.
LOOK = """
import contextlib, io
import tuiha
from pathlib import Path
from tuiha.cli.main import main
from tuiha.config.load import load
from tuiha.config.places import data_file
from tuiha.pooldb.migrations import migrations
assert Path(tuiha.__file__).is_relative_to({folder!r}), tuiha.__file__
for name in ("themes/dark.yaml", "config/pool.example.yaml", "config/haproxy.cfg"):
    assert data_file(name).is_relative_to({folder!r}), data_file(name)
with contextlib.redirect_stdout(io.StringIO()) as out:
    assert main(["config", "example"]) == 0
assert out.getvalue() == data_file("config/pool.example.yaml").read_text(encoding="utf-8")
print(load(data_file("config/pool.example.yaml")).pool, len(migrations()))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from this checkout without looking at any index."""
    folder = tmp_path_factory.mktemp("wheel")
    done = subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)], cwd=ROOT,
                          capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    (found,) = folder.glob("*.whl")
    return found


def test_the_wheel_holds_what_is_needed_at_run_time(wheel: Path) -> None:
    held = set(zipfile.ZipFile(wheel).namelist())
    for source, target in (("themes", "tuiha/_data/themes"), ("config", "tuiha/_data/config"), ("tuiha", "tuiha")):
        for file in (ROOT / source).rglob("*"):
            if file.is_file() and "__pycache__" not in file.parts:
                assert f"{target}/{file.relative_to(ROOT / source)}" in held
    assert any(name.endswith("/LICENSE") for name in held)
    assert "tuiha/pooldb/schema/0001_pool.sql" in held
    assert "tuiha/py.typed" in held


def test_the_wheel_holds_nothing_else(wheel: Path) -> None:
    tops = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {top.split("-")[0] for top in tops} == {"tuiha"}
    assert {top for top in tops if not top.endswith((".dist-info", ".data"))} == {"tuiha"}


def test_the_wheel_installs_the_manual_page_where_man_looks(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (page,) = (name for name in archive.namelist() if ".data/" in name)
    assert page.endswith(".data/data/share/man/man1/tuiha.1")
    assert archive.read(page) == (ROOT / "docs" / "tuiha.1").read_bytes()


def test_an_installed_wheel_finds_its_files(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    code = f"import sys; sys.path.insert(0, {str(site)!r})\n" + LOOK.format(folder=str(site))
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False,
                          timeout=60)
    assert done.stdout.startswith("west "), done.stderr
    assert int(done.stdout.split()[1]) >= 1


def test_the_wheel_names_a_command_and_its_extras(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (about,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
    text = archive.read(about).decode()
    for line in ("Requires-Python: >=3.11", "License-Expression: Apache-2.0", *(
            f"Provides-Extra: {extra}" for extra in ("demo", "dev", "etcd", "patroni", "web"))):
        assert line in text.splitlines()
    commands = archive.read(about.replace("METADATA", "entry_points.txt")).decode()
    assert "tuiha = tuiha.cli.main:main" in commands


def test_the_wheel_offers_our_drivers_as_anybody_offers_theirs(wheel: Path, tmp_path: Path) -> None:
    """What is installed is what the registry has for code that runs without being installed."""
    zipfile.ZipFile(wheel).extractall(tmp_path)
    (found,) = distributions(name="tuiha", path=[str(tmp_path)])
    for kind in DriverKind:
        assert {entry.name: entry.value for entry in found.entry_points.select(group=kind)} == OURS[kind]
