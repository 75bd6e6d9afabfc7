"""What every driver of a pool server must do, whatever it talks to."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import pytest

from tuiha.drivers.protocols import DriverError, ServerDriver
from tuiha.model.reports import ServerReport, ServerState, ServerTarget

Make = Callable[[str], ServerDriver]  # address -> a driver for a server `s1` of the pool `demo`


async def conforms(make: Make, address: str) -> ServerReport:
    """Check a driver against a server that is well; answers its report."""
    driver = make(address)
    try:
        report = await driver.poll()
        assert (report.name, report.pool) == ("s1", "demo")
        assert isinstance(report.state, ServerState)
        assert isinstance(report.target, ServerTarget)
        assert "poll" in driver.capabilities
        for _ in range(3):  # again and again, over what it keeps open
            assert (await driver.poll()).name == "s1"
        await driver.close()
        assert (await driver.poll()).name == "s1", "after close it connects anew"
    finally:
        await driver.close()
        await driver.close()  # twice is no error
    await _nobody_there(make)
    await _hangs(make)
    await _nonsense(make)
    return report


async def _nobody_there(make: Make) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        driver = make(f"http://127.0.0.1:{free.getsockname()[1]}")
    with pytest.raises(DriverError, match="refused"):
        await driver.poll()
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


async def _nonsense(make: Make) -> None:
    """Whatever the other side says, it is a DriverError with one printable line."""
    for said in (b"", b"\xff\x00\xff", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{\"a\": [[]",
                 b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]"):
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, said: bytes = said) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(said)
            writer.close()

        server = await asyncio.start_server(talk, "127.0.0.1", 0)
        driver = make(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        error: DriverError | None = None
        try:
            assert (await driver.poll()).name == "s1"  # who only asks for the health may be content with any body
        except DriverError as raised:
            error = raised
        assert error is None or (str(error).isprintable() and len(str(error)) < 400)
        await driver.close()
        server.close()
