"""What operations may lose, what is known of how far they came, and their results, as sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tuiha.model.operations.evidence import Ending, Known, Left, Loses
from tuiha.model.operations.refusals import Refused
from tuiha.model.operations.statements import Statement
from tuiha.model.words import names
from tuiha.words.checks import FOUND, MENDS, WANTED
from tuiha.words.steps import BACK, DOING, DONE, FAULTS, STEPS
from tuiha.words.templates import Template, complete, rendered


def _gave_way(kind: str, taker: str, owner: str, operation: str, undoable: bool) -> str:
    back = f", `tuiha undo {operation}` undoes it" if undoable else ""
    return (f"stopped for {kind}, operation {taker} of {owner}; completed steps stay. "
            f"`tuiha resume {operation}` finishes it{back}")


def _taken_back(why: str, left: Sequence[str]) -> str:
    rest = f"undone, except for this: {'; '.join(left)}" if left else "everything is undone"
    return f"{why}; {rest}"


KNOWN: Mapping[Known, Template] = {
    Known.ACTIVE_INSTEAD: "{active} is active in epoch {epoch} now",
    Known.BACK_BEGUN: "{why}, and the undo has begun",
    Known.IN_RECOVERY: "{new} is in recovery",
    Known.LEADS_BY_PATRONI: "{new} leads according to Patroni",
    Known.LEADS_INSTEAD: "{leader} leads according to Patroni",
    Known.LEDGER_NAMES: lambda lost, step: f"{lost}; the ledger names {f'step {step}' if step else 'no step'}",
    Known.MAY_BE_BEGUN: "step {step} may have started",
    Known.NAMED_ACTIVE: "the ledger names {new} active in epoch {epoch}",
    Known.NOBODY_LEADS: "Patroni has no leader",
    Known.OLD_SERVES: "{new} is promoted, and {old} gives leases",
    Known.OUT_OF_RECOVERY: "{new} is out of recovery",
    Known.SILENT: "{new} does not answer: it is not known whether it was promoted",
}


LEFT: Mapping[Left, Template] = {
    Left.BY_COMMAND: "`{command}`",
    Left.COMMITS_WAIT: "{why}: commits on {active} wait for it; if it stays away: `tuiha plan degrade`",
    Left.DOES_NOT_RECEIVE: "{partner} does not receive from {active}: `tuiha plan rejoin {partner}`",
    Left.LEDGER_SILENT: "the ledger could not be read back: {error}",
    Left.NOT_ASKED: "{database} did not answer: {error}",
    Left.NO_EPOCH: "{database} has no epoch row",
    Left.OTHER_ACTIVE: "the ledger names {active} in epoch {epoch}; before, it named {was_active} in {was_epoch}",
    Left.PHASE: "the ledger's phase is {phase}",
    Left.REJOIN_OR_PROTECT: "`tuiha plan rejoin {partner}`, or `tuiha plan protect` when it streams",
    Left.SAYS_EPOCH: "{database} shows epoch {epoch} of {active}, {state}",
    Left.STANDBY_CHANGED:
        "UNPROTECTED: the ledger shows {partner} as {standby}, before as {was}: `tuiha plan protect`",
    Left.STANDBY_IS: "the ledger shows {partner} as {standby}",
    Left.UNPROTECTED: "UNPROTECTED: {why}; losing {active} now would lose acknowledged writes. Next: {mend}",
    Left.UNPROTECTED_PERHAPS: "probably UNPROTECTED: {why}",
}


LOSSES: Mapping[Loses, Template] = {
    Loses.AT_PROMOTION: "Writes that {active} had and {partner} lacked when it was promoted",
    Loses.COMMITS_TAKE_LONGER: "Nothing is lost. Commits take as long as {partner} needs to flush them",
    Loses.CONTINUE: "Nothing is lost. Devices and mail continue where they stopped",
    Loses.COPIED_ANEW: "On {partner}, everything: it is copied from {active} again",
    Loses.DEVICE_CONTINUES:
        "Nothing is lost. After allow-device the device continues from the last change it acknowledged",
    Loses.DEVICE_CONTINUES_WITH_KEY:
        "Nothing is lost. With a new key the device continues from the last change it acknowledged",
    Loses.FOR_GOOD: "{devices:device} and {changes:change}, permanently",
    Loses.GUARDED: "Nothing is lost. A guard may act again",
    Loses.HOLES: "Every write that {partner} does not have: {why}",
    Loses.IF_CAUGHT_UP: "Nothing, if {partner} catches up; now it is {standby}",
    Loses.JOINS_AGAIN: "Nothing is lost. Started again, it joins the pool as a new server",
    Loses.MONITORED_ONCE: "Nothing is lost. One server monitors each user, before and after",
    Loses.NOTHING: "Nothing is lost",
    Loses.OF_PARTNER: "On {partner}, writes that {active} lacks; on {active}, nothing",
    Loses.ON_PARTNER: "Nothing is lost. Every acknowledged write is on {partner}",
    Loses.PROTECTION:
        "Nothing is lost now. While {active} is alone, its loss loses every write since then, and {partner} cannot "
        "replace it",
    Loses.READ_FROM_PARTNER:
        "Nothing is lost. Mail that arrives meanwhile is read from the partner, and nothing is reported twice",
    Loses.RECORDED_LATER: "Nothing is lost. Mail that arrives meanwhile is recorded when the user is enabled",
    Loses.SERVED_BY_OTHERS: "Nothing is lost. The other servers serve its devices",
    Loses.SERVES_AGAIN: "Nothing is lost. {active} serves again, and no server has used {partner} meanwhile",
    Loses.SINCE_STALE: "Every write since {partner} became STALE: it lacks acknowledged writes",
    Loses.STAYS_AS_IS: "Nothing is lost. Completed steps of operation {operation} stay; plan again for the rest",
    Loses.STOPPED_BY_PATRONI: "Nothing is lost. Patroni stops {active} cleanly, and {partner} has all of it",
    Loses.STOPPED_CLEANLY: "Nothing is lost. {active} is stopped cleanly, and {partner} replays all of it",
    Loses.UNGUARDED: "Nothing is lost. Meanwhile the loss of a database waits for an operator",
    Loses.WAS_READ_FROM_PARTNERS:
        "Nothing is lost. Mail that arrived meanwhile was read from the partners, and nothing is reported twice",
    Loses.WHAT_PARTNER_LACKS: "Every write that {partner} lacks: under Patroni, commits did not wait for it",
}


ENDINGS: Mapping[Ending, Template] = {
    Ending.CANCELLED_AND_STAYS: "cancelled by {who}; completed steps stay. `tuiha resume {operation}` continues",
    Ending.CANCELLED_BY: "cancelled by {who}",
    Ending.CLOSED: "it had released the pool, but its journal has no result. `tuiha status` shows the pool's state",
    Ending.DONE: lambda lacking: ". ".join(("every step was done and verified", *lacking)),
    Ending.GAVE_WAY: _gave_way,
    Ending.LEFT: "left as it is by {who}; completed steps stay. `tuiha resume {operation}` continues",
    Ending.NEVER_BEGAN: "it did not start: {why}",
    Ending.RECLAIMED: "another operation reclaimed the pool and ended this one",
    Ending.STEP_FAILED: "step {step} failed: {why}",
    Ending.STEP_UNKNOWN: "step {step} has an unknown outcome: {why}",
    Ending.STILL_NAMED:
        "{said}. The ledger could not be written and still names this operation: `tuiha resume {operation}` releases "
        "the pool",
    Ending.STUCK_BACK: "{why}; step {step} could not be undone: {fault}",
    Ending.TAKEN_BACK: _taken_back,
    Ending.TAKEN_BACK_BY: "undone by {who}",
}

_NO_WAY_BACK = "operation {operation} cannot be undone: step {steps} has no way back. `tuiha resume {operation}` " \
               "finishes it"
_RECLAIM = "`tuiha plan reclaim` ends it by what the ledger and the databases say"


def _not_confirmed(kind: str, name: str, typed: str, quoted: str) -> str:
    said = f"'{typed}' was typed" if typed else "nothing was typed"
    return f"{kind} asks for the name '{name}' to be typed, and {said}; nothing was done. With it: --confirm {quoted}"


def _stopped(checks: Sequence[str], names: Sequence[str]) -> str:
    return ("checks stop it:\n" + "\n".join(checks) + "\nTo do it all the same, type their names and a reason: "
            + " ".join(f"--override {name}" for name in names) + ' --reason "..."')


def _check(verdict: str, check: str, subject: str, found: str, wanted: str, mend: str | None) -> str:
    return f"  {verdict.upper()}  {check} {subject}: {found}, wanted {wanted}" + (f"; {mend}" if mend else "")


def _in_phase(operation: str, phase: str, undoable: bool) -> str:
    back = f" or `tuiha undo {operation}`" if undoable else ""
    return (f"operation {operation} has changed the ledger's phase to {phase}, and it cannot stay so: "
            f"`tuiha resume {operation}`{back}")


def _maybe_past(operation: str, how: str) -> str:
    why = f" ({how})" if how else ""
    return (f"operation {operation} may be past its point of no return{why}: `tuiha resume {operation}` finishes it, "
            "and a new operation leads back")


def _journal_elsewhere(operation: str, owner: str, host: str, command: str, ended: bool) -> str:
    go_on = (f"operation {operation} was started on {host or 'another host'} by {owner}, and its journal is there. "
             f"On that host: tuiha {command} {operation}")
    return go_on if ended else f"{go_on}. If that host is gone for good: {_RECLAIM}"


def _no_check(checks: Sequence[str], known: Sequence[str]) -> str:
    return f"there is no check {' or '.join(map(repr, checks))} in this plan; it has {', '.join(known) or 'none'}"


REFUSALS: Mapping[Refused, Template] = {
    Refused.NO_SERVER: "the pool has no server {server}; it has {known:names}",
    Refused.NO_MAIL_SERVER: "the pool has no mail server {server}; it has {known:names}",
    Refused.NO_USER: "the pool has no user {user}; to find one: tuiha users PATTERN",
    Refused.NO_DEVICE: lambda user, device, known: (
        f"{user} has no device {device}; its devices: {names(known) or 'none'}"),
    Refused.NO_ROW: "{server} has no row in the pool; it is shown because this host's configuration names it: "
                    "remove it there",
    Refused.USER_UNREADABLE: "the user cannot be read: {why}",
    Refused.USERS_UNREADABLE: "the users cannot be read: {why}",
    Refused.SERVERS_UNREADABLE: "the pool's servers cannot be read: {why}",
    Refused.DEVICES_UNREADABLE: "the devices cannot be read: {why}",
    Refused.HISTORY_UNREADABLE: "the history cannot be read: {why}",
    Refused.OLD_SERVERS: "the pool's servers are of a version that disables nobody: upgrade them first",
    Refused.DEGRADED: "the pool is degraded already: {active} waits for nobody",
    Refused.PROTECTED: "the pool is protected already: {partner} is synchronous",
    Refused.FOLLOWS: "{partner} follows {active} already; `tuiha plan protect` protects",
    Refused.FOLLOWS_MANAGED: "{partner} follows {active} already",
    Refused.OUT_OF_SERVICE: "{server} is out of service already",
    Refused.DISABLED: "{user} is disabled already: {reason}",
    Refused.NOT_DISABLED: "{user} is not disabled",
    Refused.REVOKED: "{user}'s device {device} is revoked already",
    Refused.NOT_REVOKED: "{user}'s device {device} is not revoked",
    Refused.MONITORED_THERE: "{user} is monitored on {server} already",
    Refused.MONITORED_NOWHERE: "no server monitors {user}, because no device was here for a long time. The next "
                               "request chooses a server",
    Refused.NO_ROLES: "the configuration has no ledger, or one database only: there are no roles to change",
    Refused.NO_LEDGER_READ: "{why}; without the ledger no role may change",
    Refused.NOT_OF_THE_PAIR: "the ledger names {active} active, which is not a database of the configuration",
    Refused.OTHER_TARGET: "{kind} is about {database} (active is {active}), not {target}",
    Refused.MANAGERS: "{why}",
    Refused.VOID: "plan {plan} is void, the pool has changed: {facts:;}.\nPlan again: {again}",
    Refused.VOID_BY: "plan {plan} is void, the pool has changed: {why}",
    Refused.EXPIRED: "plan {plan} is too old; plan again: {again}",
    Refused.NOT_CONFIRMED: _not_confirmed,
    Refused.NEVER: lambda checks: "it may not be done, and no override helps:\n" + "\n".join(checks),
    Refused.STOPPED: _stopped,
    Refused.CHECK: _check,
    Refused.NO_REASON: 'an override needs a reason: --reason "..."',
    Refused.NO_RIGHT: "server {server} does not let this token act ({why}). control.operator must be the operator's "
                      "token, not the viewer's",
    Refused.NO_GUARD_LEDGER: "the pool's ledger keeps nothing for guards: use a ledger of driver file or etcd",
    Refused.NO_GUARD_ORDERS: "the configuration gives guards no orders: write guard: with failover: {{after: 3s}}",
    Refused.NOT_PAUSED: "no guard is paused",
    Refused.NOTHING_TO_ACKNOWLEDGE: "no guard has done anything since the last acknowledgement",
    Refused.NOT_DUE: "the reasons for {order} are not there any more",
    Refused.NOT_ACTIVE: "guard {guard} does not act: {why}",
    Refused.GUARD_PAUSED: "{by} paused the guard for another {seconds:.0f} s",
    Refused.NO_LEDGER: "the configuration names no ledger, and operations are kept apart by it: add `ledger:` with a "
                       "path, or with endpoints of etcd",
    Refused.NOT_TOLD: "plan {plan} did not say that it takes the pool from operation {operation}; plan again: {again}",
    Refused.BUSY: lambda operation, kind, host, words: (
        f"another operation has this pool: {words}.\nWait for it (`tuiha operations {operation}`), `tuiha cancel "
        f"{operation}`, or, if its runner died, `tuiha resume {operation}` on {host}. If that host or the operation's "
        "folder is gone: `tuiha plan reclaim`."),
    Refused.CHANGED_NOW: "the ledger changed in this moment; plan again",
    Refused.RUNNING: "operation {operation} is running",
    Refused.NEVER_BEGAN: "operation {operation} never began, and its facts may be old; plan again: {again}",
    Refused.NEVER_BEGAN_HERE: "operation {operation} never began, and its facts may be old; plan again",
    Refused.CHANGED_SINCE: "operation {operation} gave the pool back, and operation {by} changed it since; plan again: "
                           "{again}",
    Refused.TOUCHED_SINCE: "operation {operation} gave the pool back, and it was changed since; plan again: {again}",
    Refused.NOTHING_TO_RESUME: "operation {operation} is over: {state}. There is nothing to resume",
    Refused.NOTHING_TO_UNDO: "operation {operation} is over: {state}. Nothing is left of it",
    Refused.NOTHING_TO_CANCEL: "operation {operation} is over: {state}. There is nothing to cancel",
    Refused.DONE: "operation {operation} is done; to lead back, plan the opposite",
    Refused.PAST: "operation {operation} is past its point of no return: `tuiha resume {operation}` finishes it, and a "
                  "new operation leads back",
    Refused.PAST_TO_CANCEL: "operation {operation} is past its point of no return: it can only be finished",
    Refused.NO_WAY_BACK: _NO_WAY_BACK,
    Refused.HALF_WAY: "operation {operation} stopped half-way, before its point of no return: `tuiha resume "
                      "{operation}` or `tuiha undo {operation}`",
    Refused.STARTING: "operation {operation} is only just starting; try again in a minute",
    Refused.IN_PHASE: _in_phase,
    Refused.NO_END: "operation {operation} can neither be finished nor undone: {how}. `tuiha plan reclaim` plans the "
                    "remaining steps",
    Refused.PASSED_BACK: "operation {operation} was being undone, but its point of no return is passed: {how}. "
                         "`tuiha plan reclaim` plans the remaining steps",
    Refused.MAYBE_PAST: _maybe_past,
    Refused.NOT_CERTAIN: "operation {operation} is not undone: {how}. Start it, then repeat this. If it is lost for "
                         "good: `tuiha plan reclaim`",
    Refused.FOLDER_GONE: "operation {operation} was started on this host by {owner}, and its folder {folder} is gone "
                         f"or has no readable plan. Restore it, or: {_RECLAIM}",
    Refused.JOURNAL_ELSEWHERE: _journal_elsewhere,
    Refused.RUN_ELSEWHERE: "operation {operation} is run from {host}: continue there",
    Refused.HELD_ELSEWHERE: "operation {operation} is run from {host}, which holds it still. Continue there, or here "
                            "15 s after that host or its process has died",
    Refused.NOBODY_HAS_IT: "no operation has the pool: there is nothing to reclaim",
    Refused.NO_LEDGER_TO_RECLAIM: "the configuration names no ledger: no operation can have the pool",
    Refused.OTHER_HAS_IT: "operation {operation} has the pool, not {target}",
    Refused.NOT_HALF_CHANGED: "no role is half changed: the ledger is in phase {phase}",
    Refused.HALF_CHANGED: "the ledger is in phase {phase}: `--option way=back` or `--option way=finish`",
    Refused.NO_CHECK: _no_check,
    Refused.NO_SERVER_TO_SKIP: "option without: the pool has no server {servers:names}",
    Refused.QUESTION: "{why}",
}

# Every sentence about operations, by its code.
TABLES: dict[str, Template] = {
    str(code): template
    for table in (FOUND, WANTED, MENDS, STEPS, DONE, BACK, DOING, FAULTS, KNOWN, LEFT, LOSSES, ENDINGS, REFUSALS)
    for code, template in table.items()
}


def text(statement: Statement | None) -> str:
    """The sentence of a statement about an operation; empty for none."""
    return "" if statement is None else rendered(statement, TABLES)


def known(statement: Statement) -> bool:
    """Whether this version has words for a statement, and the statement has all the figures that they need."""
    return complete(statement, TABLES)
