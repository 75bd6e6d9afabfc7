"""Who is to blame: tables of what is seen, and what it means."""

from __future__ import annotations

import pytest

from tuiha.drivers.mail.client import ImapError, ImapFailure, ImapGone
from tuiha.server.mail.health import Blame, Health, Judgement, Kept, Phase, ProbeLook, ProbeWay, blame, judge

BEFORE = (Phase.CONNECT, Phase.LOGIN, Phase.SELECT)
ENDED = (ImapGone("connection refused"), ImapGone("no answer within 10 s"), ImapGone("the server says BYE: enough"),
         ImapGone("connection lost"))
NONSENSE = ImapError("the server sent a line longer than 128 KiB")
OF_THE_SERVER = tuple(ImapError("busy", "NO", code) for code in ("UNAVAILABLE", "SERVERBUG", "CONTACTADMIN"))
OF_THE_USER = (
    *(ImapError("no", "NO", code) for code in (
        None, "AUTHENTICATIONFAILED", "AUTHORIZATIONFAILED", "EXPIRED", "PRIVACYREQUIRED", "LIMIT", "INUSE", "NOPERM",
        "NONEXISTENT", "OVERQUOTA", "CORRUPTION")),
    ImapError("what?", "BAD"),
    ImapError("Maximum number of connections from user+IP exceeded", "NO", "UNAVAILABLE"),
)


@pytest.mark.parametrize("failure", [*OF_THE_SERVER, *OF_THE_USER, NONSENSE])
def test_whatever_is_answered_once_the_mailbox_is_open_is_the_users_affair(failure: ImapFailure) -> None:
    assert blame(Phase.ENTERED, failure) is Blame.USER


@pytest.mark.parametrize("failure", ENDED)
def test_a_connection_that_ends_asks_for_a_sign_of_life_and_for_no_log_in(failure: ImapFailure) -> None:
    assert blame(Phase.ENTERED, failure) is Blame.LOOK


@pytest.mark.parametrize("phase", BEFORE)
@pytest.mark.parametrize("failure", [*ENDED, *OF_THE_SERVER, NONSENSE])
def test_what_the_server_may_have_done_before_is_asked(phase: Phase, failure: ImapFailure) -> None:
    assert blame(phase, failure) is Blame.DOUBT


@pytest.mark.parametrize("phase", [Phase.LOGIN, Phase.SELECT])
@pytest.mark.parametrize("failure", OF_THE_USER)
def test_a_refusal_of_one_user_is_no_question(phase: Phase, failure: ImapFailure) -> None:
    assert blame(phase, failure) is Blame.USER


@pytest.mark.parametrize(("kept", "way", "connected", "judgement"), [
    # the kept connection answers, and nobody asked for more
    (Kept.ANSWERED, ProbeWay.NOT_TRIED, 0, Judgement.AS_BEFORE),
    (Kept.ANSWERED, ProbeWay.NOT_TRIED, 9, Judgement.AS_BEFORE),
    # killed: what was open ended, and it refuses; never reached at all
    (Kept.ENDED, ProbeWay.UNREACHED, 9, Judgement.GONE),
    (Kept.NONE, ProbeWay.UNREACHED, 9, Judgement.GONE),
    (Kept.NONE, ProbeWay.UNREACHED, 0, Judgement.GONE),
    # hung: silent for the deadline, here and on a new connection
    (Kept.SILENT, ProbeWay.NOT_TRIED, 9, Judgement.GONE),
    (Kept.SILENT, ProbeWay.BARRED, 9, Judgement.GONE),
    # one process of it hangs, a middlebox or a reload cut the connections, an administrator ended the probe's
    (Kept.SILENT, ProbeWay.IN, 9, Judgement.OPEN),
    (Kept.ENDED, ProbeWay.IN, 9, Judgement.OPEN),
    (Kept.ENDED, ProbeWay.IN, 0, Judgement.OPEN),
    # users fail and the probe is let in: their own affair
    (Kept.ANSWERED, ProbeWay.IN, 0, Judgement.OPEN),
    # the probe's own user is locked out, or has too many connections: the server answers
    (Kept.NONE, ProbeWay.REFUSED, 0, Judgement.OPEN),
    (Kept.ANSWERED, ProbeWay.REFUSED, 9, Judgement.OPEN),
    # the listener stopped, too many connections from this address, the directory of users is away
    (Kept.ANSWERED, ProbeWay.UNREACHED, 9, Judgement.CLOSED),
    (Kept.ANSWERED, ProbeWay.BARRED, 9, Judgement.CLOSED),
    (Kept.ENDED, ProbeWay.BARRED, 9, Judgement.CLOSED),
    # the same, with nobody to keep
    (Kept.ANSWERED, ProbeWay.UNREACHED, 0, Judgement.GONE),
    (Kept.ANSWERED, ProbeWay.BARRED, 0, Judgement.GONE),
    (Kept.NONE, ProbeWay.BARRED, 0, Judgement.GONE),
])
def test_what_a_look_means(kept: Kept, way: ProbeWay, connected: int, judgement: Judgement) -> None:
    assert judge(ProbeLook(kept, way, "why"), connected) is judgement


