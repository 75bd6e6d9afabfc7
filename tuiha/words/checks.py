"""What checks of plans found and want, and what to do, as sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tuiha.model.operations.judgements import Found, Mend, Wanted
from tuiha.model.words import count, names
from tuiha.words.remedies import OPERATORS_SOCKET
from tuiha.words.templates import Template, clock, told


def _behind(bytes: int | None, seconds: float | None) -> str:
    if bytes is None:
        return "unknown"
    return f"{bytes:,} bytes" + ("" if seconds is None else f", {seconds:.1f} s")


def _receives(receiving: bool, silence: float | None) -> str:
    if receiving:
        return "receives"
    return "receives nothing" if silence is None else f"received nothing for {silence:.1f} s"


def _runner(process: int | None, alive: bool) -> str:
    if process:
        return f"runs, process {process}"
    return "runs" if alive else "no process on this host"


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
    return "; ".join(filter(None, parts)) or "they became free a moment ago: plan again"


def _synchronous(partner: str, known: bool, gaps: Sequence[str], receiving: bool, why: str) -> str:
    waits = (why or f"{partner} sync") if known else "not known"
    return waits if receiving else f"{waits}; {partner} receives nothing"


def _writable(databases: Sequence[str], astray: Sequence[str]) -> str:
    return "; ".join([f"{' and '.join(databases) or 'none'} accepts writes", *astray])


def _wait_or_move(last: float | None) -> str:
    again = "" if last is None else f"plan again after {clock(last)}; "
    return f"{again}`tuiha plan move USER SERVER` moves one anyway"


FOUND: Mapping[Found, Template] = {
    Found.ACKNOWLEDGED: "{why}",
    Found.AGREE: "this host and the servers agree",
    Found.ALL_RIGHTS: "all rights that it needs",
    Found.ANOTHER_HOST: "another host, which does not answer",
    Found.ANSWERS: "answers",
    Found.ASTRAY: "{server} has a lease on {database}",
    Found.BALANCE: "largest distance from a share: {off:.0%}; {forced:user} on servers that leave",
    Found.BEHIND: _behind,
    Found.BOTH: "both",
    Found.BY_PARTNER: "by its partner only",
    Found.CHECKPOINT: "{seconds:.0f} s ago",
    Found.CONFIGURED: lambda configured: "in the configuration" if configured else "not in the configuration",
    Found.DISPUTED_BY_HOST: "DISPUTED: this host reaches {database}, but {servers} cannot use it",
    Found.DISPUTED_BY_SERVERS: "DISPUTED: this host cannot reach {database}, but {leased} had leases on it just now",
    Found.ENABLED: lambda enabled: "enabled" if enabled else "disabled",
    Found.EPOCH: "{active} in epoch {epoch}, {state}",
    Found.FOLLOWERS: "{rows:|no secondary}",
    Found.FOREIGN: "FOREIGN: {systems:|no database}",
    Found.FREE: "{bytes:size} free",
    Found.FREE_MB: "{mb:,} MB free",
    Found.FREE_SLOTS: "{slots} free",
    Found.HAS_PASSWORD: "still has {user}'s password",
    Found.HOLDER: lambda holder: f"{holder} has it" if holder else "no process has it",
    Found.HOLES: "{standby}, but {why}",
    Found.IN_SPRAYERS: lambda sprayers: names(sprayers) or "no sprayer has it",
    Found.IS_ON: lambda on: "on" if on else "off",
    Found.JOURNAL_WHOLE: "is on this host, and complete",
    Found.LACKS: "lacks {lacks:;}",
    Found.LEADER: "leader {leader:|none}",
    Found.LEASES_LEFT: "up to {seconds:.1f} s left",
    Found.LEVEL: "its socket has level {level}",
    Found.LOG_INS: "{users:log-in} in about {seconds:g} s",
    Found.MOVES: "{moves:,}",
    Found.NAMES: "{names:|none}",
    Found.NAMES_OF: lambda servers: names(servers) or "none",
    Found.NONE: "none",
    Found.NOT_ASKED: "not checked",
    Found.NOT_PROMOTED: "not promoted",
    Found.NOT_TO_COORDINATOR: "{role}, coordinator: {why}",
    Found.NOT_WAITED_FOR: "the operation does not wait for it",
    Found.NO_AGENT: "none for {databases}",
    Found.NO_ANSWER: "no answer",
    Found.NO_DATABASE: "no database",
    Found.NO_HEARTBEAT: "{why}, no heartbeat",
    Found.ONE: "one",
    Found.ONLY_LOOKS: "its driver can only read",
    Found.OTHER_TAKERS: "{takers:other server} take users",
    Found.OVER_SHARE: "{over:,.1f} users over its share stay: {why}",
    Found.PART: "{part}",
    Found.PAUSED: lambda paused: "paused" if paused else "not paused",
    Found.PERHAPS_PROMOTED: "{partner}, which may have been asked to promote itself",
    Found.PINNED: lambda pinned: "pinned" if pinned else "not pinned",
    Found.POOL: "{verdict}, active {active:|unknown}",
    Found.PROMOTED: "promoted",
    Found.REACHES: lambda partner, why: f"{partner}: {why or 'can be reached'}",
    Found.RECEIVES: _receives,
    Found.REPLAYS: "running",
    Found.RETURNS: lambda returns: "can return as a new user" if returns else "stays deleted",
    Found.ROOM_WITHOUT: "room for {capacity:,} users without {servers:names}",
    Found.RUNNER: _runner,
    Found.SEEN_BY: "DISPUTED: {who} reaches it",
    Found.SEEN_BY_NOBODY: "no server reaches it ({asked})",
    Found.SERVER: _server,
    Found.SIGNS_OF_LIFE: "its process is alive",
    Found.SILENT: "{servers:|all answer}",
    Found.SMALLER: "{settings:|all as large}",
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
    Wanted.ALL_ANSWER: "all living servers answer",
    Wanted.ALL_LET_GO: "no server uses it any more",
    Wanted.ALL_RIGHTS: "all that config/postgresql.md grants the coordinator",
    Wanted.ALL_SPRAYERS: "all answer",
    Wanted.AN_AGENT_EACH: "one for each database",
    Wanted.AT_LEAST_ONE: "at least 1",
    Wanted.AT_MOST_BYTES: "at most {bytes:,} bytes",
    Wanted.A_DATABASE: "a database",
    Wanted.A_SLOT: "one is free, and the coordinator may create it",
    Wanted.A_TAKER: "at least one server takes users",
    Wanted.A_TELLER: "a server that answers and has a lease",
    Wanted.BY_PARTNER: "by {partner} only",
    Wanted.CAN_FOLLOW: "it can follow {leader}",
    Wanted.CAN_REFUSE: "every server can refuse users and devices",
    Wanted.CHECKPOINT: "at most {seconds:.0f} s",
    Wanted.COPY_OF_UNKNOWN_SIZE: "room for a fresh copy, of unknown size",
    Wanted.ENOUGH_MAY_MOVE: "enough users may move",
    Wanted.EPOCH: "{active} in epoch {epoch}, ACTIVE",
    Wanted.GONE: "is down",
    Wanted.IN_STEP: "{partner} in step, and receiving",
    Wanted.IS_GONE: "is down",
    Wanted.JOURNAL_GONE: "lost or damaged",
    Wanted.JOURNAL_ROOM: "{mb} MB for the journal in {folder}",
    Wanted.LEADER: "leader {leader}",
    Wanted.LEASES_LEFT: "at most {seconds:g} s",
    Wanted.LEASE_AND_WAY: "a lease on {active}, reaches {partner}",
    Wanted.LEVEL_ADMIN: "level admin",
    Wanted.LIVES_AND_TAKES: "is alive, and takes users",
    Wanted.LOG_INS: "30 s",
    Wanted.MAIL_PARTNER: "another server of the cluster, in service and answering",
    Wanted.MOVES: "at least {moves:,} for the same result",
    Wanted.NOT_OVERLOADED: "not overloaded",
    Wanted.NO_OPERATION: "no other operation",
    Wanted.NO_PASSWORD: "has no password",
    Wanted.NO_SWITCHOVER: "no scheduled switchover",
    Wanted.ONE_REACHES: "at least one reaches {partner}",
    Wanted.ONE_SERVER: "at least 1",
    Wanted.ONLY: "only {active}",
    Wanted.POOL: "one active database that accepts writes; neither SPLIT nor DISPUTED",
    Wanted.PRIMARY_OR_AGENT: "answers as the primary, or has an agent",
    Wanted.REACHES: "reaches {partner}",
    Wanted.RECEIVES_NOTHING: "receives nothing",
    Wanted.ROOM_FOR: "{users:,} users",
    Wanted.ROOM_FOR_COPY: "at least {bytes:size} for a fresh copy",
    Wanted.SAME_VERSION: "the same major version",
    Wanted.SEEN_BY_NOBODY: "no server reaches it",
    Wanted.SETTINGS: "not smaller than {active}'s",
    Wanted.STEERABLE: "can take servers out and put them back",
    Wanted.STOPPED_OR_SECONDARY: "stopped, or a secondary",
    Wanted.SYNCHRONOUS: "{partner} sync, and receiving",
    Wanted.TRIGGER: "over {trigger:.0%}",
}


MENDS: Mapping[Mend, Template] = {
    Mend.ADD_A_SERVER: "add a server first, or raise `capacity`",
    Mend.BACK: "{partner} lacks writes: plan with `--option way=back`",
    Mend.BRING_BACK_OR_OVERRIDE:
        "start it and plan again. If it is lost for good, or you stopped it, override this check: {partner} must "
        "never run as a second primary",
    Mend.CANCEL_OR_WAIT: "wait for it, or `tuiha cancel {operation}`",
    Mend.CANCEL_THERE: "on {host}: `tuiha cancel {operation}`",
    Mend.CHANGE_PASSWORD: "the device can register again with it: change the password at the mail server",
    Mend.CHECKPOINT: "a checkpoint is made first; the stop may still take longer",
    Mend.CHOOSE_ANOTHER: "choose another server",
    Mend.DEGRADE_AND_REJOIN: "`tuiha plan degrade`, then `tuiha plan rejoin {databases}` makes it the secondary",
    Mend.DEGRADE_FIRST: "{active} still waits for {partner}: `tuiha plan degrade` first",
    Mend.DRAINED_BY_ITSELF: "a server that is down needs no drain: the others take its users over",
    Mend.DRAIN_IT: "it is alive: `tuiha plan drain {server}`, then stop it; it leaves the pool then",
    Mend.ENABLE: "`tuiha plan enable SERVER`",
    Mend.ENABLE_ANOTHER: "enable another server first: otherwise nobody is served",
    Mend.ENABLE_OR_START: "enable a server, or start one",
    Mend.ENABLE_SERVER: "`tuiha plan enable {server}`",
    Mend.ENABLE_USER: "its devices stay refused: `tuiha plan enable-user {user}`",
    Mend.END_THE_OPERATION: "an operation has not ended: `tuiha operations` shows it, `tuiha resume ID` finishes it",
    Mend.FINISH: "`--option way=finish`",
    Mend.FLUSH_SWITCHOVER: "`patronictl flush CLUSTER switchover`",
    Mend.GO_ON_WITHOUT:
        "start it, or continue without it: a server that takes no users answers 503 to its health check",
    Mend.GRANT: "on the active database, GRANT {right} to the role at `database.roles.coordinator`",
    Mend.HOLD_ENDS: "its claim ends 15 s after its last sign of life: plan again then",
    Mend.IT_IS_THERE: "{database} works: plan a switchover, repair the network, or stop {database} and plan again",
    Mend.IT_SENDS: "{active} works and sends changes: `tuiha plan switchover`",
    Mend.JOURNAL_ROOM: "free some space in {folder}, or name another folder in $TUIHA_STATE",
    Mend.KEEP_OUT: "a log-in with the mail password creates {user} again; to keep {user} out, disable the user instead",
    Mend.LATER: "changes of these users arrive that much later",
    Mend.LEASE_SETTING:
        "servers use a longer lease.seconds: write the same into this configuration, then plan again",
    Mend.LOOK_AT_DATA:
        "check its data folder on its host: `pg_controldata` names the system. Update its agent, which must support "
        "`identity` (docs/operations.md, Agents)",
    Mend.LOOK_AT_DISK: "the agent of {follower} does not report the free space: check it on its host",
    Mend.LOOK_AT_LOG: "read its log",
    Mend.LOOK_AT_PATRONI: "check Patroni on {node}, and its store",
    Mend.LOOK_AT_SERVERS: "check the servers: `tuiha check`",
    Mend.LOOK_AT_STATUS: "solve the problems of `tuiha status` first",
    Mend.MANAGER_DOES_IT: "{manager} does it automatically: `patronictl list` shows the progress",
    Mend.NETWORK_TO_SERVERS:
        "repair the network between the servers and {database}. If that is impossible, stop {database} and plan a "
        "failover",
    Mend.NOTHING_TO_GIVE_UP: "{partner} works: there is no need to serve without it",
    Mend.NO_PART: "it is left out of the operation",
    Mend.OPEN_THE_WAY: "{server} cannot connect to {partner}. Repair the network first, or the pool loses {server}",
    Mend.OPEN_WAYS: "repair the network between the servers and {partner}",
    Mend.PLAN_IN_A_MOMENT: "its last sign of life is {seconds:.0f} s old: plan again in a moment",
    Mend.PROTECT: "`tuiha plan protect`",
    Mend.PROTECT_FIRST: "its promotion loses acknowledged writes: `tuiha plan protect` first, if that is possible",
    Mend.REJOIN: "`tuiha plan rejoin {database}`",
    Mend.REJOIN_STRAY: "`tuiha plan rejoin {databases}` makes it the secondary",
    Mend.REMOVE_FROM_CONFIGURATION:
        "remove {server} from the configuration of every host: otherwise it is shown as DOWN there",
    Mend.REMOVE_FROM_SPRAYERS: "remove `server {server}` from the sprayers' configuration as well",
    Mend.RESTART_FOR_SETTINGS: "`patronictl restart`: settings wait for it",
    Mend.RESUME_OR_UNDO: "`tuiha resume {operation}` continues it, `tuiha undo {operation}` undoes it",
    Mend.RESUME_PATRONI: "`patronictl resume`: while Patroni is paused, it starts and rejoins nothing",
    Mend.RESUME_THERE:
        "on {host}: `tuiha resume {operation}`. If that host is lost for good, or cut off from the pool, override "
        "this check",
    Mend.RETURN_ONE: "return one to service first: otherwise no user's mail is monitored",
    Mend.ROOM_FOR_COPY: "free some space on {follower}: if it cannot be rewound, a copy is made beside its data",
    Mend.SAME_VERSION: "databases of different major versions cannot replicate",
    Mend.SETTINGS: "set them as large as on the other database, and restart it",
    Mend.SHARE_IS_KEPT: "these servers take no users; each keeps what it has until it has room again",
    Mend.SLOTS: "drop unused slots, or create the functions of config/postgresql.md, step 3",
    Mend.SMALLER_TRIGGER: "no rebalance is needed; a smaller trigger (`--option trigger=0.05`) moves users anyway",
    Mend.SOCKET_OF_LEVEL_ADMIN: OPERATORS_SOCKET,
    Mend.START: "start it",
    Mend.START_A_SERVER: "start a pool server",
    Mend.START_FIRST: "start {database} first",
    Mend.START_FIRST_SERVER: "start it first",
    Mend.START_FOR_COORDINATOR: "start it, or read its log; `database.roles.coordinator` must be able to log in",
    Mend.START_MAIL_FIRST: "start it first: otherwise the servers leave it again",
    Mend.START_OR_BACK: "start {partner}, or plan with `--option way=back`",
    Mend.START_OR_DRAIN: "start it, or take it out: `tuiha plan drain {server}`",
    Mend.START_OR_LOOK: "start it, or read its log",
    Mend.START_PATRONI: "start Patroni on {partner}: that may be enough",
    Mend.START_SERVER_FIRST: "start a server first",
    Mend.STAYS_PINNED: "the user was pinned to {source}, and stays pinned to the new server",
    Mend.STEER_BY_HAND: "take servers out by hand: see the sprayer's manual",
    Mend.STOPPED_FIRST: "it is stopped first; changes that only it has are lost",
    Mend.STOP_THOSE_SERVERS: "restart those servers: each one then reads the ledger",
    Mend.SYNCHRONOUS_MODE:
        "`patronictl edit-config`, then `synchronous_mode: true`: without it a failover loses writes",
    Mend.TAKES_THE_POOL:
        "{kind} replaces it, and {other} stops where it is. Afterwards `tuiha resume {operation}` finishes it, or "
        "`tuiha undo {operation}` undoes it",
    Mend.UNLOGGED: "their rows are not on the secondary: these tables would be empty",
    Mend.UPDATE_FIRST: "update {servers:names} first: older versions ignore the order",
    Mend.USERS_MAY_STAY:
        "its users may stay on {mail} without new mail until {server} answers, or other servers take them over",
    Mend.USERS_STAY: "their users stay where they are",
    Mend.WAIT_FOR_LEASES:
        "if {database} is down, the leases end in seconds: plan again. Otherwise repair the network from here to "
        "{database}",
    Mend.WAIT_FOR_PATRONI: "wait until Patroni lists {partner} as synchronous: `patronictl list`",
    Mend.WAIT_FOR_PATRONI_TO_COUNT: "wait until Patroni lists it as synchronous: `patronictl list`",
    Mend.WAIT_FOR_REPLAY:
        "wait until the secondary has replayed. Otherwise a person changed the ledger or the database",
    Mend.WAIT_FOR_TAKEOVER: "wait until other servers have taken them over",
    Mend.WAIT_OR_CANCEL: "wait for it (`tuiha operations {operation}`), or `tuiha cancel {operation}`",
    Mend.WAIT_OR_MOVE: _wait_or_move,
    Mend.WAIT_TO_CATCH_UP: "wait until it has caught up",
    Mend.WITHOUT_DATABASE: "it has no database until then; {partner} waits for its lease to end",
    Mend.WITHOUT_SERVER:
        "continue without {server}: `tuiha plan failover-mail {mail} --option without={server}`. Its users may get no "
        "new mail until it answers, or other servers take them over",
    Mend.WRITE_AGENT: "name its agent at `database.nodes[].agent` in the configuration",
    Mend.WRITE_AGENT_OF: "name the agent of {database} at `database.nodes[].agent` in the configuration",
}
