"""Obstacles to a change of roles, why commits do not wait for the partner alone, oddities of sprayers: in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tuiha.model.codes import Obstacle, Oddity, ProblemCode, mend
from tuiha.model.databases.durability import IN_STEP, Durability, Gap, Loose, same_name
from tuiha.model.quotes import literal, wait_for
from tuiha.model.words import count, names, size, span
from tuiha.words.next import command


@dataclass(frozen=True, slots=True)
class ObstacleWords:
    """The sentences of one finding."""

    what: str
    means: str
    remedy: str


@dataclass(frozen=True, slots=True)
class _Text:
    state: str  # of its problem on the screen
    means: str
    what: Callable[[Any], str]
    remedy: Callable[[Any], str]


def found(one: Obstacle | Oddity) -> ObstacleWords:
    """The sentences of an obstacle or an oddity."""
    text = _TEXTS[one.code]
    return ObstacleWords(text.what(one), text.means, text.remedy(one))


def state(one: Obstacle | Oddity) -> str:
    """The word with which its problem begins."""
    return _TEXTS[one.code].state


def _late(one: Obstacle) -> str:
    told = names((f"process {late.process} ({late.application or 'no name'}) for {span(late.seconds)}"
                  for late in one.open), 3)
    return f"transactions are open: {told}"


def _ends(one: Obstacle) -> str:
    ends = names((f"SELECT pg_terminate_backend({late.process})" for late in one.open), 3)
    return f"end them in their programs, or run on {one.database}: {ends}"


def _rolls_back(one: Obstacle) -> str:
    orders = names((f"ROLLBACK PREPARED {literal(name)}" for name in one.prepared), 3)
    return f"on {one.database}, in the database that it belongs to: {orders} (or COMMIT PREPARED)"


def _kept(one: Obstacle) -> str:
    return "an unknown amount of WAL" if one.kept is None else f"{size(one.kept)} of WAL"


def _ready(one: Oddity) -> str:
    return ("; ".join(f"`set server BACKEND/{server} state ready` at its runtime socket" for server in one.servers)
            + ", or drain it everywhere: " + "; ".join(f"tuiha plan drain {server}" for server in one.servers))


def _away(one: Oddity) -> str:
    told = names((f"{away.server} ({away.check})" if away.check else away.server for away in one.away), 4)
    return f"cannot reach {told}"


_TEXTS: Mapping[ProblemCode, _Text] = {
    ProblemCode.REPLAY_PAUSED: _Text(
        "REPLAY", "it receives changes, but does not apply them: it cannot replace the primary, and its readers see "
        "old data",
        lambda _: "replay is paused", lambda one: f"on {one.database}: SELECT pg_wal_replay_resume()"),
    ProblemCode.PREPARED_TRANSACTIONS: _Text(
        "PREPARED", "it holds locks and old rows until it is ended; a switchover is refused",
        lambda one: count(len(one.prepared), "prepared transaction"), _rolls_back),
    ProblemCode.LONG_TRANSACTIONS: _Text(
        "LONG-TRANSACTION", "a switchover would have to wait for them for too long, and is refused", _late, _ends),
    ProblemCode.BACKUP_RUNNING: _Text(
        "BACKUP", "a switchover would break it, and is refused",
        lambda one: f"{count(one.backups, 'base backup')} running", lambda _: "wait until it ends"),
    ProblemCode.SLOT_UNUSED: _Text(
        "SLOT", "its WAL fills the disk, unless max_slot_wal_keep_size limits it",
        lambda one: f"unused slot {one.slot} keeps {_kept(one)}",
        lambda one: f"if no program needs it, on {one.database}: SELECT pg_drop_replication_slot("
                    f"{literal(one.slot)})"),
    ProblemCode.SLOT_LOST: _Text(
        "SLOT", "the secondary needs a fresh copy",
        lambda one: f"slot {one.slot} of the secondary has lost its WAL", lambda _: "`tuiha plan rejoin`"),
    ProblemCode.SLOT_KEEPS: _Text(
        "SLOT", "its WAL fills the disk until the secondary reads it",
        lambda one: f"slot {one.slot} of the secondary keeps {_kept(one)}",
        lambda _: "start the secondary, or connect it again: `tuiha plan rejoin`"),
    ProblemCode.CUT_OFF: _Text(
        "CUT OFF", "other servers forward its devices: slower answers, and more load", _away,
        lambda _: "compare the address on its line `server` with the server's address; then check the network between "
                  "them"),
    ProblemCode.DIFFERS: _Text(
        "DIFFERS", "an operator took the server out at this sprayer only: the load is uneven",
        lambda one: f"sends no new users to {names(one.servers)}, others do", _ready),
    ProblemCode.UNCHECKED: _Text(
        "UNCHECKED", "devices are sent there even when the server is down",
        lambda one: f"no health check of {names(one.servers)}",
        lambda _: "add `check` to its line `server` (config/haproxy.cfg), then `systemctl reload haproxy`"),
    ProblemCode.NO_MAP: _Text(
        "NO MAP", "servers forward each request to each other, and it is not known which sprayer has the address",
        lambda one: f"has no map {names(one.lacking)}",
        lambda one: "write its map's path at `sprayers.map` or `sprayers.held`: "
                    f"{names(one.maps) or 'it has none, see config/haproxy.cfg'}"),
}


# Why commits do not wait for the partner alone, or wait in vain


def reason(found: Durability, partner: str, all_gaps: frozenset[Gap]) -> str:
    """Why the partner may lack acknowledged writes, or why commits wait for it: one line."""
    return "; ".join(_REASONS[gap](found, partner) for gap in Gap if gap in all_gaps)


def remedy(found: Durability, partner: str, all_gaps: frozenset[Gap]) -> str:
    """How to mend the first gap that no operation mends by itself; without one, `tuiha plan protect`."""
    return command(mend(found, partner, all_gaps))


def _place(loose: Loose) -> str:
    words = [f"role {loose.role}"] if loose.role is not None else []
    words += [f"database {loose.database}"] if loose.database is not None else []
    return f"{' in '.join(words) or 'all sessions'} ({loose.value})"


def _listed(found: Durability, partner: str) -> str:
    return f"synchronous_standby_names is {found.names}, not {wait_for(partner)}"


def _synchronous(found: Durability, partner: str) -> str:
    return ", ".join(sorted({one.name or "one without a name" for one in found.followers or ()
                             if one.sync_state in IN_STEP and not same_name(one.name, partner)}))


_REASONS: Mapping[Gap, Callable[[Durability, str], str]] = {
    Gap.NOBODY: lambda found, partner: "commits wait for no secondary: synchronous_standby_names is empty",
    Gap.UNREADABLE: _listed,
    Gap.ANYBODY: _listed,
    Gap.QUORUM: _listed,
    Gap.SEVERAL: _listed,
    Gap.ANOTHER: _listed,
    Gap.LOOSE: lambda found, partner: f"synchronous_commit does not wait: {', '.join(map(_place, found.loose))}",
    Gap.TWINS: lambda found, partner: f"two connections use the name {partner}: one may be another program",
    Gap.OTHERS: lambda found, partner: f"commits are acknowledged by {_synchronous(found, partner)}",
    Gap.STRANGER: lambda found, partner: f"the connection named {partner} does not use the slot of {partner}",
    Gap.DOUBLE: lambda found, partner: f"a copy of {partner} confirms commits in its place; the real {partner} lacks "
                                       "them",
    Gap.ABSENT: lambda found, partner: f"{partner} is not connected",
    Gap.BEHIND: lambda found, partner: f"{partner} is not synchronous yet",
    Gap.MORE: _listed,
}
