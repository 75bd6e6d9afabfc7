"""What every driver that is polled must do, whatever it talks to."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any, Protocol

import pytest

from tuiha.drivers.protocols import DriverError
from tuiha.model.reports import ServerReport, ServerState, ServerTarget


class Driver(Protocol):
    """What all kinds of driver have in common."""

    capabilities: frozenset[str]

    async def poll(self) -> Any:
        """Ask."""

    async def close(self) -> None:
        """Drop connections."""


Make = Callable[[str], Driver]  # address -> a driver; of a pool server: `s1` of the pool `demo`
Well = Callable[[Any], bool]  # whether a report is that of the server that is well
Error = Callable[[Any], str | None]  # what a report says went wrong, where a driver goes on with half of its answers


def is_s1(report: Any) -> bool:
    """The report of the pool server that every driver is tried with."""
    assert isinstance(report, ServerReport)
    assert isinstance(report.state, ServerState)
    assert isinstance(report.target, ServerTarget)
    return (report.name, report.pool) == ("s1", "demo")


async def conforms(make: Make, address: str, well: Well = is_s1, error: Error = lambda report: None) -> Any:
    """Check a driver against a server that is well; answers its report."""
    driver = make(address)
    try:
        report = await driver.poll()
        assert well(report)
        assert error(report) is None
        assert "poll" in driver.capabilities
        for _ in range(3):  # again and again, over what it keeps open
            assert well(await driver.poll())
        await driver.close()
        assert well(await driver.poll()), "after close it connects anew"
    finally:
        await driver.close()
        await driver.close()  # twice is no error
    await _nobody_there(make, error)
    await _hangs(make)
    await _nonsense(make, well, error)
    return report


async def _said(driver: Driver, error: Error) -> tuple[Any, str | None]:
    """A report, and what went wrong in words."""
    try:
        report = await driver.poll()
    except DriverError as raised:
        return None, str(raised)
    return report, error(report)


async def _nobody_there(make: Make, error: Error) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        driver = make(f"http://127.0.0.1:{free.getsockname()[1]}")
    _, said = await _said(driver, error)
    assert said is not None
    assert "refused" in said
    await driver.close()


async def _hangs(make: Make) -> None:
    """It has no deadline of its own, and survives being cancelled by the caller's."""
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    driver = make(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    for _ in range(2):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await driver.poll()
    await driver.close()
    server.close()


async def _nonsense(make: Make, well: Well, error: Error) -> None:
    """Whatever the other side says, it is a DriverError with one printable line."""
    for said in (b"", b"\xff\x00\xff", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{\"a\": [[]",
                 b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]"):
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, said: bytes = said) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(said)
            writer.close()

        server = await asyncio.start_server(talk, "127.0.0.1", 0)
        driver = make(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        report, wrong = await _said(driver, error)
        assert report is None or well(report)  # who only asks for the health may be content with any body
        assert wrong is None or (wrong.isprintable() and len(wrong) < 400)
        await driver.close()
        server.close()
