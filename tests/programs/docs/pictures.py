"""Writes the pictures of the documentation: `python -m tests.programs.docs.pictures [FOLDER]`, from the checkout's top.

Every view, and Home of a pool that is degraded, split and down, at 80x24 and 120x40 in the themes dark and ansi; of the
other screens one picture each. With `--all` all of them are drawn like that. The snapshots are made up
(tests/tui/samples.py); what is drawn is the dashboard itself. `README.md` in the folder shows them all.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from textual.app import App

from tests.programs.docs.svg import svg
from tests.tui.fake_operator import FakeOperator, ended, operation
from tests.tui.samples import AT, SAMPLES, SampleFeed
from tests.tui.test_devices_view import PHONE, TABLET
from tests.tui.test_users_view import page
from tests.watch.recording.made import TROUBLE, at_turn, recorded
from tuiha.tui.app import Dashboard
from tuiha.tui.theme import Palette, load_theme
from tuiha.tui.views.wall.feeds import Watched
from tuiha.tui.views.wall.picker import Picker
from tuiha.tui.views.wall.screen import Wall
from tuiha.watch.recording.replay import Replay

PATIENCE = 30.0  # seconds that a screen may take until it shows what is waited for
SIZES = ((80, 24), (120, 40))
THEMES = ("dark", "ansi")
NOW = AT + 0.2
INTENT = json.dumps({"id": "7f3a9c41d02e", "kind": "switchover", "owner": "oncall@bastion", "host": "bastion",
                     "since": AT - 5, "step": 5, "action": "attach, verify, release"})

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


def live(sample: str, operator: FakeOperator | None = None, reason: str = "", mode: str = "LOCKED") -> Make:
    """The dashboard over a made-up snapshot, with an operator who may act; unlocked when there is a reason."""

    def make(palette: Palette) -> App[int]:
        snapshot, happened = SAMPLES[sample]()
        if operator is not None and operator.known and not operator.known[0].ended:
            snapshot = replace(snapshot, intent=INTENT)
        app = Dashboard(SampleFeed(snapshot, happened), snapshot.pool, palette, now=lambda: NOW,
                        operator=operator or with_users(), mode=mode)
        if reason:
            app.operations.unlock(reason)
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
    operator.devices = (PHONE, TABLET)
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
    "detail-database": Scene(live("down"), (*"jjjj", "enter"), "should be"),
    "detail-sprayer": Scene(live("healthy"), (*"jjjjjj", "enter"), "carries devices"),
    "detail-mail": Scene(live("degraded"), ("enter",), "partners"),
    "database": Scene(live("healthy"), ("2",)),
    "database-split": Scene(live("split"), ("2",)),
    "sprayers": Scene(live("degraded"), ("3",)),
    "mail": Scene(live("degraded"), ("4",)),
    "users": Scene(live("healthy", with_users()), ("5", "a", "n"), "annika"),
    "devices": Scene(live("healthy", with_users(), WHY), ("5", "wait:annika", "enter", "v", "wait:tablet", "j"),
                     "It knows ann's password"),
    "operations": Scene(live("healthy", with_operations()), ("6",), "rebalance"),
    "events": Scene(live("degraded"), ("7",)),
    "help": Scene(live("healthy"), ("question_mark",)),
    "actions": Scene(live("healthy"), ("ctrl+p",)),
    "command": Scene(live("healthy"), ("colon", *"dra")),
    "plan": Scene(live("healthy", FakeOperator(), WHY), ("f", "enter"), "rejoin as secondary"),
    "confirm": Scene(live("healthy", FakeOperator(), WHY), ("f", "enter", "wait:rejoin as secondary", "c"), "CONFIRM"),
    "run": Scene(live("healthy", at_work(), WHY), (), "4 of 6 steps"),
    "result": Scene(live("healthy", with_operations(), WHY), ("6", "wait:rebalance", "enter"), "read back"),
    "replay": Scene(past, (), "HEALTHY -> DEGRADED"),
    "replay-compare": Scene(past, ("equals_sign",), "changed since"),
    "replay-go": Scene(past, ("at",), "DEGRADED"),
    "wall": Scene(lambda palette: Wall(watched("healthy", "degraded"), palette, now=lambda: NOW)),
    "wall-split": Scene(lambda palette: Wall(watched("split"), palette, now=lambda: NOW)),
    "pools": Scene(lambda palette: Picker(watched("healthy", "degraded", "split", "down"), palette, now=lambda: NOW)),
}
WHOLLY = ("home", "home-degraded", "home-split", "home-down", "database", "sprayers", "mail", "users", "operations",
          "events", "pool")


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
        return svg(app.screen._compositor.render_strips(), picture.size[0])


async def shown(app: App[int], text: str) -> None:
    """Wait until that text is on the screen. Raises TimeoutError."""
    async with asyncio.timeout(PATIENCE):
        while not any(text in strip.text for strip in app.screen._compositor.render_strips()):  # noqa: ASYNC110
            await asyncio.sleep(0.02)


def every_picture(scenes: Iterable[str]) -> tuple[Picture, ...]:
    """These scenes at every size in every theme."""
    return tuple(Picture(scene, size, theme) for scene in scenes for theme in THEMES for size in SIZES)


def in_the_documents() -> tuple[Picture, ...]:
    """Views and states of a pool wholly; what is read on one terminal once."""
    large, small = ("database-split", "detail", "detail-mail", "wall", "wall-split"), (
        "devices", "help", "actions", "plan", "confirm", "run", "result", "replay", "pools")
    return (*every_picture(WHOLLY), Picture("home-down", SIZES[0], "light"), Picture("home", (200, 60)),
            *(Picture(scene, SIZES[1]) for scene in large), *(Picture(scene, SIZES[0]) for scene in small))


def gallery(pictures: Iterable[Picture]) -> str:
    """A page with all of them."""
    lines = ["# Screens", "", "Drawn by `python -m tests.programs.docs.pictures` from made-up figures."]
    for picture in pictures:
        what = f"{picture.scene.replace('-', ' ')}, {picture.size[0]}x{picture.size[1]}, {picture.theme}"
        lines += ["", f"![{what}]({picture.name}.svg)"]
    return "\n".join(lines) + "\n"


def main(folder: Path, pictures: tuple[Picture, ...]) -> None:
    """Write them."""
    folder.mkdir(parents=True, exist_ok=True)
    for picture in pictures:
        path = folder / f"{picture.name}.svg"
        path.write_text(asyncio.run(draw(picture)), encoding="utf-8")
        sys.stderr.write(f"{path}\n")
    (folder / "README.md").write_text(gallery(pictures), encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Draw the dashboard's screens as SVG.")
    parser.add_argument("folder", nargs="?", type=Path, default=Path("docs/pictures"))
    parser.add_argument("--all", action="store_true", help="every screen at every size and theme")
    words = parser.parse_args()
    main(words.folder, every_picture(SCENES) if words.all else in_the_documents())
