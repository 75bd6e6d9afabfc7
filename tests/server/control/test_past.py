"""What a server remembers of its own figures."""

from __future__ import annotations

from dataclasses import replace

from tests.server.interfaces import Running
from tuiha.model.reports import SERVER_FIGURES, ServerReport, ServerState, ServerTarget
from tuiha.server.control.past import POINTS, STEP, KeptFigures

REPORT = ServerReport("s1", "demo", "1", ServerState.UP, ServerTarget.UP)


class Life:
    """A server whose users are the seconds that it has run."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.kept = KeptFigures(lambda: replace(REPORT, users=int(self.now) - 1000), lambda: self.now)

    def runs(self, seconds: float) -> None:
        self.now += seconds
        self.kept.note()


def test_a_server_that_has_just_begun_knows_one_value() -> None:
    life = Life()
    assert life.kept.past().figures["users"] == ()
    life.runs(0)
    past = life.kept.past()
    assert (past.server, past.step, past.age) == ("s1", STEP, 0)
    assert set(past.figures) == set(SERVER_FIGURES)
    assert past.figures["users"] == (0,)
    assert past.figures["latency_ms"] == (None,)


def test_a_step_without_a_value_stays_empty_and_a_second_value_of_a_step_is_left_out() -> None:
    life = Life()
    for seconds in (0, 1, STEP, 2 * STEP):
        life.runs(seconds)
    life.now += 4
    past = life.kept.past()
    assert past.figures["users"] == (0, 11, None, 31)
    assert past.age == 4


def test_it_forgets_what_is_older_than_a_quarter_of_an_hour() -> None:
    life = Life()
    for _ in range(3 * POINTS):
        life.runs(STEP)
    values = life.kept.past().figures["users"]
    assert len(values) == POINTS
    assert values[-1] == 3 * POINTS * STEP
    life.runs(2 * POINTS * STEP)  # it slept: nothing of the time before is left
    assert set(life.kept.past().figures["users"][:-1]) <= {None}


async def test_a_viewer_reads_it_of_a_real_server(pool: Running) -> None:
    pool.servers["s1"].kept.note()
    answer = await pool.control("GET", "s1", "/control/past", token="viewer")
    assert answer.status == 200
    assert (answer.body["server"], answer.body["step"]) == ("s1", STEP)
    assert set(answer.body["figures"]) == set(SERVER_FIGURES)
    assert answer.body["figures"]["users"][-1] is not None
    assert (await pool.control("GET", "s1", "/control/past", token="wrong")).status == 401
