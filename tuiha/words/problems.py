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
from tuiha.model.words import count, names, span
from tuiha.words import obstacles
from tuiha.words.durability import reason
from tuiha.words.mail import UNTOLD, explained
from tuiha.words.next import ATTACHES, command


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
    return f"`{command(turn.next)}` comes after {turn.operation}, which has the pool"


Words = str | Callable[[Any], str]


@dataclass(frozen=True, slots=True)
class _Text:
    state: Words
    detail: Callable[[Any], str]
    means: Words


def _always(text: str) -> Callable[[Any], str]:
    return lambda _: text


def _reason(facts: Any) -> str:
    return str(facts.reason)


# The pool


def _split(facts: Split) -> str:
    return "; ".join(_EVIDENCE[facts.evidence](facts))


def _claims(facts: Split) -> list[str]:
    parts = [f"{names(facts.writable)} are both writable and ACTIVE"] if len(facts.writable) > 1 else []
    return parts + [f"{names(place.servers)} on {place.database}" + (
        "" if place.system is None else f" (system {place.system})") for place in facts.places]


def _unheard(place: Place) -> str:
    return (f"{names(place.servers)} holds a lease that {place.database} knows nothing of: "
            f"it is on a copy of {place.database}")


_EVIDENCE: Mapping[Evidence, Callable[[Split], list[str]]] = {
    Evidence.COPY: lambda facts: [f"{names(place.servers)}: {place.reason}" for place in facts.places],
    Evidence.CLAIMS: _claims,
    Evidence.UNHEARD: lambda facts: [_unheard(place) for place in facts.places],
    Evidence.SESSIONS: lambda facts: [f"sessions of {names(place.servers)} on {place.database}"
                                      for place in facts.places],
}


def _disputed(facts: Dispute) -> str:
    if facts.renewed:
        return f"the watcher cannot reach {facts.database}, but {names(facts.servers)} renewed leases on it since"
    return f"the watcher reaches {facts.database}, but {names(facts.servers)} cannot use it"


# The operation that has the pool


_WAYS: Mapping[IntentWay, str] = {
    IntentWay.RESUME: "finishes it",
    IntentWay.UNDO: "takes it back",
    IntentWay.CANCEL: "leaves it as it is and frees the pool",
}


def way_out(operation: str, host: str, ways: tuple[IntentWay, ...]) -> str:
    """The ways out of an operation that does not run any more, each as command and key."""
    told = "; ".join(f"`tuiha {way} {operation}` (key {ATTACHES}, then {KEYS[way]} twice) {_WAYS[way]}"
                     for way in ways)
    return f"{told}. Its journal is on {host}"


def _where(facts: OperationFacts) -> str:
    return f"{facts.kind}, step {facts.step}: {facts.action}" if facts.step else f"{facts.kind}, before its first step"


def _stopped(why: str) -> Callable[[OperationFacts], str]:
    def told(facts: OperationFacts) -> str:
        silent = "" if facts.silent is None else f", no sign of life for {span(facts.silent)}"
        return f"{_where(facts)}: {why}{silent}"

    return told


def _ways_out(facts: OperationFacts) -> str:
    out = way_out(facts.id, facts.host, facts.ways)
    return f"it has stopped and keeps the pool from other operations: {out}"


# Databases


_STOPS = "commits wait for it: servers hold, then answer 503 when their leases end"


def _fails_over(facts: Lost) -> str:
    stale = f"; {facts.partner} is STALE: acknowledged writes would be lost" if facts.stale else ""
    return f"servers hold requests, then answer 503 until the pool fails over to {facts.partner}{stale}"


def _others_confirm(facts: Lost) -> str:
    why = "" if facts.commits is None else reason(facts.commits, facts.partner, frozenset({Gap.OTHERS}))
    return f"{why}: losing {facts.active} loses them"


