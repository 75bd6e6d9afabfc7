"""The palette: everything that can be done from the screen behind, by name and key."""

from __future__ import annotations

from collections.abc import Sequence

from tuiha.tui.command.grammar import COMMANDS
from tuiha.tui.draw.spans import Span
from tuiha.tui.keys import Key
from tuiha.tui.kit.offers import Offer, matching
from tuiha.tui.kit.prompt import PromptScreen
from tuiha.tui.kit.screen import PoolScreen

_NEVER = ("app.palette", "move.", "palette.")  # moving in a list from within a list says nothing


class PaletteScreen(PromptScreen):
    """Each action of a screen, then the commands; what is not allowed now is grey and says why."""

    TITLE_TEXT = "Actions"
    PROMPT = "> "

    def __init__(self) -> None:
        super().__init__()
        self._behind: PoolScreen | None = None
        self._keys: dict[str, Key] = {}
        self._names: dict[str, str] = {}

    def explain(self, screen: PoolScreen) -> None:
        """Offer what that screen can do."""
        found = [entry for entry in screen.bound_keys() if not entry.key.id.startswith(_NEVER)]
        self._behind = screen
        self._keys = {entry.key.id: entry.key for entry in found}
        self._names = {entry.key.id: entry.names[0] for entry in found}
        self.start("")

    def offers(self, text: str) -> Sequence[Offer]:
        """Actions and commands with these words in them."""
        behind = self._behind
        actions = [
            Offer(id, key.description, self._names[id], id, against=(behind.against(key) if behind else None) or "")
            for id, key in self._keys.items()
        ]
        commands = [
            Offer(f":{name}", f"{name} {command.takes.usage}".strip(), ":", command.help,
                  against=(command.danger and self.dashboard.operations.against()) or "")
            for name, command in COMMANDS.items()
        ]
        return matching((*actions, *commands), text)

    def remark(self, text: str) -> Span:
        """How it is used."""
        return ("enter do it   up down choose   esc back", "quiet")

    async def choose(self, text: str, offer: Offer | None) -> None:
        """Do it as the key on the screen behind does; a command that takes words goes to the command line."""
        if offer is None:
            return
        if offer.name.startswith(":"):
            self.dashboard.open_command(f"{offer.name[1:]} ")
        elif self._behind is not None:
            await self.app.run_action(self._keys[offer.name].action, self._behind)
