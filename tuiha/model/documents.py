"""Each JSON document that a command prints or the control interface answers, field by field.

docs/json.md and the schemas in the OpenAPI document are made from these classes; mypy compares the writers with them.
One `schema` is one document. Its number rises when a field goes or changes its meaning.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypedDict

from tuiha.model.check.finding import Level
from tuiha.model.codes import Action, ProblemCode
from tuiha.model.databases.restores import RestoreFault, RestoreStage, StageResult
from tuiha.model.facts import NodeKind, Protection, Severity, Verdict
from tuiha.model.guard.report import GuardHold, GuardOrder, GuardSign
from tuiha.model.operations.intent import Condition, IntentWay
from tuiha.model.operations.plans import CheckVerdict, Extent, OperationStatus, StepStatus, Unit
from tuiha.model.reports import (
    BackendState,
    DatabaseRole,
    DatabaseState,
    MailState,
    ServerState,
    ServerTarget,
    SprayerState,
)
from tuiha.model.schema import AtLeast, AtMost, Except, Pattern

Count = Annotated[int, AtLeast(0)]
Time = Annotated[str, Pattern(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")]
_SEEN = Except(("UNKNOWN",))


class ActionDocument(TypedDict):
    """What an operator can do next, for programs."""

    kind: Action
    operation: Annotated[str | None, "the kind of operation to plan; null when it is none"]
    targets: Annotated[list[str], "the names that it is about"]


class ProblemDocument(TypedDict):
    """A problem of the pool."""

    severity: Severity
    subject: Annotated[str, "the name of the node, the cluster or the pool"]
    code: Annotated[ProblemCode, "says to a program which problem it is"]
    what: Annotated[str, "begins with the state in capitals"]
    since: Annotated[Time | None, "null when a single look cannot know it"]
    at_least: Annotated[bool, "the problem was there when watching began, so it may be older than `since`"]
    next: Annotated[str | None, "the suggested command"]
    action: Annotated[ActionDocument | None, "the suggestion for programs"]
    kind: Annotated[NodeKind, "what kind of node it is about"]
    means: Annotated[str, "what it means for users, in a sentence"]
    runbook: Annotated[str, "the address of the problem's page"]


class HostDocument(TypedDict):
    """The machine of a pool server."""

    cpu_percent: float | None
    memory_percent: float | None
    disk_percent: Annotated[float | None, "of the file system that the server runs on"]
    load: Annotated[float | None, "of the last minute"]
    processors: Count | None


class ServerDocument(TypedDict):
    """A pool server."""

    name: str
    state: Annotated[ServerState | None, _SEEN,
                     "UP, WAITING (requests wait for the database), CUT OFF (no lease: answers 503), OVERLOADED (takes "
                     "no new users), DRAINING (was told to take none), DRAINED (and has none left), LEFT, DOWN; null "
                     "before it answers"]
    target: Annotated[ServerTarget | None, _SEEN, "what it was told to be"]
    alive: Annotated[bool | None, "its heartbeat is inside the window, by the database's clock"]
    users: Annotated[Count | None, "users bound to it"]
    devices: Annotated[Count | None, "their devices, seen in the last 15 minutes"]
    availability_index: Annotated[Annotated[int, AtLeast(-200), AtMost(100)] | None,
                                  "0 to 100 available, -100 to -1 overloaded, -200 draining"]
    full_percent: Annotated[float | None, "how much of its limit the scarcest resource uses; over 100: overloaded"]
    limited_by: Annotated[str | None, "that resource"]
    database: Annotated[str | None, "the database that it is attached to"]
    lease_seconds: Annotated[float | None, "what is left of its right to use that database"]
    requests_per_second: float | None
    latency_ms: Annotated[float | None, "95th percentile of the last seconds, without the waiting of long polls"]
    cpu_percent: float | None
    memory_bytes: Count | None
    age_seconds: Annotated[float | None, "how old these facts are; null when it never answered"]
    address: str
    epoch: Annotated[Count | None, "the epoch that it works in"]
    system_identifier: Annotated[str | None, "of the physical database that it is attached to"]
    queue: Annotated[Count | None, "requests that wait for the database"]
    note: str
    error: Annotated[str | None, "why the newest poll failed; null when it did not"]
    version: str | None
    started_at: Time | None
    host: HostDocument


class SessionsDocument(TypedDict):
    """The sessions of one pool server on a database."""

    server: str
    sessions: Count


class SlotDocument(TypedDict):
    """A replication slot."""

    name: str
    kind: Annotated[str, "physical or logical"]
    active: bool
    kept_bytes: Annotated[int | None, "write-ahead log that is kept for it"]
    state: str | None


class ManagedDocument(TypedDict):
    """What Patroni says of a database."""

    role: str | None
    state: str | None
    leader: str | None
    timeline: Count | None
    lag_bytes: Count | None
    pending_restart: bool
    paused: bool
    scheduled: Annotated[str | None, "a switchover that is to come"]
    synchronous: bool | None
    strict: bool | None
    version: Annotated[str | None, "of Patroni"]
    error: Annotated[str | None, "why it could not be asked"]


class DatabaseDocument(TypedDict):
    """A database of the pair."""

    name: str
    role: DatabaseRole | None
    reachable: bool
    writable: bool | None
    system_identifier: str | None
    timeline: Count | None
    lag_bytes: Annotated[Count | None, "of the secondary, as the active database sees it"]
    lag_seconds: float | None
    sync_state: str | None
    pool_sessions: Annotated[Count | None, "sessions of pool servers"]
    address: str
    age_seconds: float | None
    state: Annotated[DatabaseState | None, _SEEN,
                     "UP, DOWN or ROGUE PRIMARY (writable though it is not the active one)"]
    expected: Annotated[DatabaseRole | None, "the role that it should have"]
    transactions_per_second: float | None
    position: Annotated[Count | None, "where its write-ahead log ends, in bytes"]
    replayed: Annotated[Count | None, "how far a secondary has replayed it, in bytes"]
    receiving: Annotated[bool | None, "of a secondary: the stream is up"]
    synchronous_names: str | None
    note: str
    error: str | None
    version: str | None
    sessions: Annotated[list[SessionsDocument], "of each pool server"]
    slots: list[SlotDocument]
    managed: Annotated[ManagedDocument | None, "what Patroni says of it ([patroni.md](patroni.md)); null without"]


class BackendDocument(TypedDict):
    """A pool server behind a sprayer."""

    server: str
    state: BackendState
    sessions: Count
    queue: Count
    requests_per_second: float | None
    since_seconds: Count | None
    check: str | None


class AddressDocument(TypedDict):
    """A virtual address of the sprayers, as keepalived has it on one host."""

    address: str
    state: Annotated[str, "MASTER: this sprayer has it"]


class SprayerDocument(TypedDict):
    """A sprayer."""

    name: str
    state: Annotated[SprayerState | None, _SEEN]
    active: Annotated[bool | None, "carries connections of devices right now"]
    sessions: Count | None
    backends: list[BackendDocument]
    address: str
    requests_per_second: float | None
    age_seconds: float | None
    error: str | None
    version: str | None
    uptime_seconds: Count | None
    learned: Annotated[Count | None, "users whose server it knows"]
    addresses: Annotated[list[AddressDocument] | None, "the virtual addresses; null where it is not told"]


class MailServerDocument(TypedDict):
    """A mail server."""

    name: str
    state: Annotated[MailState | None, _SEEN, "UP, OUT (taken out of service by an operator), DOWN"]
    users: Count | None
    latency_ms: float | None
    in_service: bool | None
    address: str
    age_seconds: float | None
    error: str | None
    reason: Annotated[str | None, "why an operator took it out of service"]
    changed_at: Annotated[Time | None, "when that, or its return, was"]
    failing_since: Time | None
    closed: Annotated[str | None, "why it lets nobody in, though it answers; null when it does"]


class MailClusterDocument(TypedDict):
    """A mail cluster with its servers."""

    cluster: str
    servers: list[MailServerDocument]


class TroubleDocument(TypedDict):
    """Users of one mail cluster that are without mail for one reason."""

    reason: Annotated[str, "`login-refused`, `no-such-user`, `mailbox` (cannot be opened), `no-answer`, "
                           "`connection-ends`, `reading`, `database`, `no-server`, `not-configured`, `fault`"]
    users: Count
    since: Time | None
    examples: Annotated[list[str], "up to 5 users"]
    text: Annotated[str, "the mail server's answer to one of them"]


class WithoutMailDocument(TypedDict):
    """The users of one mail cluster, as the pool servers monitor them."""

    cluster: str
    users: Annotated[Count, "users that the pool servers monitor"]
    connected: Count
    waiting: Annotated[Count, "for a connection"]
    failing: Annotated[Count, "without mail for 5 s or more"]
    troubles: list[TroubleDocument]
    servers: Annotated[list[str], "pool servers with failing users"]
    ahead: Annotated[Count, "mailboxes in which a look found mail, in the last ten minutes, of which the mail server "
                            "had not told"]


class RunningDocument(TypedDict):
    """The operation that has the pool, as the ledger names it."""

    id: str
    kind: str
    who: str
    host: str
    since: Time
    step: Annotated[Count, "0: before the first"]
    action: str
    condition: Condition
    silent_seconds: Annotated[float | None, "since its runner's last sign of life"]
    ways: Annotated[list[IntentWay], "how it can be ended"]


class GuardOutlookDocument(TypedDict):
    """An order that the active guard thinks of."""

    order: GuardOrder
    database: Annotated[str, "that the operation would be about"]
    evidence: Annotated[list[GuardSign], "what is there"]
    missing: Annotated[list[GuardSign], "what the order needs beside that"]
    wait_seconds: Annotated[float | None, "until it is given; null while something is missing"]
    held: Annotated[list[GuardHold], "what holds it back although all evidence is there"]
    text: Annotated[str, "how it stands, for people"]


class GuardPauseDocument(TypedDict):
    """An operator's word that no guard may act."""

    until: Time
    who: str
    reason: str


