"""Steps of operations, how far they are, and what was read back, as sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tuiha.model.operations.evidence import Back, Doing, Done, Fault, StepId
from tuiha.model.words import count, names
from tuiha.words.templates import Template, at_moment, told


def _agree(users: Mapping[str, int], gone: Sequence[str]) -> str:
    return "; ".join([", ".join(f"{server} {number:,}" for server, number in users.items()), *gone])


def _attached(servers: int, new: str, requests: int, served_at: float, later: Mapping[str, str]) -> str:
    found = f"{servers} servers on {new} with leases, {requests} requests waited; served {at_moment(served_at)}"
    return f"{found}. Later: {told(later)}" if later else found


def _backends(servers: Mapping[str, str]) -> str:
    return ", ".join(f"{server} {state}" for server, state in servers.items()) or "none of them"


def _cut_off(new: str, renewed_at: float | None) -> str:
    found = f"primary_conninfo is empty, no receiver; synchronous_standby_names of {new} is empty"
    return found if renewed_at is None else f"{found}; last lease renewed {at_moment(renewed_at)}"


def _fenced(epoch: int, sessions: int, left: bool | None) -> str:
    found = f"epoch {epoch} is FENCED, {sessions} sessions asked to end"
    return found if left is None else f"{found}, {'some' if left else 'none'} left"


def _fenced_and_answers(database: str, ran: bool) -> str:
    return (f"{_before(database, ran)}its agent reports {database} as fenced, but it still answers: its leases expire")


def _fenced_by_agent(database: str, ran: bool) -> str:
    return f"{_before(database, ran)}{database} is fenced by its agent, and does not answer any more"


def _before(database: str, ran: bool) -> str:
    return "" if ran else f"{database} was not running before; "


def _moved(moved: int, already: int, elsewhere: int, left: int, cancelled: bool) -> str:
    why = "cancelled" if cancelled else "their target does not answer"
    return ", ".join(filter(None, [
        f"{count(moved, 'user')} moved",
        f"{count(already, 'user')} already there" if already else "",
        f"{elsewhere:,} moved elsewhere meanwhile" if elsewhere else "",
        f"{left:,} stay where they are: {why}" if left else "",
    ]))


def _nobody_served(new: str, missing: Mapping[str, str]) -> str:
    return (f"no server answers, so nobody is served. Each follows the ledger to {new} as soon as it can reach it: "
            f"{told(missing) or 'there is no server'}")


def _protected(partner: str, standby: str, data: str | None) -> str:
    return f"{partner} replicates synchronously, ledger {standby}: protected" + (f"; {data}" if data else "")


def _replayed_all(new: str, torn: bool) -> str:
    end = ", except for an incomplete last record" if torn else ""
    return f"{new} has replayed everything it received{end}"


def _returned(server: str, came: int, users: int, unserved: int, troubled: int) -> str:
    return "; ".join(filter(None, [
        f"{came} of its {count(users, 'user')} are monitored through {server}",
        f"{unserved} more wait for a server" if unserved else "",
        f"{troubled} more are without mail: `tuiha users --without-mail`" if troubled else "",
    ]))


def _rows_of_silent(server: str, rows: int, gone: bool) -> str:
    how = "it does not answer, and its lease has ended" if gone else "it has a lease, but does not answer"
    return f"{server}: {rows} users in the database; {how}"


def _seen(servers: Sequence[str], number: int, polls: int | None) -> str:
    quiet = "" if polls is None else f", {count(polls, 'poll')} of the user"
    return f"seen by {names(servers)}, announcement {number}{quiet}"


def _spread(told: Sequence[str], kept: Sequence[str]) -> str:
    first, *again = told
    return "; ".join([first, *(f"then planned again: {one}" for one in again), *kept])


def _through(server: str, users: int, sure: int, by: Mapping[str, int], gone: Sequence[str], others: Mapping[str, int],
             without: Sequence[str]) -> str:
    where = "; ".join(f"{number} at {name}" + (", which is down" if name in gone else "")
                      for name, number in sorted(by.items()))
    through = ", ".join(f"{name} {count(number, 'user')}" for name, number in sorted(others.items())) or "no users"
    skipped = f"; without waiting for {names(without)}" if without else ""
    return f"{server} {users} users ({sure} reported by servers{f'; {where}' if where else ''}), {through}{skipped}"


def _verified(new: str, sessions: Mapping[str, int], old: str, silent: Mapping[str, str]) -> str:
    each = ", ".join(f"{server} {number}" for server, number in sessions.items()) or "no server answers"
    found = f"on {new}, reported by the servers and its sessions: {each}; {old}"
    return f"{found}; silent: {told(silent)}" if silent else found


def _released(servers: int, seconds: float, later: Mapping[str, str]) -> str:
    found = f"{servers} servers released"
    return f"{found}; automatically within {seconds:g} s: {told(later)}" if later else found


def _sent_back(servers: int, old: str, failed: Mapping[str, str]) -> str:
    return f"{servers} servers ordered to use {old}" + (f"; {told(failed)}" if failed else "")


def _moving(done: int, users: int, rate: float | None) -> str:
    slowed = "" if rate is None else f", slowed down to {rate:g} users a second"
    return f"{done:,} of {users:,} users{slowed}"


def _being_seen(servers: int, missing: Sequence[str]) -> str:
    return f"{servers} servers have read it" + (f"; not yet {names(missing)}" if missing else "")


def _keeps_target(server: str, target: str, failures: Mapping[str, str]) -> str:
    return f"{server} keeps the target {target}: {told(failures) or 'no server answers'}"


def _refused_by_patroni(why: str, old: str, failed: Mapping[str, str]) -> str:
    held = f"; not released: {told(failed)}" if failed else ""
    return f"Patroni refuses: {why}. {old} leads as before, and the servers continue{held}"


STEPS: Mapping[StepId, Template] = {
    StepId.ACCEPT_DEVICE: "every server accepts this device of {user} again",
    StepId.ACCEPT_USER: "every server accepts the user again",
    StepId.ACKNOWLEDGE_GUARD: "note in the ledger that an operator has seen {acts:act} of guards",
    StepId.ANNOUNCE: "record the phase in the ledger",
    StepId.ASK_FAILOVER: "ask Patroni to promote {new}",
    StepId.ASK_SWITCHOVER: "ask Patroni to stop {old} and promote {new}",
    StepId.ATTACH: "servers connect to {new}, verify it, take leases",
    StepId.BEGIN_EPOCH: "start the next epoch on {new}; write and read a row",
    StepId.CATCH_UP: "{new} replays to that position",
    StepId.CLOSE: "close {operation}: no role is half changed",
    StepId.CUT: "cut {new} off from {old}",
    StepId.DELETE: "delete {devices:device} and {changes:change}",
    StepId.FENCE: "fence {old}: end its leases and sessions",
    StepId.FENCE_IF_REACHED: "fence {old}, if it can be reached",
    StepId.FORGET_SERVER: "remove it from the pool",
    StepId.GIVE_NO_NEW: "give {servers:names} no new users",
    StepId.GIVE_UP: "ledger STALE, then commits on {old} do not wait",
    StepId.GIVE_USERS: "give {servers:names} users",
    StepId.HAND_OVER: "hand over {users:user}",
    StepId.HOLD: "hold requests, wait for those in progress",
    StepId.IN_SERVICE: "put it in service, for the whole pool",
    StepId.LET_GO: "servers release {old}, or their leases expire",
    StepId.MONITOR_THROUGH: "monitor {users:user} through {servers:names}",
    StepId.OUT_OF_SERVICE: "take it out of service, for the whole pool",
    StepId.PATRONI_AGREES: "Patroni confirms: {old} leads, {new} is in step",
    StepId.PATRONI_REJOINS: "Patroni makes {old} the secondary of {new}",
    StepId.PATRONI_REJOINS_IF_THERE: "Patroni makes {old} the secondary of {new}, if it can",
    StepId.PAUSE_GUARD: "note in the ledger that no guard acts for {minutes:g} minutes",
    StepId.PREPARE: "checkpoint on {old}, settings and log-ins on {new}",
    StepId.PROMOTE: "promote {new}",
    StepId.PROTECT: "commits on {new} wait for {old} again; ledger SYNC",
    StepId.PROTECT_IF_FOLLOWS: "commits on {new} wait for {old}, if it follows",
    StepId.RECORD: "record {new} as active in the ledger, unprotected",
    StepId.REFUSE_DEVICE: "every server refuses this device of {user}",
    StepId.REFUSE_USER: "every server refuses the user and stops monitoring",
    StepId.REINITIALIZE: "ask Patroni to copy {new} from {old} again",
    StepId.REJOIN: "{old} becomes the secondary of {new}",
    StepId.REJOIN_IF_THERE: "{old} becomes the secondary of {new}, if it answers",
    StepId.REPLAY: "{new} replays everything it received",
    StepId.RESET_CONNECTION: "allow {new} to replicate again",
    StepId.RESUME_GUARD: "note in the ledger that guards act again",
    StepId.RETURN: "about {users:user} return",
    StepId.SEEN: "every server has read the order",
    StepId.SEEN_AND_QUIET: "every server has read the order, no request waits",
    StepId.STOP: "stop {old}, read its last position",
    StepId.TAKE_BACK: "undoing: {step}",
    StepId.TAKE_MANY: "take {users:user}",
    StepId.TAKE_NOBODY: "take no more users",
    StepId.TAKE_USER: "take {user} from {source}",
    StepId.TAKE_USERS: "take users",
    StepId.VERIFY: "verify: every server on {new}, none on {old}",
    StepId.VERIFY_EMPTY: "verify that no user is left",
    StepId.VERIFY_MONITORS: "verify that each server monitors the right users",
    StepId.WAIT_UNTIL_QUIET: "wait until no device is connected to {servers:names}",
}


DONE: Mapping[Done, Template] = {
    Done.AGREE: _agree,
    Done.AGREED: "{old} leads on timeline {timeline}, {new}: {said}; started {begun_at:at}",
    Done.AGREED_ON_USERS: "users, in the database and reported by the servers: {users}",
    Done.ALLOWED: "{device}: allowed",
    Done.ALL_LET_GO: "{servers} servers confirm that they released {old}; no other lease of epoch {epoch} can exist",
    Done.ANNOUNCED: "phase {phase}, {active} in epoch {epoch}, {standby}; started {begun_at:at}",
    Done.ATTACHED: _attached,
    Done.BACKEND: "{state}, {sessions} sessions",
    Done.BACKENDS: _backends,
    Done.BY_ROW: "{what}, according to the database",
    Done.CAUGHT_UP: "replayed to {position:lsn}",
    Done.CONNECTION_RESET: lambda set: "primary_conninfo is set again" if set else "primary_conninfo is reset",
    Done.CUT_OFF: _cut_off,
    Done.DATA_REMOVED: "{folders} replaced data folders removed",
    Done.DATA_STAYS: "replaced data folders remain: {why:|not removed in time}",
    Done.DISABLED: "{user}: disabled",
    Done.EACH: "{said:;}",
    Done.ENABLED: "{user}: enabled",
    Done.EPOCH_BEGUN: "epoch {epoch} is ACTIVE on {database}, timeline {timeline}, row written and read",
    Done.FENCED: _fenced,
    Done.FENCED_AND_ANSWERS: _fenced_and_answers,
    Done.FENCED_BY_AGENT: _fenced_by_agent,
    Done.FOLLOWS: "{how}; slot {slot} on {leader}, none left on {follower}",
    Done.FOLLOWS_ALREADY: "{follower} already follows",
    Done.FORGOTTEN: "{user} is removed, {changes:change} deleted",
    Done.FRESH_COPY: "a fresh copy",
    Done.GIVEN_UP: "{given_up}; no commit waits",
    Done.GUARD_ACKNOWLEDGED: "the ledger notes it, {at:clock}",
    Done.GUARD_PAUSED: "no guard acts until {until:clock}",
    Done.GUARD_RESUMED: "guards act again",
    Done.HELD: "{servers} servers hold, no request in progress; held {held_at:at}",
    Done.IN_STEP: "{database} streams from {leader}, and Patroni lists it as synchronous: protected",
    Done.JOURNAL_CLOSED: "the journal of operation {operation} records it",
    Done.JOURNAL_NOT_WRITTEN: "the journal of operation {operation} cannot be written: {why}",
    Done.KEEPS: "{server} keeps {over:,.1f} users over its share: {why}",
    Done.LEADS: "{new} leads on timeline {timeline} according to Patroni, {led_at:at}",
    Done.LEADS_ALREADY: "{new} already leads on timeline {timeline}",
    Done.LEASES_ENDED:
        "{servers} servers confirm that they released {old}; the lease of {missing} expired {seconds:g} s after the "
        "cut",
    Done.LEDGER_STANDBY: "ledger {standby}, then synchronous_standby_names of {active} emptied",
    Done.LEFT_FOR_REJOIN: "left for `tuiha plan rejoin {old}`: {why}",
    Done.LEFT_TO_PATRONI: "left to Patroni, which does not answer on {database} ({why})",
    Done.MOVED: _moved,
    Done.NOBODY_LEADS: "Patroni has no leader, {new}: {said}; started {begun_at:at}",
    Done.NOBODY_SERVED: _nobody_served,
    Done.NOT_IN_POOL: "{server} is removed from the pool",
    Done.NOT_REACHED: "not reached ({why:|no answer}): its leases expire",
    Done.NO_REWIND: "no rewind was needed",
    Done.NO_ROW: "{server} has no row in the pool",
    Done.OLD_EMPTY: "{old} has no session of the pool",
    Done.OLD_SILENT: "{old} does not answer",
    Done.OLD_STOPPED: "{old} is stopped: no session",
    Done.OLD_VISITS: "{old}: short sessions without a lease of {servers}",
    Done.PREPARED:
        "checkpoint on {old}, synchronous_standby_names of {new} is empty; {ready} of {servers} servers logged in to "
        "{new}",
    Done.PROMOTED: "{new} is out of recovery",
    Done.PROMOTED_ALREADY: "{new} is already promoted",
    Done.PROTECTED: _protected,
    Done.READS_LATER: "it does not answer; it reads the order with its next heartbeat",
    Done.RECORDED: "{active} in epoch {epoch}, timeline {timeline}, {standby}",
    Done.RECORDED_ALREADY: "{active} in epoch {epoch}, timeline {timeline}, {standby} already",
    Done.REPLAYED_ALL: _replayed_all,
    Done.RETURNED: _returned,
    Done.REVOKED: "{device}: revoked",
    Done.REWOUND: "rewound",
    Done.ROWS: "{server}: {rows} users in the database, {said} reported by the server",
    Done.ROWS_OF_SILENT: _rows_of_silent,
    Done.RUNS_STILL: "operation {operation} is still running, and stops at its next step",
    Done.SAYS: "{state}, availability {availability}",
    Done.SEEN: _seen,
    Done.SERVER_GONE: "{server} is down: {users:,} users wait for another server",
    Done.SERVICE: lambda server, in_service: (
        f"{server}: {'in' if in_service else 'out of'} service, according to the database"),
    Done.SESSIONS_END: "{view}: these sessions end with their requests; health checks pause until `enable`",
    Done.SHARES_UNKNOWN: "it is not known which servers keep more than their share: {why}",
    Done.SPRAYERS: lambda sprayers: told(sprayers) or "no sprayer is configured",
    Done.SPREAD: _spread,
    Done.STAYS_FENCED: "{database} has no agent: it stays up, fenced; flushed to {position:lsn}",
    Done.STEADY: "{active} is active in epoch {epoch}, {standby}, phase {phase}",
    Done.STEADY_AND_CLOSED: "{steady}; {closed}",
    Done.STOPPED: "stopped, shutdown checkpoint at {position:lsn}, timeline {timeline}",
    Done.STREAMS: "{follower} streams from {leader}; {how}",
    Done.TARGET: "{server}: target {target} in the database, {said}",
    Done.THROUGH: _through,
    Done.UNPROTECTED: "not protected: {why}",
    Done.UNPROTECTED_NO_STREAM: "not protected: {secondary} does not follow; `tuiha plan rejoin {secondary}`",
    Done.VERIFIED: _verified,
}


BACK: Mapping[Back, Template] = {
    Back.ANSWERS_AS_PRIMARY: "{database} answers as the primary",
    Back.EPOCH: "epoch {epoch} of {active} is {state}",
    Back.GONE_FOR_GOOD: "it is deleted permanently",
    Back.GUARD_AS_BEFORE: "the note is what it was before",
    Back.JOINS_AGAIN: "nothing to undo: it joins again when it is started",
    Back.LEAVE_WITH_SERVICE: "its users leave with its service",
    Back.MOVED: "moved back: {how}",
    Back.NOTHING: "nothing to undo",
    Back.NOTHING_CHANGED: "nothing was changed",
    Back.NOTHING_UNDONE: "nothing to undo",
    Back.NOT_ASKED_TO_START: "{database} could not be started: {why}",
    Back.ORDERED: "{said}; {seen}",
    Back.PARTLY_MOVED: "moved back: {how}",
    Back.PHASE: "phase {phase}",
    Back.RECEIVES_AGAIN: "{new} may receive from {old} again: primary_conninfo is set",
    Back.RELEASED: _released,
    Back.RETURN_WITH_SERVICE: "its users return with its service",
    Back.SENT_BACK: _sent_back,
    Back.SPRAYERS_SILENT: "{view}",
    Back.STARTED: "{database} is started, and answers as the primary",
    Back.WAS_NOT_RUNNING: "{database} was not running",
    Back.WAS_SO: "unchanged: it was the same before",
}


DOING: Mapping[Doing, Template] = {
    Doing.COPYING: "copying",
    Doing.DELETING: "{deleted:,} of {changes:change} deleted",
    Doing.LEAVING: "{users} users left, waiting for {servers:names}",
    Doing.MOVING: _moving,
    Doing.NOT_SYNCHRONOUS: "{secondary} was not synchronous within {seconds:g} s: commits on {primary} do not wait",
    Doing.RETURNING: "{came} of {users} users",
    Doing.REWINDING: "rewinding",
    Doing.SAID_BY_PATRONI: "{database}: {said}",
    Doing.SEEN: _being_seen,
    Doing.SESSIONS: "{sessions} sessions left",
    Doing.STARTING: "starting it as it is",
    Doing.TRYING: "{follower}: {way}",
    Doing.WAITING_FOR_LEASES: "waiting {seconds:.1f} s for the lease of {servers}",
}


FAULTS: Mapping[Fault, Template] = {
    Fault.ANSWERS_FENCED: "{database} runs unprotected, and still answers although its agent fenced it",
    Fault.BREAKS_OFF: "{secondary} does not keep streaming from {primary}: commits would wait for it",
    Fault.CANNOT_BE_FENCED: "{database} runs unprotected and cannot be fenced: {why:|no answer}",
    Fault.CANNOT_FOLLOW: "{follower} cannot follow {leader}; its data is unchanged: {why}",
    Fault.COMMITS_WAIT: "{given_up}; commits still wait",
    Fault.CONNECTION_EMPTY: "primary_conninfo of {new} is reset, but empty: no other file sets it",
    Fault.DISAGREE: "{wrong:;}",
    Fault.DOES_NOT_FOLLOW: "{follower} does not follow {leader}: {why:;}",
    Fault.DOUBTED:
        "{new} may lack acknowledged writes: a server saw that commits did not wait for it. Plan again: the plan "
        "shows the possible loss",
    Fault.EPOCH_BEGUN: "epoch {epoch} has started",
    Fault.FOREIGN: "{database} is FOREIGN: system {found}, not {wanted}; it is not touched",
    Fault.FOREIGN_BY_AGENT: "{database} is FOREIGN: its agent has system {found}, not {wanted}; it is not touched",
    Fault.HOLDS_EPOCH: "{database} holds epoch {epoch} of {active}, {state}",
    Fault.HOLE: "{primary} would acknowledge commits without {secondary}: {why}. Next: {mend}",
    Fault.IN_PHASE: "it is in phase {phase}",
    Fault.IN_THE_WAY: "{found}, expected: {wanted}. {mend}",
    Fault.KEEPS_TARGET: _keeps_target,
    Fault.LEADER_LOST: "Patroni has lost its leader since the plan was made; plan again",
    Fault.LEADS_INSTEAD: "according to Patroni {leader} leads on timeline {timeline}, the other one is {standby}",
    Fault.LEASE_AND_SILENT: "{server} has a lease, but does not answer",
    Fault.LEDGER_BUSY: "another program keeps changing the ledger",
    Fault.LEDGER_IN_PHASE: "the ledger is in phase {phase}",
    Fault.LEDGER_UNCHANGED: "the ledger was not changed: {why}",
    Fault.LIMIT_PASSED: "its limit of {seconds:g} s passed",
    Fault.MONITORS: "{server} monitors {monitors} users, the database lists {rows}",
    Fault.MOVES_STOPPED: "{why}; {done:,} of {users:,} users have moved",
    Fault.MOVES_UNSURE:
        "{users:,} users were claimed, but it is not confirmed that the old server released them and the new one "
        "monitors them; `tuiha resume` checks again",
    Fault.NOBODY_TOLD: lambda failures: told(failures) or "no server answers",
    Fault.NOT_ALL_LEFT: "some users are not monitored through its partners: {found}",
    Fault.NOT_CAUGHT_UP: "{new} did not receive and replay all changes of {old} within {seconds:g} s",
    Fault.NOT_CONFIRMED:
        "{found}. {slow:names} did not confirm in time. {mail} is out of service, and the other servers do not use it. "
        "`tuiha cancel` continues without {slow:names}: its users get no new mail until it answers, or other servers "
        "take them over",
    Fault.NOT_EMPTY: "not empty: {said:;}",
    Fault.NOT_HEALTHY: "for a sprayer, some servers are not healthy: {view}",
    Fault.NOT_HELD: "not held: {failed:told}",
    Fault.NOT_IN_STEP:
        "{database} is not in step with {leader} after {seconds:g} s. Patroni reports: {said}. `tuiha plan rejoin "
        "{database}` copies it again",
    Fault.NOT_ON: "not on {new}: {servers:told}",
    Fault.NOT_REPLAYED: "{new} did not replay everything it received",
    Fault.NOT_SEEN: "{servers:names} may still serve, and did not confirm the order",
    Fault.NOT_SEEN_IN_TIME: "{found}; each server with a lease reads orders twice a second",
    Fault.NOT_STARTED: "{database} was stopped, and has not started: {why}",
    Fault.NOT_STEERABLE: "the driver of {sprayer} cannot take servers out",
    Fault.NOT_SYNCHRONOUS:
        "{secondary} did not become synchronous within {seconds:g} s; commits on {primary} do not wait",
    Fault.NOT_TAKEN_OVER: "{database} did not accept {parameter} = '{value}'; is it set on its command line?",
    Fault.NOT_UNDER_PATRONI: "according to the configuration, {database} is not under Patroni",
    Fault.NOT_USED: "{said}: the servers do not use it. Can they reach it?",
    Fault.NO_AGENT: "{database} has no agent (`database.nodes[].agent`): do this step by hand, then resume",
    Fault.NO_AGREEMENT: "the servers and the database do not agree: {why}",
    Fault.NO_LEADER_IN_TIME: "Patroni did not report {new} as its leader within {seconds:g} s",
    Fault.NO_LOG_IN: "{follower} follows {leader}, but the coordinator cannot log in to it",
    Fault.NO_ROOM:
        "no room on {follower} for a fresh copy: {free:size} free, {needed:size} needed; its data is unchanged",
    Fault.NO_SERVER_YET: "no server is on {new} yet: {servers:told}",
    Fault.NO_SESSION: "{new} has no session of {servers}",
    Fault.NO_SPRAYER: "no sprayer answers: {view}",
    Fault.NO_STREAM: "{how}: no stream after {seconds:g} s",
    Fault.NO_TAKER: "no other server takes users",
    Fault.NO_TELLER: "no server with a lease answers",
    Fault.NO_TELLER_TOLD: lambda failures: told(failures) or "no server with a lease answers",
    Fault.ON: "on {where}",
    Fault.OTHER_ACTIVE: "{active} is active in epoch {epoch}",
    Fault.OTHER_PHASE: "{active} is active in epoch {epoch}, phase {phase}",
    Fault.PATRONI_DENIES: "Patroni does not report {new} as its leader on a timeline after {timeline}",
    Fault.PATRONI_SAYS: "Patroni on {database}: {why}",
    Fault.POOL_DATABASE: "the pool's database: {why}",
    Fault.POOL_GIVEN_BACK: "the pool was released",
    Fault.POOL_TAKEN: "another operation has the pool: {by}",
    Fault.PROMOTED:
        "{new} is promoted: {old} must not be used again. `tuiha plan reclaim` plans the remaining steps",
    Fault.READS_LATER: "{why}; it reads the order with its next heartbeat",
    Fault.REFUSED_AND_LEADS: "Patroni answers \"{why}\", and {leader} leads on timeline {timeline}",
    Fault.REFUSED_BY_PATRONI: _refused_by_patroni,
    Fault.REFUSES: "{database} refuses: {why}",
    Fault.REINITIALIZE_REFUSED: "Patroni on {database} refuses: {why}",
    Fault.ROW_UNKNOWN: "it cannot be read whether {server} has a row: {why}",
    Fault.SAYS: "{database}, epoch {epoch}, lease {lease:.1f} s",
    Fault.SERVER_SAID: "{server}: {why}",
    Fault.SILENT_MAY_MONITOR: "{servers:names} may monitor users, but does not answer: {said}",
    Fault.SILENT_PRIMARY: "{database} does not answer as the primary. Start it, then undo the operation",
    Fault.SPRAYER: "{name}: {why:|no answer}",
    Fault.STANDBY_BECAME: "the secondary became {standby}",
    Fault.STARTED_SILENT: "{database} was started, but does not answer as the primary",
    Fault.STILL_GIVES: "a sprayer still sends users: {view}",
    Fault.STILL_IN_RECOVERY: "{new} was asked to promote, but is still in recovery",
    Fault.STILL_RECEIVES: "{new} still receives from {old}",
    Fault.STILL_SAYS: "{database} still reports {state}",
    Fault.STILL_THERE: "{user} still exists",
    Fault.STOP_HANGS: "{database} did not stop within {seconds:g} s: one of its processes hangs",
    Fault.STOP_UNCLEAN: "{database} did not stop cleanly: it may hold writes that it did not send",
    Fault.SWITCHOVER_SCHEDULED: "a switchover is scheduled {at}",
    Fault.TAKEN: "another operation took the pool",
    Fault.TIMELINE: "{database} is on timeline {timeline}, which is not after {after}",
    Fault.UNEXPECTED: "unexpected {error} at {file}:{line}",
    Fault.UNTOLD: "the ledger did not record that the point of no return comes next, so it was not passed",
}
