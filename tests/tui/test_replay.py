"""REPLAY: a recording on the dashboard, moved by keys; nothing can be changed in the past."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from tests.doubles.operator import FakeOperator
from tests.tui.pty_terminal import Terminal
from tests.tui.samples import AT, SampleFeed, healthy, split
from tests.tui.test_app import lines, seen, text
from tests.watch.recording.made import TROUBLE, at_turn, recorded
from tuiha.tui.app import Dashboard
from tuiha.tui.replay.lines import Incident, incidents
from tuiha.tui.replay.travel import THE_PAST
from tuiha.tui.theme import load_theme
from tuiha.watch.recording.replay import Replay
from tuiha.watch.recording.store import Block

TURNS = range(200)
END = at_turn(TURNS[-1])


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return recorded(tmp_path_factory.mktemp("recording") / "r.sqlite", TURNS)


def dashboard(past: Callable[[], Replay] | None, feed: SampleFeed | None = None, **other: object) -> Dashboard:
    return Dashboard(feed or SampleFeed(healthy()), "corp-east", load_theme("dark"), now=lambda: AT + 9999.0,
                     past=past, **other)  # type: ignore[arg-type]


def clock(pilot: Pilot[int]) -> str:
    return lines(pilot)[-1].split()[2]


async def at(pilot: Pilot[int], moment: str) -> None:
    await seen(pilot, lambda: clock(pilot) == moment)


async def test_into_the_past_and_back(recording: Path) -> None:
    live = SampleFeed(healthy())
    async with dashboard(lambda: Replay(recording), live).run_test(size=(120, 40)) as pilot:
        assert " LOCKED" in lines(pilot)[0]
        await pilot.press("t")
        await seen(pilot, lambda: "REPLAY" in lines(pilot)[0])
        assert "03:15:26Z" in lines(pilot)[0]  # the recording's clock, and not this machine's
        assert "20 Nov 03:15:26Z" in lines(pilot)[-1]
        await pilot.press("comma")
        await at(pilot, "03:15:25Z")
        await pilot.press("comma", "comma", "full_stop")
        await at(pilot, "03:15:24Z")
        live.publish(split())  # what happens meanwhile is told, and shown when one is back
        await pilot.press("comma")
        await at(pilot, "03:15:23Z")
        assert "now SPLIT" in lines(pilot)[-1]
        assert "HEALTHY" in lines(pilot)[0]
        await pilot.press("t")
        await seen(pilot, lambda: "SPLIT" in lines(pilot)[0] and " LOCKED" in lines(pilot)[0])


async def test_from_change_to_change_and_what_it_was(recording: Path) -> None:
    async with dashboard(lambda: Replay(recording)).run_test(size=(120, 40)) as pilot:
        await pilot.press("t")
        await seen(pilot, lambda: "REPLAY" in lines(pilot)[0])
        await pilot.press("at")
        await seen(pilot, lambda: "changes" in text(pilot))
        await pilot.press(*"03:14:19", "enter")
        await at(pilot, "03:14:19Z")
        while "DEGRADED" not in lines(pilot)[0]:
            before = lines(pilot)[-1]
            await pilot.press("less_than_sign")
            await seen(pilot, lambda was=before: lines(pilot)[-1] != was)  # type: ignore[misc]
        await pilot.press("at")
        await seen(pilot, lambda: "changes" in text(pilot))
        await pilot.press(*"03:13:47", "enter")
        await at(pilot, "03:13:47Z")
        assert "corp-east HEALTHY -> DEGRADED (+" in lines(pilot)[-1]
        await seen(pilot, lambda: "mail2      UP -> DOWN" in text(pilot))  # among the events as well
        await pilot.press("equals_sign")
        await seen(pilot, lambda: "changed since 03:13:46Z" in text(pilot))
        assert any("mail2" in line and "state" in line and "DOWN" in line for line in lines(pilot))
        await pilot.press("escape", "escape")
        await seen(pilot, lambda: " LOCKED" in lines(pilot)[0])


async def test_an_incident_is_offered_and_gone_to(recording: Path) -> None:
    async with dashboard(lambda: Replay(recording)).run_test(size=(80, 24)) as pilot:
        await pilot.press("t")
        await seen(pilot, lambda: "REPLAY" in lines(pilot)[0])
        await pilot.press("at")
        await seen(pilot, lambda: "DEGRADED" in text(pilot))
        assert "write for example 03:00" in lines(pilot)[-1]  # before anything is typed
        await pilot.press(*"noon", "enter")
        await seen(pilot, lambda: "write for example" in text(pilot))
        await pilot.press("ctrl+u")
        await seen(pilot, lambda: "DEGRADED" in text(pilot))
        await pilot.press("enter")
        await at(pilot, "03:13:07Z")  # where the block begins in which it was


async def test_the_ends_are_told(recording: Path) -> None:
    async with dashboard(lambda: Replay(recording)).run_test(size=(120, 24)) as pilot:
        await pilot.press("t")
        await seen(pilot, lambda: "REPLAY" in lines(pilot)[0])
        await pilot.press("full_stop")
        await seen(pilot, lambda: "the recording ends here" in lines(pilot)[-1])


@pytest.mark.parametrize("guarded", [True, False])
async def test_nothing_can_be_changed_in_the_past(
    recording: Path, guarded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: without the refusal the same keys open a plan."""
    if not guarded:
        monkeypatch.setattr("tuiha.tui.replay.travel.TimeTravel.refusal", None)
    app = dashboard(lambda: Replay(recording), operator=FakeOperator())
    async with app.run_test(size=(80, 24)) as pilot:
        assert app.operations.unlock("kernel patch")
        await pilot.press("t")
        await seen(pilot, lambda: "REPLAY" in lines(pilot)[0])
        assert app.operations.unlocked is None
        if not guarded:
            assert app.operations.unlock("kernel patch")
        assert app.operations.against() == (THE_PAST if guarded else None)
        await pilot.press("r")
        await pilot.pause()
        planned = app.screen is not app.get_screen("home")
        assert planned is not guarded
        if guarded:
            assert THE_PAST in lines(pilot)[-1]
            await pilot.press("w", "d", "e", "f")
            assert app.screen is app.get_screen("home")


