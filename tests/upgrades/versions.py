"""Other versions of tuiha, made from this one: another number, and one schema file more."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import tuiha

NEXT_FILE = 9001
NEXT_SCHEMA = """\
-- What the next version might add: a column, a table, a function.
ALTER TABLE device ADD COLUMN model text;
ALTER TABLE server ADD COLUMN region text NOT NULL DEFAULT 'here';
CREATE TABLE extra (id bigint PRIMARY KEY, told text);
COMMENT ON TABLE extra IS 'Of the next version';
"""


def version(number: str, target: Path, schema: str | None = None) -> Path:
    """A copy of the package that says `number`, in the folder `target` for PYTHONPATH."""
    here = Path(tuiha.__file__).parent
    copy = target / "tuiha"
    shutil.copytree(here, copy, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("config", "themes"):  # what the package reads beside itself in a checkout
        if (here.parent / name).is_dir():
            shutil.copytree(here.parent / name, target / name)
    first = copy / "__init__.py"
    first.write_text(re.sub(r'__version__ = ".*"', f'__version__ = "{number}"', first.read_text()))
    if schema is not None:
        (copy / "server" / "schema" / f"{NEXT_FILE}_next.sql").write_text(schema)
    return target


def unchanged(checkout: Path, target: Path) -> Path:
    """A copy of another version's package, in the folder `target` for PYTHONPATH."""
    for name in ("tuiha", "config", "themes"):
        shutil.copytree(checkout / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
    return target


@dataclass
class Servers:
    """Pool servers that run from another version's folder."""

    config: Path
    logs: Path
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str, folder: Path) -> None:
        """Start a server of that version."""
        with (self.logs / f"{name}-{folder.name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                [sys.executable, "-P", "-m", "tuiha", "serve", name, "--config", str(self.config)],
                cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, "PYTHONPATH": str(folder)})

    async def leave(self, name: str) -> None:
        """Have it hand over and end."""
        process = self.running.pop(name)
        process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(process.wait, 60)

    def end(self) -> None:
        """End all at once."""
        for process in self.running.values():
            process.kill()
            process.wait()
