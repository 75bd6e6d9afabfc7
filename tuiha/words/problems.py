"""Problems in words, by their code: the state, the facts behind it in a few words, and what it means for users."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tuiha.model.codes import (
    Commits,
    Dispute,
    Effect,
    Evidence,
    Fate,
    Lost,
    LostMail,
    LostServer,
    NoMail,
    Obstacle,
    Oddity,
    OldBackup,
    OperationFacts,
    Overload,
    Place,
    ProblemCode,
    Relief,
    Split,
    Turn,
    TwoRecords,
    Unasked,
)
from tuiha.model.databases.durability import Gap
from tuiha.model.facts import Problem
from tuiha.model.operations.intent import IntentWay
from tuiha.model.operations.ways import KEYS
from tuiha.model.words import count, date_of, names, span
from tuiha.words import obstacles
from tuiha.words.mail import UNTOLD, explained
from tuiha.words.next import ATTACHES, command
from tuiha.words.obstacles import reason
from tuiha.words.templates import clock


def state(problem: Problem) -> str:
    """The word or two with which a problem begins: `NOT STREAMING`."""
    said = _TEXTS[problem.code].state
    return said if isinstance(said, str) else said(problem.facts)


def state_words(code: ProblemCode) -> tuple[str, ...]:
    """The word with which problems of a code begin; empty when it depends on their facts."""
    said = _TEXTS[code].state
    return (said,) if isinstance(said, str) else ()


def detail(problem: Problem) -> str:
    """The facts in a few words: `connection refused`; may be empty."""
    return _TEXTS[problem.code].detail(problem.facts)


def what(problem: Problem) -> str:
    """The short form, for 80 columns: the state, and what is known of it."""
    return f"{state(problem)}  {detail(problem)}".rstrip()


def means(problem: Problem) -> str:
    """The effect on users, one sentence."""
    said = _TEXTS[problem.code].means
    told = said if isinstance(said, str) else said(problem.facts)
    return told if problem.turn is None else f"{told}; {_later(problem.turn)}"


def _later(turn: Turn) -> str:
    return f"run `{command(turn.next)}` after {turn.operation}, which is using the pool"


Words = str | Callable[[Any], str]


@dataclass(frozen=True, slots=True)
class _Text:
    state: Words
    detail: Callable[[Any], str]
    means: Words


def _always(text: str) -> Callable[[Any], str]:
    return lambda _: text


def _reason(facts: Any) -> str:
    return "" if facts.reason is None else str(facts.reason)


# The pool


def _split(facts: Split) -> str:
    return "; ".join(_EVIDENCE[facts.evidence](facts))


def _claims(facts: Split) -> list[str]:
    parts = [f"{names(facts.writable)} both accept writes and are ACTIVE"] if len(facts.writable) > 1 else []
    return parts + [f"{names(place.servers)} on {place.database}" + (
        "" if place.system is None else f" (system {place.system})") for place in facts.places]


def _unheard(place: Place) -> str:
    return f"{names(place.servers)} uses a copy of {place.database}: its lease is only in the copy"


_EVIDENCE: Mapping[Evidence, Callable[[Split], list[str]]] = {
    Evidence.COPY: lambda facts: [f"{names(place.servers)}: {place.reason}" for place in facts.places],
    Evidence.CLAIMS: _claims,
    Evidence.UNHEARD: lambda facts: [_unheard(place) for place in facts.places],
    Evidence.SESSIONS: lambda facts: [f"sessions of {names(place.servers)} on {place.database}"
                                      for place in facts.places],
}


def _disputed(facts: Dispute) -> str:
    if facts.renewed:
        return f"this host cannot reach {facts.database}, but {names(facts.servers)} renewed leases on it"
    return f"this host reaches {facts.database}, but {names(facts.servers)} cannot use it"


# The operation that has the pool


_WAYS: Mapping[IntentWay, str] = {
    IntentWay.RESUME: "finishes it",
    IntentWay.UNDO: "undoes it",
    IntentWay.CANCEL: "leaves it as it is and releases the pool",
}


def way_out(operation: str, host: str, ways: tuple[IntentWay, ...]) -> str:
    """The ways out of an operation that does not run any more, each as command and key."""
    told = "; ".join(f"`tuiha {way} {operation}` (key {ATTACHES}, then {KEYS[way]} twice) {_WAYS[way]}"
                     for way in ways)
    return f"{told}. Its journal is on {host}"


def _where(facts: OperationFacts) -> str:
    return f"{facts.kind}, step {facts.step}: {facts.action}" if facts.step else f"{facts.kind}, no step recorded"


def _stopped(why: str) -> Callable[[OperationFacts], str]:
    def told(facts: OperationFacts) -> str:
        silent = "" if facts.silent is None else f", silent for {span(facts.silent)}"
        return f"{_where(facts)}: {why}{silent}"

    return told


def _ways_out(facts: OperationFacts) -> str:
    out = way_out(facts.id, facts.host, facts.ways)
    return f"It has stopped, and blocks other operations. {out}"


# Backups


def _old_backup(facts: OldBackup) -> str:
    limit = f"the limit is {span(facts.older)}"
    if facts.newest is None:
        return f"there is no backup; {limit}"
    ended = date_of(facts.newest)
    at = "a time that is not known" if ended is None else f"{ended:%Y-%m-%d %H:%MZ}"
    return f"the newest ended at {at}; {limit}"


# Databases


_STOPS = "writes wait for it: requests wait, then get 503 when the leases end"


def _fails_over(facts: Lost) -> str:
    stale = f". {facts.partner} is STALE: a failover loses acknowledged writes" if facts.stale else ""
    return f"requests wait, then get 503, until the pool fails over to {facts.partner}{stale}"


def _others_confirm(facts: Lost) -> str:
    why = "" if facts.commits is None else reason(facts.commits, facts.partner, frozenset({Gap.OTHERS}))
    return f"{why}: if {facts.active} is lost, they are lost"


_EFFECTS: Mapping[Effect, Words] = {
    Effect.UNDECIDED: "it is not known which database is active",
    Effect.NOTHING_LEFT: "no database can be reached: nobody is served, but no data is lost while the disks are intact",
    Effect.MANAGER_PROMOTES: lambda facts: f"{facts.manager} promotes {facts.partner} automatically when its ttl is "
                                           "over. Until then requests wait, then get 503",
    Effect.FAILS_OVER: _fails_over,
    Effect.NO_TAKEOVER: "it cannot replace the active database",
    Effect.MANAGER_GOES_ON: lambda facts: f"{_STOPS}. {facts.manager} continues without it automatically, unless it "
                                          "is strict",
    Effect.WITHHELD: "the ledger relies on it: requests wait, then get 503",
    Effect.OTHERS_CONFIRM: _others_confirm,
    Effect.STOPS: _STOPS,
    Effect.ALONE: "the active database runs alone: if it is lost too, nobody is served",
    Effect.SPARE: "no write waits for it, but it cannot replace the active database now",
}


def _effect(facts: Lost) -> str:
    said = _EFFECTS[facts.effect]
    return said if isinstance(said, str) else said(facts)


def _gaps(facts: Commits) -> str:
    return "" if facts.commits is None else reason(facts.commits, facts.partner, frozenset(facts.gaps))


def _unprotected(facts: Commits) -> str:
    if facts.stalled:
        return f"requests wait, then get 503: the ledger relies on {facts.partner}, which may lack writes"
    return f"if {facts.active} is lost now, acknowledged writes are lost: {facts.partner} lacks them"


# Servers


_FATES: Mapping[Fate, Callable[[LostServer], str]] = {
    Fate.TAKEN: lambda _: "other servers have taken its users over",
    Fate.STRANDED: lambda facts: f"{count(facts.users, 'user')} of this server are not served: no other server has "
                                 "room. Start it, or add one",
    Fate.MOVING: lambda _: "its users move to other servers, at the latest when its heartbeat is too old",
}
_NOBODY_TAKES = "it takes no new users, and no other server has room"
_RELIEFS: Mapping[Relief, Callable[[Overload], str]] = {
    Relief.REBALANCE: lambda _: "it takes no new users and gives users away",
    Relief.ENABLE: lambda facts: f"{_NOBODY_TAKES}: {facts.helper} is drained",
    Relief.START: lambda facts: f"{_NOBODY_TAKES}: {facts.helper} is not running",
    Relief.ADD: lambda _: f"{_NOBODY_TAKES}: add a server",
}


def _unasked(facts: Unasked) -> str:
    return "it renews its lease: it is alive, but too busy to answer" if facts.late else \
        "its heartbeat is fresh: it serves users, but this host cannot reach it"


# Mail


def _mail_down(facts: LostMail) -> str:
    if not facts.partners:
        return f"no mail server of cluster {facts.cluster} answers: its users get no new mail"
    if facts.in_service is False:
        return f"it is out of service: its users are monitored through {names(facts.partners)}"
    left = f", {count(facts.users, 'user')} have not moved yet" if facts.users else ""
    return f"its users are monitored through {names(facts.partners)}{left}; it is used again when it answers"


def _closed(facts: LostMail) -> str:
    return f"refuses log-ins: {facts.reason}" if facts.reason else "refuses log-ins"


def _mail_closed(facts: LostMail) -> str:
    others = f"The others are monitored through {names(facts.partners)}" if facts.partners \
        else "The others get no new mail: the cluster has no other server"
    return f"Connected users stay connected. {others}"


def _mail_out(facts: LostMail) -> str:
    return f"its users are monitored through {names(facts.partners)}" if facts.partners \
        else "no other server of its cluster answers: its users get no new mail"


def _without_mail(facts: NoMail) -> str:
    trouble = facts.trouble
    more = trouble.users - len(trouble.examples)
    named = ", ".join(trouble.examples) + (f" and {more} more" if more > 0 and trouble.examples else "")
    said = f"{named or count(trouble.users, 'user')}{f' ({trouble.text})' if trouble.text else ''}"
    return f"Devices get no new mail: {said}. {explained(trouble.reason).then}"


# The ledger


def _following(facts: TwoRecords) -> str:
    return (f"{facts.manager}'s leader is {facts.active} on timeline {facts.epoch}, "
            f"the epoch row shows {facts.row_epoch} on {facts.row_active}")


def _disagrees(facts: TwoRecords) -> str:
    return (f"it shows epoch {facts.epoch} on {facts.active}, "
            f"the database shows {facts.row_epoch} on {facts.row_active}")


def _found(facts: Obstacle | Oddity) -> str:
    return obstacles.found(facts).what


_FOUND = _Text(obstacles.state, _found, lambda facts: obstacles.found(facts).means)

_TEXTS: Mapping[ProblemCode, _Text] = {
    ProblemCode.SPLIT: _Text(
        "SPLIT", _split, "two databases accept changes: a change in one is missing in the other"),
    ProblemCode.DISPUTED: _Text(
        "DISPUTED", _disputed, "a network is broken, no database is lost: find it before you fail over"),
    ProblemCode.UNVERIFIED: _Text(
        "UNVERIFIED", lambda facts: f"verify: false at {', '.join(facts.names)}",
        "any certificate is accepted: an attacker in the network can read passwords and mail"),
    ProblemCode.NO_SERVER: _Text(
        "DOWN", _always("no pool server is known"), "no device gets an answer, and no mail is monitored"),
    ProblemCode.MANAGER_PAUSED: _Text(
        "PAUSED", lambda facts: f"{facts.manager} is in maintenance mode",
        "it neither fails over nor restarts a database"),
    ProblemCode.OPERATION_RUNNING: _Text(
        "RUNNING", lambda facts: f"{_where(facts)}; by {facts.owner}",
        "an operation is changing the pool; others must wait"),
    ProblemCode.OPERATION_INTERRUPTED: _Text("INTERRUPTED", _stopped("its process died"), _ways_out),
    ProblemCode.OPERATION_HALF_WAY: _Text("HALF-WAY", _stopped("a step failed"), _ways_out),
    ProblemCode.OPERATION_UNKNOWN: _Text("UNKNOWN", _stopped("outcome unknown"), _ways_out),
    ProblemCode.GUARD_OFF: _Text(
        "GUARD OFF", _always("no guard is active"), "if a database is lost now, users wait for an operator"),
    ProblemCode.GUARD_PAUSED: _Text(
        "GUARD PAUSED", lambda facts: f"until {clock(facts.until)}, by {facts.by}" + (
            f": {facts.reason}" if facts.reason else ""),
        "if a database is lost meanwhile, users wait for an operator"),
    ProblemCode.GUARD_HELD: _Text(
        "GUARD HELD", _always("a guard failed over; acknowledge it"),
        "the next loss of the primary waits for an operator until one acknowledges what the guard did"),
    ProblemCode.BACKUP_OLD: _Text(
        "BACKUP OLD", _old_backup, "a restore loses every change after the newest backup that the archive lacks"),
    ProblemCode.BACKUP_FAILED: _Text(
        "BACKUP FAILED", _reason, "the pair has no new backup: repair it before the last good one is too old"),
    ProblemCode.BACKUP_FOREIGN: _Text(
        "BACKUP FOREIGN", _always("it is of another database system"), "the pool could not be restored from it"),
    ProblemCode.BACKUP_UNREADABLE: _Text(
        "BACKUP UNREADABLE", _reason, "the age of the backup is not known"),
    ProblemCode.DATABASE_DOWN: _Text("DOWN", _reason, _effect),
    ProblemCode.DATABASE_UNREACHABLE: _Text(
        "UNREACHABLE", _reason,
        "The servers still use it, but this host cannot connect: its main process may hang. A server that loses its "
        "connections cannot serve any more"),
    ProblemCode.NOT_WRITABLE: _Text(
        "NOT WRITABLE", lambda facts: "it is in recovery" if facts.recovering else "it is read-only",
        "no server gets a lease: nobody is served until a database is promoted"),
    ProblemCode.NO_EPOCH_ROW: _Text(
        "NO EPOCH ROW", _always("cannot read the pool's tables"),
        "it is not the database of a pool, or tuiha's role may not read it"),
    ProblemCode.EPOCH_CUT_OFF: _Text(
        "CUT OFF", _always("closed by its epoch row, but no operation is running"),
        "no server gets a lease: nobody is served"),
    ProblemCode.ROGUE_PRIMARY: _Text(
        "ROGUE PRIMARY", lambda facts: f"accepts writes, but {facts.names[0]} is active",
        "a change that is written to it is not in the pool's database"),
    ProblemCode.NOT_STREAMING: _Text("NOT STREAMING", lambda facts: f"receives nothing from {facts.active}", _effect),
    ProblemCode.NOT_SYNCHRONOUS: _Text(
        "UNPROTECTED", lambda facts: f"replication is {facts.sync_state}, not synchronous",
        lambda facts: f"if {facts.active} is lost now, acknowledged writes are lost"),
    ProblemCode.UNPROTECTED: _Text("UNPROTECTED", _gaps, _unprotected),
    ProblemCode.ENDLESS_WAIT: _Text(
        "WAITING", _gaps, "no write is acknowledged: requests wait, then get 503"),
    ProblemCode.STALE: _Text(
        "STALE", _always("may lack acknowledged writes"),
        "the pool does not rely on it: do not promote it before the pool is protected again"),
    ProblemCode.UNMANAGED: _Text(
        "UNMANAGED", lambda facts: f"{facts.manager} does not answer: {facts.reason}",
        "it is not known whether it would be promoted, or restarted"),
    ProblemCode.PENDING_RESTART: _Text(
        "PENDING RESTART", lambda facts: f"{facts.manager} has new settings",
        "they count only after a restart"),
    ProblemCode.DATABASE_OF_OTHER_POOL: _Text(
        "OTHER POOL", lambda facts: f"it belongs to the pool '{facts.names[0]}'",
        "its address in the configuration leads to another pool's database"),
    ProblemCode.FOREIGN: _Text(
        "FOREIGN", lambda facts: f"not of this pool: system {facts.system}, expected {facts.expected or 'not known'}",
        "it is not a database of this pool, and has none of its data"),
    ProblemCode.REPLAY_PAUSED: _FOUND,
    ProblemCode.PREPARED_TRANSACTIONS: _FOUND,
    ProblemCode.LONG_TRANSACTIONS: _FOUND,
    ProblemCode.BACKUP_RUNNING: _FOUND,
    ProblemCode.SLOT_UNUSED: _FOUND,
    ProblemCode.SLOT_LOST: _FOUND,
    ProblemCode.SLOT_KEEPS: _FOUND,
    ProblemCode.SERVER_OF_OTHER_POOL: _Text(
        "OTHER POOL", lambda facts: f"it belongs to the pool '{facts.names[0]}'",
        "its address in the configuration leads to another pool's server"),
    ProblemCode.SERVER_UNREACHABLE: _Text("UNREACHABLE", _reason, _unasked),
    ProblemCode.SERVER_DOWN: _Text("DOWN", _reason, lambda facts: _FATES[facts.fate](facts)),
    ProblemCode.SERVER_CUT_OFF: _Text(
        "CUT OFF", _reason, "it has no lease on the active database: it answers 503 and writes nothing"),
    ProblemCode.SERVER_WAITING: _Text(
        "WAITING", _reason, "requests wait for the active database, then get 503"),
    ProblemCode.SERVER_OVERLOADED: _Text("OVERLOADED", _reason, lambda facts: _RELIEFS[facts.relief](facts)),
    ProblemCode.SERVER_DRAINING: _Text("DRAINING", _reason, "an operator drained it: it takes no users"),
    ProblemCode.SERVER_UNKNOWN: _Text("UNKNOWN", _reason, "it has not answered yet"),
    ProblemCode.SERVER_LEFT: _Text("LEFT", _reason, "it gave its users to other servers and ended"),
    ProblemCode.SERVER_SILENT: _Text(
        "SILENT", _always("its heartbeat is too old"),
        "it answers this host, but other servers take its users over"),
    ProblemCode.SPRAYER_DOWN: _Text(
        "DOWN", _reason, lambda facts: "devices use the other sprayer; if that is lost too, no device reaches the pool"
        if facts.others else "no device reaches the pool"),
    ProblemCode.CUT_OFF: _FOUND,
    ProblemCode.DIFFERS: _FOUND,
    ProblemCode.UNCHECKED: _FOUND,
    ProblemCode.NO_MAP: _FOUND,
    ProblemCode.MAIL_DOWN: _Text("DOWN", _reason, _mail_down),
    ProblemCode.MAIL_CLOSED: _Text("CLOSED", _closed, _mail_closed),
    ProblemCode.MAIL_OUT: _Text("OUT", _always("answers, but out of service"), _mail_out),
    ProblemCode.MAIL_LATE: _Text(
        "LATE", lambda facts: f"{facts.mailboxes:,} mailboxes had unreported mail",
        lambda _: f"Devices get new mail up to a minute late. {UNTOLD.then}"),
    ProblemCode.WITHOUT_MAIL: _Text(
        lambda facts: explained(facts.trouble.reason).what.upper(),
        lambda facts: f"{count(facts.trouble.users, 'user')} without mail", _without_mail),
    ProblemCode.LEDGER_UNREADABLE: _Text(
        "UNREADABLE", _reason, "users are served, but no operation can change the databases' roles"),
    ProblemCode.NO_LEADER: _Text(
        "NO LEADER", lambda facts: f"{facts.manager} has none at the moment",
        "no write is accepted until one is promoted"),
    ProblemCode.FOLLOWING: _Text(
        "FOLLOWING", _following,
        "a server starts the new epoch when all leases on the old leader have ended"),
    ProblemCode.DISAGREES: _Text(
        "DISAGREES", _disagrees, "changes of the databases' roles are refused until both agree"),
    ProblemCode.RECORDED: _Text(lambda facts: facts.state, lambda facts: facts.text, lambda facts: facts.means),
}
