"""Devices and mail for the hosts: the project's own load through the sprayers' shared name, and its checker."""

from __future__ import annotations

import json
import secrets
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.deployment.hosts import Net
from tests.until import wait_until

USERS = 24
_LOAD = """
exec python -m tuiha.lab.load --config /etc/tuiha/pool.yaml --users /run/users.txt --ca /etc/tuiha/tls/pool-ca.crt \\
  --stats /run/load.json --rate 10 --wait 5 --ramp 20 --grace 60 2>/var/log/load.log
"""
# The load delivers to users that the pool knows. It knows whoever a mail server let in, from the first device on.
_FIRST = """
while IFS="$(printf '\\t')" read -r user password; do
  until printf 'user = "%s:%s"\\n' "$user" "$password" | curl -sf -K - -o /dev/null \\
    --cacert /etc/tuiha/tls/pool-ca.crt -X PUT -H 'Content-Type: application/json' -d '{"kind": "first"}' https://sync.example.org/v1/devices/first
  do sleep 0.5; done
done </run/users.txt
"""
COUNTED = ("requests", "failures", "delayed", "retries", "changes")
WRONG = ("lost", "doubled", "monitored_twice", "unrecorded", "history_gaps")


class Devices:
    """Users with devices, and mail for them, until `verdict`."""

    def __init__(self, net: Net, say: Callable[[str], None]) -> None:
        self._net, self._say = net, say
        self._stats = net.root("ops") / "run/load.json"
        self._process: subprocess.Popen[str] | None = None

    def begin(self) -> None:
        """Make the users' mailboxes, and start the load; returns when every device has registered."""
        users = {f"user{number:02}": secrets.token_hex(12) for number in range(1, USERS + 1)}
        for host in ("mail1", "mail2"):
            with (self._net.root(host) / "etc/dovecot/users").open("a") as file:
                file.writelines(f"{user}:{{PLAIN}}{password}\n" for user, password in users.items())
        listed = self._net.root("ops") / "run/users.txt"
        listed.touch(mode=0o600)
        listed.write_text("".join(f"{user}\t{password}\n" for user, password in users.items()))
        self._net.run("ops", _FIRST)
        self._process = self._net.popen("ops", _LOAD)
        seen = self.until("all devices registered", lambda f: f["registered"] == f["devices"] and f["changes"] > 0)
        self._say(f"{seen['devices']} devices of {USERS} users work")

    def figures(self) -> dict[str, Any]:
        """The live figures, written after this moment."""
        asked, give_up = time.time(), time.monotonic() + 30
        while True:
            assert self._process is not None
            assert self._process.poll() is None, "the load ended: " + read(self._net.root("ops") / "var/log/load.log")
            if self._stats.exists():
                found: dict[str, Any] = json.loads(self._stats.read_text())
                if found["at"] > asked:
                    return found
            assert time.monotonic() < give_up, "the load writes no figures"
            time.sleep(0.1)

    def until(self, what: str, met: Callable[[dict[str, Any]], bool], seconds: float = 120.0) -> dict[str, Any]:
        """Look at the figures until it is so."""
        return wait_until(self.figures, what, met=met, seconds=seconds)

    @contextmanager
    def during(self, what: str) -> Iterator[None]:
        """Say what devices saw meanwhile. None of their requests may fail."""
        before = self.figures()
        yield
        after = self.figures()
        requests, failures, delayed, retries, changes = (after[kind] - before[kind] for kind in COUNTED)
        new = {why: count - before["reasons"].get(why, 0) for why, count in after["reasons"].items()}
        reasons = "; ".join(f"{why}: {count}" for why, count in new.items() if count)
        self._say(f"{what}: devices sent {requests} requests and got {changes} changes; {failures} failed, {delayed} "
                  f"were told when to come back, {retries} sent again ({reasons or 'no trouble'})")
        assert not failures, f"{what}: {failures} requests of devices failed: {reasons}"

    def verdict(self) -> None:
        """End the load; its checker compares what was delivered, what is recorded, and what devices hold."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        out, _ = self._process.communicate(timeout=150)
        found = json.loads(out.strip().splitlines()[-1])
        wrong = {kind: found[kind] for kind in ("failures", *WRONG)}
        self._say(f"checker: {found['messages']} messages, {found['changes']} changes on {found['devices']} devices, "
                  f"{found['requests']} requests in {found['seconds']:.0f} s; "
                  + ", ".join(f"{kind.replace('_', ' ')} {count}" for kind, count in wrong.items()))
        assert found["history_read"]
        assert not any(wrong.values()), f"{wrong} {found['examples']}"


def read(path: Path) -> str:
    """The end of a log."""
    return path.read_text(errors="replace")[-1000:]