async def test_without_a_recording_it_says_why(tmp_path: Path) -> None:
    async with dashboard(None).run_test(size=(80, 24)) as pilot:
        await pilot.press("t")
        await seen(pilot, lambda: "nothing is recorded here" in lines(pilot)[-1])
        for key in ("comma", "less_than_sign", "at", "equals_sign"):
            await pilot.press("t", key)
            await seen(pilot, lambda: "only in a recording: t leads there" in lines(pilot)[-1])
        assert " LOCKED" in lines(pilot)[0]
    async with dashboard(lambda: Replay(tmp_path / "none.sqlite")).run_test(size=(80, 24)) as pilot:
        await pilot.press("t")
        await seen(pilot, lambda: "there is no recording" in lines(pilot)[-1])
        assert " LOCKED" in lines(pilot)[0]


async def test_a_recording_alone(recording: Path) -> None:
    replay = await asyncio.to_thread(Replay, recording, at_turn(TROUBLE.start + 3).at)
    app = dashboard(None, replay, replay=replay)  # type: ignore[arg-type]
    async with app.run_test(size=(80, 24)) as pilot:
        assert "REPLAY" in lines(pilot)[0]
        assert "DEGRADED" in lines(pilot)[0]
        await pilot.press("t")
        await seen(pilot, lambda: "no live pool" in lines(pilot)[-1])
        assert "REPLAY" in lines(pilot)[0]
    await asyncio.to_thread(replay.close)


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (200, 60)])
async def test_it_fits(recording: Path, size: tuple[int, int]) -> None:
    async with dashboard(lambda: Replay(recording)).run_test(size=size) as pilot:
        await pilot.press("t")
        await seen(pilot, lambda: "REPLAY" in lines(pilot)[0])
        for key in ("less_than_sign", "equals_sign"):
            await pilot.press(key)
            await pilot.pause()
        assert all(len(line) <= size[0] for line in lines(pilot))
        assert "REPLAY" in lines(pilot)[0]


