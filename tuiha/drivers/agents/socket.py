"""An agent behind a unix socket that takes one JSON object a line, as an embedded pool's supervisor does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuiha.drivers.agents.actions import Actions
from tuiha.drivers.protocols import AgentError

if TYPE_CHECKING:
    from tuiha.config.parts import DatabaseNode
    from tuiha.drivers.site import Site


class SocketAgent(Actions):
    """Sends {"do": "agent", "name": DATABASE, "action": ACTION, "argument": TEXT}, reads {"ok": BOOLEAN, ...}."""

    def __init__(self, name: str, socket: Path, seconds: float) -> None:
        super().__init__(name, seconds)
        self._socket = socket

    async def _order(self, action: str, argument: str, seconds: float) -> Mapping[str, Any]:
        order = {"do": "agent", "name": self.name, "action": action, "argument": argument}
        try:
            async with asyncio.timeout(seconds):
                reader, writer = await asyncio.open_unix_connection(str(self._socket))
                try:
                    writer.write(json.dumps(order).encode() + b"\n")
                    await writer.drain()
                    answer = json.loads(await reader.readline() or b"null")
                finally:
                    writer.close()
        except TimeoutError:
            raise AgentError(f"the agent of {self.name} did not finish {action} in {seconds:g} s") from None
        except (OSError, ValueError) as error:
            raise AgentError(f"the agent of {self.name} at {self._socket} cannot be asked: "
                             f"{getattr(error, 'strerror', None) or type(error).__name__}") from None
        if not isinstance(answer, dict) or answer.get("ok") is not True:
            told = answer.get("error", "no reason") if isinstance(answer, dict) else "it hung up"
            raise AgentError(f"the agent of {self.name} could not {action}: {told}")
        return answer


def open_socket_agent(node: DatabaseNode, site: Site) -> SocketAgent:
    """The agent of a database behind a unix socket."""
    agent = node.agent
    assert agent is not None  # the settings are validated
    assert agent.socket is not None
    return SocketAgent(node.name, site.base / agent.socket, agent.seconds)
