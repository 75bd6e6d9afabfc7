"""The failover of the story as frames of an animation: the screen, the keys that were pressed, and why in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rich.segment import Segment

from tests.programs.docs.scenes import SCENES, Scene, shown, to_confirm, typed

SIZE = (80, 24)


@dataclass(frozen=True, slots=True)
class Beat:
    """A part of the animation."""

    scene: Scene
    seconds: float
    keys: str  # that were pressed to come here
    caption: str


@dataclass(frozen=True, slots=True)
class Frame:
    """A drawn part."""

    lines: Sequence[Sequence[Segment]]
    seconds: float
    keys: str
    caption: str


_CONFIRM = Scene("confirm", (to_confirm,), operation=True)
SCRIPT: tuple[Beat, ...] = (
    Beat(SCENES["home"], 3.0, "", "A healthy pool: four servers, one database pair."),
    Beat(Scene("killed"), 1.6, "kill -9", "The primary database dies."),
    Beat(SCENES["home-down"], 3.4, "", "DOWN, the reason, and the key that ends it."),
    Beat(SCENES["plan"], 4.0, "f  enter", "The plan: checks on fresh facts, what can be lost, steps."),
    Beat(_CONFIRM, 1.4, "c", "Confirm: the new primary's name, typed by hand."),
    Beat(replace(_CONFIRM, acts=(to_confirm, typed("d", "b", "2"))), 1.4, "d b 2",
         "Then ctrl+x starts it, and nothing else."),
    Beat(replace(SCENES["run"], moment="promoting"), 1.8, "ctrl+x",
         "Each step is verified. It continues without this terminal."),
    Beat(SCENES["run"], 2.4, "", "The new primary serves. The old one is made its secondary."),
    Beat(SCENES["result"], 4.0, "", "Done: no write was lost, and for how long users waited."),
    Beat(replace(SCENES["home"], moment="again"), 3.4, "esc", "The old primary follows the new one: protected again."),
)


async def frames(theme: str) -> list[Frame]:
    """All of them, drawn by the application."""
    found = []
    for beat in SCRIPT:
        async with shown(beat.scene, SIZE, theme) as pilot:
            lines = [list(strip) for strip in pilot.app.screen._compositor.render_strips()]
        found.append(Frame(lines, beat.seconds, beat.keys, beat.caption))
    return found
