"""The checks before a change of the pair's roles: pure functions of what was seen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tuiha.model.codes import Kind
from tuiha.model.databases.durability import Durability, Gap, gaps, same_name
from tuiha.model.databases.obstacles import LONG, smaller
from tuiha.model.databases.obstacles import obstacles as obstacles_of
from tuiha.model.databases.way_back import AT_LEAST, Needs, not_ours
from tuiha.model.databases.way_back import obstacles as in_the_way
from tuiha.model.quotes import slot
from tuiha.model.reports import EpochState, ServerReport, ServerTarget, Standby
from tuiha.operate.database.sight import NodeSight, ServerSight, Sight
from tuiha.operate.plans.plan import Check, CheckVerdict
from tuiha.words.durability import reason, remedy
from tuiha.words.obstacles import found as found_words

_LAG_BYTES = 16 * 1024 * 1024  # what a secondary replays in a moment
_CHECKPOINT = 3600.0  # seconds; an older one makes the stop of a busy database long
_COPY = 1.1  # a fresh copy, as a multiple of the databases
_WAL = 256 * 1024 * 1024  # bytes written while it is made, at least
_GOOD, _BAD, _NEVER, _WARNING = CheckVerdict.OK, CheckVerdict.BAD, CheckVerdict.NEVER, CheckVerdict.WARNING


def check(good: bool, name: str, subject: str, value: str, limit: str, remedy: str,
          otherwise: CheckVerdict = _BAD) -> Check:
    """A check whose verdict is `otherwise` unless it is good."""
    return Check(name, subject, value, limit, _GOOD if good else otherwise, "" if good else remedy)


def steady(sight: Sight) -> Check:
    """The ledger is in no other operation's phase."""
    return check(sight.ledger.phase == "STEADY", "phase", "ledger", sight.ledger.phase, "STEADY",
                 "an operation did not end: `tuiha operations` shows it, `tuiha resume ID` ends it")


def one_primary(sight: Sight, partner: CheckVerdict = _NEVER) -> Check:
    """Never SPLIT: no second database that takes writes, no server with a lease on another one than the ledger's.

    `partner` is the verdict when all that is wrong is a partner that somebody promoted, and that no server uses.
    """
    active = sight.ledger.active
    both = [node.name for node in sight.nodes.values() if node.writable]
    stray = [name for name in both if name != active]
    astray = [f"{one.name} has a lease on {one.report.database}" for one in sight.servers
              if one.report is not None and one.report.lease_seconds and _elsewhere(sight, one.report)]
    value = "; ".join([f"{' and '.join(both) or 'none'} can be written", *astray])
    own = [name for name in stray if _systems(sight.nodes[name]) <= {sight.ledger.system_identifier}]
    back = f"`tuiha plan rejoin {', '.join(own)}` makes it the secondary"
    first = "`tuiha plan degrade`, then " if sight.ledger.standby is Standby.SYNC else ""
    foreign_one = not_ours(stray[0]) if stray else ""
    remedy = first + back if own else foreign_one or "stop those servers; started again, each one asks the ledger"
    good = not stray and not astray
    return check(good, "split", "pool", value if good else f"SPLIT: {value}", f"only {active}", remedy,
                 _NEVER if astray else partner)


def _elsewhere(sight: Sight, report: ServerReport) -> bool:
    """Whether a server uses another physical database than the ledger names."""
    system = report.system_identifier
    return report.database != sight.ledger.active or (system is not None and system != sight.ledger.system_identifier)


def undisputed(sight: Sight, otherwise: CheckVerdict = _NEVER) -> Check:
    """Never DISPUTED: this host and the servers agree on whether the active database is there."""
    name = sight.active.name
    answering = [one for one in sight.servers if one.report is not None]
    leased = [one.name for one in answering if one.report and one.report.lease_seconds and one.report.database == name]
    value, remedy = "this host and the servers agree", ""
    if sight.active.report is None and leased:
        value = f"DISPUTED: this host cannot reach {name}, and {', '.join(leased)} had leases on it just now"
        remedy = f"if {name} is gone, the leases end in seconds: plan again; else mend the way from here to {name}"
    elif answering and not leased and _usable(sight):
        value = f"DISPUTED: this host reaches {name}, and {', '.join(one.name for one in answering)} cannot use it"
        remedy = f"mend the network between the servers and {name}; if that cannot be, stop {name} and plan a failover"
    return check(not remedy, "disputed", "pool", value, "they agree", remedy, otherwise)


def _usable(sight: Sight) -> bool:
    """Whether a server with a good line to the active database could have a lease on it: its commits are answered."""
    report = sight.active.report
    if report is None or not report.writable or report.epoch is None or report.epoch.state != EpochState.ACTIVE:
        return False
    if sight.ledger.standby is Standby.STALE and not report.synchronous_names:
        return True
    return synchronous(sight).verdict is _GOOD


