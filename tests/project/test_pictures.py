"""The pictures of the documentation: all there, each true in itself, and none is named that is not there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.programs.docs.animation import animation
from tests.programs.docs.failover import SCRIPT, SIZE, Frame
from tests.programs.docs.pictures import ANIMATED, SIZES, THEMES, WHOLLY, gallery, in_the_documents
from tests.programs.docs.scenes import SCENES, Scene, lines_of, shown
from tests.programs.docs.story import MOMENTS, OPERATIONS, feed_at, operations_at, time_at
from tests.programs.docs.svg import svg
from tuiha.model.facts import Protection, Snapshot, Verdict
from tuiha.model.operations.plans import OperationStatus
from tuiha.model.problems.operation import running
from tuiha.tui.draw.head import head
from tuiha.tui.draw.spans import plain
from tuiha.tui.draw.view import View
from tuiha.tui.keys import VIEWS

TOP = Path(__file__).parents[2]
PICTURES = TOP / "docs" / "pictures"
DRAWN = in_the_documents()
OF_OPERATIONS = [*(name for name, scene in SCENES.items() if scene.operation)]


def test_every_view_and_every_state_of_a_pool_is_pictured() -> None:
    assert {view.name for view in VIEWS} | {"home-degraded", "home-split", "home-down"} == set(WHOLLY)
    assert len([one for one in DRAWN if one.scene in WHOLLY]) >= len(WHOLLY) * len(SIZES) * len(THEMES)
    animated = {f"failover-{theme}.svg" for theme in ANIMATED}
    assert {f"{one.name}.svg" for one in DRAWN} | animated == {path.name for path in PICTURES.glob("*.svg")}
    assert gallery(DRAWN) == (PICTURES / "README.md").read_text(encoding="utf-8")


def test_every_picture_that_a_page_shows_is_there() -> None:
    for page in (TOP / "README.md", *(TOP / "docs").glob("**/*.md")):
        text = page.read_text(encoding="utf-8")
        shown = re.findall(r"!\[[^\]]*\]\(([^)]+\.svg)\)", text) + re.findall(r'src(?:set)?="([^"]+\.svg)"', text)
        for target in shown:
            assert (page.parent / target).is_file(), f"{page.name}: {target}"


# The story


def at(moment: str) -> Snapshot:
    return feed_at(moment).latest()


def test_the_application_concludes_what_the_story_tells() -> None:
    verdicts = {name: at(name).verdict for name in MOMENTS}
    assert {name for name, verdict in verdicts.items() if verdict is Verdict.HEALTHY} >= {"healthy", "again"}
    assert {name for name, verdict in verdicts.items() if verdict is Verdict.SPLIT} == {"split"}
    assert Verdict.DISPUTED not in verdicts.values()
    assert {"down", "plan", "confirm"} <= {name for name, verdict in verdicts.items() if verdict is Verdict.DOWN}
    assert {verdicts["overloaded"], verdicts["degraded"]} == {Verdict.DEGRADED}
    assert [problem.subject for problem in at("overloaded").problems] == ["s3"]
    assert {problem.subject for problem in at("degraded").problems} >= {"mail2", "s2"}


def test_the_operation_is_about_the_pool_that_is_shown() -> None:
    before, plan = at("plan"), OPERATIONS["failover"].plan
    rests_on = plan.facts["ledger"]
    assert (before.active, rests_on["active"], plan.confirm) == ("db1", "db1", "db2")
    assert rests_on["epoch"] == before.epoch
    assert {database.system_identifier for database in before.databases} == {rests_on["system_identifier"]}
    assert {server.name for server in before.servers} == set(plan.facts["servers"])
    for moment in ("promoting", "run"):
        run, found = operations_at(moment)[0], running(at(moment))
        assert found is not None
        assert run.current is not None
        assert (found.id, found.step) == (run.id, run.current.planned.number)
    assert (at("promoting").active, at("run").active) == ("db1", "db2")
    result, after = operations_at("result")[0], at("result")
    assert result.state is OperationStatus.DONE
    assert running(after) is None
    assert (after.active, after.epoch) == ("db2", (before.epoch or 0) + 1)
    assert (after.protection is Protection.PROTECTED) is (result.outcome or {})["protected"]
    assert {server.database for server in after.servers} == {"db2"}


def test_the_reason_of_an_operation_names_a_problem_that_there_was() -> None:
    subject = operations_at("run")[0].reason.split()[0]
    assert subject in {problem.subject for problem in at("plan").problems}


@pytest.mark.parametrize("name", OF_OPERATIONS)
async def test_lines_1_to_3_and_the_operation_on_a_picture_are_of_one_moment(name: str) -> None:
    scene = SCENES[name]
    async with shown(scene, SIZES[0]) as pilot:
        lines = lines_of(pilot.app)
    assert_head(lines, scene)
    snapshot = at(scene.moment)
    text = "\n".join(lines[3:])
    assert OPERATIONS["failover"].plan.confirm in text
    known = operations_at(scene.moment)[0]
    if known.kind == "failover":
        assert known.id in "\n".join(lines)
        assert known.reason in text
    if known.kind == "failover" and known.ended:
        assert known.status.upper() in text
        assert snapshot.active == known.plan.confirm


@pytest.mark.parametrize("name", [name for name in WHOLLY if name.startswith("home")])
async def test_lines_1_to_3_and_the_rows_of_a_picture_are_of_one_moment(name: str) -> None:
    scene = SCENES[name]
    async with shown(scene, SIZES[0]) as pilot:
        lines = lines_of(pilot.app)
    assert_head(lines, scene)
    text = "\n".join(lines[3:])
    for problem in at(scene.moment).problems:
        assert re.search(rf"\b{re.escape(problem.subject)}\b", text + lines[0])


def assert_head(lines: list[str], scene: Scene) -> None:
    """Line 1 has the verdict of the moment, and the words of lines 1 and 3 are those that the application draws."""
    snapshot = at(scene.moment)
    assert snapshot.verdict.value in lines[0]
    drawn = [plain(line) for line in head(View(snapshot.pool, time_at(scene.moment), snapshot=snapshot), SIZES[0][0])]
    assert lines[2].split() == drawn[2].split()


# The files


def test_a_sign_that_is_no_letter_has_its_place_and_dots_and_blocks_are_shapes() -> None:
    from rich.segment import Segment

    drawn = svg([[Segment("ab⣿█╳─┼ ●c")]], 12)
    assert not set("⣿█╳─┼") & set(drawn)
    assert drawn.count("h.01") == 8  # each dot of the braille cell
    assert re.search(r'x="85" y="15">●<', drawn)  # the middle of its cell
    assert re.search(r'x="90" y="15" textLength="10">c<', drawn)


def test_the_animation_shows_one_frame_at_a_time_and_all_of_them() -> None:
    from rich.segment import Segment

    lines = [[Segment("x" * SIZE[0])] for _ in range(SIZE[1])]
    frames = [Frame(lines, beat.seconds, beat.keys, beat.caption) for beat in SCRIPT]
    drawn = animation(frames, "dark")
    assert drawn.count('<g class="f f') == len(SCRIPT)
    ends = [float(end) for end in re.findall(r"([\d.]+)%\{visibility:visible\}", drawn)]
    assert ends == sorted(ends)
    assert len(ends) == len(SCRIPT)
    assert "prefers-reduced-motion" in drawn


@pytest.mark.parametrize("theme", ANIMATED)
def test_the_animation_is_small_enough_for_a_page(theme: str) -> None:
    text = (PICTURES / f"failover-{theme}.svg").read_text(encoding="utf-8")
    assert len(text.encode()) < 1_000_000
    assert "<script" not in text
    assert "http://" not in text.replace('xmlns="http://www.w3.org/2000/svg"', "")
