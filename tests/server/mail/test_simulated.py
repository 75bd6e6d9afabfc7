"""Quiet connections are cut again and again: nobody moves, everybody is back in seconds, and no herd logs in.

On virtual time: 240 users of four pool servers, which log in ten times a second where the default is 100. The figures
of 2,400 users are tests/benchmarks/mail_simulated.py's.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.benchmarks.mail_simulated import SERVERS, Scene, simulate
from tuiha.server.mail import Pace
from tuiha.server.mail.endings import TOGETHER
from tuiha.server.mail.servers import MailStanding

EACH = Scene(monitors=4, users=240, rate=10.0)
TOGETHER_CUT = replace(EACH, together=True)
FEW = Scene(monitors=4, users=8, together=True, every=6.0)
HERD = 2 * EACH.monitors * SERVERS * EACH.rate  # log-ins in a second: twice the pace
SECONDS = 120.0  # six cuts


@pytest.mark.parametrize("scene", [EACH, TOGETHER_CUT], ids=["each", "together"])
def test_everybody_is_connected_again_within_seconds_and_nobody_moves(scene: Scene) -> None:
    found, _ = simulate(scene, SECONDS)
    assert (found.gone, found.moved) == (0, 0)
    assert found.cuts >= 5
    assert found.longest <= 5.0
    assert max(found.logins) < HERD
    assert found.intervals, "an event names the interval that fits"
    assert all(12 <= int(one.removesuffix("s")) <= 16 for one in found.intervals)


def test_a_few_users_that_are_cut_every_few_seconds_do_not_back_off() -> None:
    """One or two of a pool server at a mail server: too few to see that they are cut together."""
    found, _ = simulate(FEW, SECONDS)
    assert (found.gone, found.moved) == (0, 0)
    assert found.longest <= 5.0


def test_a_few_users_back_off_when_a_connection_must_last_for_longer() -> None:
    """The negative control."""
    found, _ = simulate(replace(FEW, pace=Pace(quiet_settled=Pace().settled)), SECONDS)
    assert found.longest > 5.0


def test_under_the_old_rule_of_blame_servers_are_gone_and_users_move() -> None:
    """The negative control."""
    found, _ = simulate(replace(EACH, old_rule=True), SECONDS / 2)
    assert found.gone > 0
    assert found.moved > 0


def test_without_a_spread_a_herd_logs_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control."""
    monkeypatch.setattr(MailStanding, "spread", lambda standing, now, lasted: 0.0)
    found, _ = simulate(TOGETHER_CUT, SECONDS / 2)
    assert max(found.logins) >= HERD


def test_spread_again_by_each_cut_they_would_take_ever_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control."""
    def further(standing: MailStanding, now: float, lasted: bool) -> float | None:
        together, _ = standing.endings.together(now)
        return together / standing.cluster.logins_per_second if together >= TOGETHER else None

    monkeypatch.setattr(MailStanding, "spread", further)
    found, _ = simulate(EACH, SECONDS)
    assert found.longest > 5.0
