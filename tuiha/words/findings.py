"""Findings of `tuiha check` in words, by their code: the sight, its meaning, and the remedy."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tuiha.model.check.doctor import SKEW
from tuiha.model.check.facts import (
    BackFact,
    CommitsFact,
    FindingCode,
    LimitFact,
    RemedyWay,
    RoleFact,
    SettingFact,
    Source,
    Versions,
)
from tuiha.model.check.finding import Finding, Level
from tuiha.model.codes import Obstacle, Oddity
from tuiha.model.databases.durability import by_hand
from tuiha.model.databases.way_back import not_ours
from tuiha.model.problems.causes import Cause
from tuiha.model.quotes import identifier, reset
from tuiha.model.words import count, names, span
from tuiha.words.mail import UNTOLD, explained
from tuiha.words.next import command
from tuiha.words.obstacles import found, reason, remedy
from tuiha.words.problems import means, what
from tuiha.words.remedies import (
    OPERATORS_SOCKET,
    database_remedy,
    ledger_remedy,
    mail_remedy,
    server_remedy,
    sprayer_remedy,
)


@dataclass(frozen=True, slots=True)
class FindingWords:
    """The sentences of one finding. `means` and `fix` are empty when it is ok."""

    what: str
    means: str = ""
    fix: str = ""


def said(finding: Finding) -> FindingWords:
    """The sentences of a finding."""
    text = _TEXTS[finding.code]
    what = _made(text.what, finding)
    if finding.level is Level.OK:
        return FindingWords(what)
    return FindingWords(what, _made(text.means, finding), _made(text.fix, finding))


# A template, with `of` (the subject) and `f` (the facts) in it; or a function of these two.
Words = str | Callable[[str, Any], str]


@dataclass(frozen=True, slots=True)
class _Text:
    what: Words
    means: Words = ""
    fix: Words = ""


def _made(words: Words, finding: Finding) -> str:
    if isinstance(words, str):
        return words.format(of=finding.subject, f=finding.facts)
    return words(finding.subject, finding.facts)


# ---------------------------------------------------------------------------- databases

_SOURCES: Mapping[Source, str] = {
    Source.CONFIGURATION: "the configuration", Source.LEDGER: "the ledger", Source.ACTIVE: "the active database",
}


def _rejoin(database: str, counted: bool) -> str:
    """How a database follows again; the pool first gives it up, while the ledger still counts on it."""
    return f"{'tuiha plan degrade, then ' if counted else ''}tuiha plan rejoin {database}"


def _rejoin_as(back: BackFact) -> str:
    called = f"if it calls itself {names(back.called)}, write application_name={back.database} into its " \
             "primary_conninfo; else " if back.called else ""
    return f"{called}{_rejoin(back.database, back.counted)}; its log says why it does not follow"


_BACK: Mapping[RemedyWay, Callable[[BackFact], str]] = {
    RemedyWay.MANAGER: lambda back: (
        f"patronictl list; {back.manager} lets commits wait for {back.database} automatically when it streams"
    ),
    RemedyWay.MANAGER_COUNTS: lambda back: f"patronictl list; {back.manager} relies on it again when it streams",
    RemedyWay.BRING_BACK: lambda back: (
        f"start {back.database} first." + (" If it stays away: tuiha plan degrade" if back.waits else "")
    ),
    RemedyWay.REJOIN: _rejoin_as,
    RemedyWay.PROTECT: lambda back: "tuiha plan protect",
}


def _back(of: str, facts: Any) -> str:
    back: BackFact = facts.back
    return _BACK[back.way](back)


def _unprotected_fix(of: str, facts: CommitsFact) -> str:
    return remedy(facts.commits, facts.partner, facts.gaps) if by_hand(facts.gaps) else _back(of, facts)


def _versions(of: str, facts: Versions) -> str:
    return "versions differ: " + "; ".join(f"{names(nodes)}: {version}" for version, nodes in facts.nodes)


# ---------------------------------------------------------------------------- settings


@dataclass(frozen=True, slots=True)
class _Advice:
    write: str  # in the configuration of PostgreSQL
    means: str
    at_start: bool = False  # it counts after a restart


_ADVICE: Mapping[str, _Advice] = {
    "fsync": _Advice("fsync = on", "a power failure loses acknowledged writes"),
    "full_page_writes": _Advice("full_page_writes = on", "a power failure can destroy pages"),
    "synchronous_commit": _Advice(
        "synchronous_commit = on", "a commit is acknowledged before the secondary has it: a failover would lose it"),
    "wal_level": _Advice("wal_level = replica", "no secondary can follow this database", at_start=True),
    "hot_standby": _Advice(
        "hot_standby = on", "as the secondary it refuses connections: its state is not known, and it is not promoted",
        at_start=True),
    "max_wal_senders": _Advice("max_wal_senders = 8", "no secondary can follow, or be copied again", at_start=True),
    "max_replication_slots": _Advice(
        "max_replication_slots = 8", "WAL that the secondary needs is not kept while it is down", at_start=True),
    "wal_keep_size": _Advice("wal_keep_size = 1GB", "after a switchover the old primary may need a fresh copy: hours "
                             "for a large database"),
    "max_slot_wal_keep_size": _Advice(
        "max_slot_wal_keep_size = 16GB (smaller than the free space)",
        "a secondary that is down for long fills this disk, and the pool stops"),
    "wal_receiver_timeout": _Advice("wal_receiver_timeout = 5s", "a primary that hangs is noticed late"),
    "wal_sender_timeout": _Advice("wal_sender_timeout = 5s", "a secondary that hangs is noticed late"),
    "tcp_user_timeout": _Advice(
        "tcp_user_timeout = 8s", "sessions of a server that vanished keep their locks for a quarter of an hour"),
    "recovery_min_apply_delay": _Advice(
        "recovery_min_apply_delay = 0",
        "as the secondary it is always behind: a failover waits for the whole delay"),
    "recovery_target_timeline": _Advice(
        "recovery_target_timeline = 'latest'", "as the secondary it does not follow a promoted database",
        at_start=True),
    "password_encryption": _Advice(
        "password_encryption = scram-sha-256", "new passwords are stored as MD5, which is quickly guessed"),
}


def _place(setting: SettingFact) -> str:
    return setting.file or "its configuration"


def _write(of: str, setting: SettingFact) -> str:
    """Where the right value is written, and how it comes to count. A value of ALTER SYSTEM goes before any file."""
    advice = _ADVICE[setting.name]
    then = "restart it" if advice.at_start else "SELECT pg_reload_conf()"
    if setting.file.endswith("postgresql.auto.conf"):
        return f"on {of}: ALTER SYSTEM RESET {setting.name}, write {advice.write} in its configuration; then {then}"
    return f"write {advice.write} in {_place(setting)}, then {then}"


def _default(of: str, facts: Any) -> str:
    default = facts.default
    whom = f"role {default.role}" if default.role else "all roles"
    where = f" in database {default.database}" if default.database else ""
    return f"{default.name} = {default.value} is set for {whom}{where}"


def _default_in_file_fix(of: str, facts: Any) -> str:
    name, file = facts.default.name, facts.default.file
    fix = f"ALTER SYSTEM RESET {name}" if file.endswith("postgresql.auto.conf") else f"remove {name} from {file}"
    return f"{fix}; then SELECT pg_reload_conf()"


_GO_BEFORE = "tuiha's own sessions set their own value; psql and other programs get this one"


def _collation(of: str, facts: Any) -> str:
    what = f"collation {facts.collation}" if facts.collation else f"database {facts.database}"
    return f"{what} was created with collation version {facts.recorded}, but this host has {facts.actual}"


def _collation_fix(of: str, facts: Any) -> str:
    again = f"ALTER COLLATION {identifier(facts.collation)} REFRESH VERSION" if facts.collation \
        else f"ALTER DATABASE {identifier(facts.database)} REFRESH COLLATION VERSION"
    return (f"on the primary: REINDEX DATABASE {identifier(facts.database)}, then {again}; install the same C library "
            "or ICU on both hosts")


def _values(pairs: tuple[tuple[str, str], ...]) -> str:
    return "; ".join(f"{name}: {value}" for name, value in pairs)


# ---------------------------------------------------------------------------- roles

_STEP_3 = "config/postgresql.md, step 3"
_FUNCTIONS = f"create the functions of {_STEP_3}"
_GRANTED_AGAIN = "the next start of a pool server with the owner's role grants what config/postgresql.md lists"
_RELOAD = "then SELECT pg_reload_conf()"
_LEARNS = "a person with its password"
_SOME_REFUSED = "in a failover all connect at once, and some are refused"


def _role(what: str) -> Callable[[str, RoleFact], str]:
    """A sentence on a role's items."""
    return lambda of, role: f"role {role.role} {what.format(items=names(role.items), right=role.right)}"


