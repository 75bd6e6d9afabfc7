"""Write the pictures of the documentation: `python -m docs.make_pictures [FOLDER]`, from the top of the checkout.

The snapshots are made up (tests/tui/samples.py); what is drawn is the dashboard itself. The one PNG is
made with `rsvg-convert` where that is installed, in the font Fira Code.
"""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.tui.samples import AT, SAMPLES, SampleFeed
from tuiha.tui.app import Dashboard
from tuiha.tui.theme import load_theme

AS_PNG = "home-120x40"
PNG_WIDTH = "1300"


@dataclass(frozen=True, slots=True)
class Picture:
    """A screen to draw."""

    name: str
    sample: str
    size: tuple[int, int]
    theme: str = "dark"
    keys: tuple[str, ...] = ()


PICTURES = (
    Picture("home-120x40", "healthy", (120, 40)),
    Picture("home-split-120x40", "split", (120, 40)),
    Picture("home-down-120x40", "down", (120, 40)),
    Picture("home-80x24", "degraded", (80, 24)),
    Picture("home-light-120x40", "degraded", (120, 40), theme="light"),
    Picture("detail-120x40", "healthy", (120, 40), keys=("enter",)),
    Picture("help-80x24", "healthy", (80, 24), keys=("question_mark",)),
)


async def draw(picture: Picture) -> str:
    """One screen as SVG."""
    snapshot, happened = SAMPLES[picture.sample]()
    app = Dashboard(
        SampleFeed(snapshot, happened), snapshot.pool, load_theme(picture.theme), now=lambda: AT + 0.2
    )
    async with app.run_test(size=picture.size) as pilot:
        await pilot.press(*picture.keys)
        await pilot.pause()
        svg = app.export_screenshot(title=f"tuiha  {snapshot.pool}")
    # Spaces that every renderer keeps, and no ligatures: `->` is two cells on a terminal.
    svg = svg.replace("&#160;", " ").replace("<text ", '<text xml:space="preserve" ')
    return svg.replace("font-variant-east-asian: full-width;", "font-variant-ligatures: none;")


def main(folder: Path) -> None:
    """Write them all."""
    folder.mkdir(parents=True, exist_ok=True)
    for picture in PICTURES:
        path = folder / f"{picture.name}.svg"
        path.write_text(asyncio.run(draw(picture)), encoding="utf-8")
        sys.stderr.write(f"{path}\n")
    converter = shutil.which("rsvg-convert")
    if converter is None:
        sys.stderr.write("rsvg-convert is not installed: no PNG was made\n")
        return
    source, target = folder / f"{AS_PNG}.svg", folder / f"{AS_PNG}.png"
    subprocess.run([converter, "-w", PNG_WIDTH, str(source), "-o", str(target)], check=True)
    sys.stderr.write(f"{target}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("docs/pictures"))