_EFFECTS: Mapping[Effect, Words] = {
    Effect.UNDECIDED: "nobody says which database is active",
    Effect.NOTHING_LEFT: "no database can be reached: nothing is answered, nothing is lost while the disks are there",
    Effect.MANAGER_PROMOTES: lambda facts: f"{facts.manager} promotes {facts.partner} by itself when its ttl is over; "
                                           "servers hold requests, then answer 503, and follow",
    Effect.FAILS_OVER: _fails_over,
    Effect.NO_TAKEOVER: "it cannot take over",
    Effect.MANAGER_GOES_ON: lambda facts: f"{_STOPS}; {facts.manager} lets the leader go on alone by itself, unless "
                                          "it is strict",
    Effect.WITHHELD: "the ledger counts on it: servers hold, then answer 503",
    Effect.OTHERS_CONFIRM: _others_confirm,
    Effect.STOPS: _STOPS,
    Effect.ALONE: "the active database runs alone: losing it too stops the pool",
    Effect.SPARE: "nothing waits for it; it could not take over either",
}


def _effect(facts: Lost) -> str:
    said = _EFFECTS[facts.effect]
    return said if isinstance(said, str) else said(facts)


def _gaps(facts: Commits) -> str:
    return "" if facts.commits is None else reason(facts.commits, facts.partner, frozenset(facts.gaps))


def _unprotected(facts: Commits) -> str:
    if facts.stalled:
        return f"servers hold, then answer 503: the ledger counts on {facts.partner}, which may lack writes"
    return f"losing {facts.active} now loses acknowledged writes that {facts.partner} does not have"


# Servers


_FATES: Mapping[Fate, Callable[[LostServer], str]] = {
    Fate.TAKEN: lambda _: "the others have taken its users over",
    Fate.STRANDED: lambda facts: f"{count(facts.users, 'user')} of it have no server, as no other has room for them: "
                                 "start it, or add one",
    Fate.MOVING: lambda _: "its users move to the others, at the latest when its heartbeat is older than the window",
}
_NOBODY_TAKES = "it takes no new users, and no server has room for some of those it has"
_RELIEFS: Mapping[Relief, Callable[[Overload], str]] = {
    Relief.REBALANCE: lambda _: "it takes no new users and sheds some of those it has",
    Relief.ENABLE: lambda facts: f"{_NOBODY_TAKES}: {facts.helper} is drained",
    Relief.START: lambda facts: f"{_NOBODY_TAKES}: {facts.helper} does not run",
    Relief.ADD: lambda _: f"{_NOBODY_TAKES}: add a server",
}


def _unasked(facts: Unasked) -> str:
    return "it renews its lease: it lives, and is too busy to answer" if facts.late else \
        "its heartbeat is fresh: it serves, and only the watcher cannot ask it"


# Mail


def _mail_down(facts: LostMail) -> str:
    if not facts.partners:
        return f"no server of cluster {facts.cluster} answers: its users' mail is not monitored"
    if facts.in_service is False:
        return f"it is out of service; its users are monitored through {names(facts.partners)}"
    left = f", {count(facts.users, 'user')} still to move" if facts.users else ""
    return f"its users are monitored through {names(facts.partners)}{left}; it would be used again when it comes back"


def _mail_closed(facts: LostMail) -> str:
    others = f"The others are monitored through {names(facts.partners)}" if facts.partners \
        else "No other server of its cluster takes the others"
    return f"Users that are connected stay. {others}"


def _mail_out(facts: LostMail) -> str:
    return f"its users are monitored through {names(facts.partners)}" if facts.partners \
        else "no other server of its cluster answers: its users' mail is not monitored"


def _without_mail(facts: NoMail) -> str:
    trouble = facts.trouble
    more = trouble.users - len(trouble.examples)
    named = ", ".join(trouble.examples) + (f" and {more} more" if more > 0 and trouble.examples else "")
    said = f"{named or count(trouble.users, 'user')}{f' ({trouble.text})' if trouble.text else ''}"
    return f"Their devices get no new mail: {said}. {explained(trouble.reason).then}"


# The ledger


def _following(facts: TwoRecords) -> str:
    return (f"{facts.manager}'s leader is {facts.active} on timeline {facts.epoch}, "
            f"the epoch row says {facts.row_epoch} on {facts.row_active}")


def _disagrees(facts: TwoRecords) -> str:
    return (f"it says epoch {facts.epoch} on {facts.active}, "
            f"the database epoch {facts.row_epoch} on {facts.row_active}")


def _found(facts: Obstacle | Oddity) -> str:
    return obstacles.found(facts).what


