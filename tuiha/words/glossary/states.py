"""Each state, verdict, result and severity explained: its meaning, what users notice, and what to do."""

from __future__ import annotations

from collections.abc import Mapping

from tuiha.model.facts import Protection, Severity, Verdict
from tuiha.model.operations.intent import Condition
from tuiha.model.operations.plans import CheckVerdict, OperationStatus, StepStatus
from tuiha.model.reports import (
    BackendState,
    DatabaseRole,
    DatabaseState,
    EpochState,
    MailState,
    ServerState,
    ServerTarget,
    SprayerState,
    Standby,
)
from tuiha.words.glossary.entries import GlossaryEntry

_E = GlossaryEntry
_NOTHING = "Nothing."
_PROBLEM = "The problem on the screen names the next command. Key ! lists all problems."
_UNKNOWN = "Wait some seconds. If nothing changes, `tuiha check` shows the reason."
_WAIT = "Requests wait, then get 503. Devices try again later."

VERDICTS: Mapping[Verdict, GlossaryEntry] = {
    Verdict.HEALTHY: _E("Every part of the pool works, and no problem is known.", _NOTHING, "No action is needed."),
    Verdict.DEGRADED: _E(
        "Users are served, but a part of the pool is lost, or may be lost.",
        "Nothing in most cases, or slower answers.", _PROBLEM),
    Verdict.DISPUTED: _E(
        "tuiha and the servers disagree about the active database: only one side can reach it.",
        "Nothing while the servers reach the database. Otherwise requests wait, then get 503.",
        "Find the network fault first. Do not fail over before that."),
    Verdict.SPLIT: _E(
        "Two databases accept writes as the pool's database. tuiha's own operations never cause this.",
        "Some changes reach only one of the two databases: devices can miss mail or lose changes.",
        "On its host, stop the database that must not be active. Then run the command that is shown."),
    Verdict.DOWN: _E(
        "No server has a lease on a database, so nobody is served.",
        _WAIT,
        "Press f, or run the command that line 2 shows: in most cases `tuiha plan failover`."),
}

PROTECTIONS: Mapping[Protection, GlossaryEntry] = {
    Protection.PROTECTED: _E(
        "The secondary has every acknowledged write. If the active database is lost, no write is lost.", _NOTHING),
    Protection.UNPROTECTED: _E(
        "The secondary may lack acknowledged writes, or it is missing.",
        "Nothing now. If the active database is lost, acknowledged changes can be lost with it.",
        "The problem names the reason and its command: `tuiha plan protect`, `tuiha plan rejoin` or a setting."),
}

SERVER_STATES: Mapping[ServerState, GlossaryEntry] = {
    ServerState.UP: _E("The server has a lease, serves its users, and takes new ones.", _NOTHING),
    ServerState.WAITING: _E(
        "Requests wait on this server, because it cannot use the active database at the moment.",
        "Devices wait some seconds. If it takes longer, they get 503 and try again.",
        "If an operation is running, wait for it. Otherwise solve the database's problem first."),
    ServerState.CUT_OFF: _E(
        "The server has no lease on the active database: it answers 503 and writes nothing.",
        "Devices go to other servers. If every server is in this state, nobody is served.",
        "Check the network from the server to the active database: `tuiha check` tries each connection."),
    ServerState.OVERLOADED: _E(
        "The server is over its limit: it takes no new users and gives users away.",
        "Its users may get slow answers.",
        "Even out the users: `tuiha plan rebalance`. If every server is full, enable or add one."),
    ServerState.DRAINING: _E(
        "An operator drained this server: it gives its users away and takes no new ones.",
        _NOTHING,
        "Wait until it is DRAINED. To use it again: `tuiha plan enable NAME`."),
    ServerState.DRAINED: _E(
        "An operator drained this server, and no user is left on it. It can be stopped.",
        _NOTHING,
        "When the work on it is finished: `tuiha plan enable NAME`."),
    ServerState.LEFT: _E(
        "The server gave its users to the other servers, and ended.",
        _NOTHING,
        "Start it when you need it: `tuiha serve NAME`."),
    ServerState.DOWN: _E(
        "The server does not answer: its process, its host or the network to it is down.",
        "Its users wait some seconds, until other servers take them.",
        "Start it on its host: `systemctl start tuiha-serve@NAME`."),
    ServerState.UNKNOWN: _E("The server has not answered since tuiha started.", "Not known.", _UNKNOWN),
}

