"""Does docs/deploy.md on hosts of its own, and then what an operator would do. Root; a few minutes."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from tests.deployment.hosts import Failed, Net, blocks, hosts, missing
from tests.deployment.story import Say, Story

MANUAL = Path(__file__).parents[2] / "docs" / "deploy.md"


def set_up(net: Net, say: Say) -> None:
    """Every block of the manual whose hosts are there."""
    for where, script in blocks(MANUAL.read_text(encoding="utf-8")):
        for host in where:
            if host in net.names:
                net.run(host, script)
                say(f"{host}: {script.strip().splitlines()[0][:90]}")


def main() -> int:
    """Run it; 0 when everything is as it should be."""
    why = missing()
    if why is not None:
        sys.stderr.write(f"This cannot be run here: {why}.\n")
        return 2
    began = time.monotonic()

    def say(text: str) -> None:
        sys.stderr.write(f"{time.monotonic() - began:6.1f} s  {text}\n")

    with hosts() as net:
        say(f"{len(net.names)} hosts, {net.prefix}")
        try:
            set_up(net, say)
            Story(net, say).tell()
        except (Failed, AssertionError) as error:
            say(f"FAILED: {error}")
            for log in sorted(net.folder.glob("*/var/log/*.log")):
                words = log.read_text(errors="replace")[-600:]
                if words and "etcd" not in log.name:
                    sys.stderr.write(f"--- {log.relative_to(net.folder)}\n{words}\n")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