class GuardDocument(TypedDict):
    """The guards of the pool."""

    active: Annotated[str | None, "the name of the guard that is active; null: none is"]
    host: str | None
    orders: Annotated[list[GuardOrder], "that the active guard may give"]
    outlook: list[GuardOutlookDocument]
    paused: GuardPauseDocument | None
    acknowledge: Annotated[bool, "an operator has to acknowledge what a guard did, before it does it again"]


class BackupDocument(TypedDict):
    """The backup of the pair."""

    source: Annotated[str, "the backup program and its name for the pair, or the path of the files"]
    newest: Annotated[Time | None, "when the newest good backup ended; null when there is none, or that is not known"]
    age_seconds: float | None
    older_than_seconds: Annotated[float, "an older backup is a problem"]
    label: Annotated[str | None, "the backup program's name of it"]
    bytes: Annotated[Count | None, "of the database in it"]
    failed: Annotated[str | None, "why the last backup, or the repository, is not good; null when it is"]
    error: Annotated[str | None, "why the backup program could not be asked"]


class StatusDocument(TypedDict):
    """One look at the pool."""

    schema: Literal["tuiha.status/2"]
    pool: str
    at: Time
    verdict: Annotated[Verdict, "HEALTHY; DEGRADED (something is lost, but devices are served); DISPUTED (watcher and "
                                "servers disagree on whether the active database is there); SPLIT (servers or writes "
                                "on different physical databases); DOWN (no server serves)"]
    epoch: Annotated[int | None, "counts database changes"]
    protection: Annotated[Protection | None,
                          "`protected`: the secondary has every acknowledged write and may take over"]
    unserved_since: Annotated[Time | None, "since when no server has had a lease; null while one has"]
    problems: Annotated[list[ProblemDocument], "worst first"]
    servers: list[ServerDocument]
    databases: list[DatabaseDocument]
    sprayers: list[SprayerDocument]
    mail: list[MailClusterDocument]
    active: Annotated[str | None, "the active database"]
    users: Count | None
    interval_seconds: float
    manager: Annotated[str | None, "`Patroni` when it decides which database is active"]
    operation: RunningDocument | None
    guard: Annotated[GuardDocument | None, "null where guards have no orders"]
    without_mail: Annotated[list[WithoutMailDocument], "one for each mail cluster"]
    backup: Annotated[BackupDocument | None, "null when the configuration names none"]


