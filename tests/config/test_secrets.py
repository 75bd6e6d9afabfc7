from __future__ import annotations

import os
import traceback
from pathlib import Path

import psutil
import pytest

from tuiha.config import secrets
from tuiha.config.load import ConfigError
from tuiha.config.secrets import environment, resolve, resolve_all
from tuiha.config.settings import Pool
from tuiha.config.values import Secret

SECRET = "hunter2-9f8e7d"


def secret_file(folder: Path, content: bytes, mode: int = 0o600) -> Path:
    file = folder / "secret"
    file.write_bytes(content)
    file.chmod(mode)
    return file


def refused(secret: Secret, base: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        resolve(secret, base)
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    return str(caught.value)


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_file_relative_to_the_configuration(tmp_path: Path, end: str) -> None:
    secret_file(tmp_path, f"{SECRET}{end}".encode())
    assert resolve(Secret(file=Path("secret")), tmp_path) == SECRET
    assert resolve(Secret(file=tmp_path / "secret"), Path("/nowhere")) == SECRET


def test_no_program_gets_the_variables_that_hold_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also those that nobody has read yet, wherever they are named."""
    for name in ("TUIHA_TEST_TOKEN", "TUIHA_TEST_PROBE", "TUIHA_TEST_OTHER"):
        monkeypatch.setenv(name, SECRET)
    settings = Pool.model_validate({
        "pool": "west", "control": {"viewer": {"file": "viewer"}, "operator": {"env": "TUIHA_TEST_TOKEN"}},
        "database": {"nodes": [{"name": "db1", "address": "127.0.0.1:5432"}],
                     "roles": {role: {"user": role, "password": {"file": "x"}} for role in ("pool", "watcher")}},
        "mail": [{"cluster": "east", "servers": [{"name": "mail1", "address": "localhost:993"}],
                  "monitor": {"user": "m", "password": {"file": "x"}},
                  "probe": {"user": "p", "password": {"env": "TUIHA_TEST_PROBE"}}}],
    })
    given = environment(settings)
    assert {name for name in os.environ if name not in given} == {"TUIHA_TEST_TOKEN", "TUIHA_TEST_PROBE"}


def test_blanks_belong_to_the_secret(tmp_path: Path) -> None:
    secret_file(tmp_path, b" a b \n")
    assert resolve(Secret(file=Path("secret")), tmp_path) == " a b "


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o602, 0o666])
def test_a_file_that_others_can_read_is_refused_with_the_command_to_run(tmp_path: Path, mode: int) -> None:
    file = secret_file(tmp_path, SECRET.encode(), mode)
    message = refused(Secret(file=file), tmp_path)
    assert f"open to other users (mode {mode:04o}); run: chmod 6" in message
    assert str(file) in message


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_somebody_elses_file_may_be_read_by_a_group(tmp_path: Path) -> None:
    file = secret_file(tmp_path, SECRET.encode(), 0o640)
    os.chown(file, 65534, 65534)
    assert resolve(Secret(file=file), tmp_path) == SECRET
    file.chmod(0o644)
    assert f"chmod 640 {file}" in refused(Secret(file=file), tmp_path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (SECRET.encode() + b"\nmore\n", "more than one line"),
        (SECRET.encode() + b"\x00", "control characters"),
        (SECRET.encode() + b"\xff", "does not hold UTF-8 text"),
        (b"x" * (secrets.MOST_BYTES + 1), "larger than 64 kB"),
    ],
)
def test_what_is_no_secret(tmp_path: Path, content: bytes, words: str) -> None:
    secret_file(tmp_path, content)
    assert words in refused(Secret(file=Path("secret")), tmp_path)


def test_files_that_are_none(tmp_path: Path) -> None:
    assert "No such file" in refused(Secret(file=Path("absent")), tmp_path)
    assert "not a regular file" in refused(Secret(file=tmp_path), tmp_path)
    os.mkfifo(tmp_path / "pipe")
    assert "not a regular file" in refused(Secret(file=tmp_path / "pipe"), tmp_path)


def test_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUIHA_TEST_SECRET", SECRET)
    assert resolve(Secret(env="TUIHA_TEST_SECRET"), tmp_path) == SECRET
    monkeypatch.setenv("TUIHA_TEST_SECRET", "")
    assert "TUIHA_TEST_SECRET is empty" in refused(Secret(env="TUIHA_TEST_SECRET"), tmp_path)
    monkeypatch.delenv("TUIHA_TEST_SECRET")
    assert "TUIHA_TEST_SECRET is not set" in refused(Secret(env="TUIHA_TEST_SECRET"), tmp_path)


def test_a_command_runs_beside_the_configuration_and_without_a_shell(tmp_path: Path) -> None:
    secret_file(tmp_path, b"$HOME; x\n")
    assert resolve(Secret(command=["cat", "secret"]), tmp_path) == "$HOME; x"
    assert resolve(Secret(command=["echo", "$HOME"]), tmp_path) == "$HOME"


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["/no/such/program"], "cannot be started"),
        (["/bin/sh", "-c", f"echo {SECRET} >&2; exit 3"], "ended with exit code 3"),
        (["true"], "is empty"),
        (["/bin/sh", "-c", "read line"], "ended with exit code"),
    ],
)
def test_a_command_that_fails(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], command: list[str], words: str
) -> None:
    message = refused(Secret(command=command), tmp_path)
    assert words in message
    assert SECRET not in "".join(capfd.readouterr())


def test_a_command_that_hangs_ends_with_all_it_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "COMMAND_SECONDS", 0.5)
    message = refused(Secret(command=["/bin/sh", "-c", "echo $$ > pid; sleep 613 & sleep 613"]), tmp_path)
    assert "did not end within 0.5 s" in message
    gone = int((tmp_path / "pid").read_text())
    assert not psutil.pid_exists(gone)
    killed = [p for p in psutil.process_iter(["cmdline"]) if p.info["cmdline"] == ["sleep", "613"]]
    _, alive = psutil.wait_procs(killed, timeout=10)  # the kernel may take a moment to end those that nobody waits for
    assert not alive


def test_all_that_fail_are_told_at_once(tmp_path: Path) -> None:
    secret_file(tmp_path, SECRET.encode())
    good = Secret(file=Path("secret"))
    assert resolve_all({"a": good, "b": good}, tmp_path) == {"a": SECRET, "b": SECRET}
    bad = {"a": good, "b": Secret(file=Path("absent")), "c": Secret(env="TUIHA_NOT_SET")}
    with pytest.raises(ConfigError) as caught:
        resolve_all(bad, tmp_path)
    assert len(caught.value.problems) == 2
