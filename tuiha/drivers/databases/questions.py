"""What a database node is asked, and how its rows become facts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tuiha.drivers.databases import durability
from tuiha.drivers.protocols import DriverError
from tuiha.model.reports import (
    DatabaseReport,
    DatabaseRole,
    EpochRow,
    EpochState,
    MailRow,
    MemberRow,
    Obstacles,
    ReplicationRow,
    ServerState,
    ServerTarget,
    SessionRow,
    SlotRow,
    Transaction,
)
from tuiha.pooldb.statements.epochs import TIMELINE

Row = Mapping[str, Any]

# Of a secondary's timeline the WAL receiver knows first.
NODE = f"""
SELECT pg_is_in_recovery() AS secondary,
       (SELECT system_identifier::text FROM pg_control_system()) AS system_identifier,
       CASE WHEN pg_is_in_recovery()
            THEN greatest((SELECT timeline_id FROM pg_control_checkpoint()),
                          (SELECT received_tli FROM pg_stat_wal_receiver))
            ELSE {TIMELINE} END AS timeline,
       current_setting('server_version') AS version,
       (CASE WHEN pg_is_in_recovery()
             THEN coalesce(greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()), '0/0')
             ELSE pg_current_wal_lsn() END - '0/0'::pg_lsn)::bigint AS position,
       (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() END - '0/0'::pg_lsn)::bigint AS replayed,
       CASE WHEN pg_is_in_recovery()
            THEN EXISTS (SELECT FROM pg_stat_wal_receiver WHERE status = 'streaming') END AS receiving,
       CASE WHEN NOT pg_is_in_recovery() THEN NULL
            WHEN pg_last_wal_replay_lsn() >= pg_last_wal_receive_lsn()
                 AND EXISTS (SELECT FROM pg_stat_wal_receiver WHERE status = 'streaming') THEN 0
            ELSE greatest(0, extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()))
            END::float8 AS replay_lag_seconds,
       current_setting('synchronous_standby_names') AS synchronous_names,
       (SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()) AS transactions
"""

REPLICATION = """
SELECT application_name AS name, coalesce(state, '') AS state, coalesce(sync_state, '') AS sync_state,
       pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn)::bigint AS lag_bytes,
       CASE WHEN replay_lag IS NOT NULL THEN extract(epoch FROM replay_lag)
            WHEN replay_lsn >= pg_current_wal_lsn() THEN 0 END::float8 AS lag_seconds
  FROM pg_stat_replication ORDER BY application_name
"""

SLOTS = """
SELECT slot_name::text AS name, slot_type AS kind, active, wal_status AS state,
       greatest(0, pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
                                        ELSE pg_current_wal_lsn() END, restart_lsn))::bigint AS kept_bytes
  FROM pg_replication_slots ORDER BY slot_name
"""

OBSTACLES = """
WITH open AS (
  SELECT pid, xact_start, application_name, extract(epoch FROM clock_timestamp() - xact_start)::float8 AS seconds
    FROM pg_stat_activity
   WHERE backend_type = 'client backend' AND xact_start < clock_timestamp() - interval '1 second'
   ORDER BY xact_start LIMIT 20)
SELECT (SELECT count(*)::int FROM pg_stat_progress_basebackup) AS backups,
       (SELECT coalesce(array_agg(gid ORDER BY prepared), '{}')
          FROM (SELECT gid, prepared FROM pg_prepared_xacts ORDER BY prepared LIMIT 20) p) AS prepared,
       CASE WHEN pg_is_in_recovery() THEN pg_is_wal_replay_paused() ELSE false END AS paused,
       (SELECT coalesce(array_agg(pid ORDER BY xact_start), '{}') FROM open) AS pids,
       (SELECT coalesce(array_agg(seconds ORDER BY xact_start), '{}') FROM open) AS seconds,
       (SELECT coalesce(array_agg(application_name ORDER BY xact_start), '{}') FROM open) AS applications
"""

SESSIONS = """
SELECT substr(application_name, 7) AS server, count(*)::int AS sessions
  FROM pg_stat_activity
 WHERE datname = current_database() AND application_name LIKE 'tuiha:_%'
 GROUP BY 1 ORDER BY 1