async def test_a_moment_on_the_command_line(recording: Path) -> None:
    async with dashboard(lambda: Replay(recording)).run_test(size=(120, 24)) as pilot:
        await pilot.press("colon", *"replay noon", "enter")
        await seen(pilot, lambda: "write for example" in text(pilot))
        await pilot.press("ctrl+u", *"replay 03:13", "enter")
        await seen(pilot, lambda: "REPLAY" in lines(pilot)[0] and clock(pilot) == "03:13:00Z")
        await pilot.press("colon", *"replay 1m", "enter")
        await at(pilot, "03:14:26Z")
        await pilot.press("colon", *"live", "enter")
        await seen(pilot, lambda: " LOCKED" in lines(pilot)[0])


async def test_what_is_not_recorded_is_not_shown_as_if_it_were(recording: Path) -> None:
    app = dashboard(lambda: Replay(recording), operator=FakeOperator())
    async with app.run_test(size=(120, 24)) as pilot:
        await pilot.press("6")
        await seen(pilot, lambda: app.screen is app.get_screen("operations"))
        await pilot.press("t")
        await seen(pilot, lambda: "REPLAY" in lines(pilot)[0])
        assert app.screen is app.get_screen("home")
        for key in ("5", "6"):
            await pilot.press(key)
            await seen(pilot, lambda: "not recorded" in lines(pilot)[-1])
            assert app.screen is app.get_screen("home")


def test_incidents_are_runs_of_trouble_and_a_gap_ends_one() -> None:
    def block(at: float, verdict: str, changes: int = 1) -> Block:
        return Block(int(at), 60, at, at + 59, verdict, changes, 1)

    blocks = [block(0, "HEALTHY"), block(60, "DEGRADED"), block(120, "DOWN", 4), block(180, "HEALTHY"),
              block(240, "DEGRADED"), block(3600, "DEGRADED"), block(3660, "HYPERBAD")]
    assert incidents(blocks) == (
        Incident(3600, 3719, "HYPERBAD", 2), Incident(240, 299, "DEGRADED", 1), Incident(60, 179, "DOWN", 5))


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
@pytest.mark.parametrize("keys", [(), ("equals_sign",)], ids=["home", "compare"])
def test_looks(
    snap_compare: Callable[..., Any], recording: Path, size: tuple[int, int], keys: tuple[str, ...]
) -> None:
    replay = Replay(recording, at_turn(TROUBLE.start).at)
    app = dashboard(None, replay, replay=replay)  # type: ignore[arg-type]

    async def settled(pilot: Pilot[int]) -> None:
        await seen(pilot, lambda: sum(value is not None for value in replay.history("s1", "users")) > TROUBLE.start)
        await pilot.press(*keys)

    assert snap_compare(app, run_before=settled, terminal_size=size)
    replay.close()


def test_a_recording_on_a_real_terminal(recording: Path) -> None:
    with Terminal(["-m", "tuiha", "replay", str(recording), "--at", "03:13:47"]) as terminal:
        terminal.shows("DEGRADED")
        assert "REPLAY" in terminal.lines[0]
        assert "03:13:47Z" in terminal.lines[0]
        terminal.send(",")
        terminal.until(lambda seen: "HEALTHY" in seen.lines[0] and "03:13:46Z" in seen.lines[0])
        terminal.send("@")
        terminal.shows("Go to a moment")
        terminal.send("03:13:50\r")
        terminal.until(lambda seen: "03:13:50Z" in seen.lines[0])
        terminal.send("q")
        assert terminal.wait() == 0
