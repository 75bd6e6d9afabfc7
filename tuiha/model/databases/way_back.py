"""The way back: what a database needs to become the secondary of its partner, as its agent rehearsed it. Pure.

An agent logs in to the partner with the strings, files and names that would be used, and changes nothing. Plans and
`tuiha check` ask the same agent and judge its answer here, so what one refuses the other names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from tuiha.model.databases.durability import same_name
from tuiha.model.quotes import slot
from tuiha.model.words import names

# Settings of which a secondary must not have less than its primary: it stops replaying otherwise.
AT_LEAST = ("max_connections", "max_wal_senders", "max_worker_processes", "max_prepared_transactions",
            "max_locks_per_transaction")
_TARGETS = ("recovery_target", "recovery_target_lsn", "recovery_target_name", "recovery_target_time",
            "recovery_target_xid")


class Needs(StrEnum):
    """What the way back rests on; a plan's checks are called so."""

    IDENTITY = "identity"  # the agent's data folder is a database of this pool
    REPLICATION = "replication"  # the log-in of its WAL receiver, by primary_conninfo
    SLOT = "slot"
    RECOVERY = "recovery"  # settings with which a secondary answers, and follows for good
    REWIND = "rewind"
    COPY = "copy"
    REHEARSAL = "rehearsal"  # that the agent could say all this


@dataclass(frozen=True, slots=True)
class LogIn:
    """One log-in to the partner, as it was tried."""

    error: str | None  # None: it was let in
    system_identifier: str | None = None  # of the database that it found there
    secondary: bool | None = None  # whether that one is in recovery
    name: str | None = None  # application_name: under which name it was let in


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What an agent found. A log-in that it did not try is None."""

    node: str
    partner: str
    system_identifier: str | None = None  # of the data folder; None: there is no database in it
    replication: LogIn | None = None
    copy: LogIn | None = None
    rewind: LogIn | None = None
    settings: Mapping[str, str] = field(default_factory=dict)  # with which it would start as the secondary
    error: str | None = None  # why nothing else is known
    tried: bool = True  # False: it is an agent that cannot try it, and nothing is known


@dataclass(frozen=True, slots=True)
class WayBackObstacle:
    """Something in the way back."""

    needs: Needs
    value: str
    limit: str
    remedy: str
    known: bool = True  # False: it could not be found out


def obstacles(
    seen: Rehearsal, system: str, leading: Mapping[str, str], secondary: bool | None
) -> Iterator[WayBackObstacle]:
    """What keeps a database from following its partner, or may.

    `system`: the pool's system identifier; `leading`: settings of the partner that this one must not have less of;
    `secondary`: whether the partner is in recovery now, None where that is not known.
    """
    node, partner = seen.node, seen.partner
    if seen.error is not None:
        yield WayBackObstacle(Needs.REHEARSAL, seen.error, f"rehearsed by {node}'s agent",
                              f"see that the agent of {node} can be asked: `tuiha check`", known=seen.tried)
        return
    if seen.system_identifier != system:
        there = "no database" if seen.system_identifier is None else f"system {seen.system_identifier}"
        empty = f"correct DATA of {node}'s agent; `tuiha plan rejoin {node}` copies the database again"
        yield WayBackObstacle(Needs.IDENTITY, f"its agent's data folder holds {there}", f"system {system}",
                              empty if seen.system_identifier is None else not_ours(node))
    yield from _strings(seen, system, secondary)
    yield from _start(seen, leading)
    wanted = slot(node)
    used = seen.settings.get("primary_slot_name", wanted)
    if used != wanted:
        yield WayBackObstacle(
            Needs.SLOT,
            used or "none",
            wanted,
            f"write primary_slot_name = '{wanted}' into the settings of {node}: this slot is made for it on {partner}",
        )


def _strings(seen: Rehearsal, system: str, secondary: bool | None) -> Iterator[WayBackObstacle]:
    """The three log-ins."""
    node, partner = seen.node, seen.partner
    look = f"its password file, and the line for replication in pg_hba.conf of {partner}"
    grants = f"its password file, pg_hba.conf of {partner}, and the grants of its role (docs/operations.md, Agents)"
    tried = ((Needs.REPLICATION, "primary_conninfo", seen.replication, look), (Needs.COPY, "COPY", seen.copy, look),
             (Needs.REWIND, "REWIND", seen.rewind, grants))
    for needs, setting, login, also in tried:
        where = f"{setting} of {node}" if needs is Needs.REPLICATION else f"{setting} of {node}'s agent"
        limit = f"{node} may log in to {partner}"
        if login is None:
            yield WayBackObstacle(
                needs,
                f"{where} was not tried",
                limit,
                "an agent tries no string with a password in it: name a password file there",
                known=False,
            )
        elif login.error is not None:
            yield WayBackObstacle(needs, f"{where}: {login.error}", limit, f"correct {where}, {also}")
        elif login.system_identifier != system:
            yield WayBackObstacle(
                needs,
                f"{where} leads to system {login.system_identifier}",
                f"{partner}, system {system}",
                f"correct the address in {where}",
            )
        elif None not in (secondary, login.secondary) and login.secondary is not secondary:
            role = "a secondary" if login.secondary else "a primary"
            yield WayBackObstacle(needs, f"{where} leads to {role}, and {partner} is none", partner,
                                  f"correct the address in {where}: it may lead {node} to itself")
        elif needs is Needs.REPLICATION and not same_name(login.name, node):
            yield WayBackObstacle(needs, f"{node} would follow as '{login.name}'", f"application_name={node}",
                                  f"write application_name={node} into primary_conninfo of {node}")


def _start(seen: Rehearsal, leading: Mapping[str, str]) -> Iterator[WayBackObstacle]:
    """The settings with which it would start."""
    node, partner, settings = seen.node, seen.partner, seen.settings
    said = [name for name in _TARGETS if settings.get(name)]
    if settings.get("recovery_target_timeline", "latest") != "latest":
        said.append("recovery_target_timeline")
    if said:
        yield WayBackObstacle(Needs.RECOVERY, f"{names(said)} of {node} is set", "none, and the latest timeline",
                              f"take {names(said)} out of the settings of {node}: it would stop on its old history")
    if settings.get("hot_standby", "on") != "on":
        yield WayBackObstacle(
            Needs.RECOVERY,
            f"hot_standby of {node} is off",
            "on",
            f"write hot_standby = on into the settings of {node}: as the secondary it would answer nobody",
        )
    less = [name for name in AT_LEAST if name in settings and name in leading
            and int(settings[name]) < int(leading[name])]
    if less:
        yield WayBackObstacle(Needs.RECOVERY, f"less on {node}: {names(less)}", f"as much as on {partner}",
                              f"make {names(less)} of {node} as large as on {partner}")


def not_ours(node: str) -> str:
    """What to do about a database of another system, which no operation touches."""
    return (f"another database cluster is where {node} should be: correct the address of {node} at database.nodes, and "
            f"DATA of its agent; or have its owner stop it and move its data folder away from {node}'s host")


def mends_nothing(found: WayBackObstacle) -> bool:
    """Whether a rewind or a fresh copy leaves an obstacle as it is: then the data folder stays as it is, too."""
    return found.known and found.needs in (Needs.REPLICATION, Needs.SLOT, Needs.RECOVERY)