def _sql(statement: str) -> Callable[[str, Any], str]:
    """A statement with the role as PostgreSQL quotes it."""
    return lambda of, facts: statement.format(role=identifier(facts.role), f=facts)


def _copies(role: RoleFact) -> bool:
    return "REPLICATION" in role.items or "SUPERUSER" in role.items


def _powers_mean(of: str, role: RoleFact) -> str:
    return f"{_LEARNS} can copy the whole cluster, with all password hashes" if _copies(role) \
        else f"{_LEARNS} can do far more than {role.task} needs"


def _powers_fix(of: str, role: RoleFact) -> str:
    first = f"{_FUNCTIONS}; then " if role.task == "coordinator" and "REPLICATION" in role.items else ""
    return f"{first}ALTER ROLE {identifier(role.role)} {' '.join('NO' + power for power in role.items)}"


def _tables_fix(of: str, role: RoleFact) -> str:
    tables = ", ".join(identifier(table) for table in role.items)
    return f"REVOKE {role.right} ON {tables} FROM {identifier(role.role)}, PUBLIC"


def _membership_fix(of: str, role: RoleFact) -> str:
    return f"REVOKE {identifier(role.items[0])} FROM {identifier(role.role)}"


def _column_fix(of: str, facts: Any) -> str:
    return (f"REVOKE {facts.right} ({identifier(facts.column)}) ON {identifier(facts.table)} "
            f"FROM {identifier(facts.role)}")


