"""What a manager of the pair (Patroni) does by itself, and what `tuiha check` says of it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tuiha.model.check.finding import Finding, bad, ok, warning
from tuiha.model.databases.durability import IN_STEP, same_name
from tuiha.model.facts import Look
from tuiha.model.reports import Managed

# Kind of operation -> why it is not offered on a pair that somebody else manages.
NOT_HERE: Mapping[str, str] = {
    "degrade": "{manager} does it by itself: its leader goes on alone when the secondary is gone, unless "
               "synchronous_mode_strict is on",
    "protect": "{manager} does it by itself: commits wait for the secondary again as soon as it streams",
}


def not_here(kind: str, manager: str | None) -> str:
    """Why a kind of operation is the manager's own business; empty when it is not, or when there is no manager."""
    return NOT_HERE.get(kind, "").format(manager=manager) if manager is not None else ""


def managed_findings(look: Look, manager: str | None) -> tuple[Finding, ...]:
    """What the check finds about the manager; nothing without one."""
    if manager is None:
        return ()
    said = {node.name: node.report.managed for node in look.databases
            if node.report is not None and node.report.managed is not None}
    known = [one for one in said.values() if one.error is None]
    return (*_nodes(said, manager), *_cluster(known, manager), *_behind(look, manager), *_strangers(look, manager))


def _strangers(look: Look, manager: str) -> Iterator[Finding]:
    """Members that commits wait for, or that may be promoted, and that the configuration does not name."""
    known = [node.name for node in look.databases]
    rows = [row for node in look.databases if node.fresh and node.report is not None for row in node.report.replication]
    for name in sorted({row.name for row in rows if row.sync_state in IN_STEP}):
        if any(same_name(name, one) for one in known):
            continue
        yield bad(manager, f"commits wait for {name}, which is not at database.nodes",
                  f"{manager} may promote it, and no server and no operator finds it then",
                  f"name {name} at database.nodes on all hosts; or keep it out: tags: nosync: true and nofailover: "
                  f"true in its {manager} configuration")


def _nodes(said: Mapping[str, Managed], manager: str) -> Iterator[Finding]:
    for name, one in said.items():
        if one.error is not None:
            yield bad(name, f"its {manager} cannot be asked: {one.error}",
                      "nobody here knows who leads when the other one cannot be asked either",
                      "check database.nodes[].rest, and restapi in its configuration")
        elif one.role is None:
            yield bad(name, f"its {manager} does not tell its role in the cluster",
                      f"the node's name is not one of {manager}'s members, or its store cannot be reached",
                      f"name the node as {manager} does; patronictl list")
        else:
            yield ok(name, f"{manager} {one.version or '(unknown version)'}: {one.role}, {one.state or 'unknown'}")
        if one.pending_restart:
            yield warning(name, f"{manager} has settings that wait for a restart", "they do not count yet",
                          "patronictl restart")


def _behind(look: Look, manager: str) -> Iterator[Finding]:
    rows = [node.report.epoch.epoch for node in look.databases
            if node.report is not None and node.report.epoch is not None and node.report.epoch.pool == look.pool]
    record = look.ledger.report if look.ledger is not None else None
    if record is not None and rows and record.epoch < max(rows):
        yield bad(manager, f"its leader is on timeline {record.timeline}, and the pool is in epoch {max(rows)} already",
                  "no server follows to an epoch before one that it has seen",
                  "docs/patroni.md, Moving a pool there; or a database of another time was brought back")


def _cluster(known: list[Managed], manager: str) -> Iterator[Finding]:
    leaders = {one.leader for one in known if one.leader is not None}
    if known and len(leaders) != 1:
        yield bad(manager, f"leader: {' and '.join(sorted(leaders)) or 'none'}",
                  "no server can be sure where it belongs", "patronictl list; look at its store")
    if any(one.synchronous is False for one in known):
        yield bad(manager, "synchronous_mode is off", "a failover loses acknowledged writes, and a lease on the old "
                  "leader proves nothing to the new one", "patronictl edit-config: synchronous_mode: true")
    elif any(one.synchronous for one in known):
        strict = any(one.strict for one in known)
        yield ok(manager, "synchronous_mode is on" + (", and strict" if strict else ""))
    if any(one.paused for one in known):
        yield warning(manager, "it is in maintenance mode", "it does not fail over by itself", "patronictl resume")
