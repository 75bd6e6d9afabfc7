"""Why an operation may not be planned, begun or ended: codes, each with its figures. Nothing was changed then."""

from __future__ import annotations

from tuiha.model.operations.statements import Code


class Refused(Code):
    """A reason to refuse."""

    # What it is about is not there, or cannot be read
    NO_SERVER = "refused.no-server"  # server, known
    NO_MAIL_SERVER = "refused.no-mail-server"  # server, known
    NO_USER = "refused.no-user"  # user
    NO_DEVICE = "refused.no-device"  # user, device, known
    NO_ROW = "refused.no-row"  # server
    USER_UNREADABLE = "refused.user-unreadable"  # why
    USERS_UNREADABLE = "refused.users-unreadable"  # why
    SERVERS_UNREADABLE = "refused.servers-unreadable"  # why
    DEVICES_UNREADABLE = "refused.devices-unreadable"  # why
    HISTORY_UNREADABLE = "refused.history-unreadable"  # why
    OLD_SERVERS = "refused.old-servers"
    # It is so already, or has no point
    DEGRADED = "refused.degraded"  # active
    PROTECTED = "refused.protected"  # partner
    FOLLOWS = "refused.follows"  # partner, active
    FOLLOWS_MANAGED = "refused.follows-managed"  # partner, active
    OUT_OF_SERVICE = "refused.out-of-service"  # server
    DISABLED = "refused.disabled"  # user, reason
    NOT_DISABLED = "refused.not-disabled"  # user
    REVOKED = "refused.revoked"  # user, device
    NOT_REVOKED = "refused.not-revoked"  # user, device
    MONITORED_THERE = "refused.monitored-there"  # user, server
    MONITORED_NOWHERE = "refused.monitored-nowhere"  # user
    # Of the pair's roles
    NO_ROLES = "refused.no-roles"
    NO_LEDGER_READ = "refused.no-ledger-read"  # why
    NOT_OF_THE_PAIR = "refused.not-of-the-pair"  # active
    OTHER_TARGET = "refused.other-target"  # kind, database, active, target
    MANAGERS = "refused.managers"  # why
    # Of a plan
    VOID = "refused.void"  # plan, facts, again
    VOID_BY = "refused.void-by"  # plan, why
    EXPIRED = "refused.expired"  # plan, again
    NOT_CONFIRMED = "refused.not-confirmed"  # kind, name, typed, quoted
    NEVER = "refused.never"  # checks: of CHECK
    STOPPED = "refused.stopped"  # checks, names
    CHECK = "refused.check"  # verdict, check, subject, found, wanted, mend
    NO_REASON = "refused.no-reason"
    NO_RIGHT = "refused.no-right"  # server, why
    NO_LEDGER = "refused.no-ledger"
    NO_GUARD_LEDGER = "refused.no-guard-ledger"
    NO_GUARD_ORDERS = "refused.no-guard-orders"
    NOT_PAUSED = "refused.not-paused"
    NOTHING_TO_ACKNOWLEDGE = "refused.nothing-to-acknowledge"
    NOT_DUE = "refused.not-due"  # order
    NOT_ACTIVE = "refused.not-active"  # guard, why
    GUARD_PAUSED = "refused.guard-paused"  # by, seconds
    NOT_TOLD = "refused.not-told"  # plan, operation, again
    # Of the ledger and other operations
    BUSY = "refused.busy"  # operation, kind, host, words
    CHANGED_NOW = "refused.changed-now"
    # Of an operation that was started
    RUNNING = "refused.running"  # operation
    NEVER_BEGAN = "refused.never-began"  # operation, again
    NEVER_BEGAN_HERE = "refused.never-began-here"  # operation
    CHANGED_SINCE = "refused.changed-since"  # operation, by, again
    TOUCHED_SINCE = "refused.touched-since"  # operation, again
    NOTHING_TO_RESUME = "refused.nothing-to-resume"  # operation, state
    NOTHING_TO_UNDO = "refused.nothing-to-undo"  # operation, state
    NOTHING_TO_CANCEL = "refused.nothing-to-cancel"  # operation, state
    DONE = "refused.done"  # operation
    PAST = "refused.past"  # operation
    PAST_TO_CANCEL = "refused.past-to-cancel"  # operation
    NO_WAY_BACK = "refused.no-way-back"  # operation, steps
    HALF_WAY = "refused.half-way"  # operation
    STARTING = "refused.starting"  # operation
    IN_PHASE = "refused.in-phase"  # operation, phase, undoable
    NO_END = "refused.no-end"  # operation, how
    PASSED_BACK = "refused.passed-back"  # operation, how
    MAYBE_PAST = "refused.maybe-past"  # operation, how
    NOT_CERTAIN = "refused.not-certain"  # operation, how
    # Of its journal, and of the host that has it
    FOLDER_GONE = "refused.folder-gone"  # operation, owner, folder
    JOURNAL_ELSEWHERE = "refused.journal-elsewhere"  # operation, owner, host, command, ended
    RUN_ELSEWHERE = "refused.run-elsewhere"  # operation, host
    HELD_ELSEWHERE = "refused.held-elsewhere"  # operation, host
    # To reclaim the pool
    NOBODY_HAS_IT = "refused.nobody-has-it"
    NO_LEDGER_TO_RECLAIM = "refused.no-ledger-to-reclaim"
    OTHER_HAS_IT = "refused.other-has-it"  # operation, target
    NOT_HALF_CHANGED = "refused.not-half-changed"  # phase
    HALF_CHANGED = "refused.half-changed"  # phase
    # The question itself is wrong
    NO_CHECK = "misused.no-check"  # checks, known
    NO_SERVER_TO_SKIP = "misused.no-server-to-skip"  # servers
    QUESTION = "misused.question"  # why