def identity(sight: Sight, node: NodeSight) -> Check:
    """The database is the one that the ledger means. It must answer."""
    found, wanted = _systems(node), sight.ledger.system_identifier
    if node.report is None and not found - {wanted}:
        return check(False, "identity", node.name, "no answer", wanted, "start it, or look why", _NEVER)
    return _identity(node, found, wanted)


def _identity(node: NodeSight, found: set[str], wanted: str) -> Check:
    value = ", ".join(sorted(found)) or "no database"
    good = found <= {wanted}
    return check(good, "identity", node.name, value if good else f"FOREIGN: {value}", wanted, not_ours(node.name),
                 _NEVER)


def _systems(node: NodeSight) -> set[str]:
    """Every system identifier that is known of a database: by its own word, and in its data folder by its agent."""
    return {one for one in (node.report.system_identifier if node.report else None, node.disk) if one is not None}


def foreign(sight: Sight) -> Iterator[Check]:
    """Nothing is done to a pair in which another system is where a database should be, running or not."""
    for node in sight.nodes.values():
        found = _systems(node)
        if found:
            yield _identity(node, found, sight.ledger.system_identifier)


def replaceable(sight: Sight, node: NodeSight) -> Check:
    """What may be rewound or replaced is known to be the pool's own, or no database at all."""
    found = _systems(node)
    if not found and node.untold is not None:
        return check(False, "identity", node.name, f"not known: {node.untold}", sight.ledger.system_identifier,
                     "look at its data folder on its host: `pg_controldata` names the system; have its agent know "
                     "`identity` (docs/operations.md, Agents)")
    return _identity(node, found, sight.ledger.system_identifier)


def way_back(sight: Sight, node: NodeSight, leader: NodeSight, otherwise: CheckVerdict = _BAD) -> Iterator[Check]:
    """A database could follow the other one, with the log-ins, files and names that would be used."""
    seen = node.rehearsal
    if seen is None:
        return
    leading = {name: str(value) for name, value in leader.obstacles.items() if name in AT_LEAST}
    secondary = None if leader.report is None else leader.secondary
    found = [one for one in in_the_way(seen, sight.ledger.system_identifier, leading, secondary)
             if one.needs is not Needs.IDENTITY]  # told by the check of that name
    for one in found:
        yield Check(str(one.needs), node.name, one.value, one.limit, otherwise if one.known else _WARNING, one.remedy)
    if not found:
        yield Check("way-back", node.name, "tried: replication, rewind, copy", f"it can follow {leader.name}", _GOOD)


def rights(node: NodeSight) -> Iterator[Check]:
    """The coordinator may do what the steps need."""
    if "lacks" in node.obstacles:
        lacks = list(node.obstacles["lacks"])
        yield check(not lacks, "rights", node.name, f"lacks {'; '.join(lacks)}" if lacks else "all it needs",
                    "all that config/postgresql.md grants the coordinator", f"GRANT {lacks[0] if lacks else ''} TO the "
                    "role at database.roles.coordinator, on the active database")


def epoch_row(sight: Sight, node: NodeSight) -> Check:
    """The database's own record says what the ledger says."""
    row, ledger = node.report.epoch if node.report else None, sight.ledger
    value = "unknown" if row is None else f"{row.active} in epoch {row.epoch}, {row.state}"
    good = row is not None and (row.epoch, row.active, row.state) == (ledger.epoch, ledger.active, EpochState.ACTIVE)
    return check(good, "epoch", node.name, value, f"{ledger.active} in epoch {ledger.epoch}, ACTIVE",
                 "wait until the secondary has replayed; else the ledger or the database was changed by hand")


def answers(node: NodeSight, writable: bool) -> Check:
    """The database answers in its role, also to the coordinator."""
    good = node.report is not None and node.writable == writable and node.refusal is None
    role = "no answer" if node.report is None else str(node.report.role)
    value = node.error or (f"{role}, coordinator: {node.refusal}" if node.refusal else role)
    return check(good, "answers", node.name, value, "PRIMARY" if writable else "SECONDARY",
                 "start it, or look why; database.roles.coordinator must be able to log in")


def synchronous(sight: Sight) -> Check:
    """Whatever is acknowledged, the partner has: commits wait for it, and for nobody else."""
    partner = sight.partner
    found = gaps_of(sight)
    receiving = partner.report is not None and bool(partner.report.receiving)
    value = "not known" if found is None else words_of(sight, found) or f"{partner.name} sync"
    value += "" if receiving else f"; {partner.name} receives nothing"
    return check(found == frozenset() and receiving, "synchronous", sight.active.name, value,
                 f"{partner.name} sync, and receiving", mended(sight, found or frozenset()))


