"""record and replay as commands, on a real database pair; what is recorded holds no secret."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Configured
from tests.doubles.drivers import settings
from tests.drivers.daemons import PASSWORD
from tests.tui.samples import SampleFeed
from tests.until import wait_until
from tests.watch.recording.made import TROUBLE, at_turn, recorded
from tuiha.cli.main import main
from tuiha.cli.screens.dashboard import open_past
from tuiha.config.errors import ConfigError
from tuiha.config.pace import RecordingSettings
from tuiha.watch.child.messages import outline_of
from tuiha.watch.recording import setup, store
from tuiha.watch.recording.reader import Recording

Captured = pytest.CaptureFixture[str]
TOKEN = "viewer-token-that-nobody-may-see"


def everything(path: Path) -> str:
    """All that the recording holds, in plain text."""
    connection = store.open_for_reading(path)
    blocks = [zlib.decompress(data) for (data,) in connection.execute("SELECT data FROM block")]
    connection.close()
    whole = path.read_bytes() + b"".join(blocks)
    return whole.decode(errors="replace")


def frames(path: Path) -> int:
    """How many are recorded by now."""
    try:
        recording = Recording(path)
    except ConfigError:
        return 0
    try:
        return recording.last
    finally:
        recording.close()


def test_a_pool_is_recorded_until_it_is_told_to_end_and_no_secret_with_it(
    configured: Configured, tmp_path: Path, capsys: Captured
) -> None:
    path = tmp_path / "r.sqlite"
    environment = os.environ | {"TUIHA_TEST_PASSWORD": PASSWORD, "TUIHA_TEST_TOKEN": TOKEN}
    child = subprocess.Popen(
        [sys.executable, "-m", "tuiha", "record", str(path), "--config", str(configured.write())],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == f"{path}\n"
        wait_until(lambda: frames(path) >= 3 or child.poll() is not None)
        child.send_signal(signal.SIGTERM)
        _, told = child.communicate(timeout=30)
    finally:
        child.kill()
    assert child.returncode == 0, told
    assert "snapshots of demo recorded" in told
    content = everything(path)
    assert '"name":"db1"' in content
    assert PASSWORD not in content
    assert TOKEN not in content
    assert main(["replay", str(path), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["schema"], document["pool"]) == ("tuiha.status/2", "demo")
    assert [node["name"] for node in document["databases"]] == ["db1", "db2"]


def test_a_moment_is_gone_to(tmp_path: Path, capsys: Captured) -> None:
    path = recorded(tmp_path / "r.sqlite", range(140))
    assert main(["replay", str(path), "--at", "03:13:50", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == at_turn(TROUBLE.start + 3).verdict
    assert main(["replay", str(path), "--at", "1d", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["at"] == "2026-11-20T03:12:07.000Z"


@pytest.mark.parametrize(("words", "says"), [
    (("--at", "noon"), "'noon' is no moment: write for example 03:00"),
    (("--json", "--at", "25:00"), "no moment"), ((), "needs a terminal"),
])
def test_what_cannot_be_done_is_said(tmp_path: Path, capsys: Captured, words: tuple[str, ...], says: str) -> None:
    path = recorded(tmp_path / "r.sqlite", range(3))
    assert main(["replay", str(path), *words]) == 2
    told = capsys.readouterr().err
    assert says in told or "needs a terminal" in told


def test_no_recording_is_said(tmp_path: Path, capsys: Captured) -> None:
    assert main(["replay", str(tmp_path / "none.sqlite"), "--json"]) == 2
    assert "there is no recording" in capsys.readouterr().err


def test_the_recording_of_another_pool_is_not_written_into(
    configured: Configured, tmp_path: Path, capsys: Captured
) -> None:
    path = recorded(tmp_path / "r.sqlite", range(3))
    assert configured.run("record", str(path), "--seconds", "2") == 1
    assert "of pool corp-east, not of demo" in capsys.readouterr().err
    assert Recording(path).last == 3


def test_a_command_for_one_pool_refuses_several(configured: Configured, capsys: Captured) -> None:
    assert configured.run("status", "--config", "other.yaml") == 2
    assert "`tuiha status` works on one pool" in capsys.readouterr().err


@pytest.mark.parametrize(("recording", "says"), [
    ({"enabled": False, "path": "r.sqlite"}, "recording.enabled: false"),
    ({"path": "missing/r.sqlite"}, r"nothing is recorded: .*No such file"),
    ({"path": "r.sqlite"}, "no recording|nothing is recorded yet"),
])
def test_why_there_is_no_past(tmp_path: Path, recording: dict[str, Any], says: str) -> None:
    pool = settings().model_copy(update={"recording": RecordingSettings(**recording)})
    kept = setup.OptionalRecording(pool, tmp_path)
    kept.start(SampleFeed(None))
    if "missing" in str(recording["path"]):
        wait_until(lambda: bool(kept.trouble))
    with pytest.raises(ConfigError, match=says):
        open_past(outline_of(pool), tmp_path, lambda: kept.trouble)
    kept.stop()
