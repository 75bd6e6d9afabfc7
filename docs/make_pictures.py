"""Write the pictures of the documentation: `python -m docs.make_pictures [FOLDER]`, from the top of the checkout.

The snapshots are made up (tests/tui/samples.py); what is drawn is the dashboard itself.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tests.tui.samples import AT, SAMPLES, SampleFeed
from tuiha.tui.app import Dashboard
from tuiha.tui.theme import load_theme

PICTURES: tuple[tuple[str, str, tuple[int, int], str, tuple[str, ...]], ...] = (
    ("home-120x40", "healthy", (120, 40), "dark", ()),
    ("home-split-120x40", "split", (120, 40), "dark", ()),
    ("home-80x24", "degraded", (80, 24), "dark", ()),
    ("home-light-120x40", "degraded", (120, 40), "light", ()),
    ("detail-120x40", "healthy", (120, 40), "dark", ("enter",)),
)


async def picture(sample: str, size: tuple[int, int], theme: str, keys: tuple[str, ...]) -> str:
    """One screen as SVG."""
    snapshot, happened = SAMPLES[sample]()
    app = Dashboard(SampleFeed(snapshot, happened), snapshot.pool, load_theme(theme), now=lambda: AT + 0.2)
    async with app.run_test(size=size) as pilot:
        await pilot.press(*keys)
        await pilot.pause()
        return app.export_screenshot(title=f"tuiha  {snapshot.pool}")


def main(folder: Path) -> None:
    """Write them all."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, sample, size, theme, keys in PICTURES:
        path = folder / f"{name}.svg"
        path.write_text(asyncio.run(picture(sample, size, theme, keys)), encoding="utf-8")
        sys.stderr.write(f"{path}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("docs/pictures"))
