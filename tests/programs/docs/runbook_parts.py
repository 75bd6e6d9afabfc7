"""The parts of the runbooks that `tuiha.words` lacks: finding the cause, what to avoid, when to wake an expert."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tuiha.model.codes import ProblemCode

HERE = "on this host"
ON_DATABASE = "on the database's host"
ON_SERVER = "on the server's host"
ON_SPRAYER = "on the sprayer's host"
ON_MAIL = "on the mail server's host"
IN_DATABASE = "in psql, on this database"
IN_ACTIVE = "in psql, on the active database"


@dataclass(frozen=True, slots=True)
class Look:
    """A command that finds the cause, with its possible outputs and what each means."""

    command: str
    where: str
    outputs: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Parts:
    """What a runbook has beside the texts of the glossary."""

    looks: tuple[Look, ...]
    avoid: tuple[str, ...]
    wake: str


# Commands that more than one page needs

CHECK = Look("tuiha check", HERE, (
    ("BAD      NODE  ...", "the line of this node names the cause"),
    ("               fix: ...", "the line below it names the remedy")))
OPERATIONS = Look("tuiha operations", HERE, (
    ("RUNNING  failover ...", "an operation is running: wait for it"),
    ("INTERRUPTED, FAILED or UNKNOWN", "open it: `tuiha operations ID` shows the step and the reason")))
SHOWN = Look("tuiha operations ID", HERE, (
    ("  5  db2  promote db2  unknown  ...", "the step that stopped, and the evidence or the reason"),
    ("by ann@bastion, ...", "the operator: ask before you change anything")))
POSTGRESQL = Look("systemctl status postgresql", ON_DATABASE, (
    ("active", "PostgreSQL runs: check the network, its port, and its log"),
    ("inactive or failed", "PostgreSQL has stopped: its log names the reason"),
    ("the host does not answer", "the host or its network is lost")))
PATRONI = Look("patronictl list", ON_DATABASE, (
    ("Leader ... running", "Patroni has a leader"),
    ("no line with Leader", "Patroni has none: check its store, for example etcd"),
    ("Maintenance mode: on", "an operator paused it")))
REPLICATION = Look("SELECT application_name, state, sync_state FROM pg_stat_replication;", IN_ACTIVE, (
    (" db2 | streaming | sync", "the secondary receives changes, and commits wait for it"),
    (" db2 | streaming | async", "the secondary receives changes, but commits do not wait for it"),
    ("(0 rows)", "no secondary is connected")))
SERVER_LOG = Look("journalctl -u tuiha-serve@NAME -n 50", ON_SERVER, (
    ("the last lines", "they name the reason: the database, the ledger, a port, or memory"),))
SERVER_UNIT = Look("systemctl status tuiha-serve@NAME", ON_SERVER, (
    ("active (running)", "the server runs: check the network between this host and the server"),
    ("failed", "the server stopped: the log names the reason"),
    ("the host does not answer", "the host or its network is lost")))
HAPROXY = Look("systemctl status haproxy", ON_SPRAYER, (
    ("active (running)", "HAProxy runs: check the network and `sprayers.socket`"),
    ("failed", "HAProxy stopped: `haproxy -c -f /etc/haproxy/haproxy.cfg` names the line")))
BACKENDS = Look('echo "show servers state" | socat stdio /run/haproxy/admin.sock', ON_SPRAYER, (
    ("one line for each server", "the sixth field is the state: 2 up, 0 down; the seventh is the order to it"),))
MAIL_PORT = Look("openssl s_client -connect MAIL:993 -brief", HERE, (
    ("* OK ...", "the mail server answers: the problem is the log-in"),
    ("connection refused", "the mail server's process has stopped"),
    ("no output for seconds", "the host hangs, or a firewall drops packets")))
WITHOUT = Look("tuiha users --without-mail", HERE, (
    ("alice  ...  log-in refused", "each user with the reason and the mail server's answer"),))
STATUS = Look("tuiha status", HERE, (
    ("BACKUP  pgbackrest main  ...", "the line shows the newest backup, and the last result"),))
BACKUPS = Look("pgbackrest --stanza=STANZA info", "on the host with the backups", (
    ("status: ok", "the repository is good: compare the newest `timestamp start/stop`"),
    ("status: error ...", "the text names the cause"),
    ("command not found", "another program takes the backups: `barman list-backups SERVER`, or check the files")))
WAL_DISK = Look("df -h", ON_DATABASE, (
    ("Use% below 80 %", "there is time"),
    ("Use% above 90 %", "act at once: when the disk is full, the database stops")))
SLOTS = Look("SELECT slot_name, active, wal_status, pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn) FROM "
             "pg_replication_slots;", IN_DATABASE, (
    (" name | f | reserved | 41943040", "no program reads this slot; the number is the bytes it keeps"),
    (" name | t | ...", "a program reads it: leave it"),
    (" name | f | lost | ...", "what it kept is removed: the secondary needs a fresh copy")))
LEASES = Look("tuiha status", HERE, (
    ("LEASE 4.2s", "the server has a lease"),
    ("LEASE -", "the server has none: it answers 503")))

# Warnings that more than one page needs

_NO_SECOND = "Do not start a second PostgreSQL on the same data, and do not promote a database by hand."
_NO_EDIT = "Do not edit the ledger, `pool_epoch` or `synchronous_standby_names` by hand."
_NO_RESTART = "Do not restart all servers at once: every user would have to reconnect."
_NO_FAILOVER = "Do not fail over: no database is lost."
_NO_DELETE = "Do not delete the operation's folder or edit its journal."

_AT_ONCE = "At once, at any hour: users are not served, or data is at risk."
_DB_AT_ONCE = "At once, at any hour. Call the database administrator if the plan's checks stop you."
_TODAY = "During working hours. At night only if a second part fails."
_NO_WAKE = "Nobody needs to be called."

_PLAN_BEFORE = "Do not override a check of a plan before you understand its reason."


def _parts(*looks: Look, avoid: tuple[str, ...], wake: str) -> Parts:
    return Parts(looks, avoid, wake)


PARTS: Mapping[ProblemCode, Parts] = {
    ProblemCode.SPLIT: _parts(
        Look("tuiha status", HERE, (
            ("PRIMARY  rw   (twice)", "two databases accept writes: the one in the headline's epoch is the right one"),
            ("DB db2 at some servers", "these servers use the other database"))),
        Look("SELECT system_identifier FROM pg_control_system();", IN_DATABASE, (
            ("the same number on both", "one is a copy of the other, or both were promoted"),
            ("another number", "it is a foreign database: the address in a configuration is wrong"))),
        avoid=("Do not fail over, and do not override `split`: a second promotion makes it worse.",
               "Do not delete the stopped database's data folder: it may hold changes that you need."),
        wake=_DB_AT_ONCE),
    ProblemCode.DISPUTED: _parts(
        Look("pg_isready -h DATABASE -p 5432", HERE + ", and on each server's host", (
            ("accepting connections", "this host reaches the database"),
            ("no response", "the network between this host and the database is broken"))),
        CHECK,
        avoid=("Do not fail over while servers still use the database.", _NO_SECOND),
        wake=_AT_ONCE + " Call the network administrator first."),
    ProblemCode.UNVERIFIED: _parts(
        Look("openssl s_client -connect HOST:PORT -showcerts", HERE, (
            ("Verification: OK", "the system trusts the certificate: remove `verify: false`"),
            ("unable to get local issuer certificate", "name the authority's certificate at `tls.ca`"))),
        avoid=("Do not leave `verify: false` in place after a test.",), wake=_TODAY),
    ProblemCode.NO_SERVER: _parts(
        SERVER_UNIT, SERVER_LOG,
        avoid=("Do not change the database's roles: the databases are not the reason.",), wake=_AT_ONCE),
    ProblemCode.MANAGER_PAUSED: _parts(
        PATRONI, avoid=("Do not resume it while another operator works on a database: ask first.",), wake=_TODAY),
    ProblemCode.GUARD_OFF: _parts(
        Look("systemctl status tuiha-guard", "on each host of a guard", (
            ("active (running)", "it runs: its log names the reason (`journalctl -u tuiha-guard`)"),
            ("inactive or failed", "it does not run: start it"))),
        CHECK,
        avoid=("Do not start a guard with another configuration than the pool's.",), wake=_TODAY),
    ProblemCode.GUARD_PAUSED: _parts(
        OPERATIONS,
        avoid=("Do not resume it while another operator works on a database: ask first.",), wake=_NO_WAKE),
    ProblemCode.GUARD_HELD: _parts(
        OPERATIONS, SHOWN,
        avoid=("Do not acknowledge it before you know why the first database was lost.",), wake=_TODAY),
    ProblemCode.OPERATION_RUNNING: _parts(
        OPERATIONS, SHOWN,
        avoid=("Do not cancel it because it takes long: each step has a limit, and ends.",), wake=_NO_WAKE),
    ProblemCode.OPERATION_INTERRUPTED: _parts(
        OPERATIONS, SHOWN, avoid=(_NO_DELETE, _NO_EDIT),
        wake="At once if users are not served. Otherwise during working hours."),
    ProblemCode.OPERATION_HALF_WAY: _parts(
        SHOWN, CHECK, avoid=(_NO_DELETE, _NO_EDIT, "Do not resume it again and again: remove the reason first."),
        wake="At once if users are not served. Otherwise during working hours."),
    ProblemCode.OPERATION_UNKNOWN: _parts(
        SHOWN, CHECK, avoid=("Do not treat it as failed: the step may have worked.", _NO_DELETE, _NO_EDIT),
        wake="At once if users are not served. Otherwise during working hours."),
    ProblemCode.BACKUP_OLD: Parts((STATUS, BACKUPS),
                                  ("Do not delete old backups to make room before a new one is complete.",),
                                  "No backup can be completed, and the disk of the repository is not full."),
    ProblemCode.BACKUP_FAILED: Parts((STATUS, BACKUPS),
                                     ("Do not restore this backup into the pool.",),
                                     "The backup program reports wrong checksums: a disk may be damaged."),
    ProblemCode.BACKUP_FOREIGN: Parts((STATUS, BACKUPS),
                                      ("Do not restore this backup into the pool: its data is of another system.",),
                                      "The repository has no backup of the pool's own databases."),
    ProblemCode.BACKUP_UNREADABLE: Parts((STATUS, BACKUPS),
                                         ("Do not take an unknown age for a young backup.",),
                                         "The host of the repository is lost."),
    ProblemCode.DATABASE_DOWN: _parts(
        POSTGRESQL,
        Look("tuiha plan failover", HERE, (
            ("Data loss: Nothing is lost ...", "the primary is down, and the secondary has every write: apply it"),
            ("BAD  protection ...", "the secondary lacks writes: try to start the primary first"),
            ("NEVER  disputed ...", "servers still reach the primary: find the network fault instead"))),
        Look("tuiha plan degrade", HERE, (
            ("Data loss: Nothing is lost now ...", "the secondary is lost: apply the plan, and users are served again"),
            ("BAD  follows ...", "the secondary still receives changes: it is not lost"))),
        avoid=(_NO_SECOND, _PLAN_BEFORE, "Do not restart the lost primary by hand after a failover: plan `rejoin`."),
        wake=_DB_AT_ONCE),
    ProblemCode.DATABASE_UNREACHABLE: _parts(
        Look("pg_isready -h DATABASE -p 5432", HERE, (
            ("no response", "the network from this host is broken, or PostgreSQL's main process hangs"),
            ("accepting connections", "the address in the configuration is wrong: `database.nodes`"))),
        POSTGRESQL, avoid=(_NO_SECOND, _NO_FAILOVER), wake=_DB_AT_ONCE),
    ProblemCode.NOT_WRITABLE: _parts(
        Look("SELECT pg_is_in_recovery(), current_setting('default_transaction_read_only');", IN_DATABASE, (
            (" t | off", "the database is a secondary: plan a failover, or the configuration names the wrong one"),
            (" f | on", "a setting makes it read-only: remove it, then `SELECT pg_reload_conf();`"))),
        Look("tuiha plan failover", HERE, (("Data loss: Nothing is lost ...", "apply the plan"),)),
        avoid=("Do not run `pg_promote()` by hand.", _PLAN_BEFORE), wake=_DB_AT_ONCE),
    ProblemCode.NO_EPOCH_ROW: _parts(
        Look("SELECT * FROM pool_epoch;", IN_ACTIVE, (
            ("1 row", "the table is there: tuiha's role lacks the right to read it"),
            ("permission denied", "grant the rights of config/postgresql.md, step 3"),
            ("relation does not exist", "this is not the pool's database, or no server has started yet"))),
        CHECK, avoid=(_NO_EDIT,), wake=_AT_ONCE),
    ProblemCode.EPOCH_CUT_OFF: _parts(
        OPERATIONS, Look("SELECT * FROM pool_epoch;", IN_ACTIVE, (
            ("FENCED", "no server takes a lease here"), ("ACTIVE", "the problem is over"))),
        avoid=(_NO_EDIT,), wake=_DB_AT_ONCE),
    ProblemCode.ROGUE_PRIMARY: _parts(
        Look("SELECT pg_is_in_recovery();", IN_DATABASE, (
            ("f", "it accepts writes: a person or a program promoted it"), ("t", "it is a secondary again"))),
        PATRONI,
        avoid=("Do not delete its data folder: it may hold changes that you need.",
               "Do not point servers at it."),
        wake=_DB_AT_ONCE),
    ProblemCode.NOT_STREAMING: _parts(
        REPLICATION,
        Look("tail -n 50 /var/log/postgresql/postgresql-17-main.log", ON_DATABASE, (
            ("password authentication failed", "correct the password in its `primary_conninfo`"),
            ("requested WAL segment ... has already been removed", "it needs a fresh copy: `tuiha plan rejoin`"),
            ("could not connect to the primary", "check the network between the databases"))),
        Look("tuiha plan degrade", HERE, (("Data loss: Nothing is lost now ...", "apply it if users are not served"),)),
        avoid=(_NO_EDIT, "Do not delete the secondary's data folder: `rejoin` keeps and replaces it."),
        wake=_DB_AT_ONCE),
    ProblemCode.NOT_SYNCHRONOUS: _parts(
        REPLICATION, Look("tuiha plan protect", HERE, (
            ("OK  follows ...", "apply the plan"), ("BAD  follows ...", "the secondary is not connected: `rejoin`"))),
        avoid=(_NO_EDIT,), wake=_TODAY),
    ProblemCode.UNPROTECTED: _parts(
        REPLICATION, CHECK,
        avoid=(_NO_EDIT, "Do not stop or restart the active database now: its loss would lose writes."),
        wake="During working hours; at once if the active database's host has trouble."),
    ProblemCode.ENDLESS_WAIT: _parts(
        Look("SHOW synchronous_standby_names;", IN_ACTIVE, (
            ("2 (db2)", "commits wait for two secondaries, and there is one"),
            ("FIRST 1 (db2)", "right: the problem is over"))),
        Look("tuiha plan protect", HERE, (("OK  follows ...", "apply the plan"),)),
        avoid=("Do not cancel waiting commits: the secondary may lack them.",), wake=_DB_AT_ONCE),
    ProblemCode.STALE: _parts(
        REPLICATION, Look("tuiha plan protect", HERE, (
            ("OK  follows ...", "apply the plan"), ("BAD  follows ...", "the secondary is not connected: `rejoin`"))),
        avoid=(_NO_EDIT, "Do not promote this database: acknowledged writes would be lost."), wake=_TODAY),
    ProblemCode.UNMANAGED: _parts(
        PATRONI, Look("systemctl status patroni", ON_DATABASE, (
            ("active (running)", "Patroni runs: check its address at `database.nodes[].rest`"),
            ("failed", "Patroni stopped: its log names the reason"))),
        avoid=("Do not start PostgreSQL by hand: Patroni does that.",), wake=_TODAY),
    ProblemCode.PENDING_RESTART: _parts(
        PATRONI, avoid=("Do not restart both databases at the same time.",), wake=_NO_WAKE),
    ProblemCode.DATABASE_OF_OTHER_POOL: _parts(
        Look("SELECT pool FROM pool_epoch;", IN_DATABASE, (("west", "the name of the pool that owns it"),)), CHECK,
        avoid=("Do not plan an operation on the pair before the address is right.",), wake=_AT_ONCE),
    ProblemCode.FOREIGN: _parts(
        Look("SELECT system_identifier FROM pg_control_system();", IN_DATABASE, (
            ("the number that the problem expects", "the address is right again"),
            ("another number", "it is another database: correct `database.nodes`"))),
        avoid=("Do not have tuiha rejoin it: it would need another system's data removed.",), wake=_AT_ONCE),
    ProblemCode.REPLAY_PAUSED: _parts(
        Look("SELECT pg_is_wal_replay_paused();", IN_DATABASE, (
            ("t", "a person paused it: ask, then resume it"), ("f", "the problem is over"))),
        avoid=("Do not fail over before it is resumed.",), wake=_TODAY),
    ProblemCode.PREPARED_TRANSACTIONS: _parts(
        Look("SELECT gid, prepared, owner, database FROM pg_prepared_xacts;", IN_ACTIVE, (
            ("1 row for each", "`owner` names the role of the program that left it"),)),
        avoid=("Do not roll back a transaction of another program before its owner agrees.",), wake=_TODAY),
    ProblemCode.LONG_TRANSACTIONS: _parts(
        Look("SELECT pid, usename, xact_start, query FROM pg_stat_activity ORDER BY xact_start;", IN_DATABASE, (
            ("the first rows", "the oldest transactions, with their program and their query"),)),
        avoid=("Do not end a session of the pool's own roles: restart its server instead.",), wake=_NO_WAKE),
    ProblemCode.BACKUP_RUNNING: _parts(
        Look("SELECT pid, phase, backup_streamed FROM pg_stat_progress_basebackup;", IN_DATABASE, (
            ("1 row", "the backup is still running"), ("(0 rows)", "the backup has ended"))),
        avoid=("Do not plan a switchover before it ends: the backup would be lost.",), wake=_NO_WAKE),
    ProblemCode.SLOT_UNUSED: _parts(
        SLOTS, WAL_DISK, avoid=("Do not drop a slot of the partner (tuiha's own slots).",),
        wake="During working hours; at once when the disk is almost full."),
    ProblemCode.SLOT_LOST: _parts(
        SLOTS, Look("tuiha plan rejoin", HERE, (("OK  disk ...", "there is room for a fresh copy: apply it"),)),
        avoid=("Do not delete the secondary's data folder by hand.",), wake=_TODAY),
    ProblemCode.SLOT_KEEPS: _parts(
        SLOTS, WAL_DISK, avoid=("Do not drop the slot while the secondary may return: it would need a fresh copy.",),
        wake="During working hours; at once when the disk is almost full."),
    ProblemCode.SERVER_OF_OTHER_POOL: _parts(
        CHECK, avoid=("Do not change the other pool's server: correct this pool's configuration.",), wake=_TODAY),
    ProblemCode.SERVER_UNREACHABLE: _parts(
        SERVER_UNIT, Look("curl -sk https://SERVER/health", HERE, (
            ("ok", "the address works: check `control` and its token"),
            ("connection timed out", "the network or a firewall is in the way"))),
        avoid=("Do not start a second process of this server elsewhere: it gets no lease.", _NO_RESTART),
        wake=_NO_WAKE),
    ProblemCode.SERVER_DOWN: _parts(
        SERVER_UNIT, SERVER_LOG,
        avoid=("Do not start it on another host while the old process may still run.", _NO_FAILOVER),
        wake="At once if users have no server. Otherwise during working hours."),
    ProblemCode.SERVER_CUT_OFF: _parts(
        LEASES, SERVER_LOG, Look("pg_isready -h DATABASE -p 5432", ON_SERVER, (
            ("accepting connections", "the network works: the log names the reason"),
            ("no response", "the network between the server and the active database is broken"))),
        avoid=(_NO_RESTART, "Do not fail over if only one server has this problem."),
        wake="At once if every server has it. Otherwise during working hours."),
    ProblemCode.SERVER_WAITING: _parts(
        OPERATIONS, LEASES, avoid=(_NO_RESTART,),
        wake="At once if it lasts for more than a minute, and no operation is running."),
    ProblemCode.SERVER_OVERLOADED: _parts(
        Look("tuiha status", HERE, (
            ("OVERLOADED", "the note names the scarce resource"),
            ("every server OVERLOADED", "add a server: a rebalance cannot help"))),
        Look("tuiha plan rebalance", HERE, (
            ("users 812 -> 500", "apply the plan"), ("BAD  takers ...", "no server has room: enable or add one"))),
        avoid=("Do not restart the overloaded server: its users would all move at once.",),
        wake="At once if every server is overloaded. Otherwise during working hours."),
    ProblemCode.SERVER_DRAINING: _parts(
        Look("tuiha operations", HERE, (("DONE  drain NAME ...", "the operator and the reason"),)),
        avoid=("Do not enable it before you know why it was drained.",), wake=_NO_WAKE),
    ProblemCode.SERVER_UNKNOWN: _parts(CHECK, avoid=(_NO_RESTART,), wake=_NO_WAKE),
    ProblemCode.SERVER_LEFT: _parts(
        SERVER_UNIT, avoid=("Do not forget the server if it will return: it would join as a new one.",), wake=_NO_WAKE),
    ProblemCode.SERVER_SILENT: _parts(
        SERVER_LOG, Look("uptime", ON_SERVER, (
            ("load average above the number of CPUs", "the host is overloaded"),
            ("a low load average", "its connection to the database is slow or broken"))),
        avoid=(_NO_RESTART,), wake=_TODAY),
    ProblemCode.SPRAYER_DOWN: _parts(
        HAPROXY, Look("ip address show", "on both sprayers' hosts", (
            ("the virtual address on one host", "devices reach that sprayer"),
            ("on no host", "keepalived does not work: no device reaches the pool"))),
        avoid=("Do not restart the second sprayer: it carries all devices now.",),
        wake="At once if it is the last sprayer. Otherwise during working hours."),
    ProblemCode.CUT_OFF: _parts(
        BACKENDS, Look("curl -sk https://SERVER/health", ON_SPRAYER, (
            ("ok", "the sprayer's host reaches the server: compare its line `server`"),
            ("connection timed out", "the network or a firewall is in the way"))),
        avoid=("Do not restart the server: it serves.",), wake=_TODAY),
    ProblemCode.DIFFERS: _parts(
        BACKENDS, avoid=("Do not take servers out by hand: `tuiha plan drain NAME` does it everywhere.",),
        wake=_NO_WAKE),
    ProblemCode.UNCHECKED: _parts(
        Look("grep -n ' server ' /etc/haproxy/haproxy.cfg", ON_SPRAYER, (
            ("server s1 192.0.2.11:443 check ...", "right"),
            ("server s1 192.0.2.11:443 ssl ...", "`check` is missing"))),
        avoid=("Do not reload HAProxy before `haproxy -c -f FILE` accepts the file.",), wake=_NO_WAKE),
    ProblemCode.NO_MAP: _parts(
        Look('echo "show map" | socat stdio /run/haproxy/admin.sock', ON_SPRAYER, (
            ("# id (file) description", "one line for each map: write this path into the configuration"),)),
        avoid=("Do not delete a map while HAProxy runs.",), wake=_NO_WAKE),
    ProblemCode.MAIL_DOWN: _parts(
        MAIL_PORT, WITHOUT,
        avoid=("Do not put it back in service before it is stable: every user would log in twice.",),
        wake="At once if it has no partner. Otherwise during working hours."),
    ProblemCode.MAIL_CLOSED: _parts(
        MAIL_PORT, Look("journalctl -u dovecot -n 50", ON_MAIL, (
            ("auth: ... unavailable", "its password store does not answer"),
            ("too many connections", "raise its connection limit"))),
        avoid=("Do not restart it during the day: connected users would lose their connection.",), wake=_TODAY),
    ProblemCode.MAIL_OUT: _parts(
        Look("tuiha operations", HERE, (("DONE  failover-mail NAME ...", "the operator and the reason"),)), MAIL_PORT,
        avoid=("Do not return it while the reason is still there.",),
        wake="At once if it has no partner. Otherwise during working hours."),
    ProblemCode.MAIL_LATE: _parts(
        Look("cat /proc/sys/fs/inotify/max_user_instances", ON_MAIL, (
            ("128", "the default: too few for many mailboxes; raise it with sysctl"),)),
        avoid=("Do not restart pool servers: they are not the reason.",), wake=_TODAY),
    ProblemCode.WITHOUT_MAIL: _parts(
        WITHOUT, CHECK, avoid=("Do not restart pool servers: the reason lasts beyond a restart.",),
        wake="During working hours; at once if many users are affected."),
    ProblemCode.LEDGER_UNREADABLE: _parts(
        CHECK, Look("etcdctl endpoint health", HERE, (
            ("is healthy", "the store works: check the log-in and the prefix at `ledger`"),
            ("is unhealthy", "restore the store's quorum"))),
        avoid=("Do not create a new ledger while the old record may exist.",
               "Do not change the databases' roles by hand meanwhile."),
        wake="During working hours; at once if a database fails too."),
    ProblemCode.NO_LEADER: _parts(
        PATRONI, avoid=("Do not promote a database by hand.",), wake=_DB_AT_ONCE),
    ProblemCode.FOLLOWING: _parts(
        PATRONI, LEASES, avoid=(_NO_RESTART,), wake="At once if it lasts for more than a minute."),
    ProblemCode.DISAGREES: _parts(
        CHECK, Look("SELECT * FROM pool_epoch;", IN_ACTIVE, (
            ("the epoch of the ledger", "the problem is over"),
            ("a lower epoch than the ledger's", "the database was restored from a backup: docs/backup.md"),
            ("a higher epoch than the ledger's", "the ledger is an old copy: restore the newest one"))),
        avoid=(_NO_EDIT,), wake=_DB_AT_ONCE),
    ProblemCode.RECORDED: _parts(
        Look("tuiha replay --json", HERE, (("problems", "the text as it was recorded"),)),
        avoid=("Do not act on a recording: `tuiha status` shows the pool as it is now.",), wake=_NO_WAKE),
}
