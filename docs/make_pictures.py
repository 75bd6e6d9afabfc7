"""Write the pictures of the documentation: `python -m docs.make_pictures [FOLDER]`, from the top of the checkout.

With `--all` every screen is drawn at 80x24 and 120x40, in the themes dark and ansi. The snapshots are made up
(tests/tui/samples.py); what is drawn is the dashboard itself.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from textual.app import App

from tests.tui.fake_operator import FakeOperator, ended, operation
from tests.tui.samples import AT, SAMPLES, SampleFeed
from tests.tui.test_users_view import page
from tests.watch.recording.made import TROUBLE, at_turn, recorded
from tuiha.tui.app import Dashboard
from tuiha.tui.pools.picker import Picker
from tuiha.tui.pools.wall import Wall
from tuiha.tui.pools.watching import Watched
from tuiha.tui.theme import Palette, load_theme
from tuiha.watch.recording.replay import Replay

PATIENCE = 30.0  # seconds that a screen may take until it shows what is waited for
SIZES = ((80, 24), (120, 40))
THEMES = ("dark", "ansi")
NOW = AT + 0.2

Make = Callable[[Palette], App[int]]


@dataclass(frozen=True, slots=True)
class Scene:
    """A screen: what makes the application, the keys that lead there, and a text by which it is known to be there."""

    make: Make
    keys: tuple[str, ...] = ()
    shows: str = ""


@dataclass(frozen=True, slots=True)
class Picture:
    """A scene to draw."""

    scene: str
    size: tuple[int, int]
    theme: str = "dark"

    @property
    def name(self) -> str:
        """The name of its file, without an end."""
        theme = "" if self.theme == "dark" else f"-{self.theme}"
        return f"{self.scene}{theme}-{self.size[0]}x{self.size[1]}"


def live(sample: str, operator: FakeOperator | None = None, reason: str = "", mode: str = "VIEW") -> Make:
    """The dashboard over a made-up snapshot; armed when there is a reason."""

    def make(palette: Palette) -> App[int]:
        snapshot, happened = SAMPLES[sample]()
        app = Dashboard(SampleFeed(snapshot, happened), snapshot.pool, palette, now=lambda: NOW, operator=operator,
                        mode=mode)
        if reason:
            app.operations.arm(reason)
        return app

    return make


def past(palette: Palette) -> App[int]:
    """The dashboard over a recording, at the moment when a mail server went."""
    with tempfile.TemporaryDirectory() as folder:
        replay = Replay(recorded(Path(folder) / "r.sqlite", range(TROUBLE.stop + 90)), at_turn(TROUBLE.start).at)
        return Dashboard(replay, replay.pool, palette, now=lambda: NOW, mode="REPLAY", replay=replay)


def watched(*samples: str) -> list[Watched]:
    """Made-up pools."""
    pools = []
    for name, sample in zip(("corp-east", "corp-west", "lab", "branch"), samples, strict=False):
        snapshot, happened = SAMPLES[sample]()
        pools.append(Watched(name, SampleFeed(replace(snapshot, pool=name), happened), lambda: None))
    return pools


def with_users() -> FakeOperator:
    """An operator who finds users."""
    operator = FakeOperator()
    operator.page = page("ann", "anna", "annika", "anton", more=True)
    return operator


def with_operations() -> FakeOperator:
    """An operator before whom others were at work."""
    operator = FakeOperator()
    operator.known = (replace(ended(), target=("db2",)), replace(ended(), id="51c0d2", kind="rebalance", target=(),
                                                                 reason="s4 is new", started_at=AT - 8000, outcome={}))
    return operator


def at_work() -> FakeOperator:
    """An operator whose switchover runs."""
    operator = FakeOperator()
    operator.known, operator.now = (operation(4),), operation(4)
    return operator


WHY = "db1 kernel patch"
SCENES: Mapping[str, Scene] = {
    "home": Scene(live("healthy")),
    "home-degraded": Scene(live("degraded")),
    "home-split": Scene(live("split")),
    "home-down": Scene(live("down")),
    "home-write": Scene(live("healthy", FakeOperator(), WHY)),
    "pool": Scene(live("healthy"), ("0",)),
    "detail": Scene(live("healthy"), ("enter",)),
    "database": Scene(live("healthy"), ("2",)),
    "database-split": Scene(live("split"), ("2",)),
    "sprayers": Scene(live("degraded"), ("3",)),
    "mail": Scene(live("degraded"), ("4",)),
    "users": Scene(live("healthy", with_users()), ("5", "a", "n"), "annika"),
    "operations": Scene(live("healthy", with_operations()), ("6",), "rebalance"),
    "events": Scene(live("degraded"), ("7",)),
    "help": Scene(live("healthy"), ("question_mark",)),
    "actions": Scene(live("healthy"), ("ctrl+p",)),
    "command": Scene(live("healthy"), ("colon", *"dra")),
    "plan": Scene(live("healthy", FakeOperator(), WHY), ("f", "enter"), "rejoin as secondary"),
    "confirm": Scene(live("healthy", FakeOperator(), WHY), ("f", "enter", "wait:rejoin as secondary", "c"), "CONFIRM"),
    "run": Scene(live("healthy", at_work(), WHY), (), "4 of 6 steps"),
    "replay": Scene(past, (), "HEALTHY -> DEGRADED"),
    "replay-compare": Scene(past, ("equals_sign",), "changed since"),
    "replay-go": Scene(past, ("at",), "DEGRADED"),
    "wall": Scene(lambda palette: Wall(watched("healthy", "degraded"), palette, now=lambda: NOW)),
    "wall-split": Scene(lambda palette: Wall(watched("split"), palette, now=lambda: NOW)),
    "pools": Scene(lambda palette: Picker(watched("healthy", "degraded", "split", "down"), palette, now=lambda: NOW)),
}
IN_THE_DOCUMENTS = (
    Picture("home", (120, 40)), Picture("home-split", (120, 40)), Picture("home-degraded", (80, 24)),
    Picture("home-down", (80, 24), "light"), Picture("database-split", (120, 40)), Picture("users", (80, 24)),
    Picture("plan", (80, 24)), Picture("replay", (80, 24)), Picture("wall", (120, 40)),
)


async def draw(picture: Picture) -> str:
    """One screen as SVG."""
    scene = SCENES[picture.scene]
    app = scene.make(load_theme(picture.theme))
    async with app.run_test(size=picture.size) as pilot:
        for key in scene.keys:
            if key.startswith("wait:"):
                await shown(app, key.removeprefix("wait:"))
            else:
                await pilot.press(key)
        await shown(app, scene.shows)
        await pilot.pause()
        svg = app.export_screenshot(title="tuiha")
    svg = re.sub(r"terminal-\d+", "t", svg)  # a third of the file is names
    # Spaces that every renderer keeps, and no ligatures: `->` is two cells on a terminal.
    svg = svg.replace("&#160;", " ").replace("<text ", '<text xml:space="preserve" ')
    return svg.replace("font-variant-east-asian: full-width;", "font-variant-ligatures: none;")


async def shown(app: App[int], text: str) -> None:
    """Wait until that text is on the screen. Raises TimeoutError."""
    async with asyncio.timeout(PATIENCE):
        while not any(text in strip.text for strip in app.screen._compositor.render_strips()):  # noqa: ASYNC110
            await asyncio.sleep(0.02)


def every_picture() -> tuple[Picture, ...]:
    """Every scene at every size in every theme."""
    return tuple(Picture(scene, size, theme) for scene in SCENES for size in SIZES for theme in THEMES)


def main(folder: Path, pictures: tuple[Picture, ...]) -> None:
    """Write them."""
    folder.mkdir(parents=True, exist_ok=True)
    for picture in pictures:
        path = folder / f"{picture.name}.svg"
        path.write_text(asyncio.run(draw(picture)), encoding="utf-8")
        sys.stderr.write(f"{path}\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Draw the dashboard's screens as SVG.")
    parser.add_argument("folder", nargs="?", type=Path, default=Path("docs/pictures"))
    parser.add_argument("--all", action="store_true", help="every screen at every size and theme")
    words = parser.parse_args()
    main(words.folder, every_picture() if words.all else IN_THE_DOCUMENTS)