"""

TABLES = """
SELECT name, has_any_column_privilege(to_regclass(name), 'SELECT') AS readable,
       pg_relation_size(to_regclass(name)) AS bytes
  FROM unnest($1::text[]) AS name WHERE to_regclass(name) IS NOT NULL
"""


COUNTED = ("binding", "mail_assignment", "app_user")
POOL_TABLES = ("pool_epoch", "server", "mail_server", *COUNTED)


class NodeAnswers:
    """The rows of one poll. What was not asked, because the table is not there, is empty."""

    def __init__(self) -> None:
        self.node: Row = {}
        self.replication: Sequence[Row] = ()
        self.durability: Row | None = None
        self.sessions: Sequence[Row] = ()
        self.slots: Sequence[Row] = ()
        self.obstacles: Row | None = None
        self.epoch: Row | None = None
        self.members: Sequence[Row] = ()
        self.mail: Sequence[Row] = ()
        self.counts: Counts | None = None


class Counts:
    """Users by server and by mail server, and all users; None where the table is not there."""

    def __init__(self, bound: Mapping[str, int], assigned: Mapping[str, int], users: int | None) -> None:
        self.bound = bound
        self.assigned = assigned
        self.users = users


def report(answers: NodeAnswers, window: float) -> DatabaseReport:
    """A report from the rows; `window` (seconds) is the heartbeat window. Raises DriverError for foreign values."""
    node = answers.node
    counts = answers.counts
    secondary = bool(node["secondary"])
    return DatabaseReport(
        role=DatabaseRole.SECONDARY if secondary else DatabaseRole.PRIMARY,
        writable=not secondary,
        system_identifier=node["system_identifier"],
        timeline=node["timeline"],
        version=node["version"],
        position=node["position"],
        replayed=node["replayed"],
        receiving=node["receiving"],
        replay_lag_seconds=node["replay_lag_seconds"],
        synchronous_names=node["synchronous_names"],
        durability=None if answers.durability is None else durability.read(answers.durability),
        replication=tuple(ReplicationRow(**row) for row in answers.replication),
        sessions=tuple(SessionRow(**row) for row in answers.sessions),
        slots=tuple(SlotRow(**row) for row in answers.slots),
        transactions=node["transactions"],
        epoch=None if answers.epoch is None else _epoch(answers.epoch),
        members=tuple(_member(row, window, counts) for row in answers.members),
        mail=() if counts is None else tuple(
            MailRow(**row, users=counts.assigned.get(row["name"], 0)) for row in answers.mail
        ),
        users=None if counts is None else counts.users,
        obstacles=None if answers.obstacles is None else _obstacles(answers.obstacles),
    )


def _obstacles(row: Row) -> Obstacles:
    return Obstacles(row["paused"], tuple(row["prepared"]),
                     tuple(Transaction(*one) for one in zip(row["pids"], row["seconds"], row["applications"],
                                                            strict=True)), row["backups"])


def _epoch(row: Row) -> EpochRow:
    if row["state"] not in EpochState.__members__:
        raise DriverError(f"table pool_epoch holds the unknown state '{row['state']}'; is this tuiha too old?")
    return EpochRow(pool=row["pool"], epoch=row["epoch"], active=row["active"], state=EpochState(row["state"]),
                    standby=row["standby"])


def _member(row: Row, window: float, counts: Counts | None) -> MemberRow:
    state, target = row["state"], row["target"]
    try:
        known, told = ServerState(state), ServerTarget(target)
    except ValueError:
        raise DriverError(f"table server holds an unknown state of {row['name']}; is this tuiha too old?") from None
    return MemberRow(
        name=row["name"],
        address=row["address"],
        state=known,
        target=told,
        availability_index=row["availability_index"],
        epoch=row["epoch"],
        heartbeat_age=row["heartbeat_age"],
        alive=row["leased"] or row["heartbeat_age"] <= window,
        # until the bindings of a big pool have been counted: what the server said with its last heartbeat
        users=row["users"] if counts is None else counts.bound.get(row["name"], 0),
        leased=row["leased"],
    )
