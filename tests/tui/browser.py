"""A headless Chromium, spoken to through its debugging port."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from tests.until import until

PATIENCE = 60.0  # seconds: a browser on a busy machine takes its time
_NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next((found for name in _NAMES if (found := shutil.which(name))), None)


class Page:
    """One page."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self.received = bytearray()  # on web sockets of the page

    async def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command; what happens meanwhile is taken note of."""
        number = next(self._numbers)
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        while True:
            message = await self._socket.receive_json()
            if message.get("id") == number:
                result: dict[str, Any] = message.get("result", {})
                return result
            self._note(message)

    def _note(self, message: dict[str, Any]) -> None:
        if message.get("method") == "Network.webSocketFrameReceived":
            frame = message["params"]["response"]
            data = frame["payloadData"]
            self.received += base64.b64decode(data) if frame["opcode"] == 2 else data.encode()

    async def until(self, what: str) -> None:
        """Wait until a JavaScript expression is true."""
        await until(lambda: self.ask("Runtime.evaluate", expression=what), what,
                    met=lambda answer: answer["result"].get("value"), pause=0.1)

    async def until_received(self, text: str) -> None:
        """Wait until the page got that text."""
        while text.encode() not in self.received:
            await self.ask("Runtime.evaluate", expression="1")
            await asyncio.sleep(0.1)

    async def picture(self) -> bytes:
        """The page as PNG."""
        return base64.b64decode((await self.ask("Page.captureScreenshot", format="png"))["data"])


@asynccontextmanager
async def chromium(url: str, folder: Path, size: tuple[int, int] = (1280, 800)) -> AsyncIterator[Page]:
    """A browser that shows that page, and is gone afterwards."""
    assert CHROMIUM is not None
    process = await asyncio.create_subprocess_exec(
        CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0",
        f"--user-data-dir={folder}", f"--window-size={size[0]},{size[1]}", "about:blank",
        stderr=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL, start_new_session=True)
    try:
        assert process.stderr is not None
        async with asyncio.timeout(PATIENCE):
            while not (found := re.search(rb"ws://127\.0\.0\.1:(\d+)/", await process.stderr.readline())):
                assert process.returncode is None
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{int(found[1])}/json/list") as answer:
                pages = json.loads(await answer.text())
            address = next(page["webSocketDebuggerUrl"] for page in pages if page["type"] == "page")
            async with asyncio.timeout(PATIENCE), session.ws_connect(address, max_msg_size=0) as socket:
                page = Page(socket)
                await page.ask("Network.enable")
                await page.ask("Page.navigate", url=url)
                yield page
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
