"""The checks before a change of the pair's roles: pure functions of what was seen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tuiha.model.codes import ObstacleKind
from tuiha.model.databases.durability import Durability, Gap, gaps, same_name
from tuiha.model.databases.obstacles import LONG, smaller
from tuiha.model.databases.obstacles import obstacles as obstacles_of
from tuiha.model.databases.way_back import AT_LEAST, Needs, not_ours
from tuiha.model.databases.way_back import obstacles as in_the_way
from tuiha.model.operations.judgements import NO_ANSWER, Found, Mend, Wanted
from tuiha.model.operations.plans import CheckId, CheckVerdict
from tuiha.model.operations.statements import Statement, plain, stated
from tuiha.model.quotes import slot
from tuiha.model.reports import STEADY, EpochState, ServerReport, ServerTarget, Standby
from tuiha.operate.database.sight import NodeSight, ServerSight, Sight
from tuiha.operate.plans.plan import Check
from tuiha.words.obstacles import found as found_words
from tuiha.words.obstacles import reason, remedy

_LAG_BYTES = 16 * 1024 * 1024  # what a secondary replays in a moment
_CHECKPOINT = 3600.0  # seconds; an older one makes the stop of a busy database long
_COPY = 1.1  # a fresh copy, as a multiple of the databases
_WAL = 256 * 1024 * 1024  # bytes written while it is made, at least
_GOOD, _BAD, _NEVER, _WARNING = CheckVerdict.OK, CheckVerdict.BAD, CheckVerdict.NEVER, CheckVerdict.WARNING


def check(good: bool, name: CheckId, subject: str, found: Statement | str, wanted: Statement | str,
          mend: Statement | str | None, otherwise: CheckVerdict = _BAD) -> Check:
    """A check whose verdict is `otherwise` unless it is good."""
    return Check(name, subject, stated(found), stated(wanted), _GOOD if good else otherwise,
                 None if good or not mend else stated(mend))


def steady(sight: Sight) -> Check:
    """The ledger is in no other operation's phase."""
    return check(sight.ledger.phase == STEADY, CheckId.PHASE, "ledger", sight.ledger.phase, STEADY,
                 Mend.END_THE_OPERATION())


