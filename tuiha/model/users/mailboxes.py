"""Users of the table that are one mailbox, and what becomes of each. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from tuiha.model.users.names import NameRule, canonical

_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Spelled:
    """A user as the table has it."""

    id: int
    name: str
    cluster: str
    created_at: datetime
    last_seen: datetime | None  # when a device of the user was here last


@dataclass(frozen=True, slots=True)
class Mailbox:
    """One name by the rule, and everybody whose name is a spelling of it. One of them stays."""

    name: str
    stays: Spelled
    joins: tuple[Spelled, ...] = ()  # go into the one that stays
    apart: tuple[Spelled, ...] = ()  # are in another mail cluster, so another mailbox: nobody logs in to them any more

    @property
    def renamed(self) -> bool:
        """Whether the one that stays has another name so far."""
        return self.stays.name != self.name


def mailboxes(users: Iterable[Spelled], rule: NameRule) -> list[Mailbox]:
    """Every mailbox with a user who is not spelled by the rule, by name."""
    found: dict[str, list[Spelled]] = defaultdict(list)
    for user in users:
        found[canonical(user.name, rule)].append(user)
    return [_mailbox(name, spelled) for name, spelled in sorted(found.items())
            if name and any(user.name != name for user in spelled)]


def _mailbox(name: str, users: list[Spelled]) -> Mailbox:
    """The user with the name that is right stays: servers know it already. Else the one that was used last."""
    stays, *others = sorted(users, reverse=True, key=lambda user: (
        user.name == name, user.last_seen or _NEVER, user.created_at, user.id))
    return Mailbox(
        name, stays,
        tuple(user for user in others if user.cluster == stays.cluster),
        tuple(user for user in others if user.cluster != stays.cluster),
    )
