"""The order of the tests, and what is made once for all of them in a process: PostgreSQL's programs, and a database.

Files that wait long for real programs come first, so that none ends the run alone.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

LONG = frozenset({"lab", "operate", "proof", "remedies", "tui"})  # folders of tests


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first; within the two groups the order stays."""
    items.sort(key=lambda item: not (item.get_closest_marker("pool") or LONG & {*item.nodeid.split('/')}))


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    """A folder that the user `nobody` can reach."""
    path = Path(tempfile.mkdtemp(prefix="tuiha-test-", dir="/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def binaries(folder: Path) -> Path:
    """The folder of PostgreSQL's programs, which `nobody` can run."""
    from tests.drivers.daemons import programs

    return programs(folder)


@pytest.fixture(scope="session")
def template(folder: Path, binaries: Path) -> Path:
    """A database of a pool, made and stopped: pairs are copies of it."""
    from tests.drivers.conftest import template_of

    return template_of(folder / "template", binaries)
