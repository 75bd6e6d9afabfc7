"""What `tuiha check` advises beyond "does it answer": the settings, rights and reserves that count on a bad day. Pure.

Every limit is a constant here, with its reason. PostgreSQL's settings are those of config/postgresql.md.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from tuiha.model.check.access_rules import rule_findings
from tuiha.model.check.database_advice import database_advice
from tuiha.model.check.finding import Finding, bad, ok, warning
from tuiha.model.check.grants import too_much
from tuiha.model.check.inspection import DatabaseInspection, Inspection, RoleRights
from tuiha.model.databases.active import Standing
from tuiha.model.databases.durability import same_name
from tuiha.model.databases.obstacles import SIZES, smaller
from tuiha.model.facts import Look
from tuiha.model.quotes import identifier
from tuiha.model.reports import ServerState
from tuiha.model.words import count, names, span

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
_AT_START = frozenset({"wal_level", "hot_standby", "max_wal_senders", "max_replication_slots",
                       "recovery_target_timeline"})
# Read by servers, and written by functions; an event is added, and stays.
_KEPT_FROM_SERVERS = frozenset({"pool_epoch", "schema_version", "lease", "operation", "operation_record", "event"})
_COORDINATORS = frozenset({"synchronous_standby_names", "primary_conninfo", "primary_slot_name"})


def advice(look: Look, stand: Standing, seen: Inspection) -> tuple[Finding, ...]:
    """All that the doctor finds."""
    return (*_settings(look, seen), *_rights(stand, seen), *_access(seen), *_clocks(look, seen), *_lag(stand),
            *_capacity(look, stand, seen), *_certificates(seen), *_unverified(seen), *_files(seen),
            *_names(look, stand, seen), *_fronts(look, seen),
            *database_advice(stand.active, max(len(look.servers), len(seen.capacities)),
                             seen.connections + PER_SERVER, seen))


@dataclass(frozen=True, slots=True)
class Wanted:
    """A setting of PostgreSQL, whether its value will do, and why it matters."""

    name: str
    fits: Callable[[str], bool]
    write: str  # what to write
    means: str
    serious: bool = True


def _is(*values: str) -> Callable[[str], bool]:
    return lambda value: value in values


def _at_least(least: int) -> Callable[[str], bool]:
    return lambda value: int(value) >= least


def _between(least: int, most: int) -> Callable[[str], bool]:
    return lambda value: least <= int(value) <= most


WANTED: tuple[Wanted, ...] = (
    Wanted("fsync", _is("on"), "fsync = on", "a power failure loses what was acknowledged"),
    Wanted("full_page_writes", _is("on"), "full_page_writes = on", "a power failure can destroy pages"),
    Wanted("synchronous_commit", _is("on", "remote_apply"), "synchronous_commit = on",
           "a commit is acknowledged before the secondary has it: a failover would lose it"),
    Wanted("wal_level", _is("replica", "logical"), "wal_level = replica", "nobody can follow this database"),
    Wanted("hot_standby", _is("on"), "hot_standby = on",
           "as the secondary it answers nobody: its state is unknown, and it is not promoted"),
    Wanted("max_wal_senders", _at_least(2), "max_wal_senders = 8", "no secondary can follow, or be made anew"),
    Wanted("max_replication_slots", _at_least(1), "max_replication_slots = 8",
           "what the secondary needs is not kept while it is away"),
    Wanted("wal_keep_size", _at_least(64), "wal_keep_size = 1GB",
           "after a change of the database the old primary may need a fresh copy: hours for a large one",
           serious=False),
    Wanted("max_slot_wal_keep_size", _at_least(0), "max_slot_wal_keep_size = 16GB (smaller than the free space)",
           "a secondary that is away for long fills this disk, and the pool stops", serious=False),
    Wanted("wal_receiver_timeout", _between(1, PARTNER_LOST), "wal_receiver_timeout = 5s",
           "a primary that hangs is noticed late", serious=False),
    Wanted("wal_sender_timeout", _between(1, PARTNER_LOST), "wal_sender_timeout = 5s",
           "a secondary that hangs is noticed late", serious=False),
    Wanted("tcp_user_timeout", _between(1, GIVEN_UP), "tcp_user_timeout = 8s",
           "sessions of a server that vanished keep their locks for a quarter of an hour", serious=False),
    Wanted("recovery_min_apply_delay", _is("0"), "recovery_min_apply_delay = 0",
           "as the secondary it shows and promotes a past: a failover waits for all of the delay"),
    Wanted("recovery_target_timeline", _is("latest"), "recovery_target_timeline = 'latest'",
           "as the secondary it does not follow a database that was promoted"),
    Wanted("password_encryption", _is("scram-sha-256"), "password_encryption = scram-sha-256",
           "new passwords are kept as MD5, which can be guessed quickly", serious=False),
)


def _settings(look: Look, seen: Inspection) -> Iterator[Finding]:
    servers = max(len(look.servers), len(seen.capacities))
    needed = servers * (seen.connections + PER_SERVER) + LEAVE_FREE
    for node in seen.databases:
        found = [*_unfit(node), *_special(node, seen, needed)]
        yield from found or [ok(node.name, f"{len(WANTED)} settings that matter when something fails are right")]
    yield from _sizes(seen)


def _sizes(seen: Inspection) -> Iterator[Finding]:
    """Settings that must be as large on each database as on the others, and what a change of roles loses or needs."""
    every = [(one, other) for one in seen.databases for other in seen.databases]
    for name in SIZES:
        if any(name in smaller(one.settings, other.settings) for one, other in every):
            said = "; ".join(f"{node.name}: {node.settings[name]}" for node in seen.databases if name in node.settings)
            yield bad(name, said, "the one with less does not start as the secondary of the other, or stops replaying",
                      f"write the same {name} on both, and restart the one with less")
    for node in seen.databases:
        if node.unlogged:
            yield warning(node.name, f"tables {names(node.unlogged)} are unlogged",
                          "they are empty after a change of the primary",
                          "; ".join(f"ALTER TABLE {identifier(one)} SET LOGGED" for one in node.unlogged))
        most = int(node.settings.get("max_replication_slots", node.slots + 1))
        if 0 < most <= node.slots:
            yield warning(node.name, f"all {most} replication slots are in use",
                          "a change of roles needs one more, and is refused",
                          "drop the ones that nobody uses (pg_replication_slots), or write a larger "
                          f"max_replication_slots on {node.name} and restart it")


def _unfit(node: DatabaseInspection) -> Iterator[Finding]:
    for wanted in WANTED:
        value = node.settings.get(wanted.name)
        if value is not None and not wanted.fits(value):
            level = bad if wanted.serious else warning
            yield level(node.name, f"{wanted.name} is {value}", wanted.means, _write(node, wanted))


def _write(node: DatabaseInspection, wanted: Wanted) -> str:
    """Where the right value is written, and what makes it count. What ALTER SYSTEM wrote goes before any file."""
    then = "restart it" if wanted.name in _AT_START else "SELECT pg_reload_conf()"
    if node.files.get(wanted.name, "").endswith("postgresql.auto.conf"):
        return f"on {node.name}: ALTER SYSTEM RESET {wanted.name}; write {wanted.write} in its configuration; {then}"
    return f"write {wanted.write} in {_place(node, wanted.name)}, then {then}"


def _place(node: DatabaseInspection, setting: str) -> str:
    return node.files.get(setting) or "its configuration"


def _special(node: DatabaseInspection, seen: Inspection, needed: int) -> Iterator[Finding]:
    settings = node.settings
    if settings.get("wal_log_hints") == "off" and settings.get("data_checksums") == "off":
        yield warning(node.name, "neither wal_log_hints nor data checksums are on",
                      "after a failover it cannot be rewound: rejoining copies the whole database",
                      f"write wal_log_hints = on in {_place(node, 'wal_log_hints')} and restart it")
    if seen.tls and settings.get("ssl") == "off":
        yield bad(node.name, "ssl is off", "what servers and operators send crosses the network in plain text",
                  "write ssl = on with ssl_cert_file and ssl_key_file")
    if int(settings.get("max_connections", needed)) < needed:
        yield warning(node.name, f"max_connections is {settings['max_connections']}, all servers may want {needed}",
                      "on a failover, when everybody connects at once, somebody is refused",
                      f"write max_connections = {needed} or more on both, and restart the secondary first")
    place = node.files.get("synchronous_standby_names", "")
    if place and not place.endswith("postgresql.auto.conf"):
        yield bad(node.name, f"synchronous_standby_names is written in {place}",
                  "it belongs to the role that a node plays now: after a failover commits would wait for nobody",
                  "take it out there; `tuiha plan protect` sets it")


def _access(seen: Inspection) -> Iterator[Finding]:
    """Each host has a pg_hba.conf of its own."""
    for node in seen.databases:
        if node.rules is not None:
            yield from rule_findings(node.name, node.rules, seen.tls)
    hidden = [node for node in seen.databases if node.rules is None]
    if hidden:
        yield warning(hidden[0].name, "who may connect (pg_hba.conf) cannot be looked at",
                      "a role that is let in without a password would not be noticed",
                      "make the function access_rules of config/postgresql.md, step 3")


def _rights(stand: Standing, seen: Inspection) -> Iterator[Finding]:
    node = next((one for one in seen.databases if one.name == stand.active), None)
    if node is None:
        return  # the secondary has the same roles, a little later
    found = [finding for task, role in node.roles.items() for finding in _role(task, role, node.name)]
    yield from found or ([ok(node.name, f"{names(role.name for role in node.roles.values())} may do what they need, "
                                        "and no more")] if node.roles else [])


def _role(task: str, role: RoleRights, database: str) -> Iterator[Finding]:
    if not role.exists:
        yield bad(database, f"there is no role {role.name}", f"database.roles.{task} cannot log in",
                  "config/postgresql.md, step 3")
        return
    quoted = identifier(role.name)
    surplus = sorted(set(role.powers) - _POWERS.get(task, frozenset()))
    if surplus:
        copies = "REPLICATION" in surplus or "SUPERUSER" in surplus
        yield bad(database, f"role {role.name} has {names(surplus)}",
                  "whoever learns its password can copy the whole cluster, every password's hash included" if copies
                  else f"whoever learns its password can do far more than {task} has to",
                  ("make the functions of config/postgresql.md, step 3; then "
                   if task == "coordinator" and "REPLICATION" in surplus else "")
                  + f"ALTER ROLE {quoted} {' '.join('NO' + power for power in surplus)}")
    if task == "watcher" and role.writes:
        yield bad(database, f"role {role.name} may write {names(role.writes)}", "who may only look can change the pool",
                  f"REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON ALL TABLES IN SCHEMA public FROM {quoted}")
    if task in ("watcher", "coordinator") and role.reads_hashes:
        yield bad(database, f"role {role.name} may read the hashes of users' passwords",
                  "they can be guessed at leisure",
                  f"REVOKE SELECT ON app_user FROM {quoted}; the next start of a pool server grants the rest again")
    if task in ("pool", "watcher") and role.owns:
        yield warning(database, f"role {role.name} owns the tables", "whoever learns its password can drop them",
                      "give them to tuiha_owner, and name it at database.roles.owner")
    yield from _too_little(task, role, database)
    yield from too_much(task, role, database)
    if task == "coordinator" and not role.makes_slots and "SUPERUSER" not in role.powers:
        yield bad(database, f"role {role.name} can make no replication slot", "a database cannot rejoin",
                  "make the functions of config/postgresql.md, step 3")
    lacking = _COORDINATORS - set(role.parameters)
    if task == "coordinator" and "SUPERUSER" not in role.powers and lacking:
        yield bad(database, f"role {role.name} may not set {names(sorted(lacking))}",
                  "operations on the pair will fail",
                  f"GRANT ALTER SYSTEM ON PARAMETER {', '.join(sorted(lacking))} TO {quoted}")


def _too_little(task: str, role: RoleRights, database: str) -> Iterator[Finding]:
    again = "the next start of a pool server with the owner's role grants what config/postgresql.md lists"
    if role.unread:
        yield bad(database, f"role {role.name} may not read {names(role.unread)}",
                  f"{task} does not see the pool", again)
    closed = sorted(set(role.unwritten) - _KEPT_FROM_SERVERS)
    if task == "pool" and closed:
        yield bad(database, f"role {role.name} may not write {names(closed)}", "the pool servers cannot do their work",
                  again)
    if task == "pool" and not role.monitors and "pg_read_all_stats" not in role.member_of:
        yield warning(database, f"role {role.name} does not see who follows this database",
                      "another program with the secondary's name could acknowledge commits, and nobody would notice",
                      f"GRANT pg_read_all_stats TO {identifier(role.name)}")
    if task in ("watcher", "coordinator") and not role.monitors:
        yield bad(database, f"role {role.name} is no member of pg_monitor", "replication and its lag are unknown",
                  f"GRANT pg_monitor TO {identifier(role.name)}")


def _clocks(look: Look, seen: Inspection) -> Iterator[Finding]:
    ahead = {node.name: node.clock_ahead for node in seen.databases}
    for server in look.servers:
        if server.report is not None and server.report.clock is not None and server.seen_at is not None:
            ahead[server.name] = server.report.clock - server.seen_at
    for name, seconds in ahead.items():
        if abs(seconds) > SKEW:
            where = "ahead of" if seconds > 0 else "behind"
            yield warning(name, f"its clock is {span(abs(seconds))} {where} this host's",
                          "times in logs, events and recordings do not fit together (leases and heartbeats do not "
                          "depend on it)", "start chrony or systemd-timesyncd on both hosts")
    if ahead and all(abs(seconds) <= SKEW for seconds in ahead.values()):
        yield ok("clocks", f"{count(len(ahead), 'clock')} within {span(SKEW)} of this host's")


def _lag(stand: Standing) -> Iterator[Finding]:
    primary, secondary = stand.primary_report, stand.secondary
    if primary is None or secondary is None:
        return
    row = next((row for row in primary.replication if same_name(row.name, secondary.name)), None)
    if row is None:
        return
    if (row.lag_bytes or 0) > LAG_BYTES or (row.lag_seconds or 0.0) > LAG_SECONDS:
        yield warning(secondary.name, f"it is {row.lag_bytes or 0:,} bytes and {row.lag_seconds or 0:.0f} s behind",
                      "a switchover waits for all of it", "its disk or the network between the databases is too slow")


def _capacity(look: Look, stand: Standing, seen: Inspection) -> Iterator[Finding]:
    users = sum(member.users for member in stand.members.values())
    serving = {server.name: seen.capacities.get(server.name, 0) for server in look.servers
               if server.report is not None and server.report.state is not ServerState.WITHDRAWN}
    if not serving or not users or not all(serving.values()):
        return
    most = max(serving.values())
    left = sum(serving.values()) - most
    if len(serving) < 2 or left < users:
        yield warning("capacity", f"{users:,} users; with one server less there is room for {left:,}",
                      "when a server is lost the others are overloaded, and shed users", "add a server")
    else:
        yield ok("capacity", f"{users:,} users; with one server less there is room for {left:,}")


def _certificates(seen: Inspection) -> Iterator[Finding]:
    for one in seen.certificates:
        if one.days > SOON:
            continue
        what = f"its certificate at {one.address} " + (
            "has expired" if one.days <= 0 else f"expires in {count(int(one.days), 'day')}")
        level = bad if one.days <= URGENT else warning
        yield level(one.subject, what, "from then on nobody who verifies it connects any more",
                    "renew it, and load it again")
    if seen.certificates and all(one.days > SOON for one in seen.certificates):
        soonest = min(seen.certificates, key=lambda one: one.days)
        yield ok("certificates", f"{count(len(seen.certificates), 'certificate')}; the first to expire is "
                 f"{soonest.subject}'s, in {count(int(soonest.days), 'day')}")


def _fronts(look: Look, seen: Inspection) -> Iterator[Finding]:
    """What devices find at a sprayer whose runtime socket answers; of one that is gone that is told elsewhere."""
    there = {sprayer.name for sprayer in look.sprayers if sprayer.fresh}
    for one in seen.fronts:
        if one.sprayer not in there:
            continue
        if one.error is not None:
            yield bad(one.sprayer, f"devices cannot connect at {one.address}: {one.error}",
                      "devices reach the pool through the other sprayer, if at all",
                      "compare its `bind` with sprayers.address; with a virtual address, see that keepalived has it on "
                      "one of the hosts")
        elif not one.secure and not one.local:
            yield bad(one.sprayer, f"it speaks plain text to devices at {one.address}",
                      "passwords and mail cross the network readable", "write `bind :443 ssl crt FILE` "
                      "(config/haproxy.cfg), and then: systemctl reload haproxy")
        elif one.days is not None and one.days <= SOON:
            what = "has expired" if one.days <= 0 else f"expires in {count(int(one.days), 'day')}"
            yield (bad if one.days <= URGENT else warning)(
                one.sprayer, f"its certificate for devices at {one.address} {what}",
                "from then on no device connects through it any more",
                "renew the file at `bind ... ssl crt`, and then: systemctl reload haproxy")
        elif not one.named:
            yield bad(one.sprayer, f"its certificate for devices is not for the name in {one.address}",
                      "devices that verify it do not connect", "have one signed for that name, put it at `bind ... ssl "
                      "crt`, and then: systemctl reload haproxy")


def _unverified(seen: Inspection) -> Iterator[Finding]:
    for place in seen.unverified:
        yield bad(place, "verify is false: any certificate is accepted",
                  "whoever answers in its place gets passwords, and is believed",
                  f"name the authority's certificate at {place}.ca, and take verify: false out")


def _files(seen: Inspection) -> Iterator[Finding]:
    for one in seen.files:
        if one.lock:
            yield bad(one.what, f"{one.path} can be opened by every user of this host (mode {one.mode:04o})",
                      "any of them can hold it, and so stop every change of the pool",
                      f"chmod 660 {shlex.quote(one.path)}")
            continue
        yield bad(one.what, f"{one.path} can be changed by others (mode {one.mode:04o})",
                  "whoever changes it decides what tuiha does", f"chmod go-w {shlex.quote(one.path)}")


def _names(look: Look, stand: Standing, seen: Inspection) -> Iterator[Finding]:
    """Users whose names the next start of a server changes, or joins; and servers that go by another rule."""
    node = next((one for one in seen.databases if one.name == stand.active), None)
    found = node.mailboxes if node is not None else ()
    pairs = [(user, box) for box in found for user in box.joins]
    for user, box in pairs[:NAMED]:
        yield warning("users", f"users {user.name} and {box.stays.name} are one mailbox",
                      "they are joined when the next server starts: all devices and changes stay",
                      "nothing; if your mail server tells them apart, write users.names before (lower: false)")
    if len(pairs) > NAMED:
        yield warning("users", f"{len(pairs) - NAMED:,} more users are one mailbox with another",
                      "they are joined when the next server starts", "as above")
    renamed = [box for box in found if box.renamed]
    if renamed:
        examples = names((f"{box.stays.name} to {box.name}" for box in renamed), 3)
        yield warning("users", f"{count(len(renamed), 'name')} to change: {examples}",
                      "the next start of a server does it; the mail server is logged in to with the new name",
                      "nothing; if your mail server wants the old ones, write users.names before")
    apart = [(user, box) for box in found for user in box.apart]
    for user, box in apart[:NAMED]:
        yield warning("users", f"{user.name} (mail cluster {user.cluster}) and {box.stays.name} ({box.stays.cluster}) "
                      "have one name", f"who logs in as {box.name} is the one of {box.stays.cluster}, never the other",
                      "give one of them another name at its mail server")
    others = sorted({server.report.spelling for server in look.servers if server.report is not None
                     and server.report.spelling is not None and server.report.spelling != seen.spelling})
    if seen.spelling and others:
        yield warning("users.names", f"here: {seen.spelling}; servers go by: {'; '.join(others)}",
                      "one mailbox can be two users, and is joined at each start",
                      "write the same users.names on all hosts, and start the servers again")
