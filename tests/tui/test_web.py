"""The wall in a browser: a real one, where there is one."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import psutil
import pytest
from aiohttp import web

from tests.drivers.daemons import free_port
from tests.tui.browser import CHROMIUM, chromium
from tests.tui.test_wall import configuration
from tests.until import until
from tuiha.cli.main import main

pytest.importorskip("textual_serve", reason="textual-serve is not installed (the extra `web`)")
PATIENCE = 60.0


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[tuple[str, psutil.Process]]:
    """`tuiha web` for a pool that is not there."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tuiha", "web", "--port", str(port), "--config", str(configuration(folder)),
        stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None
        async with aiohttp.ClientSession() as session:
            async with asyncio.timeout(PATIENCE):
                url = (await process.stdout.readline()).decode().strip()
            assert url == f"http://127.0.0.1:{port}"
            await until(lambda: answers(session, url))
        yield url, psutil.Process(process.pid)
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(PATIENCE):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def answers(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(url) as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False


async def until_alone(process: psutil.Process) -> None:
    """Wait until it has no child any more."""
    await until(lambda: process.children(recursive=True), met=lambda children: not children, pause=0.1)


def named(process: psutil.Process) -> str:
    try:
        return process.name()
    except psutil.NoSuchProcess:
        return "gone"


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
async def test_a_browser_shows_the_wall_and_leaves_nothing_behind(tmp_path: Path) -> None:
    async with served(tmp_path) as (url, process):
        async with chromium(url, tmp_path / "browser") as page:
            await page.until("document.body.classList.contains('-first-byte')")
            await page.until_received("WALL")
            await page.until_received("nowhere")
            await page.until_received("refused")
            assert process.children()
            picture = await page.picture()
        assert picture.startswith(b"\x89PNG")
        assert len(picture) > 15_000  # a blank page has a third of that
        kept = os.environ.get("TUIHA_TEST_PICTURES")
        if kept:
            (Path(kept) / "web.png").write_bytes(picture)
        await until_alone(process)


@asynccontextmanager
async def here(pages: str) -> AsyncIterator[str]:
    """The server in this process; every page runs the command `pages`."""
    from tuiha.tui.views.wall.web import WallServer

    port = free_port()
    server = WallServer([], "127.0.0.1", port, None, "tuiha")
    server.command = pages
    runner = web.AppRunner(await server._make_app(), shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield server.public_url
    finally:
        await runner.cleanup()


async def test_it_answers_to_its_own_name_and_its_own_pages_only() -> None:
    async with here("false") as url, aiohttp.ClientSession() as session:
        for headers, path, status in (
            ({}, "/", 200), ({"Host": "evil.example"}, "/", 421), ({"Origin": "http://evil.example"}, "/ws", 403),
            ({"Origin": "null"}, "/ws", 403), ({"Origin": url.replace("127.0.0.1", "localhost")}, "/", 200),
        ):
            async with session.get(url + path, headers=headers) as answer:
                assert answer.status == status, headers
        async with session.get(url) as answer:
            assert "default-src 'self'" in answer.headers["Content-Security-Policy"]


async def test_the_number_of_pages_is_bounded() -> None:
    async with here("exec cat") as url, aiohttp.ClientSession() as session:
        sockets = [await session.ws_connect(f"{url}/ws", origin=url) for _ in range(8)]
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(f"{url}/ws", origin=url)
        assert refused.value.status == 503
        for child in psutil.Process().children():
            if named(child) == "cat":
                child.kill()  # a wall ends when its page is closed; this does not
        for socket in sockets:
            await socket.close()


@pytest.mark.parametrize(("words", "says"), [
    (("--host", "0.0.0.0"), "in plain text"), (("--public-url", "http://wall.example.org"), "is not https://HOST"),
    (("west",), "no pool 'west' among nowhere"),
])
def test_what_would_show_the_pool_to_everybody_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], says: str
) -> None:
    assert main(["web", *words, "--config", str(configuration(tmp_path))]) == 2
    assert says in capsys.readouterr().err


def test_a_port_that_is_taken_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["web", "--port", str(port), "--config", str(configuration(tmp_path))]) == 1
    assert f"nothing can listen on 127.0.0.1 port {port}" in capsys.readouterr().err
