"""The demo users: names, random passwords, and the mail cluster that holds each one's mail."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from tuiha.server.devices.passwords import hash_password

MOST_IN = "east"
SOME_IN = "west"
_ONE_IN = 5  # every fifth user's mail is in the second cluster

# The passwords are 192 random bits: nobody finds one from its hash, however cheap the hash is.
_HASH_COST = 2


@dataclass(frozen=True, slots=True)
class DemoUser:
    """A user of the embedded pool."""

    name: str
    password: str
    cluster: str


def make(count: int) -> list[DemoUser]:
    """`user0001` and so on, each with a fresh password."""
    digits = max(4, len(str(count)))
    return [
        DemoUser(f"user{number:0{digits}}", secrets.token_urlsafe(24), SOME_IN if number % _ONE_IN == 0 else MOST_IN)
        for number in range(1, count + 1)
    ]


def as_text(users: Sequence[DemoUser]) -> str:
    """Lines of name, tab, password."""
    return "".join(f"{user.name}\t{user.password}\n" for user in users)


def as_rows(users: Sequence[DemoUser]) -> list[tuple[str, str, str]]:
    """(name, password hash, mail cluster): the users as the enterprise database keeps them."""
    return [(user.name, hash_password(user.password, _HASH_COST), user.cluster) for user in users]