def gaps_of(sight: Sight) -> frozenset[Gap] | None:
    """Why the partner may lack acknowledged writes, or why commits wait for it; None: the active one does not say."""
    found, partner, report = waits_for(sight), sight.partner.name, sight.active.report
    # A manager may have commits wait for any of its secondaries.
    others = frozenset(one.name for one in sight.others) if report is not None and report.managed is not None else None
    return None if found is None else gaps(found, partner, slot(partner), others)


def waits_for(sight: Sight) -> Durability | None:
    """What commits of the active database wait for, as far as it and its partner say."""
    report = sight.active.report
    return None if report is None else replace(report.waits_for, lacking=sight.lacking)


def holes_of(sight: Sight) -> frozenset[Gap]:
    """Why the partner may lack acknowledged writes, as far as the active database says."""
    return frozenset(gap for gap in gaps_of(sight) or () if gap.hole)


def words_of(sight: Sight, found: frozenset[Gap]) -> str:
    """The reasons as a person reads them."""
    asked = waits_for(sight)
    return "" if asked is None else reason(asked, sight.partner.name, found)


def mended(sight: Sight, found: frozenset[Gap]) -> str:
    """What mends the first of these."""
    asked = waits_for(sight)
    return "`tuiha plan protect`" if asked is None else remedy(asked, sight.partner.name, found)


def only_partner(sight: Sight) -> Check:
    """What `protect` cannot mend itself: settings of roles, and programs that take the partner's name."""
    found = frozenset(gap for gap in holes_of(sight) if gap in (Gap.LOOSE, Gap.TWINS, Gap.STRANGER, Gap.DOUBLE))
    return check(not found, "acknowledged", sight.active.name, words_of(sight, found) or "by its partner alone",
                 f"by {sight.partner.name} alone", mended(sight, found))


def protected(sight: Sight) -> Check:
    """The secondary has every acknowledged write."""
    holes = holes_of(sight)
    value = f"{sight.ledger.standby}, but {words_of(sight, holes)}" if holes else str(sight.ledger.standby)
    return check(sight.ledger.standby is Standby.SYNC and not holes, "protection", "ledger", value, "SYNC",
                 "promoting it loses acknowledged writes; `tuiha plan protect` first, when that is possible")


def lag(sight: Sight) -> Check:
    """The secondary is close behind."""
    report = sight.active.report
    row = next((r for r in (report.replication if report else ()) if same_name(r.name, sight.partner.name)),
               None)
    behind = None if row is None else row.lag_bytes
    late = "" if row is None or row.lag_seconds is None else f", {row.lag_seconds:.1f} s"
    return check(behind is not None and behind <= _LAG_BYTES, "lag", sight.partner.name,
                 "unknown" if behind is None else f"{behind:,} bytes{late}", f"at most {_LAG_BYTES:,} bytes",
                 "wait until it has caught up")


def replaying(node: NodeSight) -> Iterator[Check]:
    """Nobody has paused the replay: what it has received would never be there."""
    yield from _seen(node, LONG, Kind.REPLAY)


_NONE = {Kind.REPLAY: "running"}  # what a plan says of an obstacle that is not there; else "none"


def _seen(node: NodeSight, longest: float, *kinds: Kind) -> Iterator[Check]:
    """Obstacles as `tuiha check` and the screen judge them, each of these kinds as one check."""
    if node.report is None or node.report.obstacles is None:
        return
    found = {one.kind: one for one in obstacles_of(node.name, node.report, frozenset(), longest)}
    for kind in kinds:
        one, wanted = found.get(kind), _NONE.get(kind, "none")
        yield check(one is None, kind, node.name, wanted if one is None else found_words(one).what, wanted,
                    "" if one is None else found_words(one).remedy)


def obstacles(sight: Sight) -> Iterator[Check]:
    """What makes a stop slow, or is lost with it."""
    active, partner = sight.active, sight.partner
    found, there = active.obstacles, partner.obstacles
    if not found or not there:
        return  # `answers` says so
    yield from _seen(active, sight.hold, Kind.BACKUP, Kind.PREPARED, Kind.LONG)
    yield check(found["unlogged"] == 0, "unlogged", active.name, f"{found['unlogged']} unlogged tables", "none",
                "their rows are not on the secondary: they would be empty")
    age = found["checkpoint"]
    yield check(age <= _CHECKPOINT, "checkpoint", active.name, f"{age:.0f} s ago", f"at most {_CHECKPOINT:.0f} s",
                "one is made first; the stop may still take longer", _WARNING)
    yield from replaying(partner)
    small = smaller(there, found)
    yield check(not small, "settings", partner.name, ", ".join(small) or "as large",
                f"not smaller than {active.name}'s", "make them as large, and restart it")
    free = there["most_slots"] - there["slots"]
    yield check(free > 0 and there["may_make_slots"], "slots", partner.name, f"{free} free",
                "one free, and the coordinator may make it",
                "drop unused slots; make the functions of config/postgresql.md, step 3")


