"""Findings of `tuiha check` beyond "does it answer": settings, rights and reserves that count on a bad day. Pure.

Every limit is a constant here, with its reason. PostgreSQL's settings are those of config/postgresql.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from tuiha.model.check.access_rules import rule_findings
from tuiha.model.check.database_advice import database_advice
from tuiha.model.check.facts import (
    Expires,
    FindingCode,
    FrontFact,
    Lag,
    LimitFact,
    NamedFact,
    Number,
    OpenPath,
    PerNode,
    Renamed,
    RoleFact,
    RoomFact,
    Seconds,
    SettingFact,
    Soonest,
    Spellings,
    TwoUsers,
)
from tuiha.model.check.finding import Finding, bad, ok, warning
from tuiha.model.check.grants import too_much
from tuiha.model.check.guard import guard_findings
from tuiha.model.check.inspection import DatabaseInspection, Inspection, RoleRights
from tuiha.model.databases.active import ActiveStanding
from tuiha.model.databases.durability import same_name
from tuiha.model.databases.obstacles import SIZES, smaller
from tuiha.model.facts import Look
from tuiha.model.reports import ServerState

_Code = FindingCode

SKEW = 2.0  # seconds: more, and logs and events of two hosts no longer tell what came first
LAG_BYTES = 64 * 1024 * 1024  # more than this to replay, and a promotion makes people wait
LAG_SECONDS = 10.0
SOON, URGENT = 30.0, 7.0  # days before a certificate expires
LEAVE_FREE = 20  # connections for operators, watchers, replication
# Connections that a pool server opens beside its pool: the lease, its renewals, five that devices and mail never take
# (server/database/attachment.py, Lane), a probe, and the next attachment.
PER_SERVER = 9
NAMED = 50  # pairs of users that are one mailbox; the rest is counted
GIVEN_UP = 60_000  # milliseconds: by then a session of a host that vanished must end
PARTNER_LOST = 10_000  # milliseconds: a partner that hangs must be noticed by then

_POWERS: Mapping[str, frozenset[str]] = {  # what each role may have at most
    "pool": frozenset(), "watcher": frozenset(), "owner": frozenset(), "coordinator": frozenset(),
}
# Read by servers, and written by functions; an event is added, and stays.
_KEPT_FROM_SERVERS = frozenset({"pool_epoch", "schema_version", "lease", "operation", "operation_record", "event"})
_COORDINATORS = frozenset({"synchronous_standby_names", "primary_conninfo", "primary_slot_name"})


def advice(look: Look, stand: ActiveStanding, seen: Inspection) -> tuple[Finding, ...]:
    """All that the doctor finds."""
    return (*_settings(look, seen), *_rights(stand, seen), *_access(seen), *_clocks(look, seen), *_lag(stand),
            *_capacity(look, stand, seen), *_certificates(seen), *_unverified(seen), *_files(seen),
            *_names(look, stand, seen), *_fronts(look, seen), *guard_findings(look, seen),
            *database_advice(stand.active, max(len(look.servers), len(seen.capacities)),
                             seen.connections + PER_SERVER, seen))


@dataclass(frozen=True, slots=True)
class WantedSetting:
    """A setting of PostgreSQL that matters when something fails, and whether its value will do."""

    name: str
    fits: Callable[[str], bool]
    serious: bool = True


def _is(*values: str) -> Callable[[str], bool]:
    return lambda value: value in values


def _at_least(least: int) -> Callable[[str], bool]:
    return lambda value: int(value) >= least


def _between(least: int, most: int) -> Callable[[str], bool]:
    return lambda value: least <= int(value) <= most


WANTED: tuple[WantedSetting, ...] = (
    WantedSetting("fsync", _is("on")),
    WantedSetting("full_page_writes", _is("on")),
    WantedSetting("synchronous_commit", _is("on", "remote_apply")),
    WantedSetting("wal_level", _is("replica", "logical")),
    WantedSetting("hot_standby", _is("on")),
    WantedSetting("max_wal_senders", _at_least(2)),
    WantedSetting("max_replication_slots", _at_least(1)),
    WantedSetting("wal_keep_size", _at_least(64), serious=False),
    WantedSetting("max_slot_wal_keep_size", _at_least(0), serious=False),
    WantedSetting("wal_receiver_timeout", _between(1, PARTNER_LOST), serious=False),
    WantedSetting("wal_sender_timeout", _between(1, PARTNER_LOST), serious=False),
    WantedSetting("tcp_user_timeout", _between(1, GIVEN_UP), serious=False),
    WantedSetting("recovery_min_apply_delay", _is("0")),
    WantedSetting("recovery_target_timeline", _is("latest")),
    WantedSetting("password_encryption", _is("scram-sha-256"), serious=False),
)


def _settings(look: Look, seen: Inspection) -> Iterator[Finding]:
    servers = max(len(look.servers), len(seen.capacities))
    needed = servers * (seen.connections + PER_SERVER) + LEAVE_FREE
    for node in seen.databases:
        found = [*_unfit(node), *_special(node, seen, needed)]
        yield from found or [ok(_Code.SETTINGS, node.name, Number(len(WANTED)))]
    yield from _sizes(seen)


def _sizes(seen: Inspection) -> Iterator[Finding]:
    """Settings that must be as large on each database as on the others, and what a change of roles loses or needs."""
    every = [(one, other) for one in seen.databases for other in seen.databases]
    for name in SIZES:
        if any(name in smaller(one.settings, other.settings) for one, other in every):
            yield bad(_Code.SIZES_DIFFER, name, PerNode(tuple(
                (node.name, node.settings[name]) for node in seen.databases if name in node.settings)))
    for node in seen.databases:
        if node.unlogged:
            yield warning(_Code.UNLOGGED_TABLES, node.name, NamedFact(node.unlogged))
        most = int(node.settings.get("max_replication_slots", node.slots + 1))
        if 0 < most <= node.slots:
            yield warning(_Code.NO_FREE_SLOT, node.name, Number(most))


def _unfit(node: DatabaseInspection) -> Iterator[Finding]:
    for wanted in WANTED:
        value = node.settings.get(wanted.name)
        if value is not None and not wanted.fits(value):
            level = bad if wanted.serious else warning
            yield level(_Code.SETTING, node.name, SettingFact(wanted.name, value, node.files.get(wanted.name, "")))


def _special(node: DatabaseInspection, seen: Inspection, needed: int) -> Iterator[Finding]:
    settings = node.settings
    if settings.get("wal_log_hints") == "off" and settings.get("data_checksums") == "off":
        yield warning(_Code.NOT_REWINDABLE, node.name,
                      SettingFact("wal_log_hints", "off", node.files.get("wal_log_hints", "")))
    if seen.tls and settings.get("ssl") == "off":
        yield bad(_Code.SSL_OFF, node.name)
    connections = int(settings.get("max_connections", needed))
    if connections < needed:
        yield warning(_Code.MAX_CONNECTIONS, node.name, LimitFact("max_connections", connections, needed))
    place = node.files.get("synchronous_standby_names", "")
    if place and not place.endswith("postgresql.auto.conf"):
        yield bad(_Code.NAMES_IN_FILE, node.name, SettingFact("synchronous_standby_names", file=place))


def _access(seen: Inspection) -> Iterator[Finding]:
    """Each host has a pg_hba.conf of its own."""
    for node in seen.databases:
        if node.rules is not None:
            yield from rule_findings(node.name, node.rules, seen.tls)
    hidden = [node for node in seen.databases if node.rules is None]
    if hidden:
        yield warning(_Code.ACCESS_HIDDEN, hidden[0].name)


def _rights(stand: ActiveStanding, seen: Inspection) -> Iterator[Finding]:
    node = next((one for one in seen.databases if one.name == stand.active), None)
    if node is None:
        return  # the secondary has the same roles, a little later
    found = [finding for task, role in node.roles.items() for finding in _role(task, role, node.name)]
    yield from found or ([ok(_Code.RIGHTS, node.name, NamedFact(tuple(role.name for role in node.roles.values())))]
                         if node.roles else [])


def _role(task: str, role: RoleRights, database: str) -> Iterator[Finding]:
    def of(*items: str) -> RoleFact:
        return RoleFact(role.name, task, items)

    if not role.exists:
        yield bad(_Code.NO_ROLE, database, of())
        return
    surplus = sorted(set(role.powers) - _POWERS.get(task, frozenset()))
    if surplus:
        yield bad(_Code.ROLE_POWERS, database, of(*surplus))
    if task == "watcher" and role.writes:
        yield bad(_Code.ROLE_WRITES, database, of(*role.writes))
    if task in ("watcher", "coordinator") and role.reads_hashes:
        yield bad(_Code.ROLE_READS_HASHES, database, of())
    if task in ("pool", "watcher") and role.owns:
        yield warning(_Code.ROLE_OWNS_TABLES, database, of())
    yield from _too_little(task, role, database)
    yield from too_much(task, role, database)
    if task == "coordinator" and not role.makes_slots and "SUPERUSER" not in role.powers:
        yield bad(_Code.ROLE_MAKES_NO_SLOT, database, of())
    lacking = sorted(_COORDINATORS - set(role.parameters))
    if task == "coordinator" and "SUPERUSER" not in role.powers and lacking:
        yield bad(_Code.ROLE_SETS_TOO_LITTLE, database, of(*lacking))


def _too_little(task: str, role: RoleRights, database: str) -> Iterator[Finding]:
    if role.unread:
        yield bad(_Code.ROLE_READS_TOO_LITTLE, database, RoleFact(role.name, task, role.unread))
    closed = sorted(set(role.unwritten) - _KEPT_FROM_SERVERS)
    if task == "pool" and closed:
        yield bad(_Code.ROLE_WRITES_TOO_LITTLE, database, RoleFact(role.name, task, tuple(closed)))
    if task == "pool" and not role.monitors and "pg_read_all_stats" not in role.member_of:
        yield warning(_Code.ROLE_SEES_NO_FOLLOWERS, database, RoleFact(role.name, task))
    if task in ("watcher", "coordinator") and not role.monitors:
        yield bad(_Code.ROLE_MONITORS_NOTHING, database, RoleFact(role.name, task))


def _clocks(look: Look, seen: Inspection) -> Iterator[Finding]:
    ahead = {node.name: node.clock_ahead for node in seen.databases}
    for server in look.servers:
        if server.report is not None and server.report.clock is not None and server.seen_at is not None:
            ahead[server.name] = server.report.clock - server.seen_at
    for name, seconds in ahead.items():
        if abs(seconds) > SKEW:
            yield warning(_Code.CLOCK, name, Seconds(seconds))
    if ahead and all(abs(seconds) <= SKEW for seconds in ahead.values()):
        yield ok(_Code.CLOCKS, "clocks", Number(len(ahead)))


def _lag(stand: ActiveStanding) -> Iterator[Finding]:
    primary, secondary = stand.primary_report, stand.secondary
    if primary is None or secondary is None:
        return
    row = next((row for row in primary.replication if same_name(row.name, secondary.name)), None)
    if row is None:
        return
    if (row.lag_bytes or 0) > LAG_BYTES or (row.lag_seconds or 0.0) > LAG_SECONDS:
        yield warning(_Code.LAG, secondary.name, Lag(row.lag_bytes or 0, row.lag_seconds or 0.0))


def _capacity(look: Look, stand: ActiveStanding, seen: Inspection) -> Iterator[Finding]:
    users = sum(member.users for member in stand.members.values())
    serving = {server.name: seen.capacities.get(server.name, 0) for server in look.servers
               if server.report is not None and server.report.state is not ServerState.DRAINING}
    if not serving or not users or not all(serving.values()):
        return
    left = sum(serving.values()) - max(serving.values())
    level = warning if len(serving) < 2 or left < users else ok
    yield level(_Code.CAPACITY, "capacity", RoomFact(users, left))


def _certificates(seen: Inspection) -> Iterator[Finding]:
    for one in seen.certificates:
        if one.days <= SOON:
            level = bad if one.days <= URGENT else warning
            yield level(_Code.CERTIFICATE, one.subject, Expires(one.address, one.days))
    if seen.certificates and all(one.days > SOON for one in seen.certificates):
        soonest = min(seen.certificates, key=lambda one: one.days)
        yield ok(_Code.CERTIFICATES, "certificates", Soonest(len(seen.certificates), soonest.subject, soonest.days))


def _fronts(look: Look, seen: Inspection) -> Iterator[Finding]:
    """The ports for devices of sprayers whose runtime socket answers; a sprayer that is down is found elsewhere."""
    there = {sprayer.name for sprayer in look.sprayers if sprayer.fresh}
    for one in seen.fronts:
        if one.sprayer not in there:
            continue
        if one.error is not None:
            yield bad(_Code.FRONT_UNREACHABLE, one.sprayer, FrontFact(one.address, one.error))
        elif not one.secure and not one.local:
            yield bad(_Code.FRONT_PLAIN_TEXT, one.sprayer, FrontFact(one.address))
        elif one.days is not None and one.days <= SOON:
            level = bad if one.days <= URGENT else warning
            yield level(_Code.FRONT_CERTIFICATE, one.sprayer, FrontFact(one.address, days=one.days))
        elif not one.named:
            yield bad(_Code.FRONT_NAME, one.sprayer, FrontFact(one.address))


def _unverified(seen: Inspection) -> Iterator[Finding]:
    for place in seen.unverified:
        yield bad(_Code.UNVERIFIED, place)


def _files(seen: Inspection) -> Iterator[Finding]:
    for one in seen.files:
        yield bad(_Code.OPEN_LOCK if one.lock else _Code.OPEN_FILE, one.what, OpenPath(one.path, one.mode))


def _names(look: Look, stand: ActiveStanding, seen: Inspection) -> Iterator[Finding]:
    """Users whose names the next start of a server changes, or joins; and servers that go by another rule."""
    node = next((one for one in seen.databases if one.name == stand.active), None)
    found = node.mailboxes if node is not None else ()
    pairs = [(user, box) for box in found for user in box.joins]
    for user, box in pairs[:NAMED]:
        yield warning(_Code.SAME_MAILBOX, "users", TwoUsers(user.name, box.stays.name))
    if len(pairs) > NAMED:
        yield warning(_Code.MORE_SAME_MAILBOXES, "users", Number(len(pairs) - NAMED))
    renamed = tuple((box.stays.name, box.name) for box in found if box.renamed)
    if renamed:
        yield warning(_Code.NAMES_CHANGE, "users", Renamed(len(renamed), renamed))
    apart = [(user, box) for box in found for user in box.apart]
    for user, box in apart[:NAMED]:
        yield warning(_Code.ONE_NAME, "users",
                      TwoUsers(user.name, box.stays.name, user.cluster, box.stays.cluster, box.name))
    others = sorted({server.report.spelling for server in look.servers if server.report is not None
                     and server.report.spelling is not None and server.report.spelling != seen.spelling})
    if seen.spelling and others:
        yield warning(_Code.NAME_RULES_DIFFER, "users.names", Spellings(seen.spelling, tuple(others)))
