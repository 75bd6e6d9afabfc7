"""The screens of the pictures: which moment of the story, which keys lead there, and what the operator's desk knows."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from textual.app import App
from textual.pilot import Pilot

from tests.doubles.operator import FakeOperator
from tests.programs.docs.story import KILLED, OPERATIONS, feed_at, operations_at, time_at
from tests.programs.docs.tape import POOL
from tests.tui.acting import by_hand
from tests.tui.play import at_time
from tuiha.cli.operations.operator import facts_of
from tuiha.model.facts import Event, Snapshot
from tuiha.model.users.placement import Biases, Candidate
from tuiha.tui.app import Dashboard
from tuiha.tui.keys import VIEWS
from tuiha.tui.operations.lines.choices import Judged
from tuiha.tui.operations.screens.confirm import ConfirmScreen
from tuiha.tui.operations.screens.menu import MenuScreen
from tuiha.tui.operations.screens.plan import PlanScreen
from tuiha.tui.operations.screens.result import ResultScreen
from tuiha.tui.operations.screens.run import RunScreen
from tuiha.tui.operations.screens.unlock import UnlockScreen
from tuiha.tui.theme import Palette, load_theme
from tuiha.tui.views.wall.feeds import Watched
from tuiha.tui.views.wall.picker import Picker
from tuiha.tui.views.wall.screen import Wall
from tuiha.watch.lookup import UserPage
from tuiha.watch.reader import DeviceRow, UserRow
from tuiha.watch.recording.replay import Replay
from tuiha.watch.recording.writer import Keep, Writer

PATIENCE = 30.0  # seconds that a screen may take until it shows what is waited for
KEEP = Keep(seconds=7 * 86400.0, bytes=100_000_000)
KEYS: Mapping[str, str] = {view.name: view.key for view in VIEWS}

Act = Callable[[Pilot[int]], Awaitable[None]]
Make = Callable[[Palette, str], App[int]]


@dataclass(frozen=True, slots=True)
class Scene:
    """A screen at a moment of the story: what leads there, and a text by which it is known to be there."""

    moment: str
    acts: tuple[Act, ...] = ()
    shows: str = ""
    make: Make | None = None  # None: the dashboard
    operation: bool = False  # it shows the failover


# Keys


def press(*keys: str) -> Act:
    """Press them."""

    async def act(pilot: Pilot[int]) -> None:
        await pilot.press(*keys)

    return act


def view(name: str) -> Act:
    """Go to a view by its key."""
    return press(KEYS[name])


def shows(text: str) -> Act:
    """Wait until that text is on the screen."""

    async def act(pilot: Pilot[int]) -> None:
        await until(lambda: any(text in line for line in lines_of(pilot.app)))

    return act


async def to_plan(pilot: Pilot[int]) -> None:
    """From Home to the plan that line 2 suggests: `f`, the suggested reason, and the choice if there is one."""
    app = pilot.app
    await pilot.press("f")
    while not (isinstance(app.screen, PlanScreen) and app.screen.plan is not None):
        if isinstance(app.screen, UnlockScreen | MenuScreen):
            await pilot.press("enter")
        await pilot.pause(0.02)


async def to_confirm(pilot: Pilot[int]) -> None:
    """From Home to the confirmation."""
    await to_plan(pilot)
    await pilot.press("c")
    await until(lambda: isinstance(pilot.app.screen, ConfirmScreen))


def typed(*keys: str) -> Act:
    """Keys at the pace of a hand."""

    async def act(pilot: Pilot[int]) -> None:
        await by_hand(pilot, *keys)

    return act


async def to_run(pilot: Pilot[int]) -> None:
    """A dashboard that is started while an operation runs opens there."""
    await until(lambda: isinstance(pilot.app.screen, RunScreen))


async def to_result(pilot: Pilot[int]) -> None:
    """The newest operation of the list."""
    await pilot.press(KEYS["operations"])
    await shows("failover")(pilot)
    await pilot.press("enter")
    await until(lambda: isinstance(pilot.app.screen, ResultScreen))


async def until(so: Callable[[], object]) -> None:
    """Wait until it is so. Raises TimeoutError."""
    async with asyncio.timeout(PATIENCE):
        while not so():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


def lines_of(app: App[int]) -> list[str]:
    """What the screen shows, as text."""
    return [strip.text for strip in app.screen._compositor.render_strips()]


# What is shown


class StoryOperator(FakeOperator):
    """The desk at a moment of the story: the operations that had begun, the plan that is made then."""

    def __init__(self, moment: str) -> None:
        super().__init__()
        at = time_at(moment)
        self.known = tuple(map(facts_of, operations_at(moment)))
        self.planned = replace(OPERATIONS["failover"].plan, made_at=at, expires_at=at + 60)
        self.started = OPERATIONS["failover"].id
        self.now = next((one for one in self.known if one.kind == "failover"), self.now)
        self.judged = {kind: Judged("db1 does not answer") for kind in ("switchover", "degrade", "protect", "rejoin")}
        self.page = _users(moment)
        self.devices = _devices(moment)


def _users(moment: str) -> UserPage:
    """Users that a search finds."""
    at = datetime.fromtimestamp(time_at(moment), UTC)
    servers = {server.name: Candidate(server.name, server.address, server.availability_index or 0, True,
                                      server.users or 0, 1000) for server in feed_at(moment).latest().servers}
    names = ("ann", "anna", "annika", "anton")
    rows = tuple(UserRow(
        name=name, server=f"s{place % 4 + 1}", since=at - timedelta(hours=3, minutes=7 * place), locked_until=None,
        devices=2 - place % 2, mail_server=f"mail{place % 2 + 1}", last_sync=at - timedelta(seconds=7 + 5 * place),
        mail_cluster="east", generation=4) for place, name in enumerate(names))
    return UserPage(rows, True, servers, Biases(), feed_at(moment).latest().active or "", True)


def _devices(moment: str) -> tuple[DeviceRow, ...]:
    at = datetime.fromtimestamp(time_at(moment), UTC)
    old = at - timedelta(days=40)
    return (DeviceRow("phone", "iPhone", old, at - timedelta(seconds=9), 0, None, None),
            DeviceRow("tablet", "iPad", old, at - timedelta(hours=2), 12, at - timedelta(minutes=3), "lost"))


def dashboard(palette: Palette, moment: str) -> App[int]:
    """The dashboard, with an operator who may act."""
    return Dashboard(feed_at(moment), POOL, palette, now=lambda: time_at(moment), operator=StoryOperator(moment))


def past(palette: Palette, moment: str) -> App[int]:
    """The dashboard over a recording of the story, at the moment when the primary was lost."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "r.sqlite"
        writer = Writer(path, POOL, KEEP)
        for snapshot in feed_at(moment).snapshots[-240:]:
            writer.write(snapshot)
        writer.close()
        replay = Replay(path, KILLED + 8)
        return Dashboard(replay, replay.pool, palette, now=lambda: time_at(moment), mode="REPLAY", replay=replay)