def one_primary(sight: Sight, partner: CheckVerdict = _NEVER) -> Check:
    """Never SPLIT: no second database that takes writes, no server with a lease on another one than the ledger's.

    `partner` is the verdict when all that is wrong is a partner that somebody promoted, and that no server uses.
    """
    active = sight.ledger.active
    both = [node.name for node in sight.nodes.values() if node.writable]
    stray = [name for name in both if name != active]
    astray = [Found.ASTRAY(server=one.name, database=one.report.database) for one in sight.servers
              if one.report is not None and one.report.lease_seconds and _elsewhere(sight, one.report)]
    seen = Found.WRITABLE(databases=both, astray=astray)
    own = [name for name in stray if _systems(sight.nodes[name]) <= {sight.ledger.system_identifier}]
    back = Mend.DEGRADE_AND_REJOIN if sight.ledger.standby is Standby.SYNC else Mend.REJOIN_STRAY
    foreign_one = not_ours(stray[0]) if stray else ""
    good = not stray and not astray
    return check(good, CheckId.SPLIT, "pool", seen if good else Found.SPLIT(what=seen), Wanted.ONLY(active=active),
                 back(databases=own) if own else foreign_one or Mend.STOP_THOSE_SERVERS(),
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
    found, mend = Found.AGREE(), None
    if sight.active.report is None and leased:
        found = Found.DISPUTED_BY_SERVERS(database=name, leased=leased)
        mend = Mend.WAIT_FOR_LEASES(database=name)
    elif answering and not leased and _usable(sight):
        found = Found.DISPUTED_BY_HOST(database=name, servers=[one.name for one in answering])
        mend = Mend.NETWORK_TO_SERVERS(database=name)
    return check(mend is None, CheckId.DISPUTED, "pool", found, Wanted.AGREEMENT(), mend, otherwise)


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
        return check(False, CheckId.IDENTITY, node.name, NO_ANSWER, wanted, Mend.START_OR_LOOK(), _NEVER)
    return _identity(node, found, wanted)


def _identity(node: NodeSight, found: set[str], wanted: str) -> Check:
    good = found <= {wanted}
    return check(good, CheckId.IDENTITY, node.name, (Found.SYSTEMS if good else Found.FOREIGN)(systems=found), wanted,
                 not_ours(node.name), _NEVER)


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
        return check(False, CheckId.IDENTITY, node.name, Found.SYSTEM_UNKNOWN(why=node.untold),
                     sight.ledger.system_identifier, Mend.LOOK_AT_DATA())
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
        yield check(False, CheckId(one.needs), node.name, one.value, one.limit, one.remedy,
                    otherwise if one.known else _WARNING)
    if not found:
        yield check(True, CheckId.WAY_BACK, node.name, Found.TRIED(), Wanted.CAN_FOLLOW(leader=leader.name), None)


def rights(node: NodeSight) -> Iterator[Check]:
    """The coordinator may do what the steps need."""
    if "lacks" in node.obstacles:
        lacks = list(node.obstacles["lacks"])
        first = lacks[0] if lacks else ""
        yield check(not lacks, CheckId.RIGHTS, node.name, Found.LACKS(lacks=lacks) if lacks else Found.ALL_RIGHTS(),
                    Wanted.ALL_RIGHTS(), Mend.GRANT(right=first))


def epoch_row(sight: Sight, node: NodeSight) -> Check:
    """The database's own record says what the ledger says."""
    row, ledger = node.report.epoch if node.report else None, sight.ledger
    found = Found.UNKNOWN() if row is None else Found.EPOCH(active=row.active, epoch=row.epoch, state=row.state)
    good = row is not None and (row.epoch, row.active, row.state) == (ledger.epoch, ledger.active, EpochState.ACTIVE)
    return check(good, CheckId.EPOCH, node.name, found, Wanted.EPOCH(active=ledger.active, epoch=ledger.epoch),
                 Mend.WAIT_FOR_REPLAY())


def answers(node: NodeSight, writable: bool) -> Check:
    """The database answers in its role, also to the coordinator."""
    good = node.report is not None and node.writable == writable and node.refusal is None
    role = stated(NO_ANSWER) if node.report is None else plain(node.report.role)
    found = node.error or (Found.NOT_TO_COORDINATOR(role=role, why=node.refusal) if node.refusal else role)
    return check(good, CheckId.ANSWERS, node.name, found, "PRIMARY" if writable else "SECONDARY",
                 Mend.START_FOR_COORDINATOR())


def synchronous(sight: Sight) -> Check:
    """Whatever is acknowledged, the partner has: commits wait for it, and for nobody else."""
    partner = sight.partner
    found = gaps_of(sight)
    receiving = partner.report is not None and bool(partner.report.receiving)
    seen = Found.SYNCHRONOUS(partner=partner.name, known=found is not None, gaps=found or (), receiving=receiving,
                             why="" if found is None else words_of(sight, found))
    return check(found == frozenset() and receiving, CheckId.SYNCHRONOUS, sight.active.name, seen,
                 Wanted.SYNCHRONOUS(partner=partner.name), mended(sight, found or frozenset()))


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


def mended(sight: Sight, found: frozenset[Gap]) -> Statement:
    """What mends the first of these."""
    asked = waits_for(sight)
    return Mend.PROTECT() if asked is None else plain(remedy(asked, sight.partner.name, found))


def only_partner(sight: Sight) -> Check:
    """What `protect` cannot mend itself: settings of roles, and programs that take the partner's name."""
    found = frozenset(gap for gap in holes_of(sight) if gap in (Gap.LOOSE, Gap.TWINS, Gap.STRANGER, Gap.DOUBLE))
    return check(not found, CheckId.ACKNOWLEDGED, sight.active.name,
                 Found.ACKNOWLEDGED(gaps=found, why=words_of(sight, found)) if found else Found.BY_PARTNER(),
                 Wanted.BY_PARTNER(partner=sight.partner.name), mended(sight, found))


def protected(sight: Sight) -> Check:
    """The secondary has every acknowledged write."""
    holes = holes_of(sight)
    word = sight.ledger.standby
    found = Found.HOLES(standby=word, gaps=holes, why=words_of(sight, holes)) if holes else plain(word)
    return check(word is Standby.SYNC and not holes, CheckId.PROTECTION, "ledger", found, Standby.SYNC,
                 Mend.PROTECT_FIRST())


def lag(sight: Sight) -> Check:
    """The secondary is close behind."""
    report = sight.active.report
    row = next((r for r in (report.replication if report else ()) if same_name(r.name, sight.partner.name)),
               None)
    behind = None if row is None else row.lag_bytes
    late = None if row is None else row.lag_seconds
    return check(behind is not None and behind <= _LAG_BYTES, CheckId.LAG, sight.partner.name,
                 Found.BEHIND(bytes=behind, seconds=late), Wanted.AT_MOST_BYTES(bytes=_LAG_BYTES),
                 Mend.WAIT_TO_CATCH_UP())


def replaying(node: NodeSight) -> Iterator[Check]:
    """Nobody has paused the replay: what it has received would never be there."""
    yield from _seen(node, LONG, ObstacleKind.REPLAY)


_NONE = {ObstacleKind.REPLAY: Found.REPLAYS()}  # what a plan says of an obstacle that is not there; else "none"


def _seen(node: NodeSight, longest: float, *kinds: ObstacleKind) -> Iterator[Check]:
    """Obstacles as `tuiha check` and the screen judge them, each of these kinds as one check."""
    if node.report is None or node.report.obstacles is None:
        return
    found = {one.kind: one for one in obstacles_of(node.name, node.report, frozenset(), longest)}
    for kind in kinds:
        one, wanted = found.get(kind), _NONE.get(kind, Found.NONE())
        yield check(one is None, CheckId(kind), node.name, wanted if one is None else plain(found_words(one).what),
                    wanted, "" if one is None else plain(found_words(one).remedy))


def obstacles(sight: Sight) -> Iterator[Check]:
    """What makes a stop slow, or is lost with it."""
    active, partner = sight.active, sight.partner
    found, there = active.obstacles, partner.obstacles
    if not found or not there:
        return  # `answers` says so
    yield from _seen(active, sight.hold, ObstacleKind.BACKUP, ObstacleKind.PREPARED, ObstacleKind.LONG)
    yield check(found["unlogged"] == 0, CheckId.UNLOGGED, active.name, Found.UNLOGGED(unlogged=found["unlogged"]),
                Found.NONE(), Mend.UNLOGGED())
    age = found["checkpoint"]
    yield check(age <= _CHECKPOINT, CheckId.CHECKPOINT, active.name, Found.CHECKPOINT(seconds=age),
                Wanted.CHECKPOINT(seconds=_CHECKPOINT), Mend.CHECKPOINT(), _WARNING)
    yield from replaying(partner)
    small = smaller(there, found)
    yield check(not small, CheckId.SETTINGS, partner.name, Found.SMALLER(settings=small),
                Wanted.SETTINGS(active=active.name), Mend.SETTINGS())
    free = there["most_slots"] - there["slots"]
    yield check(free > 0 and there["may_make_slots"], CheckId.SLOTS, partner.name, Found.FREE_SLOTS(slots=free),
                Wanted.A_SLOT(), Mend.SLOTS())


def disk(sight: Sight, follower: NodeSight, leader: NodeSight) -> Check:
    """Room for a fresh copy, should it be needed: beside the old one, with what is written meanwhile."""
    bytes_ = leader.obstacles.get("bytes")
    if bytes_ is None and follower.obstacles.get("bytes") is not None:
        bytes_ = follower.obstacles["bytes"]  # the other one has as much
    needed = None if bytes_ is None else room_for_copy(bytes_)
    good = follower.free is not None and needed is not None and follower.free >= needed
    found = Found.UNKNOWN() if follower.free is None else Found.FREE(bytes=follower.free)
    wanted = Wanted.COPY_OF_UNKNOWN_SIZE() if needed is None else Wanted.ROOM_FOR_COPY(bytes=needed)
    mend = Mend.LOOK_AT_DISK(follower=follower.name) if follower.free is None else \
        Mend.ROOM_FOR_COPY(follower=follower.name)
    return check(good, CheckId.DISK, follower.name, found, wanted, mend, _WARNING)


def room_for_copy(bytes_: int) -> int:
    """The bytes that a fresh copy needs beside the old data, with what is written while it is made."""
    return int(bytes_ * _COPY) + _WAL


def version(sight: Sight) -> Check:
    """Both run the same major version."""
    found = {node.name: node.report.version.split(".")[0] if node.report else "?" for node in sight.nodes.values()}
    return check(len(set(found.values())) == 1, CheckId.VERSION, "pair", Found.VERSIONS(versions=found),
                 Wanted.SAME_VERSION(), Mend.SAME_VERSION())


def agents(sight: Sight) -> Check:
    """There is something to stop the old primary with, and to start it as the secondary."""
    missing = [node.name for node in sight.nodes.values() if not node.agent]
    return check(not missing, CheckId.AGENT, "pair", Found.NO_AGENT(databases=missing) if missing else Found.BOTH(),
                 Wanted.AN_AGENT_EACH(), Mend.WRITE_AGENT())


def server(sight: Sight, one: ServerSight) -> Check:
    """A server has a fresh lease on the active database, and reaches the other one."""
    active, partner = sight.active.name, sight.partner.name
    report = one.report
    if report is None:
        return check(False, CheckId.SERVER, one.name, one.error or NO_ANSWER,
                     Wanted.LEASE_AND_WAY(active=active, partner=partner), Mend.START_OR_DRAIN(server=one.name))
    reaches = one.probes.get(partner) == sight.ledger.system_identifier
    leased = report.database == active and report.epoch == sight.ledger.epoch and bool(report.lease_seconds)
    found = Found.SERVER(database=report.database, lease=report.lease_seconds or 0.0, partner=partner, reaches=reaches,
                         why=one.failures.get(partner))
    return check(leased and reaches, CheckId.SERVER, one.name, found,
                 Wanted.LEASE_AND_WAY(active=active, partner=partner),
                 Mend.OPEN_THE_WAY(server=one.name, partner=partner))


def leases(sight: Sight) -> Check:
    """No lease lasts longer than this host would wait for its end, as far as servers that answer tell."""
    left = max((one.report.lease_seconds or 0.0 for one in sight.servers if one.report is not None), default=0.0)
    return check(left <= sight.lease, CheckId.LEASE, "servers", Found.LEASES_LEFT(seconds=left),
                 Wanted.LEASES_LEFT(seconds=sight.lease), Mend.LEASE_SETTING())


def servers(sight: Sight) -> Iterator[Check]:
    """Every server, one by one; those that are dead do not take part."""
    members = sight.members
    yield check(bool(members), CheckId.SERVERS, "pool", str(len(members)), Wanted.ONE_SERVER(), Mend.START_A_SERVER())
    for one in sight.servers:
        if one in members:
            yield server(sight, one)
        else:
            yield check(False, CheckId.SERVER, one.name, Found.NO_HEARTBEAT(why=one.error), Wanted.ALIVE(),
                        Mend.NO_PART(), _WARNING)
    yield capacity(sight)


def capacity(sight: Sight) -> Check:
    """Somebody takes users afterwards."""
    taking = [one.name for one in sight.members if one.report and one.report.target is ServerTarget.UP]
    return check(bool(taking), CheckId.ACCEPTING, "pool", Found.NAMES(names=taking), Wanted.A_TAKER(),
                 Mend.ENABLE(), _WARNING)


def sprayers(sight: Sight) -> Iterator[Check]:
    """Every sprayer answers; at least one must."""
    for name, error in sight.sprayers.items():
        yield check(error is None, CheckId.SPRAYER, name, error or Found.ANSWERS(), Found.ANSWERS(), Mend.START(),
                    _WARNING if any(e is None for e in sight.sprayers.values()) else _BAD)