TARGETS: Mapping[ServerTarget, GlossaryEntry] = {
    ServerTarget.UP: _E("The server is allowed to take users."),
    ServerTarget.DRAIN: _E("An operator ordered this server to give its users away.", _NOTHING,
                           "To use it again: `tuiha plan enable NAME`."),
    ServerTarget.UNKNOWN: _E("tuiha does not know which order the server has.", "Not known.", _UNKNOWN),
}

DATABASE_STATES: Mapping[DatabaseState, GlossaryEntry] = {
    DatabaseState.UP: _E("The database answers.", _NOTHING),
    DatabaseState.DOWN: _E(
        "The database does not answer: its process, its host or the network to it is down.",
        "If it is the primary: requests wait, then get 503. If it is the secondary: writes wait for it.",
        "Primary: `tuiha plan failover`. Secondary: `tuiha plan degrade`."),
    DatabaseState.ROGUE_PRIMARY: _E(
        "The database accepts writes, although another database is the active one.",
        "Nothing. But a program that writes to it directly writes to the wrong database.",
        "Stop it on its host. Then run the command that is shown."),
    DatabaseState.UNKNOWN: _E("The database has not answered since tuiha started.", "Not known.", _UNKNOWN),
}

ROLES: Mapping[DatabaseRole, GlossaryEntry] = {
    DatabaseRole.PRIMARY: _E("The database that accepts writes. In a pool, only the active database is a primary."),
    DatabaseRole.SECONDARY: _E("The database that copies every change of the primary, and can replace it."),
}

SPRAYER_STATES: Mapping[SprayerState, GlossaryEntry] = {
    SprayerState.UP: _E("The sprayer (load balancer) answers tuiha.", _NOTHING),
    SprayerState.DOWN: _E(
        "The sprayer (load balancer) does not answer tuiha.",
        "Nothing while the other sprayer works. Without one, no device reaches the pool.",
        "Start HAProxy on its host: `systemctl start haproxy`."),
    SprayerState.UNKNOWN: _E("The sprayer has not answered since tuiha started.", "Not known.", _UNKNOWN),
}

BACKEND_STATES: Mapping[BackendState, GlossaryEntry] = {
    BackendState.UP: _E("The sprayer sends devices to this server."),
    BackendState.DOWN: _E("The sprayer's health check of this server fails: it sends no devices there.",
                          "Nothing while other servers take them.", "Check the server, and the network between them."),
    BackendState.DRAIN: _E("The sprayer sends no new devices to this server."),
    BackendState.MAINT: _E("An operator took this server out of the sprayer.", _NOTHING,
                           "To use it again: `tuiha plan enable NAME`."),
}

MAIL_STATES: Mapping[MailState, GlossaryEntry] = {
    MailState.UP: _E("The mail server answers, and users are monitored through it.", _NOTHING),
    MailState.DOWN: _E(
        "The mail server does not answer.",
        "Nothing while a partner works. Without one, its users get no new mail.",
        "Start the mail server. Keep it out of service until it is stable: `tuiha plan failover-mail NAME`."),
    MailState.OUT: _E(
        "The mail server answers, but it is out of service.",
        "Nothing while a partner works. Without one, its users get no new mail.",
        "Put it back in service: `tuiha plan return-mail NAME`."),
    MailState.UNKNOWN: _E("The mail server has not answered since tuiha started.", "Not known.", _UNKNOWN),
}

