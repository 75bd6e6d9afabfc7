"""Writes the pictures of the documentation: `python -m tests.programs.docs.pictures [FOLDER]`, from the checkout's top.

Every picture is a moment of one story (tests/programs/docs/story.py), drawn by the application itself: every view, and
Home of a pool that is degraded, split and down, at 80x24 and 120x40 in the themes dark and ansi; of the other screens
one picture each; and the failover as an animation, dark and light. With `--all` every scene is drawn in every size.
`README.md` in the folder shows them all.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.programs.docs.animation import animation
from tests.programs.docs.failover import frames
from tests.programs.docs.scenes import SCENES, shown
from tests.programs.docs.svg import svg

SIZES = ((80, 24), (120, 40))
THEMES = ("dark", "ansi")
ANIMATED = ("dark", "light")
WHOLLY = ("home", "home-degraded", "home-split", "home-down", "database", "sprayers", "mail", "users", "operations",
          "events", "pool")
LARGE = ("database-split", "detail", "detail-mail", "home-overloaded", "wall", "wall-healthy")
SMALL = ("devices", "help", "actions", "plan", "confirm", "run", "result", "replay", "pools")


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


async def draw(picture: Picture) -> str:
    """One screen as SVG."""
    async with shown(SCENES[picture.scene], picture.size, picture.theme) as pilot:
        return svg(pilot.app.screen._compositor.render_strips(), picture.size[0])


def every_picture(scenes: Iterable[str]) -> tuple[Picture, ...]:
    """These scenes at every size in every theme."""
    return tuple(Picture(scene, size, theme) for scene in scenes for theme in THEMES for size in SIZES)


def in_the_documents() -> tuple[Picture, ...]:
    """Views and states of a pool wholly; what is read on one terminal once."""
    return (*every_picture(WHOLLY), Picture("home-down", SIZES[0], "light"), Picture("home", (200, 60)),
            *(Picture(scene, SIZES[1]) for scene in LARGE), *(Picture(scene, SIZES[0]) for scene in SMALL))


def gallery(pictures: Iterable[Picture]) -> str:
    """A page with all of them."""
    lines = ["# Screens", "", "All pictures show made-up figures."]
    for picture in pictures:
        what = f"{picture.scene.replace('-', ' ')}, {picture.size[0]}x{picture.size[1]}, {picture.theme}"
        lines += ["", f"![{what}]({picture.name}.svg)"]
    return "\n".join(lines) + "\n"


def main(folder: Path, pictures: tuple[Picture, ...]) -> None:
    """Write them."""
    folder.mkdir(parents=True, exist_ok=True)
    for picture in pictures:
        _write(folder / f"{picture.name}.svg", asyncio.run(draw(picture)))
    for theme in ANIMATED:
        _write(folder / f"failover-{theme}.svg", animation(asyncio.run(frames(theme)), theme))
    (folder / "README.md").write_text(gallery(pictures), encoding="utf-8")


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    sys.stderr.write(f"{path}\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Draw the dashboard's screens as SVG.")
    parser.add_argument("folder", nargs="?", type=Path, default=Path("docs/pictures"))
    parser.add_argument("--all", action="store_true", help="every screen at every size and theme")
    words = parser.parse_args()
    main(words.folder, every_picture(SCENES) if words.all else in_the_documents())
