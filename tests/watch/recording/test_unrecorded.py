"""A dashboard only looks: where nothing can be written it starts all the same, and says that it records nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.tui.samples import AT, SampleFeed, healthy
from tests.tui.test_app import lines, seen
from tuiha.cli.screens.first import FirstPicture
from tuiha.config import places
from tuiha.config.errors import ConfigError
from tuiha.tui.app import Dashboard
from tuiha.tui.theme import load_theme


@pytest.fixture
def read_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder that cannot be made: what stands in its place is a file, which also stops root."""
    (tmp_path / "state").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path


def test_the_first_picture_does_without_a_state_folder(read_only: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be used"):
        places.state_folder()
    picture = FirstPicture(read_only / "tuiha.yaml")
    picture.paint(AT)
    picture.keep(["a"], AT)
    assert not picture.painted


def test_a_folder_that_is_private_already_is_not_touched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a file system that is read-only even setting the mode that it has would fail."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    folder = places.state_folder()
    monkeypatch.setattr(Path, "chmod", lambda *_: (_ for _ in ()).throw(OSError(30, os.strerror(30))))
    assert places.state_folder() == folder


async def test_line_one_and_the_footer_say_that_nothing_is_recorded() -> None:
    trouble: list[str | None] = ["/var/lib/tuiha: No space left on device"]
    feed = SampleFeed(healthy())
    app = Dashboard(feed, "corp-east", load_theme("dark"), now=lambda: AT + 0.2, lost=lambda: trouble[0])
    async with app.run_test(size=(120, 30)) as pilot:
        app._woken()
        await seen(pilot, lambda: "NOT RECORDED" in lines(pilot)[0])
        assert "nothing is recorded: /var/lib/tuiha: No space left on device" in lines(pilot)[-1]
        trouble[0] = None
        app._woken()
        await seen(pilot, lambda: "NOT RECORDED" not in lines(pilot)[0])
        assert "recorded again" in lines(pilot)[-1]