def test_no_number_of_users_in_trouble_makes_a_server_gone() -> None:
    health = Health()
    for user in range(10_000):
        health.failed(user)
    assert health.doubted
    health.asks()
    assert not health.looked(ProbeLook(Kept.ANSWERED, ProbeWay.IN), 1.0, 0)
    assert not health.gone
    assert not health.doubted


def test_users_whose_trouble_is_their_own_cause_no_second_look_until_they_were_in() -> None:
    health = Health()
    health.failed(1)
    health.asks()
    health.looked(ProbeLook(Kept.ANSWERED, ProbeWay.IN), 1.0, 9)
    health.failed(1)
    assert not health.doubted
    health.failed(2)
    assert health.doubted, "another one"
    health.served(1, 2.0)
    health.forget(2)
    health.failed(1)
    assert health.doubted, "it was well meanwhile"


def test_who_fails_while_the_probe_looks_is_not_acquitted_by_it() -> None:
    health = Health()
    health.failed(1)
    health.asks()
    health.failed(2)
    health.looked(ProbeLook(Kept.ANSWERED, ProbeWay.IN), 1.0, 9)
    assert health.doubted


def test_a_look_is_not_believed_when_a_user_had_an_answer_meanwhile() -> None:
    health = Health()
    health.answered(10.5)
    assert not health.looked(ProbeLook(Kept.SILENT, ProbeWay.NOT_TRIED, "no answer"), 10.0, 9)
    assert not health.gone
    assert health.looked(ProbeLook(Kept.SILENT, ProbeWay.NOT_TRIED, "no answer"), 11.0, 9)
    assert health.why == "no answer"
    assert not health.looked(ProbeLook(Kept.SILENT, ProbeWay.NOT_TRIED, "again"), 12.0, 9), "it tips once"


def test_a_closed_server_is_open_when_anybody_gets_in_and_gone_when_nobody_is_left() -> None:
    barred = ProbeLook(Kept.ANSWERED, ProbeWay.BARRED, "the directory is away")
    health = Health()
    assert not health.looked(barred, 1.0, 5)
    assert health.closed == "the directory is away"
    health.served(1, 2.0)
    assert health.closed is None
    health.looked(barred, 3.0, 5)
    health.looked(ProbeLook(Kept.ANSWERED, ProbeWay.NOT_TRIED), 4.0, 5)
    assert health.closed, "a sign of life is no log-in"
    assert health.looked(barred, 5.0, 0)
    assert health.gone


def test_it_comes_back_only_when_told() -> None:
    health = Health()
    health.looked(ProbeLook(Kept.ENDED, ProbeWay.UNREACHED, "refused"), 0.0, 9)
    health.answered(1.0)
    health.served(1, 2.0)
    health.looked(ProbeLook(Kept.NONE, ProbeWay.IN), 3.0, 0)
    assert health.gone
    health.bring_back()
    assert not health.gone
