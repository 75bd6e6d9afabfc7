"""Drills of mail: what their samples show, and what must hold."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.lab.drill.test_verdict import PLAIN, good, with_load
from tuiha.lab.drill.matrix import mailboxes
from tuiha.lab.drill.observation.mailwatch import MailFigures, MailSample, MailWatch, judge, read
from tuiha.lab.drill.scenario import MailLimits
from tuiha.lab.drill.verdict import MailRun, conclude

METRICS = """\
# HELP tuiha_users Users whose mail is monitored here
tuiha_users 7.0
tuiha_devices 9.0
tuiha_mail_users{cluster="east",mail_server="mail1"} 6.0
tuiha_mail_connected{cluster="east",mail_server="mail1"} 4.0
tuiha_mail_connected{cluster="west",mail_server="mail3"} 2.0
tuiha_mail_logins{cluster="east",mail_server="mail1"} 12.0
tuiha_mail_logins{cluster="west",mail_server="mail3"} 3.0
"""
FINE = MailFigures(gone=0, disconnected=0, apart=0.0, logins=2)
RUN = MailRun(FINE, (0.4, 0.5), (1.0,))
LIMITS = replace(PLAIN, mail=MailLimits(apart=3, substitutes=3, logins=9))


def sample(at: float, connected: int, logins: int = 0, server: str = "s1") -> MailSample:
    return MailSample(server, at, 10, connected, logins)


def test_metrics_are_summed_over_mail_servers() -> None:
    assert read("s1", METRICS, 1.0) == MailSample("s1", 1.0, users=7, connected=6, logins=15)


def test_who_is_meant_to_be_apart_counts_for_nothing_and_everybody_else_does() -> None:
    samples = [sample(1.0, 10), sample(1.0, 10, server="s2"), sample(2.0, 8), sample(3.0, 6), sample(5.1, 6),
               sample(5.5, 10)]
    found = judge(samples, 0.0, 9.0, apart=2)
    assert found.disconnected == 2
    assert found.apart == pytest.approx(2.1)
    assert judge(samples, 0.0, 9.0, apart=4) == MailFigures(0, disconnected=0, apart=0.0, logins=0)
    assert judge(samples, 5.2, 9.0, apart=0).disconnected == 0


def test_who_moves_to_another_pool_server_is_not_disconnected() -> None:
    samples = [sample(1.0, 10), sample(2.0, 7), sample(3.5, 9), sample(4.5, 9), sample(5.0, 10)]
    found = judge(samples, 0.0, 9.0, apart=0)
    assert found.disconnected == 1  # three for 1.5 s, one for 2.5 s
    assert found.apart == pytest.approx(2.5)


def test_log_ins_are_counted_from_the_moment_on_over_all_servers() -> None:
    samples = [sample(1.0, 10, 50), sample(1.0, 10, 70, "s2"), sample(2.0, 10, 53), sample(3.0, 10, 71, "s2"),
               sample(4.0, 10, 2), sample(5.0, 10, 4)]  # s1 was started again
    assert judge(samples, 1.5, 9.0, apart=0).logins == 3 + 1 + 0 + 2


def test_a_server_that_is_judged_gone_is_found_in_the_logs(tmp_path: Path) -> None:
    log = tmp_path / "s1.log"
    watch = MailWatch({"s1": log, "s2": tmp_path / "s2.log"})
    log.write_text('{"message": "mail server mail1 is gone: probe. Its users"}\n')
    assert watch.gone() == ["s1: mail server mail1 is gone: probe. Its users"]
    watch.begin()
    assert watch.gone() == []
    with log.open("a") as file:
        file.write('{"message": "mail server mail2 is gone: 3"}\n{"message": "user 7 at mail server mail2: NO"}\n')
    assert watch.gone() == ["s1: mail server mail2 is gone: 3"]


@pytest.mark.parametrize(("run", "text"), [
    (replace(RUN, figures=replace(FINE, gone=155)), "mail servers were judged gone 155 times"),
    (replace(RUN, figures=replace(FINE, disconnected=27)), "27 users"),
    (replace(RUN, figures=replace(FINE, apart=20.1)), "20.1 s"),
    (replace(RUN, figures=replace(FINE, logins=1888)), "1888 log-ins"),
    (replace(RUN, next_after=(0.4, 7.5)), "7.5 s"),
])
def test_what_must_hold_of_mail(run: MailRun, text: str) -> None:
    """The figures of the rule of blame before: each of them alone is enough."""
    load = with_load(substitutes=3)
    assert conclude(LIMITS, replace(load, mail=RUN)).ok
    verdict = conclude(LIMITS, replace(load, mail=run))
    assert not verdict.ok
    assert text in "; ".join(verdict.broken)


def test_substitutes_that_are_missing_do_not_hold() -> None:
    verdict = conclude(LIMITS, replace(with_load(substitutes=2), mail=RUN))
    assert verdict.broken == ("2 substitutes; at least 3 mails cannot be read",)
    assert conclude(PLAIN, good()).ok  # a scenario that says nothing of mail


def test_no_scenario_of_mail_allows_losses_or_a_server_that_is_gone() -> None:
    for scenario in mailboxes.ALL:
        assert scenario.mail is not None, scenario.name
        assert scenario.mail.within <= (45.0 if scenario.name == "mail-unfetchable-silent" else 5.0)
        assert scenario.failed == 0
        assert scenario.spare < scenario.users // 3