class EventDocument(TypedDict):
    """A recorded event."""

    id: int
    at: Time
    severity: Severity
    subject: str
    text: str


class EventsDocument(TypedDict):
    """The newest events."""

    schema: Literal["tuiha.events/1"]
    pool: str
    events: Annotated[list[EventDocument], "newest last"]


class UnreadableDocument(TypedDict):
    """A message that the monitor could not read."""

    mailbox: str
    uid: Annotated[int, AtLeast(1)]
    mail_server: str
    size: Annotated[Annotated[int, AtLeast(1)] | None, "bytes; null where the mail server does not report it"]
    at: Time
    reason: str


class NoMailDocument(TypedDict):
    """Why a user has no mail."""

    reason: str
    text: str
    since: Time
    mail_server: str | None


class UserDocument(TypedDict):
    """A user."""

    name: str
    server: Annotated[str | None, "null when no server monitors the user now"]
    since: Time | None
    locked_until: Annotated[Time | None, "null when it may be moved at once"]
    devices: Count
    mail_server: str | None
    last_sync: Annotated[Time | None, "null when none of its devices ever came"]
    disabled_at: Annotated[Time | None, "null when no operator has disabled it"]
    disabled_reason: str | None
    revoked: Annotated[Count, "its revoked devices"]
    no_mail: Annotated[NoMailDocument | None, "null when its mail is monitored"]


