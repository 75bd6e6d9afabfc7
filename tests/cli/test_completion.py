"""Completion scripts, in the real shells where they are installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tuiha.cli.main import COMMANDS
from tuiha.config.places import data_file


def script(shell: str) -> str:
    done = subprocess.run([sys.executable, "-m", "tuiha", "completion", shell], capture_output=True, text=True,
                          timeout=60, check=True)
    assert done.stderr == ""
    return done.stdout


def run(program: list[str], text: str = "", **environment: str) -> str:
    done = subprocess.run(program, input=text, capture_output=True, text=True, timeout=60,
                          env=os.environ | environment, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def known(folder: Path) -> dict[str, str]:
    """Where the script finds the command, a configuration, a plan and an operation."""
    state = folder / "state"
    for path in (state / "plans" / "abc123.json", state / "20260101-000000-abcd" / "plan.json"):
        path.parent.mkdir(parents=True)
        path.write_text("{}")
    return {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "TUIHA_STATE": str(state),
            "TUIHA_CONFIG": str(data_file("config/pool.example.yaml"))}


@pytest.mark.parametrize(("line", "expected"), [
    ("tuiha sta", {"status"}),
    ("tuiha ", set(COMMANDS)),
    ("tuiha status --j", {"--json"}),
    ("tuiha completion ", {"bash", "zsh", "fish"}),
    ("tuiha lab p", {"pause"}),
    ("tuiha plan dr", {"drain"}),
    ("tuiha plan drain s", {"s1", "s2"}),
    ("tuiha plan drain s1 s", {"s1", "s2"}),
    ("tuiha plan failover-mail ", {"mail1", "mail2"}),
    ("tuiha plan rejoin db", {"db1", "db2"}),
    ("tuiha apply ab", {"abc123"}),
    ("tuiha undo 2026", {"20260101-000000-abcd"}),
])
def test_bash(tmp_path: Path, line: str, expected: set[str]) -> None:
    if shutil.which("bash") is None:
        pytest.skip("bash is not installed")
    file = tmp_path / "tuiha.bash"
    file.write_text(script("bash"))
    words = line.split(" ")
    quoted = " ".join(f"'{word}'" for word in words)
    out = run(["bash", "--norc"], f"""
source {file}
COMP_LINE='{line}' COMP_POINT={len(line)} COMP_WORDS=({quoted}) COMP_CWORD={len(words) - 1}
function_name=$(complete -p tuiha | sed 's/.*-F \\([^ ]*\\).*/\\1/')
$function_name tuiha '{words[-1]}' '{words[-2]}'
printf '%s\\n' "${{COMPREPLY[@]}}"
""", **known(tmp_path))
    assert expected <= set(out.split())
    assert not any(word in out.split() for word in ("dashboard", "serve") if line != "tuiha ")
    if "plan " in line and "plan dr" not in line:  # of the kind that this operation takes, and no other
        assert not set(out.split()) & ({"s1", "s2", "db1", "db2", "mail1", "mail2"} - expected)


@pytest.mark.parametrize(("line", "expected"), [
    ("tuiha sta", {"status"}),
    ("tuiha ", set(COMMANDS)),
    ("tuiha status --j", {"--json"}),
    ("tuiha completion ", {"bash", "zsh", "fish"}),
    ("tuiha lab p", {"pause"}),
])
def test_fish(tmp_path: Path, line: str, expected: set[str]) -> None:
    if shutil.which("fish") is None:
        pytest.skip("fish is not installed")
    folder = tmp_path / "fish" / "completions"
    folder.mkdir(parents=True)
    (folder / "tuiha.fish").write_text(script("fish"))
    (tmp_path / "tuiha").write_text("#!/bin/sh\n")
    (tmp_path / "tuiha").chmod(0o755)
    out = run(["fish", "-c", f"complete -C '{line}'"], XDG_CONFIG_HOME=str(tmp_path), HOME=str(tmp_path),
              PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert expected <= {found.split("\t")[0] for found in out.splitlines()}


def test_zsh(tmp_path: Path) -> None:
    """Zsh completes at a terminal only: a pseudo-terminal of its own (zpty) types and reads."""
    if shutil.which("zsh") is None:
        pytest.skip("zsh is not installed")
    (tmp_path / "_tuiha").write_text(script("zsh"))
    out = run(["zsh", "-f"], f"""
zmodload zsh/zpty
zpty z zsh -f -i
zpty -w z "PS1=; unset zle_bracketed_paste; fpath=({tmp_path} \\$fpath)"
zpty -w z "autoload -Uz compinit; compinit -u -d {tmp_path}/dump"
zpty -w z "print rea''dy"
zpty -m -r z line '*ready*'
zpty -w -n z $'tuiha sta\\t'
zpty -m -r z line '*tuiha status*' && print found status
zpty -w -n z $'--js\\t'
zpty -m -r z line '*--json*' && print found option
zpty -d z
""", TERM="vt100")
    assert "found status" in out
    assert "found option" in out
