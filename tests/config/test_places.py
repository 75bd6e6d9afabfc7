from __future__ import annotations

from pathlib import Path

import pytest

from tuiha.config import places
from tuiha.config.find import find
from tuiha.config.load import ConfigError


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user of our own: nothing here touches the real one."""
    runtime = tmp_path / "runtime"
    runtime.mkdir(mode=0o700)
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("TUIHA_CONFIG", raising=False)
    return tmp_path


def start_pool(home: Path) -> Path:
    run = home / "run"
    run.mkdir()
    (run / "pool.yaml").touch()
    places.embedded_pool().write_text(f"{run}\n")
    return run


def test_the_order_of_finding(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"there is no configuration.*--config FILE"):
        find(None)
    run = start_pool(home)
    assert find(None) == run / "pool.yaml"
    users = home / "config" / "tuiha" / "tuiha.yaml"
    users.parent.mkdir(parents=True)
    users.touch()
    assert find(None) == users
    Path("tuiha.yaml").touch()
    assert find(None) == Path("tuiha.yaml")
    monkeypatch.setenv("TUIHA_CONFIG", "/named/by/variable.yaml")
    assert find(None) == Path("/named/by/variable.yaml")
    assert find(Path("x.yaml")) == Path("x.yaml")


def test_a_pointer_that_was_left_over_names_no_pool(home: Path) -> None:
    run = start_pool(home)
    (run / "pool.yaml").unlink()
    assert places.running_pool() is None
    places.embedded_pool().write_text("relative\n")
    assert places.running_pool() is None
    places.embedded_pool().write_bytes(b"\xff")
    assert places.running_pool() is None


def test_folders_are_ours_alone(home: Path) -> None:
    for folder in (places.state_folder(), places.embedded_pool().parent):
        assert folder.is_dir()
        assert folder.stat().st_mode & 0o777 == 0o700
    assert places.state_folder() == home / "state" / "tuiha"
    assert places.config_folder() == home / "config" / "tuiha"


def test_a_runtime_folder_that_others_can_enter_is_not_used(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "runtime").chmod(0o755)
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(home / "work"))
    folder = places.runtime_folder()
    assert home / "runtime" not in folder.parents


def test_a_folder_taken_by_somebody_else_is_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuiha.config.places._is_private", lambda folder: False)
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(home / "work"))
    with pytest.raises(ConfigError, match="belongs to somebody else"):
        places.embedded_pool()


def test_a_link_in_place_of_the_folder_is_refused(home: Path) -> None:
    (home / "elsewhere").mkdir(mode=0o700)
    (home / "runtime" / "tuiha").symlink_to(home / "elsewhere")
    with pytest.raises(ConfigError, match="or is a link"):
        places.embedded_pool()


def test_shipped_data() -> None:
    assert places.data_file("config/pool.example.yaml").is_file()
    with pytest.raises(FileNotFoundError, match=r"themes/absent\.yaml"):
        places.data_file("themes/absent.yaml")
