"""`python -m tests.fuzz [EXAMPLES]`: every parser, then the interfaces of a real pool server; figures and findings.

EXAMPLES is how often each parser is fed (100 if not given); each operation is asked a tenth of it, with what fits it
and again with what does not. Exit code 1 when there is a finding.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from tests.fuzz.finding import Finding, fuzz
from tests.fuzz.http import Attack, Figures
from tests.fuzz.parsers import targets
from tuiha.config import secrets
from tuiha.config.load import load
from tuiha.lab.embedded import EmbeddedPool

_GROWTH = 60 * 1024 * 1024  # bytes that a server's memory may grow by while it is asked tens of thousands of times


def parsers(examples: int) -> tuple[int, list[Finding]]:
    """Feed every parser."""
    fed, findings = 0, list[Finding]()
    with tempfile.TemporaryDirectory() as folder:
        for target in targets(Path(folder)):
            times, found = fuzz(target, examples if target.name != "configuration" else max(10, examples // 20))
            print(f"{target.name:26} {times:7,} inputs  {len(found)} findings", flush=True)
            fed += times
            findings += found
    return fed, findings


async def interfaces(examples: int) -> Figures:
    """Ask a server of a pool that is made for this, and look at what it left behind."""
    async with EmbeddedPool(servers=2, users=10) as pool:
        settings, base = load(pool.config_path), pool.config_path.parent
        assert settings.control.operator is not None
        operator = secrets.resolve(settings.control.operator, base)
        name, _, password = pool.users_path.read_text(encoding="utf-8").splitlines()[0].partition("\t")
        server = settings.servers[0]
        process = _listening(urlsplit(server.address).port or 0)

        def attack(times: int) -> Figures:
            return Attack(server.address, (name, password), operator).run(times)

        await asyncio.to_thread(attack, 2)  # what is made once, is made now
        files, memory = process.num_fds(), process.memory_info().rss
        figures = await asyncio.to_thread(attack, examples)
        await asyncio.sleep(3.0)
        figures.findings += _left(process, files, memory)
        for log in (pool.log(one.name) for one in settings.servers):
            if "Traceback" in (text := log.read_text(errors="replace")):
                figures.findings.append(Finding(log.name, text[text.index("Traceback"):][:600]))
        print(f"{server.name}: {process.num_fds() - files:+} files, "
              f"{(process.memory_info().rss - memory) / 2**20:+.1f} MB")
        return figures


def _listening(port: int) -> psutil.Process:
    for one in psutil.net_connections("tcp"):
        if one.status == psutil.CONN_LISTEN and one.laddr[1:] == (port,) and one.pid is not None:
            return psutil.Process(one.pid)
    raise SystemExit(f"nobody listens on port {port}")


def _left(process: psutil.Process, files: int, memory: int) -> Iterator[Finding]:
    if not process.is_running():
        yield Finding("process", "it is gone")
        return
    if process.num_fds() > files + 16:
        yield Finding("process", f"{process.num_fds() - files} more files are open")
    if process.memory_info().rss > memory + _GROWTH:
        yield Finding("process", f"{(process.memory_info().rss - memory) // 2**20} MB more memory")


def main() -> int:
    """Everything; returns the exit code."""
    examples = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    fed, findings = parsers(examples)
    figures = asyncio.run(interfaces(max(3, examples // 10)))
    findings += figures.findings
    told = ", ".join(f"{status}: {times:,}" for status, times in sorted(figures.statuses.items()))
    print(f"parsers: {fed:,} inputs; interfaces: {figures.requests:,} requests ({told})")
    for finding in findings:
        print(f"FINDING {finding.where}: {finding.what}")
    print(f"{len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    os.umask(0o077)
    raise SystemExit(main())
