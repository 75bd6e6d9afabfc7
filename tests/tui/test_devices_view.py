"""Who may come in, from the Users view: keys that plan, a user that is disabled, and the devices of one."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from textual.pilot import Pilot

from tests.doubles.operator import FakeOperator
from tests.tui.acting import on, running
from tests.tui.test_app import lines, seen, text
from tests.tui.test_users_view import THEN, opened, page, row
from tuiha.tui.operations.screens.plan import PlanScreen
from tuiha.tui.views.users.devices import DevicesScreen
from tuiha.tui.views.users.screen import UsersScreen
from tuiha.watch.lookup import NoPage
from tuiha.watch.reader import DeviceRow

OLD = THEN - timedelta(hours=5)
PHONE = DeviceRow("phone", "iPhone", OLD, THEN - timedelta(seconds=9), 0, None, None)
TABLET = DeviceRow("tablet", "iPad", OLD, THEN - timedelta(hours=2), 12, THEN - timedelta(minutes=3), "lost")


def with_ann(**other: object) -> FakeOperator:
    operator = FakeOperator()
    found = page("ann")
    operator.page = replace(found, users=(row("ann", **other),))  # type: ignore[arg-type]
    operator.devices = (PHONE, TABLET)
    return operator


def planned(pilot: Pilot[int]) -> str:
    """The shell command of the plan in front."""
    screen = pilot.app.screen
    assert isinstance(screen, PlanScreen)
    return screen.shell_command()


@pytest.mark.parametrize(("key", "kind"), [("d", "disable-user"), ("e", "enable-user"), ("x", "forget-user")])
async def test_a_key_plans_and_does_nothing_else(key: str, kind: str) -> None:
    operator = with_ann()
    async with running(operator) as pilot:
        await opened(pilot)
        await seen(pilot, lambda: "── ann ─" in text(pilot))
        await pilot.press(key)
        await on(pilot, PlanScreen)
        await seen(pilot, lambda: operator.asked("plan")[0] == ("plan", kind, ("ann",)))
        assert not operator.asked("apply")
        await pilot.press("escape")
        await on(pilot, UsersScreen)


@pytest.mark.parametrize("key", ["d", "e", "x"])
async def test_no_key_does_anything_unless_unlocked(key: str) -> None:
    operator = with_ann()
    async with running(operator, unlocked=False) as pilot:
        await opened(pilot)
        await seen(pilot, lambda: "── ann ─" in text(pilot))
        await pilot.press(key)
        assert "locked" in lines(pilot)[-1]
        await pilot.press("v")
        await on(pilot, DevicesScreen)
        await seen(pilot, lambda: "devices of ann: 2" in text(pilot))
        for other in ("d", "e"):
            await pilot.press(other)
            assert "locked" in lines(pilot)[-1]
        assert not operator.asked("plan")


async def test_a_disabled_user_says_so_and_why() -> None:
    operator = with_ann(server=None, disabled_at=THEN - timedelta(minutes=4), disabled_reason="left the firm")
    async with running(operator) as pilot:
        await opened(pilot)
        await seen(pilot, lambda: "DISABLED" in text(pilot))
        assert "DISABLED for 4m00s: left the firm" in text(pilot)
        await pilot.press("enter")
        assert "no server monitors this user: the user is disabled" in lines(pilot)[-1]


async def test_devices_are_listed_and_one_is_revoked() -> None:
    operator = with_ann(revoked=1)
    async with running(operator) as pilot:
        await opened(pilot)
        await seen(pilot, lambda: "2 devices (1 revoked)" in text(pilot))
        await pilot.press("v")
        await on(pilot, DevicesScreen)
        await seen(pilot, lambda: "devices of ann: 2" in text(pilot))
        shown = text(pilot)
        assert "may come in" in shown
        assert "REVOKED 3m00s" in shown
        await pilot.press("d")
        await on(pilot, PlanScreen)
        await seen(pilot, lambda: operator.asked("plan")[0] == ("plan", "revoke-device", ("ann", "phone")))
        assert "revoke phone of ann" in text(pilot)
        await seen(pilot, lambda: "hold requests" in text(pilot))  # the plan, with the reason that revoke-device keeps
        assert "--option 'reason=kernel patch'" in planned(pilot)
        await pilot.press("escape")
        await on(pilot, DevicesScreen)
        await pilot.press("j")
        await seen(pilot, lambda: "lost. It knows ann's password" in text(pilot))
        await pilot.press("e")
        await on(pilot, PlanScreen)
        await seen(pilot, lambda: ("plan", "allow-device", ("ann", "tablet")) in operator.asked("plan"))
        await seen(pilot, lambda: "hold requests" in text(pilot))  # and none here, which it would be refused for
        assert "--option" not in planned(pilot)
        await pilot.press("escape", "escape")
        await on(pilot, UsersScreen)


async def test_devices_that_cannot_be_read_say_why() -> None:
    operator = with_ann()
    operator.devices = NoPage("the pool has no user ann")
    async with running(operator) as pilot:
        await opened(pilot)
        await seen(pilot, lambda: "── ann ─" in text(pilot))
        await pilot.press("v")
        await on(pilot, DevicesScreen)
        await seen(pilot, lambda: "the pool has no user ann" in text(pilot))
        await pilot.press("d")
        assert "no device under the cursor" in lines(pilot)[-1]


async def test_the_command_line_has_them() -> None:
    operator = with_ann()
    async with running(operator) as pilot:
        await pilot.press("colon", *"revoke-device ann phone".replace(" ", "_").replace("_", " "))
        await pilot.press("enter")
        await on(pilot, PlanScreen)
        await seen(pilot, lambda: operator.asked("plan")[0] == ("plan", "revoke-device", ("ann", "phone")))
        await pilot.press("escape", "colon", *"devices ann")
        await pilot.press("enter")
        await on(pilot, DevicesScreen)
        await seen(pilot, lambda: operator.asked("devices_of")[0] == ("devices_of", "ann"))