def _creates_fix(of: str, role: RoleFact) -> str:
    return "; ".join(f"REVOKE {'CREATE, TEMPORARY' if place.startswith('database') else 'CREATE'} ON "
                     f"{place.partition(' ')[0].upper()} {identifier(place.partition(' ')[2])} "
                     f"FROM {identifier(role.role)}, PUBLIC" for place in role.items)


def _revoked(what: str) -> Callable[[str, RoleFact], str]:
    return lambda of, role: f"REVOKE {what} {', '.join(role.items)} FROM {identifier(role.role)}"


def _lease_fix(of: str, role: RoleFact) -> str:
    return ("when all servers have this version, and you will not return to an older one: "
            f"REVOKE {', '.join(role.items)} ON lease FROM {identifier(role.role)}")


def _expires(days: float) -> str:
    return "has expired" if days <= 0 else f"expires in {count(int(days), 'day')}"


def _password(of: str, facts: Any) -> str:
    return f"the password of role {facts.role} " + (
        "is no longer valid (VALID UNTIL)" if facts.days <= 0
        else f"is valid for {count(int(facts.days), 'day')} more (VALID UNTIL)")


def _limited(kind: str) -> Callable[[str, LimitFact], str]:
    return lambda of, limit: f"ALTER {kind} {identifier(limit.name)} CONNECTION LIMIT -1"


_LETS_IN: Mapping[str, str] = {
    "trust": "any program that reaches this database can log in as any of them, without a password",
    "password": "the password is sent in clear text: tuiha refuses that, other programs do not",
}
_NO_PROOF = "tuiha refuses a database that does not prove its identity by SCRAM"


def _rule(what: str) -> Callable[[str, Any], str]:
    return lambda of, rule: f"pg_hba.conf line {rule.line} lets {names(rule.roles)} in {what.format(f=rule)}"


# ---------------------------------------------------------------------------- attempts


def _tried(who: str, well: str = "is accepted") -> Callable[[str, Any], str]:
    """How an attempt went. `who`: a template with the facts."""
    def words(of: str, facts: Any) -> str:
        name = who.format(f=facts)
        return f"{name} {well}" if facts.error is None else f"{name}: {facts.error}"

    return words


def _acts(facts: Any) -> str:
    return "as a master user" if facts.master else "SASL PLAIN with an authorization identity"


def _monitor_fix(of: str, facts: Any) -> str:
    if facts.cause in (None, Cause.PASSWORD, Cause.OTHER):
        return f"correct mail.monitor; it must be allowed to act for every user ({_acts(facts)})"
    return mail_remedy(facts.cause, of, "monitor")


# ---------------------------------------------------------------------------- the rest

_STATUS = "tuiha status"
_NOT_IN_POOL = "its users' changes are not in the pool's database"


def _found(find: Callable[[Any], Obstacle | Oddity]) -> _Text:
    """The sentences that the screen has for it too."""
    return _Text(lambda of, facts: found(find(facts)).what, lambda of, facts: found(find(facts)).means,
                 lambda of, facts: found(find(facts)).remedy)


_OBSTACLE = _found(lambda facts: facts.obstacle)
_WAY_BACK = _Text(
    "{f.value}", "after a switchover {of} would not follow {f.partner}: the pool would be UNPROTECTED",
    "{f.remedy}")


def _rehearsal(of: str, facts: Any) -> str:
    return f"the agent's rehearsal passed: {facts.partner} can be followed, copied and rewound to" \
        if facts.error is None else f"the agent's rehearsal: {facts.error}"


_BY_HAND = ("run the agent's command by hand, followed by `rehearse`, the database's name and its partner's "
            "(docs/operations.md, Agents)")
_THERE = "check that the agent behind the socket runs, and may use the programs it names (docs/operations.md, Agents)"


def _without_mail_fix(of: str, facts: Any) -> str:
    return f"{explained(facts.trouble.reason).then} All of them: tuiha users --without-mail"


def _skewed(of: str, facts: Any) -> str:
    where = "ahead of" if facts.seconds > 0 else "behind"
    return f"its clock is {span(abs(facts.seconds))} {where} this host's"


