"""What checks of plans found and want, and what to do, as sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tuiha.model.operations.judgements import Found, Mend, Wanted
from tuiha.model.words import count, names
from tuiha.words.templates import Template, clock, told


def _behind(bytes: int | None, seconds: float | None) -> str:
    if bytes is None:
        return "unknown"
    return f"{bytes:,} bytes" + ("" if seconds is None else f", {seconds:.1f} s")


def _receives(receiving: bool, silence: float | None) -> str:
    if receiving:
        return "receives"
    return "receives nothing" if silence is None else f"heard nothing for {silence:.1f} s"


def _runner(process: int | None, alive: bool) -> str:
    if process:
        return f"runs, process {process}"
    return "runs" if alive else "no process here"


def _server(database: str | None, lease: float, partner: str, reaches: bool, why: str | None) -> str:
    way = f"reaches {partner}" if reaches else f"{partner}: {why or 'another database'}"
    return f"{database or 'no database'}, lease {lease:.1f} s, {way}"


def _stay(locked: int, pinned: int, first: float | None, last: float | None) -> str:
    """Why users of a server may not leave it now."""
    parts = [f"{count(locked, 'user')} locked after a move" if locked else "",
             f"{count(pinned, 'user')} pinned" if pinned else ""]
    if locked and first is not None and last is not None:
        begin, end = clock(first), clock(last)
        parts[0] += f" until {end}" if begin == end else f", the first until {begin}, the last until {end}"
    return "; ".join(filter(None, parts)) or "they were free a moment ago; plan again"


def _synchronous(partner: str, known: bool, gaps: Sequence[str], receiving: bool, why: str) -> str:
    waits = (why or f"{partner} sync") if known else "not known"
    return waits if receiving else f"{waits}; {partner} receives nothing"


def _writable(databases: Sequence[str], astray: Sequence[str]) -> str:
    return "; ".join([f"{' and '.join(databases) or 'none'} can be written", *astray])


def _wait_or_move(last: float | None) -> str:
    again = "" if last is None else f"plan again after {clock(last)}; "
    return f"{again}`tuiha plan move USER SERVER` moves one all the same"


FOUND: Mapping[Found, Template] = {
    Found.ACKNOWLEDGED: "{why}",
    Found.AGREE: "this host and the servers agree",
    Found.ALL_RIGHTS: "all it needs",
    Found.ANOTHER_HOST: "another host, which cannot be asked",
    Found.ANSWERS: "answers",
    Found.ASTRAY: "{server} has a lease on {database}",
    Found.BALANCE: "farthest from its share: {off:.0%}, {forced:user} on servers that go",
    Found.BEHIND: _behind,
    Found.BOTH: "both",
    Found.BY_PARTNER: "by its partner alone",
    Found.CHECKPOINT: "{seconds:.0f} s ago",
    Found.CONFIGURED: lambda configured: "named at servers:" if configured else "not named",
    Found.DISPUTED_BY_HOST: "DISPUTED: this host reaches {database}, and {servers} cannot use it",
    Found.DISPUTED_BY_SERVERS: "DISPUTED: this host cannot reach {database}, and {leased} had leases on it just now",
    Found.ENABLED: lambda enabled: "enabled" if enabled else "disabled",
    Found.EPOCH: "{active} in epoch {epoch}, {state}",
    Found.FOLLOWERS: "{rows:|nobody follows}",
    Found.FOREIGN: "FOREIGN: {systems:|no database}",
    Found.FREE: "{bytes:size} free",
    Found.FREE_MB: "{mb:,} MB free",
    Found.FREE_SLOTS: "{slots} free",
    Found.HAS_PASSWORD: "still has {user}'s password",
    Found.HOLDER: lambda holder: f"{holder} holds it" if holder else "nobody holds it",
    Found.HOLES: "{standby}, but {why}",
    Found.IN_SPRAYERS: lambda sprayers: names(sprayers) or "none has it",
    Found.IS_ON: lambda on: "on" if on else "off",
    Found.JOURNAL_WHOLE: "is here, and whole",
    Found.LACKS: "lacks {lacks:;}",
    Found.LEADER: "leader {leader:|none}",
    Found.LEASES_LEFT: "up to {seconds:.1f} s left",
    Found.LEVEL: "its socket has level {level}",
    Found.LOG_INS: "{users:log-in} in about {seconds:g} s",
    Found.MOVES: "{moves:,}",
    Found.NAMES: "{names:|none}",
    Found.NAMES_OF: lambda servers: names(servers) or "none",
    Found.NONE: "none",
    Found.NOT_ASKED: "not asked",
    Found.NOT_PROMOTED: "not promoted",
    Found.NOT_TO_COORDINATOR: "{role}, coordinator: {why}",
    Found.NOT_WAITED_FOR: "not waited for",
    Found.NO_AGENT: "none for {databases}",
    Found.NO_ANSWER: "no answer",
    Found.NO_DATABASE: "no database",
    Found.NO_HEARTBEAT: "{why}, no heartbeat",
    Found.ONE: "one",
    Found.ONLY_LOOKS: "its driver only looks",
    Found.OTHER_TAKERS: "{takers:other server} take users",
    Found.OVER_SHARE: "{over:,.1f} over its share stay: {why}",
    Found.PART: "{part}",
    Found.PAUSED: lambda paused: "paused" if paused else "not paused",
    Found.PERHAPS_PROMOTED: "{partner}, and it may have been told to promote itself",
    Found.PINNED: lambda pinned: "pinned" if pinned else "not pinned",
    Found.POOL: "{verdict}, active {active:|unknown}",
    Found.PROMOTED: "promoted",
    Found.REACHES: lambda partner, why: f"{partner}: {why or 'reaches it'}",
    Found.RECEIVES: _receives,
    Found.REPLAYS: "running",
    Found.RETURNS: lambda returns: "can come back as a new user" if returns else "stays deleted",
    Found.ROOM_WITHOUT: "room for {capacity:,} users without {servers:names}",
    Found.RUNNER: _runner,
    Found.SEEN_BY: "DISPUTED: seen by {who}",
    Found.SEEN_BY_NOBODY: "seen by nobody ({asked})",
    Found.SERVER: _server,
    Found.SIGNS_OF_LIFE: "its runner gives signs of life",
    Found.SILENT: "{servers:|all answer}",
    Found.SMALLER: "{settings:|as large}",
    Found.SPLIT: "SPLIT: {what}",
    Found.SPRAYERS: lambda missing, all: told(missing) or f"{all} of {all} answer",
    Found.STAY: _stay,
    Found.STREAMS: lambda streams: "streams" if streams else "does not stream",
    Found.SYNCHRONOUS: _synchronous,
    Found.SYSTEMS: "{systems:|no database}",
    Found.SYSTEM_UNKNOWN: "not known: {why}",
    Found.TAKERS: "{takers} of {known} take users",
    Found.THIS_HOST: "this host",
    Found.TRIED: "tried: replication, rewind, copy",
    Found.UNKNOWN: "unknown",
    Found.UNLOGGED: "{unlogged} unlogged tables",
    Found.USERS: "{users:user}",
    Found.VERSIONS: lambda versions: ", ".join(f"{name} {version}" for name, version in versions.items()),
    Found.WOULD_SERVE: "{servers:names} would still serve the user",
    Found.WRITABLE: _writable,
}


WANTED: Mapping[Wanted, Template] = {
    Wanted.AGREEMENT: "they agree",
    Wanted.ALIVE: "alive",
    Wanted.ALL_ANSWER: "all that live answer",
    Wanted.ALL_LET_GO: "all let it go",
    Wanted.ALL_RIGHTS: "all that config/postgresql.md grants the coordinator",
    Wanted.ALL_SPRAYERS: "all answer",
    Wanted.AN_AGENT_EACH: "one for each database",
    Wanted.AT_LEAST_ONE: "at least 1",
    Wanted.AT_MOST_BYTES: "at most {bytes:,} bytes",
    Wanted.A_DATABASE: "a database",
    Wanted.A_SLOT: "one free, and the coordinator may make it",
    Wanted.A_TAKER: "at least one server takes users",
    Wanted.A_TELLER: "one that answers and has a lease",
    Wanted.BY_PARTNER: "by {partner} alone",
    Wanted.CAN_FOLLOW: "it can follow {leader}",
    Wanted.CAN_REFUSE: "every server can refuse users and devices",
    Wanted.CHECKPOINT: "at most {seconds:.0f} s",
    Wanted.COPY_OF_UNKNOWN_SIZE: "room for a fresh copy, of unknown size",
    Wanted.ENOUGH_MAY_MOVE: "users enough may move",
    Wanted.EPOCH: "{active} in epoch {epoch}, ACTIVE",
    Wanted.GONE: "gone",
    Wanted.IN_STEP: "{partner} in step, and receiving",
    Wanted.IS_GONE: "is gone",
    Wanted.JOURNAL_GONE: "gone or damaged",
    Wanted.JOURNAL_ROOM: "{mb} MB for the journal in {folder}",
    Wanted.LEADER: "leader {leader}",
    Wanted.LEASES_LEFT: "at most {seconds:g} s",
    Wanted.LEASE_AND_WAY: "a lease on {active}, reaches {partner}",
    Wanted.LEVEL_ADMIN: "level admin",
    Wanted.LIVES_AND_TAKES: "lives, and takes users",
    Wanted.LOG_INS: "30 s",
    Wanted.MAIL_PARTNER: "another server of the cluster, in service and answering",
    Wanted.MOVES: "at least {moves:,} for the same result",
    Wanted.NOT_OVERLOADED: "not overloaded",
    Wanted.NO_OPERATION: "no other operation",
    Wanted.NO_PASSWORD: "has no password",
    Wanted.NO_SWITCHOVER: "no switchover to come",
    Wanted.ONE_REACHES: "at least one reaches {partner}",
    Wanted.ONE_SERVER: "at least 1",
    Wanted.ONLY: "only {active}",
    Wanted.POOL: "one active database, writable, neither split nor disputed",
    Wanted.PRIMARY_OR_AGENT: "answers as the primary, or has an agent",
    Wanted.REACHES: "reaches {partner}",
    Wanted.RECEIVES_NOTHING: "receives nothing",
    Wanted.ROOM_FOR: "{users:,} users",
    Wanted.ROOM_FOR_COPY: "at least {bytes:size} for a fresh copy",
    Wanted.SAME_VERSION: "the same major version",
    Wanted.SEEN_BY_NOBODY: "nobody reaches it",
    Wanted.SETTINGS: "not smaller than {active}'s",
    Wanted.STEERABLE: "can be steered",
    Wanted.STOPPED_OR_SECONDARY: "stopped, or a secondary",
    Wanted.SYNCHRONOUS: "{partner} sync, and receiving",
    Wanted.TRIGGER: "over {trigger:.0%}",
}


MENDS: Mapping[Mend, Template] = {
    Mend.ADD_A_SERVER: "add a server first, or raise `capacity`",
    Mend.BACK: "{partner} lacks writes: `--option way=back`",
    Mend.BRING_BACK_OR_OVERRIDE:
        "bring it back and plan again; if it is gone for good, or you stopped it, override this: {partner} must "
        "not run as a primary beside the other one",
    Mend.CANCEL_OR_WAIT: "`tuiha cancel {operation}`, or wait for it",
    Mend.CANCEL_THERE: "on {host}: tuiha cancel {operation}",
    Mend.CHANGE_PASSWORD: "with it the device can register under another name: change the password at the mail server",
    Mend.CHECKPOINT: "one is made first; the stop may still take longer",
    Mend.CHOOSE_ANOTHER: "choose another server",
    Mend.DEGRADE_AND_REJOIN: "`tuiha plan degrade`, then `tuiha plan rejoin {databases}` makes it the secondary",
    Mend.DEGRADE_FIRST: "{active} still waits for {partner}: `tuiha plan degrade` first",
    Mend.DRAINED_BY_ITSELF: "one that is gone is drained by itself: the others take its users over",
    Mend.DRAIN_IT: "it lives: `tuiha plan drain {server}`, and stop it; it leaves by itself then",
    Mend.ENABLE: "`tuiha plan enable SERVER`",
    Mend.ENABLE_ANOTHER: "enable another server first: without one nobody would be served",
    Mend.ENABLE_OR_START: "enable a server, or start one",
    Mend.ENABLE_SERVER: "tuiha plan enable {server}",
    Mend.ENABLE_USER: "its devices stay refused: tuiha plan enable-user {user}",
    Mend.END_THE_OPERATION: "an operation did not end: `tuiha operations` shows it, `tuiha resume ID` ends it",
    Mend.FINISH: "`--option way=finish`",
    Mend.FLUSH_SWITCHOVER: "`patronictl flush CLUSTER switchover`",
    Mend.GO_ON_WITHOUT: "start it, or go on without it: a server that takes nobody answers 503 to its health check",
    Mend.GRANT: "GRANT {right} TO the role at database.roles.coordinator, on the active database",
    Mend.HOLD_ENDS: "its hold ends 15 s after its last sign of life: plan again then",
    Mend.IT_IS_THERE: "{database} is there: `tuiha plan switchover`, or mend the network, or stop it and plan again",
    Mend.IT_SENDS: "{active} is there and sends: `tuiha plan switchover`",
    Mend.JOURNAL_ROOM: "make room in {folder}, or name another folder by $TUIHA_STATE",
    Mend.KEEP_OUT: "a log-in with the mail password creates {user} again; to keep {user} out: disable-user",
    Mend.LATER: "changes of these users come that much later",
    Mend.LEASE_SETTING:
        "servers run with a longer lease.seconds: write theirs into this configuration, then plan again",
    Mend.LOOK_AT_DATA:
        "look at its data folder on its host: `pg_controldata` names the system; have its agent know `identity` "
        "(docs/operations.md, Agents)",
    Mend.LOOK_AT_DISK: "{follower}'s agent does not tell (action space): look by hand",
    Mend.LOOK_AT_LOG: "look at its log",
    Mend.LOOK_AT_PATRONI: "look at Patroni on {node}, and at its store",
    Mend.LOOK_AT_SERVERS: "look at the servers",
    Mend.LOOK_AT_STATUS: "look at `tuiha status` first",
    Mend.MANAGER_DOES_IT: "{manager} sees to it by itself: `patronictl list` shows how far it is",
    Mend.NETWORK_TO_SERVERS:
        "mend the network between the servers and {database}; if that cannot be, stop {database} and plan a "
        "failover",
    Mend.NOTHING_TO_GIVE_UP: "{partner} is there: nothing has to be given up",
    Mend.NO_PART: "it does not take part",
    Mend.OPEN_THE_WAY: "open the way from {server} to {partner}; the pool would be without it",
    Mend.OPEN_WAYS: "open the way from the servers to {partner}",
    Mend.PLAN_IN_A_MOMENT: "its last sign of life is {seconds:.0f} s old: plan again in a moment",
    Mend.PROTECT: "`tuiha plan protect`",
    Mend.PROTECT_FIRST: "promoting it loses acknowledged writes; `tuiha plan protect` first, when that is possible",
    Mend.REJOIN: "`tuiha plan rejoin {database}`",
    Mend.REJOIN_STRAY: "`tuiha plan rejoin {databases}` makes it the secondary",
    Mend.REMOVE_FROM_CONFIGURATION:
        "remove {server} from the configuration of every host, or it is shown as DOWN there",
    Mend.REMOVE_FROM_SPRAYERS: "remove `server {server}` from the sprayers' configuration as well",
    Mend.RESTART_FOR_SETTINGS: "`patronictl restart`: settings wait for it",
    Mend.RESUME_OR_UNDO: "`tuiha resume {operation}` goes on from it, `tuiha undo {operation}` takes it back",
    Mend.RESUME_PATRONI: "`patronictl resume`: while it is paused, Patroni starts and rejoins nothing by itself",
    Mend.RESUME_THERE:
        "on {host}: tuiha resume {operation}. If that host is gone for good, or no process of it reaches the pool, "
        "override this",
    Mend.RETURN_ONE: "return one to service first: without it nobody's mail would be monitored",
    Mend.ROOM_FOR_COPY: "make room on {follower}: when it cannot be rewound, it is copied beside what it has",
    Mend.SAME_VERSION: "no streaming between major versions",
    Mend.SETTINGS: "make them as large, and restart it",
    Mend.SHARE_IS_KEPT: "they take nobody; each one's share is what it has, until it has room again",
    Mend.SLOTS: "drop unused slots; make the functions of config/postgresql.md, step 3",
    Mend.SMALLER_TRIGGER: "nothing to do; a smaller trigger (--option trigger=0.05) moves users all the same",
    Mend.START: "start it",
    Mend.START_A_SERVER: "start a pool server",
    Mend.START_FIRST: "start {database} first",
    Mend.START_FIRST_SERVER: "start it first",
    Mend.START_FOR_COORDINATOR: "start it, or look why; database.roles.coordinator must be able to log in",
    Mend.START_MAIL_FIRST: "start it first: without it the servers would leave it again",
    Mend.START_OR_BACK: "start {partner}, or `--option way=back`",
    Mend.START_OR_DRAIN: "start it; `tuiha plan drain {server}` takes it out",
    Mend.START_OR_LOOK: "start it, or look why",
    Mend.START_PATRONI: "start Patroni on {partner}: it may be all that is needed",
    Mend.START_SERVER_FIRST: "start a server first",
    Mend.STAYS_PINNED: "it was pinned to {source}; it stays pinned where it goes",
    Mend.STEER_BY_HAND: "steer it by hand, and see its manual",
    Mend.STOPPED_FIRST: "it is stopped first; what it has that the active one lacks is lost",
    Mend.STOP_THOSE_SERVERS: "stop those servers; started again, each one asks the ledger",
    Mend.SYNCHRONOUS_MODE: "`patronictl edit-config`: synchronous_mode: true; without it a failover loses writes",
    Mend.TAKES_THE_POOL:
        "{kind} takes the pool from it, and {other} stops where it is; afterwards `tuiha resume {operation}` "
        "finishes it, or `tuiha undo {operation}` takes it back",
    Mend.UNLOGGED: "their rows are not on the secondary: they would be empty",
    Mend.UPDATE_FIRST: "update {servers:names} first: an older version ignores the order",
    Mend.USERS_MAY_STAY:
        "its users may stay on {mail}, and be without mail, until {server} answers again, or is gone and others "
        "take them over",
    Mend.USERS_STAY: "their users stay where they are",
    Mend.WAIT_FOR_LEASES:
        "if {database} is gone, the leases end in seconds: plan again; else mend the way from here to {database}",
    Mend.WAIT_FOR_PATRONI: "wait until Patroni counts on {partner}: `patronictl list`",
    Mend.WAIT_FOR_PATRONI_TO_COUNT: "wait until Patroni counts on it: `patronictl list`",
    Mend.WAIT_FOR_REPLAY: "wait until the secondary has replayed; else the ledger or the database was changed by hand",
    Mend.WAIT_FOR_TAKEOVER: "wait until the others have taken them over",
    Mend.WAIT_OR_CANCEL: "wait for it (`tuiha operations {operation}`), or `tuiha cancel {operation}`",
    Mend.WAIT_OR_MOVE: _wait_or_move,
    Mend.WAIT_TO_CATCH_UP: "wait until it has caught up",
    Mend.WITHOUT_DATABASE: "it stays without a database until it does; {partner} waits for its lease to end",
    Mend.WITHOUT_SERVER:
        "go on without {server}: tuiha plan failover-mail {mail} --option without={server}; its users may be "
        "without mail until it answers again, or is gone and others take them over",
    Mend.WRITE_AGENT: "write database.nodes[].agent into the configuration",
    Mend.WRITE_AGENT_OF: "write database.nodes[].agent of {database} into the configuration",
}
