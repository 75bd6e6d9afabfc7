"""The pictures of the documentation: as many as there should be, and none that is named and not there."""

from __future__ import annotations

import re
from pathlib import Path

from tests.programs.docs.pictures import SIZES, THEMES, WHOLLY, gallery, in_the_documents
from tuiha.tui.keys import VIEWS

TOP = Path(__file__).parents[2]
PICTURES = TOP / "docs" / "pictures"


def test_every_view_and_every_state_of_a_pool_is_pictured() -> None:
    assert {view.name for view in VIEWS} | {"home-degraded", "home-split", "home-down"} == set(WHOLLY)
    drawn = in_the_documents()
    assert len([one for one in drawn if one.scene in WHOLLY]) >= len(WHOLLY) * len(SIZES) * len(THEMES)
    assert {f"{one.name}.svg" for one in drawn} == {path.name for path in PICTURES.glob("*.svg")}
    assert gallery(drawn) == (PICTURES / "README.md").read_text(encoding="utf-8")


def test_every_picture_that_a_page_shows_is_there() -> None:
    for page in (TOP / "README.md", *(TOP / "docs").glob("**/*.md")):
        for target in re.findall(r"!\[[^\]]*\]\(([^)]+\.svg)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).is_file(), f"{page.name}: {target}"
