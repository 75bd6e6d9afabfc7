"""Each problem explained: its meaning, what users notice, and what to do."""

from __future__ import annotations

from collections.abc import Mapping

from tuiha.model.codes import ProblemCode
from tuiha.model.facts import Severity
from tuiha.words.glossary.entries import ProblemEntry

_NOTHING = "Nothing now."
_WAIT = "Requests wait, then get 503. Devices try again later."
_LOSS = "Nothing now. If the active database is lost, acknowledged changes can be lost with it."


def _bad(meaning: str, users: str, remedy: str) -> ProblemEntry:
    return ProblemEntry(meaning, users, remedy, Severity.BAD)


def _warning(meaning: str, users: str, remedy: str) -> ProblemEntry:
    return ProblemEntry(meaning, users, remedy, Severity.WARNING)


def _note(meaning: str, users: str, remedy: str) -> ProblemEntry:
    return ProblemEntry(meaning, users, remedy, Severity.NOTE)


PROBLEMS: Mapping[ProblemCode, ProblemEntry] = {
    # Of the pool
    ProblemCode.SPLIT: _bad(
        "Two databases accept writes as the pool's database, or a server has a lease on a copy.",
        "Some changes reach only one of the two databases: devices can miss mail or lose changes.",
        "On its host, stop the database that must not be active. Then run the command that `tuiha status` shows."),
    ProblemCode.DISPUTED: _bad(
        "tuiha and the servers disagree about the active database: only one side can reach it.",
        "Nothing while the servers reach the database. Otherwise requests wait, then get 503.",
        "Find the network fault between this host, the servers and the database. Do not fail over before that."),
    ProblemCode.UNVERIFIED: _warning(
        "The configuration turns off the check of certificates in the places that are shown.",
        "Nothing. But an attacker in the network can read passwords and mail.",
        "Name the authority's certificate at `tls.ca` there, and remove `verify: false`."),
    ProblemCode.NO_SERVER: _bad(
        "The pool has no server: the configuration names none, and the database lists none.",
        "No device gets an answer, and no mail is monitored.",
        "Start a pool server on its host: `tuiha serve NAME`."),
    ProblemCode.MANAGER_PAUSED: _warning(
        "Patroni is in maintenance mode: it promotes no database and starts none.",
        "Nothing now. If the primary is lost, the outage lasts until an operator acts.",
        "If the maintenance is finished, end it: `patronictl resume`."),
    ProblemCode.GUARD_OFF: _warning(
        "The configuration gives guards orders, but no guard is active.",
        "Nothing now. If a database is lost, the outage lasts until an operator acts.",
        "Start a guard on its host: `systemctl start tuiha-guard`, or `tuiha guard`."),
    ProblemCode.GUARD_PAUSED: _note(
        "An operator paused the guard. It looks, and does not act.",
        "Nothing now. If a database is lost, the outage lasts until an operator acts.",
        "When your work is done: `tuiha guard resume`. The pause also ends at the time that is shown."),
    ProblemCode.GUARD_HELD: _note(
        "A guard failed over. It does not fail over again until an operator has acknowledged it, or its time is over.",
        "Nothing now. If the primary is lost again, the outage lasts until an operator acts.",
        "Find out why the first database was lost. Then: `tuiha guard ack`."),
    ProblemCode.OPERATION_RUNNING: _note(
        "An operation is changing the pool. Other operations must wait until it ends.",
        "Only what its plan announced, for example requests that wait during a switchover.",
        "Follow it with key a, or with `tuiha operations ID`."),
    ProblemCode.OPERATION_INTERRUPTED: _bad(
        "The process that ran an operation died. The operation stopped there, and blocks other operations.",
        "Nothing in most cases. If it stopped while requests were held, they get 503.",
        "Resume it, or undo it before its point of no return: `tuiha resume ID`, `tuiha undo ID`."),
    ProblemCode.OPERATION_HALF_WAY: _bad(
        "A step of an operation failed. Earlier steps stay done, and other operations are blocked.",
        "Nothing in most cases. If the database's roles are half changed, requests get 503.",
        "Read the reason with `tuiha operations ID`. Remove it, then run `tuiha resume ID`."),
    ProblemCode.OPERATION_UNKNOWN: _bad(
        "tuiha could not read back the outcome of a step. The step may have worked.",
        "Nothing in most cases. If the database's roles are half changed, requests get 503.",
        "Read the evidence with `tuiha operations ID`. Then run `tuiha resume ID`, which verifies each step."),
    ProblemCode.BACKUP_OLD: _warning(
        "The newest good backup of the pair is older than `database.backup.older`, or there is none.",
        _NOTHING + " After a restore, changes since that backup are missing unless the archive has them.",
        "Take a backup with your backup program, and find out why its schedule did not run."),
    ProblemCode.BACKUP_FAILED: _warning(
        "The last backup of the pair failed, or its repository has an error.", _NOTHING,
        "Read the log of the backup program, repair the cause, and take a backup."),
    ProblemCode.BACKUP_FOREIGN: _warning(
        "The newest backup belongs to another PostgreSQL system than the pool's databases.", _NOTHING,
        "Correct `database.backup.of`, or have the backup program save this pair."),
    ProblemCode.BACKUP_UNREADABLE: _warning(
        "tuiha cannot ask the backup program, so the age of the backup is not known.", _NOTHING,
        "Run the command of `database.backup` by hand on this host, and repair what it reports."),
    # Of a database
    ProblemCode.DATABASE_DOWN: _bad(
        "A database does not answer: its process, its host or the network to it is down.",
        "If it is the primary: requests wait, then get 503. If it is the secondary: writes wait for it.",
        "Primary: fail over (`tuiha plan failover`). Secondary: serve without it (`tuiha plan degrade`)."),
    ProblemCode.DATABASE_UNREACHABLE: _bad(
        "tuiha cannot connect to the active database, but the servers still use it.",
        "Nothing now. A server that loses its connections cannot serve its users any more.",
        "Check the network from this host, and PostgreSQL's main process. Do not start a second PostgreSQL."),
    ProblemCode.NOT_WRITABLE: _bad(
        "The active database accepts no writes: it is in recovery or read-only.",
        _WAIT,
        "Fail over (`tuiha plan failover`). If a setting made it read-only, remove that setting instead."),
    ProblemCode.NO_EPOCH_ROW: _bad(
        "tuiha cannot read the pool's tables in the active database.",
        "Nothing, if only tuiha's role lacks the right. If the tables are missing: requests get 503.",
        "Run `tuiha check`: it names the missing right or the wrong database."),
    ProblemCode.EPOCH_CUT_OFF: _bad(
        "The active database is closed to the servers, and no operation is running.",
        _WAIT,
        "Run `tuiha operations` to find the operation that closed it. Then run `tuiha check` for the way out."),
    ProblemCode.ROGUE_PRIMARY: _bad(
        "A database accepts writes, although another database is the active one.",
        "Nothing. But a program that writes to it directly writes to the wrong database.",
        "Stop it on its host. Then run the command that is shown: it makes this database the secondary again."),
    ProblemCode.NOT_STREAMING: _bad(
        "The secondary receives no changes from the active database.",
        "Writes wait for the secondary. Requests wait, then get 503, unless the pool already serves without it.",
        "Serve without it: `tuiha plan degrade`. Connect it again later: `tuiha plan rejoin`."),
    ProblemCode.NOT_SYNCHRONOUS: _warning(
        "The secondary receives changes, but commits do not wait for it.",
        _LOSS,
        "Protect the pool: `tuiha plan protect`."),
    ProblemCode.UNPROTECTED: _bad(
        "The active database acknowledges commits that the secondary may not have.",
        _LOSS,
        "Run the command that is shown: it corrects the setting, or protects the pool."),
    ProblemCode.ENDLESS_WAIT: _bad(
        "Commits wait for more secondaries than the pool has.",
        _WAIT,
        "Set the right number again: `tuiha plan protect`. Under Patroni, correct its setting."),
    ProblemCode.STALE: _warning(
        "The secondary may lack acknowledged writes, so the pool does not rely on it.",
        _LOSS,
        "Protect the pool: `tuiha plan protect`."),
    ProblemCode.UNMANAGED: _warning(
        "The Patroni of this database does not answer tuiha.",
        "Nothing now. If the primary is lost, Patroni may not be able to promote this database.",
        "Start Patroni on its host, or correct its address in the configuration."),
    ProblemCode.PENDING_RESTART: _note(
        "The database has new settings that count only after a restart.",
        _NOTHING,
        "Restart it at a quiet hour, the secondary first: `patronictl restart`."),
    ProblemCode.DATABASE_OF_OTHER_POOL: _bad(
        "The address of this database leads to the database of another pool.",
        "Nothing while the pool's own active database is reached. The pool has no secondary there.",
        "Correct its address at `database.nodes`."),
    ProblemCode.FOREIGN: _bad(
        "The database at this address has another system identifier: it is not a database of this pool.",
        "Nothing while the pool's own active database is reached. The pool has no secondary there.",
        "Correct its address at `database.nodes`, or ask its owner to move it to another address."),
    ProblemCode.REPLAY_PAUSED: _warning(
        "The secondary receives changes, but does not apply them.",
        "Nothing now. A failover cannot finish while the replay is paused.",
        "On this database: `SELECT pg_wal_replay_resume()`."),
    ProblemCode.PREPARED_TRANSACTIONS: _warning(
        "A prepared transaction is open in the active database: it holds locks and old rows.",
        "Nothing, or slow answers if it locks the pool's tables. A switchover is refused.",
        "Ask the program's owner. Then run `COMMIT PREPARED 'NAME'` or `ROLLBACK PREPARED 'NAME'`."),
    ProblemCode.LONG_TRANSACTIONS: _warning(
        "A transaction has been open for longer than a switchover can wait.",
        "Nothing now. A switchover is refused.",
        "End it in its program, or run `SELECT pg_terminate_backend(PID)`."),
    ProblemCode.BACKUP_RUNNING: _warning(
        "A base backup is running. A change of the databases' roles would break it.",
        _NOTHING,
        "Wait until the backup ends before you plan a switchover."),
    ProblemCode.SLOT_UNUSED: _warning(
        "A replication slot keeps WAL on the disk, and no program reads it.",
        "Nothing now. If the disk fills up, the database stops, and nobody is served.",
        "Drop the slot if no program needs it: `SELECT pg_drop_replication_slot('NAME')`."),
    ProblemCode.SLOT_LOST: _warning(
        "The secondary's replication slot has lost WAL that the secondary needs.",
        "Nothing more than the missing secondary causes: writes wait, or the pool is unprotected.",
        "Copy the secondary again: `tuiha plan rejoin`."),
    ProblemCode.SLOT_KEEPS: _warning(
        "The secondary's replication slot keeps WAL, because the secondary does not read it.",
        "Nothing now. If the disk fills up, the database stops, and nobody is served.",
        "Start the secondary, or connect it again: `tuiha plan rejoin`."),
    # Of a pool server
    ProblemCode.SERVER_OF_OTHER_POOL: _bad(
        "The address of this server leads to a server of another pool.",
        "Nothing. That server serves none of this pool's users.",
        "Correct its address at `servers`."),
    ProblemCode.SERVER_UNREACHABLE: _warning(
        "tuiha cannot ask this server, but the database shows that the server is alive.",
        "Nothing in most cases. If the server is too busy, its users wait longer.",
        "Check the network from this host to the server, and the load on its host."),
    ProblemCode.SERVER_DOWN: _bad(
        "The server does not answer: its process, its host or the network to it is down.",
        "Its users wait some seconds, until other servers take them. Without free room there, they are not served.",
        "Start it on its host: `systemctl start tuiha-serve@NAME`. If the others are full, add a server."),
    ProblemCode.SERVER_CUT_OFF: _bad(
        "The server has no lease on the active database: it answers 503 and writes nothing.",
        "Devices go to other servers. If every server has this problem, nobody is served.",
        "Check the network from the server to the active database: `tuiha check` tries each connection."),
    ProblemCode.SERVER_WAITING: _warning(
        "The server cannot use the active database at the moment, so it lets requests wait.",
        _WAIT,
        "If an operation is running, wait for it. Otherwise solve the database's problem first."),
    ProblemCode.SERVER_OVERLOADED: _warning(
        "The server is over its limit: it takes no new users and gives users away.",
        "Its users may get slow answers.",
        "Even out the users: `tuiha plan rebalance`. If every server is full, enable or add one."),
    ProblemCode.SERVER_DRAINING: _note(
        "An operator drained this server: it takes no users.",
        _NOTHING,
        "When the work on it is finished: `tuiha plan enable NAME`."),
    ProblemCode.SERVER_UNKNOWN: _note(
        "The server has not answered since tuiha started.",
        "Not known.",
        "Wait some seconds. If nothing changes, `tuiha check` shows the reason."),
    ProblemCode.SERVER_LEFT: _note(
        "The server gave its users to the other servers, and ended.",
        _NOTHING,
        "Start it when you need it: `tuiha serve NAME`. If it will not return: `tuiha plan forget-server NAME`."),
    ProblemCode.SERVER_SILENT: _warning(
        "The server answers tuiha, but its heartbeat in the database is too old.",
        "Its users wait some seconds, until other servers take them.",
        "Check its connection to the database, and the load on its host. Restart it if nothing changes."),
    # Of a sprayer
    ProblemCode.SPRAYER_DOWN: _bad(
        "This sprayer (load balancer) does not answer tuiha.",
        "Nothing while the other sprayer works. Without one, no device reaches the pool.",
        "Start HAProxy on its host: `systemctl start haproxy`."),
    ProblemCode.CUT_OFF: _warning(
        "The sprayer cannot reach a server that serves.",
        "Slower answers: other servers forward the requests of that server's users.",
        "Compare the address on its line `server` with the server's address. Then check the network between them."),
    ProblemCode.DIFFERS: _note(
        "This sprayer sends no new users to a server that the other sprayers use.",
        _NOTHING,
        "Set the server to ready at this sprayer, or drain it everywhere: `tuiha plan drain NAME`."),
    ProblemCode.UNCHECKED: _note(
        "The sprayer does not check the health of a server.",
        "Nothing now. If that server is down, devices that are sent there get errors.",
        "Add `check` to its line `server` in haproxy.cfg. Then run `systemctl reload haproxy`."),
    ProblemCode.NO_MAP: _note(
        "The sprayer lacks a map that tuiha's configuration names.",
        "Slightly slower answers: servers forward requests to each other.",
        "Write the map's path of haproxy.cfg at `sprayers.map` or `sprayers.held`."),
    # Of a mail server or cluster
    ProblemCode.MAIL_DOWN: _bad(
        "The mail server does not answer.",
        "Nothing while a partner works: their mail is monitored through it. Without one, they get no new mail.",
        "Start the mail server. Keep it out of service until it is stable: `tuiha plan failover-mail NAME`."),
    ProblemCode.MAIL_CLOSED: _warning(
        "The mail server answers, but refuses new log-ins.",
        "Connected users notice nothing. The others are monitored through a partner, or get no new mail.",
        "Read the mail server's log: its connection limits, and its password check."),
    ProblemCode.MAIL_OUT: _warning(
        "The mail server answers, but it is out of service.",
        "Nothing while a partner works. Without one, its users get no new mail.",
        "Put it back in service: `tuiha plan return-mail NAME`."),
    ProblemCode.MAIL_LATE: _warning(
        "The mail servers do not report new mail at once (IDLE).",
        "New mail arrives up to a minute late.",
        "Check what notifies the mail servers' sessions: inotify limits, or a shared store."),
    ProblemCode.WITHOUT_MAIL: _warning(
        "The mail of some users is not monitored. The state names the reason.",
        "These users get no new mail on their devices.",
        "List them with `tuiha users --without-mail`. The problem's text says what to do for its reason."),
    # Of the ledger
    ProblemCode.LEDGER_UNREADABLE: _warning(
        "tuiha cannot read the ledger: its file, its store or the network to it has a fault.",
        "Nothing. But no operation can change the databases' roles until it is back.",
        "Run `tuiha check`: it names the cause. Do not create a new ledger while the old one may exist."),
    ProblemCode.NO_LEADER: _bad(
        "Patroni has no leader at the moment.",
        _WAIT,
        "Wait for Patroni's own failover. If it does not come: `tuiha plan failover`."),
    ProblemCode.FOLLOWING: _warning(
        "Patroni has a new leader, and the servers have not moved to it yet.",
        "Requests wait for some seconds.",
        "Wait until the old leases end: then a server begins the new epoch. If it does not, run `tuiha check`."),
    ProblemCode.DISAGREES: _warning(
        "The ledger and the active database name different epochs or different active databases.",
        "Nothing. But changes of the databases' roles are refused.",
        "Run `tuiha check`: it shows both records. Do not edit either of them by hand."),
    # Of a recording that a version without codes wrote
    ProblemCode.RECORDED: _warning(
        "An earlier version of tuiha recorded this problem, as a text only.",
        "The recorded text says it.",
        "Nothing: it belongs to the past."),
}
