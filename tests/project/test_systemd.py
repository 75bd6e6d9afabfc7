"""The units in config/systemd: systemd takes them, and they start commands that there are."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tuiha.cli.main import build_parser
from tuiha.config.places import data_file

UNITS = {name: data_file(f"config/systemd/{name}").read_text()
         for name in ("tuiha-serve@.service", "tuiha-export.service", "tuiha-guard.service")}
PROGRAM = "/opt/tuiha/bin/tuiha"


@pytest.mark.parametrize("name", UNITS)
def test_it_starts_a_command_that_there_is(name: str) -> None:
    (line,) = re.findall(r"(?m)^ExecStart=(.*)$", UNITS[name])
    program, *words = line.replace("%i", "s1").split()
    assert program == PROGRAM
    arguments = build_parser().parse_args(words)
    assert arguments.config == Path("/etc/tuiha/pool.yaml")


@pytest.mark.parametrize("name", UNITS)
@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")
def test_systemd_takes_it(name: str, tmp_path: Path) -> None:
    unit = tmp_path / name.replace("@", "@s1")
    unit.write_text(UNITS[name].replace(PROGRAM, sys.executable))  # the program has to be there to be verified
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True,
                          timeout=60, check=False)
    complaints = [line for line in (done.stdout + done.stderr).splitlines() if name.split("@")[0] in line]
    assert (done.returncode, complaints) == (0, []), done.stderr
