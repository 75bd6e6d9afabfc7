"""Ports of embedded pools: free, below those of outgoing connections, and nobody else's."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tuiha.lab.pool import assembly
from tuiha.lab.pool.assembly import Ports, is_free

# Outside what pools take: others run beside this test.
_ELSEWHERE = """
import sys
from tuiha.lab.pool import assembly
assembly.PORTS = range(32000, 32006)
mine = assembly.Ports()
print(*mine.take(4), flush=True)
sys.stdin.read()
"""


def test_they_are_free_and_below_those_of_outgoing_connections() -> None:
    taken = Ports().take(20)
    assert len(set(taken)) == 20
    low = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert max(taken) < low, "a port for outgoing connections could be taken while its owner is down"


def test_one_that_is_listened_on_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    [port] = Ports().take(1)
    monkeypatch.setattr(assembly, "PORTS", range(port, port + 1))
    with socket.socket() as used:
        used.bind(("127.0.0.1", port))
        assert not is_free(port)
        with pytest.raises(OSError, match="1 free ports were wanted"):
            Ports().take(1)
    assert Ports().take(1) == [port], "nothing is left of the claim that failed"


def test_two_pools_that_start_at_once_take_different_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    with subprocess.Popen([sys.executable, "-c", _ELSEWHERE], stdin=-1, stdout=-1, text=True) as other:
        assert other.stdout is not None
        theirs = {int(port) for port in other.stdout.readline().split()}
        monkeypatch.setattr(assembly, "PORTS", range(32000, 32006))
        mine = Ports()
        with pytest.raises(OSError, match="between 32000 and 32006, 2 were found"):
            mine.take(3)
        assert not theirs & set(mine.take(2)), "they do not listen yet"
        other.kill()
    assert set(mine.take(4)) == theirs, "a process that ended, however, has none"
