"""An agent that is a program: `PROGRAM ARGUMENT... ACTION NODE [ARGUMENT]`, which answers with a JSON object."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tuiha.config.secrets import environment
from tuiha.drivers.agents.actions import Actions
from tuiha.drivers.processes import end
from tuiha.drivers.protocols import AgentError

if TYPE_CHECKING:
    from tuiha.config.parts import DatabaseNode
    from tuiha.drivers.site import Site

_TOLD = 300  # characters of what a failed program said


class CommandAgent(Actions):
    """Runs the program once for each action; exit code 0 is success, standard output the answer or nothing."""

    def __init__(
        self, name: str, command: Sequence[str], seconds: float, environment: Mapping[str, str] | None = None
    ) -> None:
        """`environment` is the program's; None: the one of this process."""
        super().__init__(name, seconds)
        self._environment = environment
        self._command = tuple(command)

    async def _order(self, action: str, argument: str, seconds: float) -> Mapping[str, Any]:
        words = [*self._command, action, self.name, *([argument] if argument else [])]
        try:
            process = await asyncio.create_subprocess_exec(
                *words, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE, start_new_session=True, env=self._environment,
            )
        except OSError as error:
            raise AgentError(f"the agent of {self.name} ({self._command[0]}) cannot be run: "
                             f"{error.strerror or error}") from None
        try:
            async with asyncio.timeout(seconds):
                out, err = await process.communicate()
        except TimeoutError:
            raise AgentError(f"the agent of {self.name} did not finish {action} in {seconds:g} s") from None
        finally:
            await end(process)
        if process.returncode != 0:
            told = " ".join(err.decode(errors="replace").split())[-_TOLD:] or f"exit code {process.returncode}"
            raise AgentError(f"the agent of {self.name} could not {action}: {told}")
        return self._answer(action, out)

    def _answer(self, action: str, out: bytes) -> Mapping[str, Any]:
        try:
            answer = json.loads(out) if out.strip() else {}
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise AgentError(f"the agent of {self.name} answered {action} with something that is not a JSON object")
        return answer


def open_command_agent(node: DatabaseNode, site: Site) -> CommandAgent:
    """The agent of a database that is a program."""
    agent = node.agent
    assert agent is not None  # the settings are validated
    assert agent.command is not None
    return CommandAgent(node.name, agent.command, agent.seconds, environment(site.pool))
