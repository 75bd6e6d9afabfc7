"""Looking brings in neither the screen nor the pool server nor the lab."""

from __future__ import annotations

import subprocess
import sys

import pytest

FORBIDDEN = ("textual", "rich", "tuiha.server", "tuiha.lab", "tuiha.tui", "tuiha.operate")
WHOLE = "import tuiha.watch.watcher, tuiha.watch.once, tuiha.watch.check, tuiha.watch.reader"
STATUS = ("import asyncio, sys\nfrom tuiha.cli.main import main\nfrom tuiha.watch import once\n"
          "from tests.doubles.drivers import Fleet, settings\nimport tuiha.cli.configuration as opening, pathlib\n"
          "fleet = Fleet()\n"
          "opening.opened = lambda arguments: (settings(), pathlib.Path())\n"
          "once.open_poller = lambda pool, base, rules=None: fleet.poller(pool)\n"
          "code = main(['status'])\nassert code in (0, 1), code\nassert fleet.s1.polls == 1")


@pytest.mark.parametrize("what", [WHOLE, STATUS], ids=["watch", "tuiha status"])
def test_it_imports_none_of_these(what: str) -> None:
    code = f"{what}\nimport sys\nprint([n for n in {FORBIDDEN!r} if n in sys.modules], file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "[]\n")
    assert what == WHOLE or "s1      UP" in done.stdout
