"""What is done on the hosts once the manual has set them up: look, switch over, lose a host, get it back."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.deployment.hosts import Net

Say = Callable[[str], None]
CONFIG = "--config /etc/tuiha/pool.yaml"
SERVERS = ("s1", "s2", "s3")
_WRITER = Path(__file__).with_name("writer.py")


@dataclass
class Story:
    """The steps, on hosts that are set up."""

    net: Net
    say: Say
    kept: int = 0

    def status(self) -> dict[str, Any]:
        """`tuiha status --json` on ops."""
        found: dict[str, Any] = json.loads(self._quiet(f"tuiha status --json {CONFIG}"))
        return found

    def _quiet(self, command: str, accept: tuple[int, ...] = (0, 1)) -> str:
        """What a command writes to standard output."""
        return self.net.run("ops", f"{command} 2>/dev/null", accept=accept)

    def until(self, what: str, met: Callable[[dict[str, Any]], bool], seconds: float = 90.0) -> dict[str, Any]:
        """Look until it is so."""
        give_up = time.monotonic() + seconds
        while True:
            seen = self.status()
            if met(seen):
                return seen
            assert time.monotonic() < give_up, f"waited {seconds:g} s for {what}: {json.dumps(seen)[:3000]}"
            time.sleep(0.5)

    def operate(self, kind: str, confirm: str, *targets: str) -> None:
        """Plan and apply one operation by the real commands."""
        planned = json.loads(self._quiet(" ".join(["tuiha", "plan", kind, *targets, "--json", CONFIG])))
        done = self.net.run("ops", f"tuiha apply {planned['id']} --confirm {confirm} --reason 'a test' {CONFIG}")
        self.say(f"{kind}: {done.strip().splitlines()[-1]}")

    def keep(self, database: str) -> None:
        """Write a row that is acknowledged, as a server would."""
        self.kept += 1
        said = self.net.run("s1", f"python {_WRITER} {database} 'kept {self.kept}'")
        assert said.strip() == f"acknowledged {self.kept}", said  # every one of before is there as well

    def whole(self, active: str) -> None:
        """The pool is protected, and every server is on this database."""
        seen = self.until(f"everything on {active}", lambda s: s["protection"] == "protected" and s["active"] == active
                          and all(one["database"] == active for one in s["servers"]))
        self.say(f"status: {seen['verdict']}, {seen['protection']}, epoch {seen['epoch']}, all on {active}")

    def tell(self) -> None:
        """All of it."""
        self.whole("db1")
        self.keep("db1")
        self.operate("switchover", "db2")
        self.whole("db2")
        self.keep("db2")
        self.lose_host()
        self.rejoin()

    def lose_host(self) -> None:
        """The primary's host is cut off; the pool fails over; the host comes back and nobody uses it."""
        self.net.link("db2", "down")
        self.say("db2's host is cut off")
        self.until("db2 seen as gone", lambda s: s["verdict"] not in ("HEALTHY", "DEGRADED"))
        self.operate("failover", "db1")
        self.until("servers on db1", lambda s: all(one["database"] == "db1" for one in s["servers"]))
        self.keep("db1")
        self.net.link("db2", "up")
        self.say("db2's host is back")
        seen = self.until("db2 seen again", lambda s: any(d["name"] == "db2" and d["state"] != "DOWN"
                                                          for d in s["databases"]))
        assert all(one["database"] == "db1" for one in seen["servers"])
        self.keep("db1")

    def rejoin(self) -> None:
        """The former primary is rewound and follows."""
        self.operate("rejoin", "db2", "db2")
        self.whole("db1")
        self.keep("db1")
        self.say(f"{self.kept} acknowledged writes, all there")