EPOCH_STATES: Mapping[EpochState, GlossaryEntry] = {
    EpochState.ACTIVE: _E("Servers may take leases on this database."),
    EpochState.FENCED: _E("The database gives no leases: an operation closed it before it moved the pool.",
                          _WAIT, "Wait for the operation. If none is running: `tuiha operations`, then resume it."),
}

STANDBYS: Mapping[Standby, GlossaryEntry] = {
    Standby.SYNC: _E("The ledger records that the secondary has every acknowledged write."),
    Standby.STALE: _E(
        "The ledger records that the secondary may lack acknowledged writes.",
        "Nothing now. If the active database is lost, acknowledged changes can be lost with it.",
        "Protect the pool: `tuiha plan protect`."),
}

RESULTS: Mapping[OperationStatus, GlossaryEntry] = {
    OperationStatus.RUNNING: _E("The operation is running."),
    OperationStatus.DONE: _E("Every step was done and verified."),
    OperationStatus.FAILED: _E("A step did not happen, and that is certain.", "",
                               "Read the reason with `tuiha operations ID`. It also shows whether anything is left."),
    OperationStatus.UNKNOWN: _E("tuiha could not read back the outcome. It may have worked.", "",
                                "Check before you repeat it: `tuiha operations ID`, then `tuiha resume ID`."),
    OperationStatus.UNDONE: _E("An operator undid every step that was done."),
    OperationStatus.CANCELLED: _E("The operation was stopped at a place where that is safe.", "",
                                  "To finish it: `tuiha resume ID`."),
    OperationStatus.INTERRUPTED: _E("The process that ran the operation died. The operation is stopped.", "",
                                    "Resume it or undo it: `tuiha resume ID`, `tuiha undo ID`."),
}

CONDITIONS: Mapping[Condition, GlossaryEntry] = {
    Condition.RUNNING: _E("The operation's process reported within the last 12 seconds."),
    Condition.INTERRUPTED: _E("The operation's process has not reported for more than 12 seconds.", "",
                              "Resume it or undo it: `tuiha resume ID`, `tuiha undo ID`."),
    Condition.HALF_WAY: _E("A step failed, and the operation stopped there.", "",
                           "Read the reason with `tuiha operations ID`. Remove it, then run `tuiha resume ID`."),
    Condition.UNKNOWN: _E("The outcome of a step could not be read back.", "",
                          "Read the evidence with `tuiha operations ID`, then run `tuiha resume ID`."),
}

CHECK_VERDICTS: Mapping[CheckVerdict, GlossaryEntry] = {
    CheckVerdict.OK: _E("The check passed."),
    CheckVerdict.WARNING: _E("The check found something, but it does not stop the plan."),
    CheckVerdict.BAD: _E("The check stops the plan.", "",
                         "Remove the reason, or override the check by name and with a reason: `--override CHECK`."),
    CheckVerdict.NEVER: _E("The check stops the plan and cannot be overridden: the pool could split or lose data.", "",
                           "Remove the reason, then plan again."),
}

STEP_STATES: Mapping[StepStatus, GlossaryEntry] = {
    StepStatus.WAITING: _E("The step has not started."),
    StepStatus.RUNNING: _E("The step is running, within its limit."),
    StepStatus.DONE: _E("The step was done, and its effect was read back."),
    StepStatus.FAILED: _E("The step did not happen, and that is certain."),
    StepStatus.UNKNOWN: _E("The step's limit passed, or its effect could not be read back. It may have worked."),
    StepStatus.STOPPED: _E("An operator stopped the operation inside this step."),
    StepStatus.UNDONE: _E("The step was done, and then undone."),
}

SEVERITIES: Mapping[Severity, GlossaryEntry] = {
    Severity.BAD: _E("Users are affected, or data is at risk: act now."),
    Severity.WARNING: _E("Something is lost or may be lost: act today."),
    Severity.NOTE: _E("Good to know. No action is needed now."),
}