class UsersDocument(TypedDict):
    """A page of users in the order of their names."""

    schema: Literal["tuiha.users/1"]
    pool: str
    after: Annotated[str | None, "what the next page's `--after` takes; null on the last page"]
    unreadable: Annotated[list[UnreadableDocument], "the newest 20, when PATTERN is a user's whole name"]
    users: list[UserDocument]


class DeviceDocument(TypedDict):
    """A device of a user."""

    name: str
    kind: str
    registered_at: Time
    last_seen: Time
    behind: Annotated[Count, "changes that the device has not acknowledged"]
    revoked_at: Annotated[Time | None, "null when it may come in"]
    revoked_reason: str | None


class DevicesDocument(TypedDict):
    """The devices of a user."""

    schema: Literal["tuiha.devices/1"]
    pool: str
    user: str
    devices: list[DeviceDocument]


class FindingDocument(TypedDict):
    """A finding."""

    level: Annotated[Level, "how it is"]
    code: Annotated[str, "what it is about; [check.md](check.md#codes) lists the codes"]
    subject: str
    what: str
    means: Annotated[str | None, "null where the finding is `ok`"]
    fix: Annotated[str | None, "null where the finding is `ok`"]


class CheckDocument(TypedDict):
    """The findings of a check."""

    schema: Literal["tuiha.check/1"]
    pool: str
    findings: list[FindingDocument]


class WordDocument(TypedDict):
    """A word of the glossary."""

    word: str
    kind: Annotated[str, "the family, in words"]
    meaning: str
    users: Annotated[str | None, "what users notice"]
    remedy: Annotated[str | None, "what to do"]
    runbook: Annotated[str | None, "the page of a problem"]
    formerly: Annotated[str | None, "the word of an earlier version"]


class ExplainDocument(TypedDict):
    """Every word that fits, or all of them."""

    schema: Literal["tuiha.explain/1"]
    words: list[WordDocument]


class StatementDocument(TypedDict):
    """A fact as a code and its figures."""

    code: Annotated[str, "`text`: only the words of a program or of an earlier version"]
    figures: Annotated[dict[str, Any], "counts, names, positions of the log; moments are unix seconds"]


class PlanCheckDocument(TypedDict):
    """A check of a plan."""

    name: str
    subject: str
    value: str
    limit: str
    verdict: CheckVerdict
    remedy: str
    found: Annotated[StatementDocument, "`value` as a code"]
    wanted: Annotated[StatementDocument, "`limit` as a code"]
    mend: Annotated[StatementDocument | None, "`remedy` as a code"]


class PlannedStepDocument(TypedDict):
    """A step of a plan."""

    number: int
    id: Annotated[str, "the step's code, the same in every plan"]
    target: str
    action: str
    limit_seconds: float
    undo: bool
    point_of_no_return: bool
    figures: Annotated[dict[str, Any], "what the step works on"]


class LossDocument(TypedDict):
    """What an operation may lose."""

    extent: Extent
    amount: Annotated[int | None, "of `up to`"]
    unit: Unit | None
    code: str
    figures: dict[str, Any]


class PlanDocument(TypedDict):
    """A plan."""

    schema: Literal["tuiha.plan/1"]
    id: str
    pool: str
    kind: str
    target: list[str]
    confirm: Annotated[str, "the name to type"]
    checks: list[PlanCheckDocument]
    steps: list[PlannedStepDocument]
    loses: str
    loss: LossDocument
    point_of_no_return: Annotated[int | None, "a step's number"]
    made: Time
    expires: Time
    facts: Annotated[dict[str, Any], "what the id is a hash of, with kind and target"]
    details: Annotated[dict[str, Any], "what the kind adds; may grow"]