_C = FindingCode
_TEXTS: Mapping[FindingCode, _Text] = {
    # Tokens
    _C.SAME_TOKENS: _Text("the viewer's and the operator's token are the same",
                          "everyone with the viewer's token can also change the pool",
                          "create a second token and name it at control.operator"),
    _C.NO_OPERATOR_TOKEN: _Text("no operator's token is configured", "this host can watch the pool, but not change it",
                                "name one at control.operator, if operators work on this host"),
    _C.OPERATOR_TOKEN: _Text(_tried("the operator's token"), "operators cannot act on this server from this host",
                             "correct control.operator; it must be the one that the server was started with"),
    # Databases
    _C.DATABASE: _Text(lambda of, f: f"{f.role}, {'writable' if f.writable else 'read-only'}, timeline {f.timeline}, "
                                     f"system {f.system}, PostgreSQL {f.version}"),
    _C.DATABASE_UNREACHABLE: _Text(
        "does not answer at {f.address}: {f.error}", "its role, identity and lag are not known",
        lambda of, f: database_remedy(f.cause, of, "watcher", f.role, f.database, f.secure)),
    _C.DATABASE_OF_OTHER_POOL: _Text(
        "it is the database of the pool '{f.found}'", "'{f.expected}' would use another pool's data",
        "correct the address at database.nodes, or the pool's name"),
    _C.DATABASE_VERSIONS: _Text(_versions, "the pair cannot replicate across major versions", "upgrade the older one"),
    _C.ROLE_LOG_IN: _Text(
        _tried("database role {f.role}"), "tasks that need this role fail on this database",
        lambda of, f: database_remedy(f.cause, of, f.task, f.role, f.database, f.secure)),
    _C.NO_AGENT: _Text(
        "it has no agent", "operations cannot stop, start and rewind it: a switchover is refused, and you must do "
        "these steps by hand", "write database.nodes[].agent (docs/operations.md, Agents)"),
    _C.NO_ACTIVE_DATABASE: _Text(
        "no database names itself active in pool_epoch", "servers cannot take leases",
        "start a pool server: the first one creates the schema and the row"),
    _C.NO_EPOCH_ROW: _Text("it has no epoch row", "it is not the database of a pool yet",
                           "start a pool server: the first one creates the schema"),
    _C.OTHER_SYSTEM: _Text(
        lambda of, f: f"its system identifier is {f.system}, but {_SOURCES[f.source]} expects {f.expected}",
        "it is another physical database, and has none of the pool's data",
        lambda of, f: f"{not_ours(of)}. If the pool is new: correct database.system_identifier"),
    _C.NOT_WRITABLE: _Text("it is the active database, but it is not writable", "no server can take a lease", _STATUS),
    _C.ROGUE_PRIMARY: _Text(
        "it accepts writes, although {f.active} is active", "a change that is written to it is not in the pool",
        lambda of, f: _rejoin(of, f.counted) if f.manager is None
        else f"stop it, then let {f.manager} copy it again: patronictl reinit"),
    _C.UNPROTECTED: _Text(
        lambda of, f: reason(f.commits, f.partner, f.gaps),
        "it acknowledges writes that {f.partner} may lack", _unprotected_fix),
    _C.ENDLESS_WAIT: _Text(lambda of, f: reason(f.commits, f.partner, f.gaps), "no commit is acknowledged", _back),
    _C.DOUBTED: _Text("a server saw it acknowledge writes without {f.partner}",
                      "the promotion of {f.partner} may lose writes", _back),
    _C.NOT_SYNCHRONOUS: _Text(
        lambda of, f: f"replication to {f.partner} is "
                      + ((f.sync_state or "unknown") if f.streaming else "not streaming"),
        "if this database is lost, acknowledged writes are lost, or nobody is served", _back),
    _C.LAG: _Text("it is {f.bytes:,} bytes and {f.seconds:.0f} s behind",
                  "a switchover has to wait until it has caught up",
                  "its disk or the network between the databases is too slow"),
    # What is in the way of a change of roles
    _C.REPLAY_PAUSED: _OBSTACLE,
    _C.PREPARED_TRANSACTIONS: _OBSTACLE,
    _C.LONG_TRANSACTIONS: _OBSTACLE,
    _C.BACKUP_RUNNING: _OBSTACLE,
    _C.SLOT: _OBSTACLE,
    _C.UNLOGGED_TABLES: _Text(
        lambda of, f: f"tables {names(f.names)} are unlogged", "they are empty after a switchover or failover",
        lambda of, f: "; ".join(f"ALTER TABLE {identifier(one)} SET LOGGED" for one in f.names)),
    _C.NO_FREE_SLOT: _Text(
        "all {f.number} replication slots are in use", "a switchover needs one more, and is refused",
        "drop unused slots (pg_replication_slots), or write a larger max_replication_slots on {of} and restart it"),
    _C.REHEARSAL: _Text(_rehearsal, "operations may not be able to stop, start and rewind {of}",
                        lambda of, f: _BY_HAND if f.command else _THERE),
    _C.WAY_BACK_IDENTITY: _WAY_BACK,
    _C.WAY_BACK_REPLICATION: _WAY_BACK,
    _C.WAY_BACK_SLOT: _WAY_BACK,
    _C.WAY_BACK_RECOVERY: _WAY_BACK,
    _C.WAY_BACK_REWIND: _WAY_BACK,
    _C.WAY_BACK_COPY: _WAY_BACK,
    # Settings of PostgreSQL
    _C.SETTING: _Text("{f.name} is {f.value}", lambda of, f: _ADVICE[f.name].means, _write),
    _C.SETTINGS: _Text("{f.number} settings that matter in a failure are right"),
    _C.SIZES_DIFFER: _Text(
        lambda of, f: _values(f.values),
        "the database with the smaller value does not start as a secondary, or stops replaying",
        "write the same {of} on both, and restart the one with the smaller value"),
    _C.NOT_REWINDABLE: _Text(
        "neither wal_log_hints nor data checksums are on",
        "after a failover it cannot be rewound: `rejoin` copies the whole database",
        lambda of, f: f"write wal_log_hints = on in {_place(f)} and restart it"),
    _C.SSL_OFF: _Text("ssl is off", "the traffic of servers and operators is not encrypted",
                      "write ssl = on with ssl_cert_file and ssl_key_file"),
    _C.MAX_CONNECTIONS: _Text(
        "max_connections is {f.limit}, but all servers together may need {f.wanted}", _SOME_REFUSED,
        "write max_connections = {f.wanted} or more on both, and restart the secondary first"),
    _C.NAMES_IN_FILE: _Text(
        "synchronous_standby_names is written in {f.file}",
        "tuiha sets it by the database's role: from a file, commits do not wait after a failover",
        "remove it there; `tuiha plan protect` sets it"),
    _C.DEFAULT_OF_SESSIONS: _Text(
        _default, lambda of, f: "no session can override it: tuiha refuses to work with it" if f.kept else _GO_BEFORE,
        lambda of, f: reset(f.default.name, f.default.role, f.default.database)),
    _C.DEFAULT_IN_FILE: _Text("{f.default.name} is {f.default.value} for all sessions", _GO_BEFORE,
                              _default_in_file_fix),
    _C.COLLATION_CHANGED: _Text(
        _collation, "the indexes of texts have another order: rows are not found, or appear twice", _collation_fix),
    _C.COLLATIONS_DIFFER: _Text(
        lambda of, f: f"{f.collation or 'the database'}: versions differ between the hosts: {_values(f.versions)}",
        "after a switchover the indexes of texts have another order: rows are not found",
        "install the same C library or ICU on both hosts, or copy the secondary again after REINDEX"),
    _C.LEASE_SECONDS: _Text(
        "its leases last {f.seconds:g} s, lease.seconds is {f.expected:g} s here",
        "a failover from this host waits too long, or is refused because it waits too short",
        "write the same lease.seconds on all hosts, and restart {of} if its value differs"),
    # Roles, and who gets in
    _C.RIGHTS: _Text(lambda of, f: f"{names(f.names)} have the rights that they need, and no more"),
    _C.NO_ROLE: _Text("there is no role {f.role}", "database.roles.{f.task} cannot log in", _STEP_3),
    _C.ROLE_POWERS: _Text(_role("has {items}"), _powers_mean, _powers_fix),
    _C.ROLE_WRITES: _Text(
        _role("may write {items}"), "a host that may only watch can change the pool",
        _sql("REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON ALL TABLES IN SCHEMA public FROM {role}")),
    _C.ROLE_READS_HASHES: _Text(
        "role {f.role} may read the hashes of users' passwords", "an attacker can guess passwords from them",
        _sql("REVOKE SELECT ON app_user FROM {role}; the next start of a pool server grants the rest again")),
    _C.ROLE_OWNS_TABLES: _Text("role {f.role} owns the tables", f"{_LEARNS} can drop them",
                               "give them to tuiha_owner, and name it at database.roles.owner"),
    _C.ROLE_MAKES_NO_SLOT: _Text("role {f.role} cannot create a replication slot", "a database cannot rejoin",
                                 _FUNCTIONS),
    _C.ROLE_SETS_TOO_LITTLE: _Text(
        _role("may not set {items}"), "operations on the pair will fail",
        lambda of, f: f"GRANT ALTER SYSTEM ON PARAMETER {', '.join(f.items)} TO {identifier(f.role)}"),
    _C.ROLE_READS_TOO_LITTLE: _Text(_role("may not read {items}"), "the {f.task} cannot read the pool's state",
                                    _GRANTED_AGAIN),
    _C.ROLE_WRITES_TOO_LITTLE: _Text(_role("may not write {items}"), "the pool servers cannot do their work",
                                     _GRANTED_AGAIN),
    _C.ROLE_SEES_NO_FOLLOWERS: _Text(
        "role {f.role} cannot see the programs that follow this database",
        "another program with the secondary's name could confirm commits without notice",
        _sql("GRANT pg_read_all_stats TO {role}")),
    _C.ROLE_MONITORS_NOTHING: _Text("role {f.role} is no member of pg_monitor", "replication and its lag are not known",
                                    _sql("GRANT pg_monitor TO {role}")),
    _C.ROLE_MEMBERSHIP: _Text("role {f.role} is a member of {f.items[0]}", "it has all rights of {f.items[0]}",
                              _membership_fix),
    _C.ROLE_TABLES: _Text(_role("may {right} {items}"), f"{_LEARNS} can do more than {{f.task}} needs",
                          _tables_fix),
    _C.ROLE_COLUMN: _Text("role {f.role} may {f.right} {f.table}.{f.column}", "{f.task} does not need this right",
                          _column_fix),
    _C.ROLE_FUNCTIONS: _Text(_role("may call {items}"), "{f.task} calls none of these",
                             _revoked("EXECUTE ON FUNCTION")),
    _C.ROLE_PARAMETERS: _Text(_role("may set {items}"), "these settings apply to all sessions of the database",
                              _revoked("ALL ON PARAMETER")),
    _C.ROLE_CREATES: _Text(_role("may create objects in {items}"),
                           "an object that it creates there can replace one that tuiha calls", _creates_fix),
    _C.ROLE_LEASES: _Text(
        _role("may {items} lease"),
        f"{_LEARNS} can end a lease that a server still uses: a failover would start too early", _lease_fix),
    _C.ROLE_NO_LOGIN: _Text("role {f.role} may not log in", "tasks of database.roles.{f.task} fail",
                            _sql("ALTER ROLE {role} LOGIN")),
    _C.ROLE_PASSWORD_EXPIRES: _Text(
        _password, "from then on the database refuses database.roles.{f.task}, as with a wrong password",
        _sql("ALTER ROLE {role} VALID UNTIL 'infinity', or a later date")),
    _C.ROLE_CONNECTION_LIMIT: _Text("role {f.name} has CONNECTION LIMIT {f.limit}",
                                    f"it may need {{f.wanted}}: {_SOME_REFUSED}", _limited("ROLE")),
    _C.DATABASE_CONNECTION_LIMIT: _Text(
        "database {f.name} has CONNECTION LIMIT {f.limit}",
        "all servers together may need {f.wanted}: in a failover some are refused", _limited("DATABASE")),
    _C.ACCESS_HIDDEN: _Text(
        "tuiha may not read the access rules (pg_hba.conf)",
        "a role that can log in without a password would not be noticed",
        f"create the function access_rules of {_STEP_3}"),
    _C.ACCESS_RULE_BROKEN: _Text(
        "pg_hba.conf line {f.line} is wrong: {f.error}",
        "PostgreSQL refuses the whole file at the next reload or start", f"correct the line, {_RELOAD}"),
    _C.ACCESS_UNPROVEN: _Text(_rule("by {f.method}"), lambda of, f: _LETS_IN.get(f.method, _NO_PROOF),
                              f"write scram-sha-256 in this line, {_RELOAD}"),
    _C.ACCESS_PLAIN_TEXT: _Text(
        _rule("without TLS"), "the traffic of a program without TLS is not encrypted",
        f"write hostssl in this line, {_RELOAD}"),
    _C.ACCESS_EVERYWHERE: _Text(_rule("from everywhere"), "a stolen password works from any host",
                                f"name the hosts that need it, {_RELOAD}"),
    # A manager of the pair
    _C.MANAGED: _Text(lambda of, f: f"{f.manager} {f.version or '(unknown version)'}: {f.role}, "
                                    f"{f.state or 'unknown'}"),
    _C.MANAGER_UNREACHABLE: _Text(
        "its {f.manager} does not answer: {f.error}",
        "the leader is not known when the other {f.manager} does not answer either",
        "check database.nodes[].rest, and restapi in its configuration"),
    _C.MANAGER_TELLS_NO_ROLE: _Text(
        "its {f.manager} does not report its role in the cluster",
        "the node's name is not a member of {f.manager}'s cluster, or its store cannot be reached",
        "use the name that {f.manager} uses: patronictl list"),
    _C.MANAGER_LEADER: _Text(lambda of, f: f"leader: {' and '.join(f.names) or 'none'}",
                             "servers cannot be sure which database to use", "patronictl list; then check its store"),
    _C.MANAGER_SYNCHRONOUS: _Text(
        lambda of, f: f"synchronous_mode is {'on' if f.on else 'off'}" + (", and strict" if f.strict else ""),
        "a failover loses acknowledged writes, and leases on the old leader do not protect",
        "patronictl edit-config: synchronous_mode: true"),
    _C.MANAGER_PAUSED: _Text("it is in maintenance mode", "it does not fail over automatically", "patronictl resume"),
    _C.MANAGER_BEHIND: _Text(
        "its leader is on timeline {f.timeline}, but the pool is already in epoch {f.epoch}",
        "no server follows to an earlier epoch",
        "docs/patroni.md, Moving a pool there; or the database was restored from an old backup"),
    _C.PENDING_RESTART: _Text("{f.manager} has settings that need a restart", "they are not in use yet",
                              "patronictl restart"),
    _C.UNKNOWN_MEMBER: _Text(
        "commits wait for {f.member}, which is not at database.nodes",
        "{f.manager} may promote it, and then no server and no operator finds it",
        "name {f.member} at database.nodes on all hosts; or exclude it with the tags `nosync: true` and `nofailover: "
        "true` in its {f.manager} configuration"),
    # The ledger
    _C.LEDGER: _Text("epoch {f.epoch}, {f.active} active, standby {f.standby}"),
    _C.NO_LEDGER: _Text("none is configured", "the database's roles cannot be changed with tuiha",
                        "add ledger: to the configuration"),
    _C.LEDGER_UNREADABLE: _Text("{f.error}", "users are served, but the databases' roles cannot be changed",
                                lambda of, f: ledger_remedy(f.cause)),
    _C.LEDGER_OF_OTHER_POOL: _Text("it is the ledger of the pool '{f.found}'", "it does not describe this pool",
                                   "correct the section ledger of the configuration"),
    _C.LEDGER_DISAGREES: _Text(
        "it shows epoch {f.epoch} on {f.active}, the database epoch {f.row_epoch} on {f.row_active}",
        "changes of the databases' roles are refused", "tuiha status; one of the two may be an old copy"),
    _C.LEDGER_TIMELINE: _Text(
        "it shows timeline {f.recorded}, but {f.active} is on timeline {f.actual}",
        "it was promoted by hand or restored from a backup: acknowledged writes may be missing",
        "see docs/backup.md, after a restore"),
    _C.OPERATION: _Text(
        lambda of, f: what(f.problem), lambda of, f: means(f.problem), lambda of, f: command(f.problem.next)),
    _C.STALE: _Text("the secondary is STALE", "its promotion may lose writes", _back),
    # Guards
    _C.GUARD: _Text(lambda of, f: f"{f.guard} is active, and may {', '.join(f.orders)}"),
    _C.GUARD_OFF: _Text("no guard is active, although the configuration gives orders",
                        "the loss of a database waits for an operator", "tuiha guard, on a host of an operator"),
    _C.GUARD_SHORT: _Text(
        "{f.order} after {f.after:g} s; the slowest answer took {f.slowest:.3f} s",
        "a short stall may be taken for a loss", "write at least {f.least:.1f} s at guard.{f.order}.after"),
    _C.GUARD_ONE_HOST: _Text("guards can run on the ledger's host alone: it is a file",
                             "when that host is lost with the primary, no guard acts", "keep the ledger in etcd"),
    # Pool servers
    _C.SERVER: _Text("{f.state}, attached to {f.database}, epoch {f.epoch}, version {f.version}"),
    _C.NO_SERVER: _Text("no pool server is known", "no device gets an answer", "tuiha serve NAME"),
    _C.FOREIGN_SERVER: _Text("{f.state}, of another system ({f.version}): tuiha only watches it"),
    _C.SERVER_FROM_DATABASE: _Text("found in the database; it needs no entry in the configuration"),
    _C.SERVER_UNREACHABLE: _Text(
        "does not answer at {f.address}: {f.error}",
        "its state is not known; if it is down, other servers take its users over",
        lambda of, f: server_remedy(f.cause, of)),
    _C.SERVER_OF_OTHER_POOL: _Text("it is a server of the pool '{f.found}'", "it serves other users",
                                   "correct its address at servers, or start it with this configuration"),
    _C.SERVER_ATTACHED_ELSEWHERE: _Text("it uses {f.found}, although {f.expected} is active", _NOT_IN_POOL,
                                        _STATUS),
    _C.SERVER_ON_OTHER_SYSTEM: _Text("it uses the physical database {f.found}, not {f.expected}",
                                     _NOT_IN_POOL, "on its host, check the address of the database"),
    _C.SERVER_IN_OTHER_EPOCH: _Text("its epoch is {f.found}, the pool's is {f.expected}",
                                    "it gets no lease until it connects again", _STATUS),
    _C.SERVER_NOT_JOINED: _Text("it is not in the database's table of servers",
                                "it has not joined: it serves no users", "its log names the reason"),
    _C.NO_LEASE: _Text(lambda of, f: f"it has no lease ({f.state}{': ' + f.reason if f.reason else ''})",
                       "it answers 503", "its log names the reason; check its connection to the database"),
    _C.VERSIONS: _Text(_versions, "this is normal during an update, but not afterwards",
                       "update the older ones (docs/upgrades.md)"),
    _C.VERSIONS_APART: _Text(_versions, "they are more than one version apart: this is not tested",
                             "update the older ones, one version at a time (docs/upgrades.md)"),
    _C.CAPACITY: _Text("{f.users:,} users; with one server less there is room for {f.left:,}",
                       "when a server is lost, the others are overloaded", "add a server"),
    # Sprayers
    _C.SPRAYER: _Text(lambda of, f: f"HAProxy {f.version}, {count(f.backends, 'backend')}, "
                                    f"{count(f.sessions, 'session')}"),
    _C.SPRAYER_UNREACHABLE: _Text(
        "its runtime socket does not answer: {f.error}", "its sessions, servers and health are not known",
        lambda of, f: sprayer_remedy(f.cause, of)),
    _C.SPRAYER_STEERING: _Text(
        _tried("the socket at sprayers[].{f.field}, for drain and enable,"),
        "servers cannot be drained or enabled from this host: {of} refuses",
        OPERATORS_SOCKET),
    _C.SPRAYER_ODDITY: _found(lambda facts: facts.oddity),
    _C.ONLY_SPRAYER: _Text("it is the only sprayer", "if it is lost, no device reaches the pool", "add a second one"),
    _C.BACKEND_MISSING: _Text(lambda of, f: f"it has no backend for {names(f.names)}",
                              "users of these servers reach them through other servers only: slower",
                              "add them to its backend"),
    _C.BACKEND_UNKNOWN: _Text(lambda of, f: f"its backend names {names(f.names)}, which the pool does not have",
                              "backends must have the names of the pool servers", "rename or remove them"),
    _C.FRONT_UNREACHABLE: _Text(
        "devices cannot connect at {f.address}: {f.error}",
        "devices reach the pool only through another sprayer",
        "compare its `bind` with sprayers.address; if the address is virtual, check that keepalived has it on one "
        "host"),
    _C.FRONT_PLAIN_TEXT: _Text(
        "it uses no encryption with devices at {f.address}", "passwords and mail can be read in the network",
        "write `bind :443 ssl crt FILE` (config/haproxy.cfg), and then: systemctl reload haproxy"),
    _C.FRONT_CERTIFICATE: _Text(
        lambda of, f: f"its certificate for devices at {f.address} {_expires(f.days)}",
        "from then on no device can connect through it",
        "renew the file at `bind ... ssl crt`, and then: systemctl reload haproxy"),
    _C.FRONT_NAME: _Text(
        "its certificate for devices is for another name than {f.address}", "devices that verify it do not connect",
        "get one for that name, put it at `bind ... ssl crt`, then: systemctl reload haproxy"),
    # Mail
    _C.MAIL: _Text(lambda of, f: f"the probe user logged in in {span(f.seconds)}"),
    _C.MAIL_UNUSABLE: _Text(
        "the probe user cannot use it at {f.address}: {f.error}",
        "mail of cluster {f.cluster} cannot be monitored through it",
        lambda of, f: mail_remedy(f.cause, of, "probe")),
    _C.MAIL_ALONE: _Text("it is alone in cluster {f.cluster}", "if it is lost, its users get no new mail",
                         "add its partner to the cluster"),
    _C.MAIL_NOT_USED: _Text(
        "pool server {f.server} does not use it: {f.reason}",
        "users of that server are monitored through the rest of the cluster",
        "if it answers again: tuiha plan return-mail {of}. Otherwise test it from the host of {f.server}"),
    _C.MAIL_LATE: _Text(lambda of, f: f"{f.number:,} mailboxes had unreported mail: {UNTOLD.what}",
                        "devices get new mail up to a minute late", lambda of, f: UNTOLD.then),
    _C.MONITOR_LOG_IN: _Text(_tried("{f.monitor}, acting as {f.user},"),
                             "no user's mailbox can be monitored through it", _monitor_fix),
    _C.WITHOUT_MAIL: _Text(
        lambda of, f: f"{count(f.trouble.users, 'user')} without mail: {explained(f.trouble.reason).what}",
        lambda of, f: f"their devices get no new mail ({', '.join(f.trouble.examples)})", _without_mail_fix),
    # Users
    _C.SAME_MAILBOX: _Text(
        "users {f.user} and {f.stays} are one mailbox",
        "they are joined when the next server starts; all devices and changes stay",
        "nothing. If they differ at your mail server, first write users.names (lower: false)"),
    _C.MORE_SAME_MAILBOXES: _Text("{f.number:,} more users are one mailbox with another",
                                  "they are joined when the next server starts", "as above"),
    _C.NAMES_CHANGE: _Text(
        lambda of, f: f"{count(f.number, 'name')} to change: "
                      + names((f"{before} to {after}" for before, after in f.pairs), 3),
        "the next start of a server changes them; it then logs in to the mail server with the new names",
        "nothing. If your mail server needs the old names, first write users.names"),
    _C.ONE_NAME: _Text(
        "{f.user} (mail cluster {f.cluster}) and {f.stays} ({f.stays_cluster}) have the same name",
        "a log-in as {f.name} always means the user of {f.stays_cluster}",
        "give one of them another name at its mail server"),
    _C.NAME_RULES_DIFFER: _Text(
        lambda of, f: f"here: {f.here}; on servers: {', '.join(f.others)}",
        "one mailbox can become two users, which are joined at each start",
        "write the same users.names on all hosts, and start the servers again"),
    # Hosts and the configuration
    _C.CLOCK: _Text(
        _skewed, "times in logs and events differ (leases and heartbeats do not depend on it)",
        "start chrony or systemd-timesyncd on both hosts"),
    _C.CLOCKS: _Text(lambda of, f: f"{count(f.number, 'clock')} within {span(SKEW)} of this host's"),
    _C.CERTIFICATE: _Text(lambda of, f: f"its certificate at {f.address} {_expires(f.days)}",
                          "from then on programs that verify it do not connect", "renew it, and load it again"),
    _C.CERTIFICATES: _Text(lambda of, f: f"{count(f.number, 'certificate')}; the first to expire is {f.subject}'s, in "
                                         f"{count(int(f.days), 'day')}"),
    _C.UNVERIFIED: _Text("verify is false: any certificate is accepted",
                         "an attacker in the network can pose as it, and read passwords",
                         "name the authority's certificate at {of}.ca, and remove verify: false"),
    _C.OPEN_FILE: _Text("{f.path} can be changed by others (mode {f.mode:04o})",
                        "other users of the host can control tuiha with it",
                        lambda of, f: f"chmod go-w {shlex.quote(f.path)}"),
    _C.OPEN_LOCK: _Text(
        "{f.path} can be opened by every user of this host (mode {f.mode:04o})",
        "any of them can lock it, and block every change of the pool",
        lambda of, f: f"chmod 660 {shlex.quote(f.path)}"),
    _C.BACKUP: _Text(
        _tried("the backup program", "answers"), "the age of the backup is not known",
        "run the command of database.backup by hand on this host, and repair what it reports"),
    _C.ALERT_RECEIVER: _Text(
        lambda of, f: f"{f.name} answers, and accepts the log-in" if f.error is None else f"{f.name}: {f.error}",
        "nobody is alerted through it",
        lambda of, f: f"correct the log-in at {of}" if f.refused
        else f"correct the address at {of}, and open the way from this host to it"),
    _C.TRACE_RECEIVER: _Text(
        lambda of, f: f"{f.name} accepts traces" if f.error is None else f"{f.name}: {f.error}",
        "the traces of operations started on this host are not kept",
        lambda of, f: f"correct the token at {of}" if f.refused
        else f"correct the address at {of}, and pip install 'tuiha[otel]' on this host"),
}
