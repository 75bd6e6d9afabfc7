"""How long a mail server's word is believed: decisions without I/O."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tuiha.drivers.mail.client import ImapError
from tuiha.server.devices.enrolment import refused
from tuiha.server.devices.recheck import ASK_AGAIN, PasswordWord, Terms, believed

SECONDS = st.floats(0, 1e6)
TERMS = st.builds(Terms, recheck=st.floats(1, 1e6), grace=SECONDS)
CHANCE = st.floats(0, 1)


@given(SECONDS, TERMS, CHANCE)
def test_a_word_is_never_believed_longer_than_the_setting(confirmed: float, terms: Terms, chance: float) -> None:
    assert confirmed + believed(PasswordWord(confirmed, chance=chance), terms) <= terms.recheck + 1e-6


@given(SECONDS, SECONDS, TERMS, CHANCE)
def test_an_outage_is_outlasted_for_so_long_and_no_longer(
    confirmed: float, unanswered: float, terms: Terms, chance: float
) -> None:
    left = believed(PasswordWord(confirmed, unanswered, chance=chance), terms)
    assert confirmed + left <= max(terms.recheck, terms.grace) + 1e-6


@given(SECONDS, TERMS, CHANCE)
def test_a_doubted_user_is_asked_about_at_once(confirmed: float, terms: Terms, chance: float) -> None:
    assert believed(PasswordWord(confirmed, doubted=True, chance=chance), terms) <= 0


def test_what_was_refused_is_asked_again_after_a_minute() -> None:
    terms = Terms(900, 86400)
    assert believed(PasswordWord(0, refused=10), terms) == ASK_AGAIN - 10
    assert believed(PasswordWord(0, refused=ASK_AGAIN), terms) == 0
    assert believed(PasswordWord(1000, unanswered=10), terms) == ASK_AGAIN - 10
    assert believed(PasswordWord(86390, unanswered=0), terms) == 10


def test_users_who_came_together_do_not_ask_together() -> None:
    terms = Terms(900, 86400)
    turns = {round(believed(PasswordWord(0, chance=n / 100), terms)) for n in range(100)}
    assert (min(turns) >= 450, max(turns), len(turns)) == (True, 900, 100)


def test_what_a_mail_server_says_of_itself_is_no_word_about_the_user() -> None:
    def answered(text: str, response: str = "NO", code: str | None = None) -> bool:
        return refused(ImapError(text, response, code))

    assert answered("Authentication failed.", code="AUTHENTICATIONFAILED")
    assert answered("Invalid credentials (Failure)", code="ALERT")
    assert answered("LOGIN failed")
    for text in ("Temporary authentication failure.", "Server busy", "Login failed: try again later",
                 "Too many simultaneous connections", "Internal error occurred"):
        assert not answered(text), text
    for code in ("UNAVAILABLE", "LIMIT", "INUSE", "SERVERBUG", "CONTACTADMIN", "PRIVACYREQUIRED"):
        assert not answered("no", code=code), code
    assert not answered("what?", response="BAD")