_FOUND = _Text(obstacles.state, _found, lambda facts: obstacles.found(facts).means)

_TEXTS: Mapping[ProblemCode, _Text] = {
    ProblemCode.SPLIT: _Text(
        "SPLIT", _split, "changes can go to two physical databases: what is written in one is missing in the other"),
    ProblemCode.DISPUTED: _Text(
        "DISPUTED", _disputed, "somebody is cut off, not gone: do not fail over before it is clear who"),
    ProblemCode.UNVERIFIED: _Text(
        "UNVERIFIED", lambda facts: f"verify: false at {', '.join(facts.names)}",
        "any certificate is accepted there: an impostor gets passwords and mail"),
    ProblemCode.NO_SERVER: _Text(
        "DOWN", _always("no pool server is known"), "no device is answered and no mail is monitored"),
    ProblemCode.MANAGER_PAUSED: _Text(
        "PAUSED", lambda facts: f"{facts.manager} is in maintenance mode",
        "it neither fails over nor brings a database back by itself"),
    ProblemCode.OPERATION_RUNNING: _Text(
        "RUNNING", lambda facts: f"{_where(facts)}; by {facts.owner}",
        "an operation changes the pool; another one has to wait"),
    ProblemCode.OPERATION_INTERRUPTED: _Text("INTERRUPTED", _stopped("its runner died"), _ways_out),
    ProblemCode.OPERATION_HALF_WAY: _Text("HALF-WAY", _stopped("a step failed"), _ways_out),
    ProblemCode.OPERATION_UNKNOWN: _Text("UNKNOWN", _stopped("its outcome is not known"), _ways_out),
    ProblemCode.DATABASE_DOWN: _Text("DOWN", _reason, _effect),
    ProblemCode.DATABASE_UNREACHABLE: _Text(
        "UNREACHABLE", _reason,
        "the pool serves: servers have sessions there. Nothing new can connect from here, as when its main process "
        "hangs; a server that loses its sessions then stays without a database"),
    ProblemCode.NOT_WRITABLE: _Text(
        "NOT WRITABLE", lambda facts: "it is in recovery" if facts.recovering else "it is read-only",
        "no server can take a lease: nothing is answered until a database is promoted"),
    ProblemCode.NO_EPOCH_ROW: _Text(
        "NO EPOCH ROW", _always("the pool's tables cannot be read in it"),
        "it is not a database of a pool, or the watcher's role may not read it"),
    ProblemCode.EPOCH_CUT_OFF: _Text(
        "CUT OFF", _always("its epoch row says so, and no operation runs"),
        "no server can take a lease: nothing is answered"),
    ProblemCode.ROGUE_PRIMARY: _Text(
        "ROGUE PRIMARY", lambda facts: f"writable, though {facts.names[0]} is active",
        "whatever is written in it is not in the pool's database"),
    ProblemCode.NOT_STREAMING: _Text("NOT STREAMING", lambda facts: f"{facts.active} sends it nothing", _effect),
    ProblemCode.NOT_SYNCHRONOUS: _Text(
        "UNPROTECTED", lambda facts: f"replication is {facts.sync_state}, not synchronous",
        lambda facts: f"losing {facts.active} now would lose acknowledged writes"),
    ProblemCode.UNPROTECTED: _Text("UNPROTECTED", _gaps, _unprotected),
    ProblemCode.ENDLESS_WAIT: _Text(
        "WAITING", _gaps, "no commit is acknowledged: servers hold requests, then answer 503"),
    ProblemCode.STALE: _Text(
        "STALE", _always("it may lack acknowledged writes: the pool does not count on it"),
        "it may not be promoted until the pool is protected again"),
    ProblemCode.UNMANAGED: _Text(
        "UNMANAGED", lambda facts: f"its {facts.manager} cannot be asked: {facts.reason}",
        "whether it is brought back, or promoted, is not known"),
    ProblemCode.PENDING_RESTART: _Text(
        "PENDING RESTART", lambda facts: f"{facts.manager} has settings that wait for it",
        "they count after the next start only"),
    ProblemCode.DATABASE_OF_OTHER_POOL: _Text(
        "OTHER POOL", lambda facts: f"it is the database of the pool '{facts.names[0]}'",
        "its address in the configuration leads to another pool's data"),
    ProblemCode.FOREIGN: _Text(
        "FOREIGN", lambda facts: f"its system identifier is {facts.system}, not {facts.expected}",
        "it is another database cluster: it holds none of the pool's data"),
    ProblemCode.REPLAY_PAUSED: _FOUND,
    ProblemCode.PREPARED_TRANSACTIONS: _FOUND,
    ProblemCode.LONG_TRANSACTIONS: _FOUND,
    ProblemCode.BACKUP_RUNNING: _FOUND,
    ProblemCode.SLOT_UNUSED: _FOUND,
    ProblemCode.SLOT_LOST: _FOUND,
    ProblemCode.SLOT_KEEPS: _FOUND,
    ProblemCode.SERVER_OF_OTHER_POOL: _Text(
        "OTHER POOL", lambda facts: f"it belongs to the pool '{facts.names[0]}'",
        "its address in the configuration leads to another pool: it serves none of these users"),
    ProblemCode.SERVER_UNREACHABLE: _Text("UNREACHABLE", _reason, _unasked),
    ProblemCode.SERVER_DOWN: _Text("DOWN", _reason, lambda facts: _FATES[facts.fate](facts)),
    ProblemCode.SERVER_CUT_OFF: _Text(
        "CUT OFF", _reason, "it has no lease on the active database: it answers 503 and writes nothing"),
    ProblemCode.SERVER_WAITING: _Text(
        "WAITING", _reason, "requests wait, bounded, until the active database can be used"),
    ProblemCode.SERVER_OVERLOADED: _Text("OVERLOADED", _reason, lambda facts: _RELIEFS[facts.relief](facts)),
    ProblemCode.SERVER_DRAINING: _Text("DRAINING", _reason, "it takes no users, as it was told"),
    ProblemCode.SERVER_UNKNOWN: _Text("UNKNOWN", _reason, "it has not answered yet"),
    ProblemCode.SERVER_LEFT: _Text("LEFT", _reason, "it handed its users over and ended"),
    ProblemCode.SERVER_SILENT: _Text(
        "SILENT", _always("its heartbeat is older than the window"),
        "it answers the watcher, but the others take its users over"),
    ProblemCode.SPRAYER_DOWN: _Text(
        "DOWN", _reason, lambda facts: "devices go on through the other sprayer; there is no second one to lose"
        if facts.others else "no device reaches the pool"),
    ProblemCode.CUT_OFF: _FOUND,
    ProblemCode.DIFFERS: _FOUND,
    ProblemCode.UNCHECKED: _FOUND,
    ProblemCode.NO_MAP: _FOUND,
    ProblemCode.MAIL_DOWN: _Text("DOWN", _reason, _mail_down),
    ProblemCode.MAIL_CLOSED: _Text("CLOSED", lambda facts: f"lets nobody in: {facts.reason}", _mail_closed),
    ProblemCode.MAIL_OUT: _Text("OUT", _always("out of service, though it answers"), _mail_out),
    ProblemCode.MAIL_LATE: _Text(
        "LATE", lambda facts: f"{facts.mailboxes:,} mailboxes ahead of their cursors",
        lambda _: f"Devices get new mail up to a minute late. {UNTOLD.then}"),
    ProblemCode.WITHOUT_MAIL: _Text(
        lambda facts: explained(facts.trouble.reason).what.upper(),
        lambda facts: f"{count(facts.trouble.users, 'user')} without mail", _without_mail),
    ProblemCode.LEDGER_UNREADABLE: _Text(
        "UNREADABLE", _reason, "the service goes on; the database's roles cannot be changed until it is back"),
    ProblemCode.NO_LEADER: _Text(
        "NO LEADER", lambda facts: f"{facts.manager} has none at this moment",
        "nothing can be written until one is promoted"),
    ProblemCode.FOLLOWING: _Text(
        "FOLLOWING", _following,
        "the first pool server begins the epoch when no lease on the leader before can be left"),
    ProblemCode.DISAGREES: _Text("DISAGREES", _disagrees, "role changes are refused until both say the same"),
    ProblemCode.RECORDED: _Text(lambda facts: facts.state, lambda facts: facts.text, lambda facts: facts.means),
}
