"""Can a commit on this database be acknowledged without that partner? One rule; everything asks it here.

The ledger's SYNC promises that the partner has every acknowledged write. A lease and a failover without loss rest on
that promise, and only the active database can keep it: by waiting for exactly this partner. PostgreSQL's rules for
`synchronous_standby_names` and `synchronous_commit` are in its documentation, chapters "Replication" and "Write Ahead
Log" of the server's configuration.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from tuiha.model.databases.replication import Replication
from tuiha.model.quotes import Standbys, standbys

IN_STEP = frozenset({"sync", "quorum"})  # sync_state of a secondary that commits wait for
# One that begins, or takes a backup, acknowledges nothing. One that begins has no slot yet; while the connection before
# it still has the slot, as after a cut of the network, it is turned away.
_SILENT = frozenset({"startup", "backup"})
_STRICT = frozenset({"on", "true", "yes", "1", "remote_apply"})  # values of synchronous_commit that wait for the flush


class Gap(StrEnum):
    """Why a commit may be acknowledged although the partner does not have it, or why none is acknowledged."""

    NOBODY = "nobody"  # synchronous_standby_names is empty
    UNREADABLE = "unreadable"  # it is nothing that PostgreSQL takes
    ANYBODY = "anybody"  # it names *
    QUORUM = "quorum"  # it says ANY of several
    SEVERAL = "several"  # it names more than one
    ANOTHER = "another"  # it names somebody else
    LOOSE = "loose"  # synchronous_commit of a role, of the database or of the session does not wait
    TWINS = "twins"  # two connections have the partner's name
    OTHERS = "others"  # somebody else is synchronous
    STRANGER = "stranger"  # the connection with the partner's name does not hold the partner's slot
    DOUBLE = "double"  # the partner lacks what the connection with its name has confirmed: a copy of it, say
    ABSENT = "absent"  # the partner is not connected: commits wait
    BEHIND = "behind"  # it is connected, and not synchronous yet
    MORE = "more"  # so many must confirm, and only the partner is named: commits wait for ever

    @property
    def hole(self) -> bool:
        """Whether commits are acknowledged without the partner. Otherwise they wait for it."""
        return self not in _WAITING


_WAITING = frozenset({Gap.ABSENT, Gap.BEHIND, Gap.MORE})
BY_HAND = frozenset({Gap.LOOSE, Gap.TWINS, Gap.STRANGER, Gap.DOUBLE})  # no operation mends these


@dataclass(frozen=True, slots=True)
class LogReceiver:
    """A connection that receives this database's log: a row of pg_stat_replication."""

    name: str  # application_name
    state: str  # startup, backup, catchup, streaming, stopping; "" where it is not known
    sync_state: str  # sync, async, quorum, potential
    slot: str | None = None  # the replication slot that it holds


@dataclass(frozen=True, slots=True)
class Loose:
    """A setting by which sessions do not wait."""

    value: str
    role: str | None = None  # None: all roles
    database: str | None = None  # None: all databases
    altered: bool = False  # by ALTER ROLE or ALTER DATABASE; else of the whole instance, or of the session itself


@dataclass(frozen=True, slots=True)
class Durability:
    """What a database's commits wait for, as the database says."""

    names: str  # synchronous_standby_names
    followers: tuple[LogReceiver, ...] | None  # None: this role may not see them
    slots: tuple[str, ...] = ()  # physical replication slots
    loose: tuple[Loose, ...] = ()
    lacking: bool = False  # the partner itself was asked: it lacks what the connection with its name had confirmed


def waits(synchronous_commit: str) -> bool:
    """Whether a session with this setting waits until the secondary has flushed its commit."""
    return synchronous_commit.strip().strip("'").lower() in _STRICT


def same_name(name: str | None, partner: str) -> bool:
    """Whether a connection with this application_name is the partner's: PostgreSQL compares these without case.

    Without the right to see it the name is None.
    """
    return name is not None and name.lower() == partner.lower()


def gaps(found: Durability, partner: str, slot: str, others: frozenset[str] | None = None) -> frozenset[Gap]:
    """Everything that speaks against it; empty: whatever is acknowledged, the partner has.

    `slot`: the partner's replication slot, if it uses one. `others`: where a manager (Patroni) sets the names it may
    name these, and ask for a quorum of them; None: the name must be exactly the partner's.
    """
    found_gaps = {*_by_names(found.names, partner, others), *_by_followers(found, partner, slot, others)}
    if found.loose:
        found_gaps.add(Gap.LOOSE)
    if found.lacking:
        found_gaps.add(Gap.DOUBLE)
    return frozenset(found_gaps)


def _by_names(text: str, partner: str, others: frozenset[str] | None) -> Iterator[Gap]:
    said = standbys(text)
    if said is None:
        yield Gap.UNREADABLE
    elif not said.names:
        yield Gap.NOBODY
    elif "*" in said.names:
        yield Gap.ANYBODY
    elif others is not None:
        if not {name.lower() for name in said.names} <= {name.lower() for name in others | {partner}}:
            yield Gap.ANOTHER
    else:
        yield from _by_list({name.lower() for name in said.names}, said, partner.lower())


def _by_list(names: set[str], said: Standbys, partner: str) -> Iterator[Gap]:
    """A name that is said twice is one name. All of several names may be confirmed by two connections of one name."""
    if said.any and len(names) > 1:
        yield Gap.QUORUM
    if len(names) > 1:
        yield Gap.SEVERAL
    if partner not in names:
        yield Gap.ANOTHER
    elif names == {partner} and said.number > 1:
        yield Gap.MORE


def _by_followers(found: Durability, partner: str, slot: str, others: frozenset[str] | None) -> Iterator[Gap]:
    if found.followers is None:
        return
    receiving = [one for one in found.followers if one.state not in _SILENT]
    mine = [one for one in receiving if same_name(one.name, partner)]
    if not mine:
        yield Gap.ABSENT
    elif len(mine) > 1:
        yield Gap.TWINS
    elif slot in found.slots and mine[0].slot != slot:
        yield Gap.STRANGER
    if mine and not any(one.state == Replication.STREAMING and one.sync_state in IN_STEP for one in mine):
        yield Gap.BEHIND
    allowed = {partner.lower()} | {name.lower() for name in others or ()}
    if any(one.sync_state in IN_STEP and one.name.lower() not in allowed for one in receiving):
        yield Gap.OTHERS


def follows_first(all_gaps: frozenset[Gap]) -> bool:
    """Whether the partner must follow before anything else helps: `tuiha plan protect` is refused until then."""
    return Gap.ABSENT in all_gaps and not by_hand(all_gaps)


def by_hand(all_gaps: frozenset[Gap]) -> bool:
    """Whether a person must mend one of them first, because no operation does it."""
    return not all_gaps.isdisjoint(BY_HAND)
