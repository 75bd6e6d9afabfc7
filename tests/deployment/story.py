"""What is done on the hosts that the manual has set up, under load: operate, lose a host of each kind, get it back."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.deployment.devices import USERS, Devices
from tests.deployment.hosts import Net
from tests.deployment.sprayers import lose_the_holder
from tests.until import wait_until

Say = Callable[[str], None]
_CONFIG = "export TUIHA_CONFIG=/etc/tuiha/pool.yaml\n"
_WRITER = Path(__file__).with_name("writer.py")


@dataclass
class Story:
    """The steps, on hosts that are set up."""

    net: Net
    say: Say
    kept: int = 0
    devices: Devices = field(init=False)

    def __post_init__(self) -> None:
        self.devices = Devices(self.net, self.say)

    def tell(self) -> None:
        """All of it."""
        self.whole("db1", 11)
        self.keep("db1")
        self.net.run("s3", "systemctl stop tuiha-serve@s3")  # it joins later, when users are there
        self.devices.begin()
        for what, chapter in (
            ("a server joins, rebalance", self.rebalance), ("switchover", self.switch_over),
            ("a sprayer's host lost and back", self.lose_sprayer), ("a server's host lost and back", self.lose_server),
            ("the primary's host lost and back", self.lose_primary),
        ):
            with self.devices.during(what):
                chapter()
        self.devices.verdict()

    def switch_over(self) -> None:
        """To the secondary."""
        self.operate("switchover")
        self.whole("db2")
        self.keep("db2")

    def rebalance(self) -> None:
        """A server joins that has no users, and gets its share."""
        self.net.run("s3", "systemctl start tuiha-serve@s3")
        self.until("s3 up", lambda s: all(one["state"] == "UP" for one in s["servers"]) and len(s["servers"]) == 3)
        self.operate("rebalance")
        users = self.users()
        assert sum(users.values()) == USERS, users
        assert max(users.values()) - min(users.values()) <= 1, users
        self.whole("db1", 11)

    def lose_sprayer(self) -> None:
        """Of the two that have an address each."""
        lose_the_holder(self.net, self.say)
        self.whole("db2")

    def lose_server(self) -> None:
        """Its users are taken over; when it comes back it has none, and gets some."""
        self.net.link("s1", "down")
        cut = time.monotonic()
        self.say("s1's host is cut off")
        seen = self.until("s1's users elsewhere", lambda s: self.users(s)["s2"] + self.users(s)["s3"] == USERS)
        self.say(f"users of s1 are monitored elsewhere, seen {time.monotonic() - cut:.1f} s later: {self.users(seen)}")
        self.net.link("s1", "up")
        self.say("s1's host is back")
        self.whole("db2")

    def lose_primary(self) -> None:
        """The primary's host is cut off; the pool fails over; the host comes back and nobody uses it."""
        self.net.link("db2", "down")
        self.say("db2's host is cut off")
        self.until("db2 seen as gone", lambda s: s["verdict"] not in ("HEALTHY", "DEGRADED"))
        self.show("tuiha status", 6)
        self.operate("failover")
        self.until("servers on db1", lambda s: all(one["database"] == "db1" for one in s["servers"]))
        self.keep("db1")
        self.net.link("db2", "up")
        self.say("db2's host is back")
        seen = self.until("db2 seen again", lambda s: any(d["name"] == "db2" and d["state"] != "DOWN"
                                                          for d in s["databases"]))
        assert all(one["database"] == "db1" for one in seen["servers"])
        self.keep("db1")
        self.operate("rejoin", "db2")
        self.whole("db1")
        self.keep("db1")
        self.say(f"{self.kept} acknowledged writes, all there")

    def status(self) -> dict[str, Any]:
        """`tuiha status --json` on ops."""
        found: dict[str, Any] = json.loads(
            self.net.run("ops", f"{_CONFIG}tuiha status --json 2>/dev/null", accept=(0, 1)))
        return found

    def users(self, seen: dict[str, Any] | None = None) -> dict[str, int]:
        """Server -> users monitored on it."""
        return {one["name"]: one["users"] or 0 for one in (seen or self.status())["servers"]}

    def show(self, command: str, lines: int) -> str:
        """Run a command as an operator types it, and say it with the first lines of what comes; all that came."""
        out = self.net.run("ops", f"{_CONFIG}{command} 2>&1", accept=(0, 1))
        self.say(f"$ {command}")
        for line in [line for line in out.splitlines() if not line.endswith(" ...")][:lines]:  # nothing about waiting
            self.say(f"    {line[:150]}")
        return out

    def operate(self, *words: str) -> None:
        """`tuiha plan`, then the very command that it names."""
        planned = self.show(" ".join(("tuiha plan", *words)), 2)
        named = re.search(r'tuiha apply (\S+) --confirm (\S+) --reason "\.\.\."', planned)
        assert named is not None, planned  # a check stops it
        done = self.show(f"tuiha apply {named[1]} --confirm {named[2]} --reason 'a test'", 0)
        for line in done.strip().splitlines()[-3:]:
            self.say(f"    {line}")
        last = json.loads(self.net.run("ops", f"{_CONFIG}tuiha operations --limit 1 --json"))["operations"][0]
        assert (last["kind"], last["result"]) == (words[0], "done"), done

    def until(self, what: str, met: Callable[[dict[str, Any]], bool], seconds: float = 90.0) -> dict[str, Any]:
        """Look until it is so."""
        return wait_until(self.status, what, met=met, seconds=seconds, pause=0.5)

    def keep(self, database: str) -> None:
        """Write a row that is acknowledged, as a server would."""
        self.kept += 1
        said = self.net.run("s2", f"python {_WRITER} {database} 'kept {self.kept}'")
        assert said.strip() == f"acknowledged {self.kept}", said  # every one of before is there as well

    def whole(self, active: str, lines: int = 1) -> None:
        """The pool is protected, and every server is on this database."""
        self.until(f"everything on {active}", lambda s: s["protection"] == "protected" and s["active"] == active
                   and all(one["database"] == active for one in s["servers"]))
        self.show("tuiha status", lines)
