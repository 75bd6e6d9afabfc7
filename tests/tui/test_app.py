"""The dashboard by its keys, without a terminal."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import replace

import pytest
from textual.pilot import Pilot

from tests.tui.samples import AT, SAMPLES, SampleFeed, degraded, healthy, many, server, split
from tuiha.model.facts import Snapshot
from tuiha.tui.app import Dashboard
from tuiha.tui.keys import EVERYWHERE
from tuiha.tui.kit.screen import READING_KEYS
from tuiha.tui.theme import load_theme
from tuiha.tui.views.detail.screen import DetailScreen
from tuiha.tui.views.help.screen import HelpScreen
from tuiha.tui.views.home.screen import HOME_KEYS, HomeScreen

PATIENCE = 30.0
RESERVED = set("cb")  # keys of other screens, and of views that do not exist yet


def dashboard(snapshot: Snapshot | None, feed: SampleFeed | None = None, **other: object) -> Dashboard:
    made = feed or SampleFeed(snapshot)
    return Dashboard(made, "corp-east", load_theme("dark"), now=lambda: AT + 0.2, **other)  # type: ignore[arg-type]


def lines(pilot: Pilot[int]) -> list[str]:
    return [strip.text.rstrip() for strip in pilot.app.screen._compositor.render_strips()]


def text(pilot: Pilot[int]) -> str:
    return "\n".join(lines(pilot))


async def seen(pilot: Pilot[int], what: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not what():
            await pilot.pause(0.01)


def home(pilot: Pilot[int]) -> HomeScreen:
    screen = pilot.app.screen
    assert isinstance(screen, HomeScreen)
    return screen


async def test_home_shows_the_pool() -> None:
    async with dashboard(healthy()).run_test(size=(80, 24)) as pilot:
        assert "corp-east" in lines(pilot)[0]
        assert "HEALTHY" in lines(pilot)[0]
        assert "all 4 serve" in lines(pilot)[0]
        assert "s1     server" in text(pilot)
        assert "? help" in lines(pilot)[-1]
        assert "q quit" in lines(pilot)[-1]


async def test_line_2_says_how_many_problems_there_are_and_the_key_that_lists_them() -> None:
    async with dashboard(split()).run_test(size=(120, 40)) as pilot:
        assert "+1 more [!]" in lines(pilot)[1]
    one = replace(split(), problems=split().problems[:1])
    async with dashboard(one).run_test(size=(120, 40)) as pilot:
        assert "[!]" not in lines(pilot)[1]


async def test_the_first_frame_needs_no_snapshot() -> None:
    feed = SampleFeed(None)
    async with dashboard(None, feed).run_test(size=(120, 40)) as pilot:
        assert "waiting for the first answers" in text(pilot)
        feed.publish(healthy())
        await seen(pilot, lambda: "HEALTHY" in lines(pilot)[0])


async def test_a_snapshot_from_another_thread_is_painted() -> None:
    feed = SampleFeed(healthy())
    async with dashboard(None, feed).run_test(size=(80, 24)) as pilot:
        thread = threading.Thread(target=feed.publish, args=(split(),))
        thread.start()
        await seen(pilot, lambda: "SPLIT" in lines(pilot)[0])
        thread.join()


async def test_a_watcher_is_never_kept_waiting_and_many_snapshots_are_one_painting() -> None:
    feed = SampleFeed(healthy())
    app = dashboard(None, feed)
    async with app.run_test(size=(80, 24)) as pilot:
        painted = 0
        paint = app.paint

        def counted() -> None:
            nonlocal painted
            painted += 1
            paint()

        app.paint = counted  # type: ignore[method-assign]
        for number in range(500):
            feed.publish(replace(healthy(), number=number))  # the screen's loop does not run meanwhile
        await pilot.pause()
        assert 1 <= painted <= 3


async def test_the_cursor_follows_its_node_when_the_order_changes() -> None:
    feed = SampleFeed(healthy())
    async with dashboard(None, feed).run_test(size=(80, 24)) as pilot:
        await pilot.press("j", "j", "j")
        current = home(pilot).table.current
        assert current is not None
        assert current.name == "s4"
        feed.publish(split())
        await seen(pilot, lambda: "SPLIT" in lines(pilot)[0])
        current = home(pilot).table.current
        assert current is not None
        assert current.name == "s4"
        assert home(pilot).table.rows[0].name == "s4"
        assert "▸✗ s4" in text(pilot)


async def test_moving_stops_at_the_ends_and_scrolls() -> None:
    async with dashboard(many(60)).run_test(size=(80, 24)) as pilot:
        await pilot.press("G")
        assert "▸● mail4" in text(pilot)
        await pilot.press("j", "down", "end", "pagedown")
        assert "▸● mail4" in text(pilot)
        await pilot.press("g", "k", "up", "pageup", "home")
        assert "▸● s1 " in text(pilot)
        await pilot.press("pagedown")
        assert "▸● s1 " not in text(pilot)
        assert "of 68" in text(pilot)


async def test_enter_shows_the_detail_and_escape_goes_back() -> None:
    async with dashboard(degraded()).run_test(size=(80, 24)) as pilot:
        await pilot.press("enter")
        assert isinstance(pilot.app.screen, DetailScreen)
        assert "connection refused" in text(pilot)
        assert "DEGRADED" in lines(pilot)[0]  # lines 1 to 3 are on every screen
        await pilot.press("escape")
        await pilot.press("j", "enter")
        assert "drain by oncall" in text(pilot)
        await pilot.press("escape", "escape", "escape")
        assert isinstance(pilot.app.screen, HomeScreen)


@pytest.mark.parametrize("place", range(12))
async def test_every_node_has_a_detail(place: int) -> None:
    async with dashboard(split()).run_test(size=(80, 24)) as pilot:
        name = home(pilot).table.rows[place].name
        await pilot.press(*["j"] * place, "enter")
        assert f" {name}  " in lines(pilot)[4]


async def test_screens_are_made_once() -> None:
    app = dashboard(healthy())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("enter")
        detail = app.screen
        await pilot.press("escape")
        for _ in range(5):
            await pilot.press("enter")
            assert isinstance(detail, DetailScreen)
            assert app.screen is detail
            await pilot.press("question_mark", "escape", "escape")
        assert len(app.screen_stack) == 2


async def test_the_detail_stays_live() -> None:
    feed = SampleFeed(healthy())
    async with dashboard(None, feed).run_test(size=(80, 24)) as pilot:
        await pilot.press("enter")
        base = healthy()
        feed.publish(replace(base, servers=(server("s1", 4321), *base.servers[1:])))
        await seen(pilot, lambda: "4,321" in text(pilot))


async def test_help_is_made_from_the_bindings() -> None:
    async with dashboard(healthy()).run_test(size=(120, 90)) as pilot:
        keys = [entry.key for entry in home(pilot).bound_keys()]
        assert {key.id for key in HOME_KEYS} == {key.id for key in keys}
        known = home(pilot).bound_keys()
        await pilot.press("question_mark")
        assert isinstance(pilot.app.screen, HelpScreen)
        shown = text(pilot)
        for bound in known:
            assert bound.names[0] in shown, bound.key.id
        for key in keys:
            if not key.id.startswith(("move.", "view.", "time.")):  # those are one line each
                assert key.description[:30] in shown, key.id
        await pilot.press("escape", "enter", "question_mark")
        assert "Detail of a node" in text(pilot)
        assert "sort by the next column" not in text(pilot)


async def test_help_and_footer_follow_a_keymap() -> None:
    app = dashboard(healthy())
    async with app.run_test(size=(120, 50)) as pilot:
        app.set_keymap({"home.sort": "z"})
        app.paint()
        await pilot.pause()
        assert "z sort" in lines(pilot)[-1]
        await pilot.press("z")
        assert "NODE▾" in text(pilot)


async def test_sorting() -> None:
    async with dashboard(healthy()).run_test(size=(80, 24)) as pilot:
        assert "STATE▾" in text(pilot)
        await pilot.press("o", "o")
        assert "▾USERS" in text(pilot)
        assert home(pilot).table.rows[0].name == "mail1"


async def test_filter_as_you_type() -> None:
    async with dashboard(degraded()).run_test(size=(80, 24)) as pilot:
        await pilot.press("slash", *"role:mail")
        assert [row.name for row in home(pilot).table.rows] == ["mail2", "mail1", "mail3", "mail4"]
        assert "4 of 12" in text(pilot)
        await pilot.press("enter")
        assert "q quit" in lines(pilot)[-1]
        assert len(home(pilot).table.rows) == 4
        await pilot.press("escape")
        assert len(home(pilot).table.rows) == 12


async def test_keys_are_text_while_a_filter_is_typed() -> None:
    async with dashboard(degraded()).run_test(size=(80, 24)) as pilot:
        await pilot.press("slash", *"q?p o1", "space", "question_mark")
        assert isinstance(pilot.app.screen, HomeScreen)
        assert pilot.app.is_running
        assert "/q?p o1 ?" in lines(pilot)[-1]
        await pilot.press("ctrl+u", "j", "backspace", "escape")
        assert len(home(pilot).table.rows) == 12


async def test_a_filter_that_is_not_understood_says_why() -> None:
    async with dashboard(degraded()).run_test(size=(80, 24)) as pilot:
        await pilot.press("slash", *"user>5")
        assert "did you mean users>" in lines(pilot)[-1]


async def test_a_filter_that_nothing_passes_leaves_no_row_to_enter() -> None:
    async with dashboard(degraded()).run_test(size=(80, 24)) as pilot:
        await pilot.press("slash", *"zzz", "enter", "enter", "j", "G")
        assert isinstance(pilot.app.screen, HomeScreen)
        assert "0 of 12" in text(pilot)


async def test_pause_stops_painting_but_not_alarms() -> None:
    feed = SampleFeed(healthy())
    async with dashboard(None, feed).run_test(size=(80, 24)) as pilot:
        await pilot.press("p")
        assert "PAUSED" in lines(pilot)[0]
        feed.publish(split())
        await seen(pilot, lambda: "SPLIT" in lines(pilot)[0])
        assert "CUT OFF" not in text(pilot)
        await pilot.press("p")
        assert "PAUSED" not in lines(pilot)[0]
        assert "CUT OFF" in text(pilot)


async def test_space_polls() -> None:
    feed = SampleFeed(healthy())
    async with dashboard(None, feed).run_test(size=(80, 24)) as pilot:
        await pilot.press("space", "space")
        assert feed.polls == 2


async def test_tab_moves_to_the_events() -> None:
    snapshot, happened = SAMPLES["degraded"]()
    many_events = happened * 10
    async with dashboard(None, SampleFeed(snapshot, many_events)).run_test(size=(80, 24)) as pilot:
        await pilot.press("tab", "j", "j")
        assert "events" in text(pilot)
        current = home(pilot).table.current
        assert current is not None
        assert current.name == "mail2"
        assert "03:07:55  mail2" not in text(pilot).split("events")[1].splitlines()[1]
        await pilot.press("tab")
        assert "03:07:55  mail2" in text(pilot)


@pytest.mark.parametrize("size", [(20, 4), (40, 9), (59, 11), (60, 20), (80, 24), (100, 30), (120, 40), (200, 60)])
@pytest.mark.parametrize("sample", ["healthy", "split", "down", "many", "odd"])
async def test_every_size_shows_the_verdict_and_never_refuses(sample: str, size: tuple[int, int]) -> None:
    snapshot, happened = SAMPLES[sample]()
    async with dashboard(None, SampleFeed(snapshot, happened)).run_test(size=size) as pilot:
        assert len(lines(pilot)) == size[1]
        if size[0] >= 40:
            assert snapshot.verdict.value in lines(pilot)[0]
        for key in ("enter", "question_mark", "escape", "escape"):
            await pilot.press(key)
        assert isinstance(pilot.app.screen, HomeScreen)


async def test_a_low_terminal_shows_the_problems() -> None:
    async with dashboard(split()).run_test(size=(80, 11)) as pilot:
        assert "a change in one is missing in the other" in text(pilot)
        assert "next: tuiha plan rejoin db2" in text(pilot)
        assert "NODE" not in text(pilot)


async def test_resizing_redraws() -> None:
    async with dashboard(healthy()).run_test(size=(80, 24)) as pilot:
        await pilot.resize_terminal(120, 40)
        await seen(pilot, lambda: "SPRAYERS" in text(pilot))
        await pilot.resize_terminal(60, 12)
        await seen(pilot, lambda: "SPRAYERS" not in text(pilot))


def test_no_key_of_what_is_not_there_yet_does_anything() -> None:
    bound = {name for key in (*HOME_KEYS, *READING_KEYS, *EVERYWHERE) for name in key.keys.split(",")}
    assert not bound & RESERVED
    assert not any(key.danger for key in READING_KEYS)


def test_every_key_has_an_id_of_its_own_and_a_description() -> None:
    for keys in (HOME_KEYS, READING_KEYS):
        ids = [key.id for key in keys]
        assert len(ids) == len(set(ids))
        assert all(key.description for key in keys)


async def test_what_is_slow_starts_after_the_first_frame_on_a_thread_of_its_own() -> None:
    started: list[str] = []
    app = dashboard(healthy(), ready=lambda: started.append(threading.current_thread().name))
    async with app.run_test(size=(80, 24)) as pilot:
        await seen(pilot, lambda: bool(started))
    assert started[0] != threading.main_thread().name


async def test_what_cannot_start_ends_the_dashboard_with_its_reason() -> None:
    def fail() -> None:
        raise ValueError("the token cannot be read")

    app = dashboard(healthy(), ready=fail)
    async with app.run_test(size=(80, 24)) as pilot:
        await seen(pilot, lambda: app.failure is not None)
    assert str(app.failure) == "the token cannot be read"


async def test_a_closed_dashboard_takes_no_more_snapshots() -> None:
    feed = SampleFeed(healthy())
    async with dashboard(None, feed).run_test(size=(80, 24)) as pilot:
        assert len(feed._calls) == 1
        await pilot.press("q")
    assert feed._calls == []
    feed.publish(split())
