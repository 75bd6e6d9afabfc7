from __future__ import annotations

import pytest

from tuiha.model.users.placement import home
from tuiha.server.mail.cluster import Cluster, Credentials, MailServer
from tuiha.server.mail.health import Kept, ProbeLook, ProbeWay
from tuiha.server.mail.pace import Pace
from tuiha.server.mail.servers import MailStanding, Standings


class Told:
    """Standings of one cluster on a clock of the test, and what they told."""

    def __init__(self, *names: str) -> None:
        self.now = 0.0
        self.left: list[str] = []
        self.back: list[tuple[str, bool]] = []
        login = Credentials("x", "secret")
        cluster = Cluster("east", tuple(MailServer(name, "127.0.0.1", 1) for name in names), login, login)
        self.standings = Standings(
            [cluster], Pace(), lambda: self.now, lambda s: self.left.append(s.name),
            lambda s, told: self.back.append((s.name, told)),
        )
        self.by_name = {s.name: s for s in self.standings.all()}

    def kill(self, name: str) -> None:
        self.now += 1.0
        self.standings.looked(self.by_name[name], ProbeLook(Kept.NONE, ProbeWay.UNREACHED, "no answer"), self.now)

    def answer(self, name: str) -> None:
        self.standings.looked(self.by_name[name], ProbeLook(Kept.NONE, ProbeWay.IN), self.now)

    def chosen(self, user: int, assigned: str | None = None, shunned: str | None = None) -> str | None:
        found: MailStanding | None = self.standings.choose(user, "east", assigned, shunned)
        return None if found is None else found.name


def test_users_are_spread_evenly_and_stay_where_they_belong() -> None:
    names = ["mail1", "mail2", "mail3", "mail4"]
    homes = {user: home(user, names) for user in range(10_000)}
    for name in names:
        assert 2300 < sum(1 for found in homes.values() if found == name) < 2700
    fewer = {user: home(user, names[:3]) for user in homes}
    assert all(fewer[user] == found for user, found in homes.items() if found != "mail4")
    assert home(1, []) is None


def test_a_user_stays_with_its_mail_server_while_it_is_good() -> None:
    told = Told("mail1", "mail2")
    assert all(told.chosen(user, "mail1") == "mail1" for user in range(50))
    told.kill("mail1")
    assert told.left == ["mail1"]
    assert all(told.chosen(user, "mail1") == "mail2" for user in range(50))


def test_an_answer_alone_does_not_bring_a_server_back_and_the_operator_does() -> None:
    told = Told("mail1", "mail2")
    told.kill("mail1")
    told.answer("mail1")
    told.standings.served(told.by_name["mail1"], 1)
    assert not told.by_name["mail1"].good
    told.standings.set_in_service({"mail1": True})
    assert not told.by_name["mail1"].good, "it was in service all the time: that is no new word"
    told.standings.set_in_service({"mail1": False})
    told.standings.set_in_service({"mail1": True})
    assert told.by_name["mail1"].good
    assert told.back == [("mail1", True)]


def test_when_all_are_gone_all_are_tried_and_the_first_that_answers_is_used() -> None:
    told = Told("mail1", "mail2")
    told.kill("mail1")
    told.kill("mail2")
    assert told.chosen(1, "mail1") == "mail1"
    assert told.chosen(1, "mail1", shunned="mail1") == "mail2"
    told.answer("mail2")
    assert told.back == [("mail2", False)]
    assert told.chosen(1, "mail1") == "mail2"
    told.answer("mail1")
    assert not told.by_name["mail1"].good, "there is a good one again: the other waits to be told"


def test_out_of_service_is_obeyed_even_when_nobody_is_left() -> None:
    told = Told("mail1", "mail2")
    told.standings.set_in_service({"mail1": False})
    assert told.left == ["mail1"]
    assert told.chosen(1, "mail1") == "mail2"
    told.kill("mail2")
    assert told.chosen(1, "mail1") == "mail2", "the one that is gone, rather than the one that must not be used"
    told.standings.set_in_service({"mail1": False, "mail2": False})
    assert told.chosen(1, "mail1") is None


def test_an_unknown_cluster_has_no_server() -> None:
    assert Told("mail1").standings.choose(1, "west", None) is None


def test_passwords_do_not_show() -> None:
    assert "secret" not in repr(Told("mail1").by_name["mail1"].cluster)


def ended(count: int, seconds: float, lasted: bool = True) -> float | None:
    """The spread of the last of so many connections that ended in so many seconds. 100 a second log in."""
    standing = Told("mail1").by_name["mail1"]
    for number in range(count):
        standing.endings.ended(seconds * number / count, 20.0, number)
    return standing.spread(seconds + 0.1, lasted)


def test_connections_that_end_at_once_are_opened_again_at_the_pace_of_log_ins() -> None:
    assert ended(300, 0.0) == 3.0
    assert ended(300, 0.5) == pytest.approx(2.5, abs=0.01)


def test_those_that_end_at_that_pace_are_spread_already() -> None:
    assert ended(50, 1.0) == 0.0
    assert ended(2000, 20.0) == pytest.approx(0.0, abs=0.02)
    assert ended(100, 0.5, lasted=False) == 1.0, "not when they do so again and again"


def test_one_that_ended_alone_has_no_spread() -> None:
    assert ended(1, 0.0) is None
