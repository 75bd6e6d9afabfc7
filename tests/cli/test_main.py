"""The frame: help, versions, exit codes, and that nothing ends in a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
import types
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path

import pytest

from tuiha import __version__
from tuiha.cli import exits, main
from tuiha.cli.main import COMMANDS, build_parser, with_default
from tuiha.config.load import ConfigError, ConfigProblem

Captured = pytest.CaptureFixture[str]


def shell(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the real command."""
    return subprocess.run([sys.executable, "-m", "tuiha", *words], capture_output=True, text=True, timeout=60,
                          env=os.environ | environment, check=False)


def test_version_and_help_as_a_program() -> None:
    assert shell("--version").stdout == f"tuiha {__version__}\n"
    helped = shell("--help")
    assert helped.returncode == 0
    for name in COMMANDS:
        assert f"    {name} " in helped.stdout
    assert "exit codes:" in helped.stdout


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_has_its_help(name: str, capsys: Captured) -> None:
    assert main.main([name, "--help"]) == 0
    out = capsys.readouterr().out
    assert main.command(name).HELP.splitlines()[0].split()[0] in out
    assert "--config FILE" in out


def test_help_imports_nothing_heavy() -> None:
    code = ("import sys; from tuiha.cli.main import main; main(['--help']); main(['status', '--help']); "
            "print(sorted({'aiohttp', 'asyncpg', 'pydantic', 'textual', 'yaml', 'asyncio', 'tuiha.lab', 'tuiha.config'}"
            " & set(sys.modules)), file=sys.stderr)")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == "[]\n"


@pytest.mark.parametrize(("given", "meant"), [
    ([], ["dashboard"]),
    (["status", "--json"], ["status", "--json"]),
    (["--config", "x", "status"], ["--config", "x", "status"]),
    (["--config", "status"], ["--config", "status", "dashboard"]),
    (["--config=x", "--theme", "light"], ["--config=x", "dashboard", "--theme", "light"]),
    (["--help"], ["--help"]),
    (["--config", "x", "--version"], ["--config", "x", "--version"]),
    (["--config"], ["--config"]),
])
def test_the_dashboard_is_the_default(given: list[str], meant: list[str]) -> None:
    assert with_default(given) == meant


def test_config_before_and_after_the_command() -> None:
    parser = build_parser()
    assert parser.parse_args(["--config", "a", "status"]).config == Path("a")
    assert parser.parse_args(["status", "--config", "b"]).config == Path("b")
    assert parser.parse_args(["--config", "a", "status", "--config", "b"]).config == Path("b")
    assert parser.parse_args(["status"]).config is None


@pytest.mark.parametrize(("words", "message"), [
    (["statsu"], "tuiha: there is no command 'statsu'; did you mean 'status'?"),
    (["failover"], "tuiha: there is no command 'failover'; `tuiha plan failover` plans that operation"),
    (["status", "--jason"], "unrecognized arguments: --jason"),
    (["status", "--config"], "tuiha status: argument --config: expected one argument"),
    (["events", "--limit", "0"], "'0' is not a whole number from 1 to 100,000"),
    (["completion", "tcsh"], "invalid choice: 'tcsh'"),
    (["--config"], "argument --config: expected one argument"),
])
def test_wrong_usage(words: list[str], message: str, capsys: Captured) -> None:
    assert main.main(words) == exits.USAGE
    err = capsys.readouterr().err
    assert message in err
    assert "--help` shows what it takes" in err


@pytest.fixture
def pretend(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], int]], None]:
    """Let the command `status` do something else."""
    def replace(work: Callable[[], int]) -> None:
        module = types.ModuleType("tuiha.cli.commands.look.status")

        def configure(parser: ArgumentParser) -> None:
            """It takes nothing."""

        def run(arguments: Namespace) -> int:
            return work()

        vars(module).update(HELP="pretended", configure=configure, run=run)
        monkeypatch.setitem(sys.modules, module.__name__, module)

    return replace


def fails_with(error: BaseException) -> Callable[[], int]:
    def work() -> int:
        raise error
    return work


@pytest.mark.parametrize(("error", "code", "message"), [
    (ConfigError(ConfigProblem("is missing", "write it", "control", Path("a.yaml"), 3)), 2,
     "tuiha: a.yaml:3: control: is missing; write it\n"),
    (exits.CommandError("no", exits.REFUSED), 4, "tuiha: no\n"),
    (KeyboardInterrupt(), 130, ""),
])
def test_failures_become_words_and_codes(pretend: Callable[[Callable[[], int]], None], capsys: Captured,
                                         error: BaseException, code: int, message: str) -> None:
    pretend(fails_with(error))
    assert main.main(["status"]) == code
    assert capsys.readouterr().err == message


def test_a_fault_of_our_own_is_no_traceback(pretend: Callable[[Callable[[], int]], None], capsys: Captured,
                                            monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(fails_with(KeyError("users")))
    assert main.main(["status"]) == exits.FAILED
    err = capsys.readouterr().err
    assert "unexpected KeyError at test_main.py:" in err
    assert "Traceback" not in err
    monkeypatch.setenv("TUIHA_DEBUG", "1")
    main.main(["status"])
    assert "Traceback" in capsys.readouterr().err


def test_a_reader_that_goes_away_is_no_noise() -> None:
    with subprocess.Popen([sys.executable, "-m", "tuiha", "completion", "bash"], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == exits.PIPE_CLOSED


@pytest.mark.parametrize(("text", "message"), [
    (None, "there is no such file"),
    ("pool: [", "not valid YAML"),
    ("pool: demo\nservres: []\n", "did you mean"),
    ("pool: demo\ndatabase: 3\n", "bad.yaml:2: database"),
])
def test_a_configuration_that_cannot_be_used(tmp_path: Path, capsys: Captured, text: str | None, message: str) -> None:
    file = tmp_path / "bad.yaml"
    if text is not None:
        file.write_text(text)
    for command in ("status", "check", "users", "events"):
        assert main.main([command, "--config", str(file)]) == exits.USAGE
        err = capsys.readouterr().err
        assert message in err
        assert "Traceback" not in err


def test_no_configuration_at_all(tmp_path: Path) -> None:
    home = {name: str(tmp_path) for name in ("HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR")}
    tmp_path.chmod(0o700)
    done = subprocess.run([sys.executable, "-m", "tuiha", "status"], capture_output=True, text=True, timeout=60,
                          cwd=tmp_path, env={k: v for k, v in os.environ.items() if k != "TUIHA_CONFIG"} | home
                          | {"PYTHONPATH": os.getcwd()}, check=False)
    assert done.returncode == exits.USAGE
    assert "there is no configuration" in done.stderr
    assert "tuiha up" in done.stderr