class Moved:
    """A moment of the story under another name, moved to the time of another moment: for lists of pools."""

    def __init__(self, pool: str, moment: str, to: str) -> None:
        self._feed, self._pool, self._by = feed_at(moment), pool, time_at(to) - time_at(moment)

    def latest(self) -> Snapshot:
        """The newest snapshot."""
        found = self._feed.latest()
        return replace(at_time(found, found.at + self._by), pool=self._pool)

    def subscribe(self, call: Callable[[Snapshot], None]) -> Callable[[], None]:
        """Nobody is called."""
        return self._feed.subscribe(call)

    def events(self) -> tuple[Event, ...]:
        """What changed, newest first."""
        return tuple(replace(event, at=event.at + self._by, subject=self._pool if event.subject == POOL
                             else event.subject) for event in self._feed.events())

    def history(self, node: str, metric: str) -> tuple[float | None, ...]:
        """Fifteen minutes of a figure."""
        return self._feed.history(POOL if node == self._pool else node, metric)

    def poll_now(self) -> None:
        """There is nothing new."""


def watched(*others: tuple[str, str], first: str) -> list[Watched]:
    """The pool of the story at a moment, and others beside it."""
    pools = [(POOL, first), *others]
    return [Watched(name, Moved(name, moment, first), lambda: None) for name, moment in pools]


def wall(palette: Palette, moment: str) -> App[int]:
    """The wall with two pools."""
    return Wall(watched(("corp-west", "healthy"), first=moment), palette, now=lambda: time_at(moment))


def pools(palette: Palette, moment: str) -> App[int]:
    """The list of pools."""
    others = (("corp-west", "healthy"), ("lab", "split"), ("branch", "degraded"))
    return Picker(watched(*others, first=moment), palette, now=lambda: time_at(moment))


SCENES: Mapping[str, Scene] = {
    "home": Scene("healthy"),
    "home-degraded": Scene("degraded"),
    "home-overloaded": Scene("overloaded"),
    "home-split": Scene("split"),
    "home-down": Scene("down"),
    "pool": Scene("again", (view("pool"),)),
    "detail": Scene("healthy", (press("enter"),)),
    "detail-mail": Scene("degraded", (press("enter"),), "partners"),
    "database": Scene("again", (view("database"),)),
    "database-split": Scene("split", (view("database"),)),
    "sprayers": Scene("degraded", (view("sprayers"),)),
    "mail": Scene("degraded", (view("mail"),)),
    "users": Scene("healthy", (view("users"), press("slash", "a", "n")), "annika"),
    "devices": Scene("healthy", (view("users"), press("slash", "a", "n"), shows("annika"), press("enter", "v"),
                                 shows("tablet"), press("j")), "tablet"),
    "operations": Scene("again", (view("operations"),), "failover"),
    "events": Scene("again", (view("events"),)),
    "help": Scene("healthy", (press("question_mark"),)),
    "actions": Scene("healthy", (press("ctrl+p"),)),
    "plan": Scene("plan", (to_plan,), operation=True),
    "confirm": Scene("confirm", (to_confirm, typed("d", "b")), operation=True),
    "run": Scene("run", (to_run,), operation=True),
    "result": Scene("result", (to_result,), operation=True),
    "replay": Scene("again", make=past),
    "wall": Scene("down", make=wall),
    "wall-healthy": Scene("healthy", make=wall),
    "pools": Scene("down", make=pools),
}


@asynccontextmanager
async def shown(scene: Scene, size: tuple[int, int], theme: str = "dark") -> AsyncIterator[Pilot[int]]:
    """The application with that screen in front."""
    app = (scene.make or dashboard)(load_theme(theme), scene.moment)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        for act in scene.acts:
            await act(pilot)
        await until(lambda: any(scene.shows in line for line in lines_of(app)))
        await pilot.pause()
        yield pilot
