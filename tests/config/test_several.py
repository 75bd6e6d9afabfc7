"""Which configurations are meant where several pools are watched."""

from __future__ import annotations

from pathlib import Path

import pytest

from tuiha.config import places
from tuiha.config.errors import ConfigError
from tuiha.config.find import find, find_all


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's configuration folder; nothing else names a configuration."""
    monkeypatch.delenv("TUIHA_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "configuration"
    (folder / "pools").mkdir(parents=True)
    monkeypatch.setattr(places, "config_folder", lambda: folder)
    monkeypatch.setattr(places, "running_pool", lambda: None)
    return folder


def test_those_that_are_named_and_no_other(home: Path) -> None:
    (home / "tuiha.yaml").touch()
    assert find_all([Path("b.yaml"), Path("a.yaml"), Path("b.yaml")]) == (Path("b.yaml"), Path("a.yaml"))


def test_the_usual_one_and_the_further_ones(home: Path) -> None:
    with pytest.raises(ConfigError):
        find_all([])
    (home / "pools" / "west.yaml").touch()
    assert find_all([]) == (home / "pools" / "west.yaml",)
    assert find(None) == home / "pools" / "west.yaml"
    (home / "pools" / "east.yaml").touch()
    (home / "pools" / "notes.txt").touch()
    (home / "tuiha.yaml").touch()
    assert find_all([]) == (home / "tuiha.yaml", home / "pools" / "east.yaml", home / "pools" / "west.yaml")
    assert find(None) == home / "tuiha.yaml"


def test_which_of_several_is_asked_where_one_is_needed(home: Path) -> None:
    for name in ("east", "west"):
        (home / "pools" / f"{name}.yaml").touch()
    with pytest.raises(ConfigError, match="2 pools: east, west"):
        find(None)


def test_a_name_from_nearer_goes_first(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "tuiha.yaml").touch()
    Path("tuiha.yaml").touch()
    assert find_all([]) == (Path("tuiha.yaml"),)
    monkeypatch.setenv("TUIHA_CONFIG", "other.yaml")
    assert find_all([]) == (Path("other.yaml"),)