def disk(sight: Sight, follower: NodeSight, leader: NodeSight) -> Check:
    """Room for a fresh copy, should it be needed: beside the old one, with what is written meanwhile."""
    bytes_ = leader.obstacles.get("bytes")
    if bytes_ is None and follower.obstacles.get("bytes") is not None:
        bytes_ = follower.obstacles["bytes"]  # the other one has as much
    needed = None if bytes_ is None else room_for_copy(bytes_)
    good = follower.free is not None and needed is not None and follower.free >= needed
    value = "unknown" if follower.free is None else f"{size(follower.free)} free"
    limit = "room for a fresh copy, of unknown size" if needed is None else f"at least {size(needed)} for a fresh copy"
    remedy = f"{follower.name}'s agent does not tell (action space): look by hand" if follower.free is None else \
        f"make room on {follower.name}: when it cannot be rewound, it is copied beside what it has"
    return check(good, "disk", follower.name, value, limit, remedy, _WARNING)


def room_for_copy(bytes_: int) -> int:
    """The bytes that a fresh copy needs beside the old data, with what is written while it is made."""
    return int(bytes_ * _COPY) + _WAL


def size(bytes_: int) -> str:
    """Bytes as people read them."""
    for unit, power in (("TB", 40), ("GB", 30), ("MB", 20)):
        if bytes_ >= 1 << power:
            return f"{bytes_ / (1 << power):.1f} {unit}"
    return f"{bytes_:,} bytes"


def version(sight: Sight) -> Check:
    """Both run the same major version."""
    found = {node.name: node.report.version.split(".")[0] if node.report else "?" for node in sight.nodes.values()}
    return check(len(set(found.values())) == 1, "version", "pair", ", ".join(f"{n} {v}" for n, v in found.items()),
                 "the same major version", "no streaming between major versions")


def agents(sight: Sight) -> Check:
    """There is something to stop the old primary with, and to start it as the secondary."""
    missing = [node.name for node in sight.nodes.values() if not node.agent]
    return check(not missing, "agent", "pair", f"none for {', '.join(missing)}" if missing else "both",
                 "one for each database", "write database.nodes[].agent into the configuration")


def server(sight: Sight, one: ServerSight) -> Check:
    """A server has a fresh lease on the active database, and reaches the other one."""
    active, partner = sight.active.name, sight.partner.name
    report = one.report
    if report is None:
        return check(False, "server", one.name, one.error or "no answer", f"a lease on {active}, reaches {partner}",
                     f"start it; `tuiha plan drain {one.name}` takes it out")
    reaches = one.probes.get(partner) == sight.ledger.system_identifier
    leased = report.database == active and report.epoch == sight.ledger.epoch and bool(report.lease_seconds)
    value = f"{report.database or 'no database'}, lease {report.lease_seconds or 0:.1f} s, "
    value += f"reaches {partner}" if reaches else f"{partner}: {one.failures.get(partner, 'another database')}"
    return check(leased and reaches, "server", one.name, value, f"a lease on {active}, reaches {partner}",
                 f"open the way from {one.name} to {partner}; the pool would be without it")


def leases(sight: Sight) -> Check:
    """No lease lasts longer than this host would wait for its end, as far as servers that answer tell."""
    left = max((one.report.lease_seconds or 0.0 for one in sight.servers if one.report is not None), default=0.0)
    return check(left <= sight.lease, "lease", "servers", f"up to {left:.1f} s left", f"at most {sight.lease:g} s",
                 "servers run with a longer lease.seconds: write theirs into this configuration, then plan again")


def servers(sight: Sight) -> Iterator[Check]:
    """Every server, one by one; those that are dead do not take part."""
    members = sight.members
    yield check(bool(members), "servers", "pool", str(len(members)), "at least 1", "start a pool server")
    for one in sight.servers:
        if one in members:
            yield server(sight, one)
        else:
            yield check(False, "server", one.name, f"{one.error}, no heartbeat", "alive", "it does not take part",
                        _WARNING)
    yield capacity(sight)


def capacity(sight: Sight) -> Check:
    """Somebody takes users afterwards."""
    taking = [one.name for one in sight.members if one.report and one.report.target is ServerTarget.UP]
    return check(bool(taking), "accepting", "pool", ", ".join(taking) or "none", "at least one server takes users",
                 "`tuiha plan enable SERVER`", _WARNING)


def sprayers(sight: Sight) -> Iterator[Check]:
    """Every sprayer answers; at least one must."""
    for name, error in sight.sprayers.items():
        yield check(error is None, "sprayer", name, error or "answers", "answers", "start it",
                    _WARNING if any(e is None for e in sight.sprayers.values()) else _BAD)
