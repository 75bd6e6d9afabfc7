"""How long a mail server's word about a user's password is believed. Pure; the database keeps the word for all servers.

A password that was right is believed for `recheck` seconds and then tried at the mail server again, or at once when the
monitor doubts the user. While no mail server can be asked the last word stands, but not for longer than `grace`.
"""

from __future__ import annotations

from dataclasses import dataclass

ASK_AGAIN = 60.0  # seconds until the mail servers are asked again, when none could answer, or when they refused
_EARLIER = 0.5  # of `recheck`: the most by which a user's turn is early, so that users who came together do not ask so
REFUSED = "!"  # before a stored hash: the mail server refuses this password by now


@dataclass(frozen=True, slots=True)
class Terms:
    """How long a mail cluster's word is believed, in seconds."""

    recheck: float
    grace: float


@dataclass(frozen=True, slots=True)
class Word:
    """What was last said of a password. Times are in seconds before the row was read; None: never."""

    confirmed: float
    unanswered: float | None = None
    refused: float | None = None  # None as well when the password was accepted later
    doubted: bool = False  # since it was confirmed
    chance: float = 0.0  # from 0 to 1, different for each user and word: how early its turn is


def believed(word: Word, terms: Terms) -> float:
    """Seconds from the reading of the row for which the word holds; 0 or less: ask the mail server before anything."""
    if word.refused is not None:
        return ASK_AGAIN - word.refused
    fresh = 0.0 if word.doubted else terms.recheck * (1.0 - _EARLIER * word.chance) - word.confirmed
    if word.unanswered is None:
        return fresh
    return max(fresh, min(ASK_AGAIN - word.unanswered, terms.grace - word.confirmed))
