"""Everything that problems and the verdict are judged from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from tuiha.model.codes import Dispute, Split
from tuiha.model.databases.active import ActiveStanding
from tuiha.model.databases.backups import BackupFacts
from tuiha.model.databases.durability import IN_STEP
from tuiha.model.facts import DatabaseFacts, Look, MailFacts, ServerFacts, SprayerFacts
from tuiha.model.operations.catalogue import Group, of_group
from tuiha.model.operations.intent import Condition
from tuiha.model.problems.mail_trouble import WithoutMail
from tuiha.model.problems.operation import Running
from tuiha.model.reports import ServerState
from tuiha.model.rules import Rules

_HOLDING = frozenset(one.name for one in of_group(Group.DATABASE))
GONE = frozenset({ServerState.DOWN, ServerState.LEFT, ServerState.UNKNOWN})  # attached to no database now
DRAINS = frozenset({ServerState.DRAINING, ServerState.DRAINED})  # told to take no users
ANSWERING = frozenset({ServerState.UP, ServerState.OVERLOADED}) | DRAINS  # devices, while they have a lease
SERVING = ANSWERING | {ServerState.WAITING}


def serves(server: ServerFacts) -> bool:
    """Whether a server answers devices now: it has a lease, where it is of a kind that needs one."""
    return server.state in ANSWERING and (server.lease_seconds is None or server.lease_seconds > 0)


def seen(servers: Iterable[ServerFacts]) -> bool:
    """Whether anything is known of a server yet."""
    return any(server.state is not ServerState.UNKNOWN for server in servers)


@dataclass(frozen=True)
class Scene:
    """A look with the facts concluded so far."""

    look: Look
    stand: ActiveStanding
    rules: Rules
    servers: tuple[ServerFacts, ...]
    databases: tuple[DatabaseFacts, ...]
    sprayers: tuple[SprayerFacts, ...]
    mail: tuple[MailFacts, ...]
    split: Split | None = None  # how the pool is split
    dispute: Dispute | None = None  # who sees what
    without_mail: tuple[WithoutMail, ...] = ()
    running: Running | None = None  # the operation that has the pool
    backup: BackupFacts | None = None
    unserved_since: float | None = None  # since when no server has had a lease; None: one has

    @cached_property
    def primary(self) -> DatabaseFacts | None:
        """The active database."""
        return next((d for d in self.databases if d.name == self.stand.active), None)

    @cached_property
    def secondary(self) -> DatabaseFacts | None:
        """The other database of the pair, when the active one is known; of several, the one that is in step."""
        second = self.stand.secondary
        if self.primary is None or second is None:
            return None
        return next((d for d in self.databases if d.name == second.name), None)

    @cached_property
    def waits(self) -> bool | None:
        """Whether commits wait for a secondary by the active database's settings; None when it cannot be asked."""
        report = self.stand.primary_report
        return None if report is None else bool(report.synchronous_names)

    @cached_property
    def in_step(self) -> bool:
        """Whether the secondary follows synchronously, as the active database says."""
        return self.secondary is not None and self.secondary.reachable \
            and self.secondary.sync_state in IN_STEP

    @cached_property
    def stalled(self) -> bool:
        """Whether only the lost secondary keeps the servers from their leases: `degrade` brings everything back.

        It is lost, or the ledger counts on it and commits do not wait for it.
        """
        return self.primary is not None and self.primary.writable is True and self.primary.reachable \
            and ((bool(self.waits) and not self.following) or self.stand.withheld) \
            and any(s.state == ServerState.CUT_OFF for s in self.servers)

    @cached_property
    def following(self) -> bool:
        """Whether the secondary answers and is in step."""
        return self.in_step and self.secondary is not None and self.secondary.error is None

    @cached_property
    def serving(self) -> tuple[ServerFacts, ...]:
        """Servers that answer devices."""
        return tuple(filter(serves, self.servers))

    @property
    def held_by(self) -> Running | None:
        """The operation that lets all requests wait: it runs, and began while users were served."""
        found, since = self.running, self.unserved_since
        if found is None or since is None or found.condition is not Condition.RUNNING:
            return None
        return found if found.kind in _HOLDING and found.since <= since else None