class OperationHeadDocument(TypedDict):
    """An operation without its steps."""

    operation: Annotated[str, "its id"]
    kind: str
    target: list[str]
    result: OperationStatus
    settled: Annotated[bool, "nothing is left that resume would have to bring to an end"]
    nothing_changed: bool
    step: Annotated[int | None, "the one that runs, or where it stopped"]
    who: str
    host: Annotated[str | None, "where its runner is, or was last"]
    journal_here: Annotated[bool, "false: known from the database or the ledger alone"]
    reason: str
    overrides: list[str]
    started: Time | None
    ended: Time | None


class StepDocument(TypedDict):
    """A step of an operation."""

    number: int
    id: Annotated[str, "the step's code, as in the plan"]
    name: Annotated[str, "target and action"]
    target: str
    action: str
    result: StepStatus
    seconds: float | None
    evidence: str
    says: Annotated[StatementDocument | None, "`evidence` as a code; null before there is any"]


class OperationDocument(OperationHeadDocument):
    """An operation."""

    schema: Literal["tuiha.operation/1"]
    text: str
    says: Annotated[StatementDocument | None, "`text` as a code; null before there is a result"]
    past_point_of_no_return: bool
    outage_ms: Annotated[float | None, "how long writes were held"]
    requests_delayed: Annotated[int | None, "waited, or were told when to ask again"]
    requests_failed: Annotated[int | None, "answered with 5xx and no time to ask again"]
    steps: list[StepDocument]
    outcome: Annotated[dict[str, Any], "further figures of the kind"]


class RefusalDocument(TypedDict):
    """A refusal: nothing was changed."""

    schema: Literal["tuiha.refusal/1"]
    code: Annotated[str, "the reason; `text`: only the words of a program that is not ours"]
    figures: dict[str, Any]
    text: Annotated[str, "the reason as stderr has it, with what can be done"]
    exit_code: Annotated[int, "2: the question is wrong, 4: refused"]


class OperationsDocument(TypedDict):
    """Operations, newest first."""

    schema: Literal["tuiha.operations/1"]
    pool: str
    operations: list[OperationHeadDocument]


class RestoreStageDocument(TypedDict):
    """A stage of a rehearsed restore."""

    stage: RestoreStage
    result: StageResult
    seconds: float
    fault: Annotated[RestoreFault | None, "why it failed, or was left out"]
    detail: Annotated[str, "what a program printed, or the two values that differ"]


class RestoredDocument(TypedDict):
    """What a restored database holds."""

    pool: str
    epoch: int
    active: str
    timeline: Count
    system_identifier: str
    users: Count
    devices: Count
    changes: Count
    newest: Annotated[Time | None, "of the newest change; null when there is none"]


class RehearsalDocument(TypedDict):
    """A rehearsed restore."""

    schema: Literal["tuiha.rehearsal/1"]
    backup: Annotated[str, "the folder of the backup"]
    at: Annotated[Time, "when the rehearsal began"]
    good: Annotated[bool, "the pool can be restored from this backup"]
    seconds: float
    stages: list[RestoreStageDocument]
    found: Annotated[RestoredDocument | None, "null when the copy could not be read"]


class AlertProblemDocument(TypedDict):
    """A problem, as an alert tells it."""

    severity: Severity
    subject: str
    code: ProblemCode
    what: str
    means: str
    next: str | None
    runbook: Annotated[str, "the address of the problem's page"]


class AlertDocument(TypedDict):
    """A change of the verdict."""

    schema: Literal["tuiha.alert/2"]
    pool: str
    verdict: Verdict
    before: Annotated[Verdict | None, "the verdict that was told last; null for the first"]
    at: Annotated[float, "unix seconds"]
    active: str | None
    epoch: int | None
    problems: list[AlertProblemDocument]


class PercentilesDocument(TypedDict):
    """Percentiles."""

    p50: float | None
    p95: float | None
    p99: float | None


class DemoDocument(TypedDict):
    """The checker's report on a run of the embedded pool under load."""

    schema: Literal["tuiha.demo/1"]
    seconds: float
    requests: Annotated[Count, "of devices"]
    failures: Annotated[Count, "requests that got no good answer from either sprayer (a 503 whose Retry-After was "
                               "obeyed is none)"]
    messages: Annotated[Count, "that a mail server accepted"]
    changes: Annotated[Count, "given to devices"]
    lost: Annotated[Count, "pairs of a device and a change: due and not given"]
    doubled: Annotated[Count, "pairs of a device and a change: given again"]
    monitored_twice: Annotated[Count, "signs of two monitors for one user"]
    routed_direct_share: Annotated[Annotated[float, AtLeast(0), AtMost(1)] | None,
                                   "answers that came straight from the monitoring server, of those after a user's "
                                   "first"]
    users_per_server: Annotated[dict[str, Count] | None, "at the end; null when the database could not be read"]
    latency_ms: Annotated[PercentilesDocument, "of requests, without the waiting of long polls"]


class DrillMailDocument(TypedDict):
    """What became of mail in a drill."""

    gone: Annotated[Count | None, "times that a mail server was judged gone"]
    disconnected: Annotated[Count | None, "users that lost their connection though their mail server was right"]
    disconnected_seconds: Annotated[float, AtLeast(0)]
    logins: Count | None
    next_mail_ms: Annotated[Count | None, "until each hurt user was told of the next mail"]
    odd_mail_ms: Annotated[Count | None, "until each was told of the odd mail"]


class LeasesDocument(TypedDict):
    """The servers that held a lease on each database, from one moment on."""

    seconds: Annotated[float, "from the start"]
    servers: dict[str, Count]


class DrillDocument(TypedDict):
    """The verdict of one scenario; what could not be judged is null, and then `ok` is false."""

    schema: Literal["tuiha.drill/1"]
    scenario: str
    ok: bool
    lost: Count | None
    late: Count | None
    doubled: Count | None
    monitored_twice: Count | None
    split: Count | None
    outage_ms: Count | None
    requests_failed: Count | None
    requests_delayed: Count | None
    substitutes: Annotated[Count | None, "mails that cannot be read, as devices were told of them"]
    mail: Annotated[DrillMailDocument | None, "in a scenario of mail"]
    operation: Annotated[dict[str, Any] | None, "the operation, as in tuiha.operation/1"]
    broken: Annotated[list[str], "what did not hold, in words"]
    examples: Annotated[dict[str, list[str]], "some of what was found"]
    leases: Annotated[list[LeasesDocument], "one entry for each change"]
    writes: Annotated[Count | None, "of the witness, acknowledged"]
    reads: Count | None
    seconds: Annotated[float, AtLeast(0)]


# What the control interface answers. These have no schema's name: the path says which document it is.

class CountsAnswer(TypedDict):
    """Device requests since the server started."""

    server: str
    started_at: Annotated[float | None, "unix seconds"]
    answered: Count
    failed: Count
    delayed: Count


class MonitoredUser(TypedDict):
    """A user that a server monitors."""

    user: str
    generation: int


class MonitoredUsersAnswer(TypedDict):
    """The users that a server monitors."""

    server: str
    users: list[MonitoredUser]


class HeldAnswer(TypedDict):
    """A hold has begun."""

    held: bool
    waiting: Annotated[Count, "requests"]


class ReleasedAnswer(TypedDict):
    """A hold is over."""

    held: bool


class AttachedAnswer(TypedDict):
    """The pool is on this database, as the server was told."""

    epoch: int
    database: str


class TargetAnswer(TypedDict):
    """What a server was told to be."""

    target: ServerTarget


class OtherTargetAnswer(TypedDict):
    """What another server was told to be."""

    server: str
    target: ServerTarget


class ForgottenServerAnswer(TypedDict):
    """A server that is no part of the pool any more."""

    server: str


class BoundAnswer(TypedDict):
    """A user was bound to a server."""

    user: str
    server: str


class TakenAnswer(TypedDict):
    """Users, by id."""

    taken: list[int]
    refused: list[int]


class MonitorsAnswer(TypedDict):
    """Users, by id."""

    monitored: list[int]
    released: list[int]


class ProbedAnswer(TypedDict):
    """A database of the pair, as a server reached it."""

    database: str
    system_identifier: str
    timeline: int
    writable: bool
    epoch: int | None
    seconds: float


class ReadyAnswer(TypedDict):
    """A session is open, and kept for some seconds."""

    database: str
    seconds: float


class ServiceAnswer(TypedDict):
    """A mail server was taken out of service, or put back."""

    server: str
    in_service: bool


class AccessAnswer(TypedDict):
    """Changes of access that a server has seen."""

    number: Annotated[int, "of the last one"]
    waiting: Annotated[Count, "polls of the user that wait here"]


class AccessChangedAnswer(TypedDict):
    """A change of access was announced."""

    number: int


class ForgottenUserAnswer(TypedDict):
    """A part of a user's history was deleted; ask again until the user is gone."""

    deleted: Count
    gone: Annotated[bool, "the user is gone, too"]
    number: Annotated[int | None, "of the change of access; null when none was announced"]
