"""The verdict of one drill: what the checker found, put beside what the scenario says must hold. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tuiha.lab.drill.observation import judge
from tuiha.lab.drill.observation.mailwatch import MailFigures
from tuiha.lab.drill.observation.records import DrillRecording
from tuiha.lab.drill.scenario import MailLimits, Scenario
from tuiha.model.documents import DrillDocument, DrillMailDocument

_EXAMPLES = 5
_LOST = ("lost", "unrecorded", "history_gaps")  # of the load's report


@dataclass(frozen=True, slots=True)
class Run:
    """What came out of one run of a scenario."""

    recording: DrillRecording
    load: Mapping[str, Any]  # the report of devices and mailer
    kept: Mapping[str, frozenset[str]]  # user of the witness -> devices in the database at the end
    lease: float  # seconds
    began: float
    since: float  # the moment of the fault
    ended: float
    missed: tuple[str, ...] = ()  # what did not come to be in time
    operation: Mapping[str, Any] | None = None
    mail: MailRun | None = None
    looked: tuple[float, float] = (0.0, 0.0)  # when the database was asked for `kept`, and when it had answered


@dataclass(frozen=True, slots=True)
class MailRun:
    """What came out of a scenario of mail."""

    figures: MailFigures
    next_after: tuple[float, ...]  # seconds until each hurt user was told of the next mail
    odd_after: tuple[float, ...]  # likewise, of the odd one
    gone: tuple[str, ...] = ()  # each time a mail server was judged gone, and why

    def document(self) -> DrillMailDocument:
        """The JSON object."""
        return {"gone": self.figures.gone, "disconnected": self.figures.disconnected,
                "disconnected_seconds": self.figures.apart, "logins": self.figures.logins,
                "next_mail_ms": _worst(self.next_after), "odd_mail_ms": _worst(self.odd_after)}


    @property
    def text(self) -> str:
        """In words."""
        figures = self.figures
        after = [f"{what} told after {_worst(seconds):,} ms" for what, seconds in
                 (("odd mail", self.odd_after), ("next mail", self.next_after)) if seconds]
        return ", ".join([f"mail servers gone {figures.gone} times", f"others disconnected {figures.disconnected} "
                          f"(for {figures.apart:g} s)", f"log-ins {figures.logins}", *after])


def _worst(seconds: tuple[float, ...]) -> int | None:
    return round(max(seconds) * 1000) if seconds else None


@dataclass(frozen=True, slots=True)
class DrillVerdict:
    """What is printed of one drill."""

    scenario: str
    ok: bool
    lost: int | None  # None: it could not be judged
    late: int | None
    doubled: int | None
    monitored_twice: int | None
    split: int | None
    outage_ms: int | None
    requests_failed: int | None
    requests_delayed: int | None
    substitutes: int | None = None  # mails that cannot be read, as devices were told of them
    operation: Mapping[str, Any] | None = None
    mail: MailRun | None = None  # in a scenario of mail
    broken: tuple[str, ...] = ()  # what did not hold, in words
    examples: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    leases: tuple[tuple[float, Mapping[str, int]], ...] = ()  # seconds, database -> servers with a lease on it
    writes: int | None = None  # of the witness, acknowledged
    reads: int | None = None
    seconds: float = 0.0

    def document(self) -> DrillDocument:
        """The JSON object."""
        return {
            "schema": "tuiha.drill/1",
            "scenario": self.scenario,
            "ok": self.ok,
            "lost": self.lost,
            "late": self.late,
            "doubled": self.doubled,
            "monitored_twice": self.monitored_twice,
            "split": self.split,
            "outage_ms": self.outage_ms,
            "requests_failed": self.requests_failed,
            "requests_delayed": self.requests_delayed,
            "substitutes": self.substitutes,
            "mail": None if self.mail is None else self.mail.document(),
            "operation": None if self.operation is None else dict(self.operation),
            "broken": list(self.broken),
            "examples": {kind: list(texts) for kind, texts in self.examples.items()},
            "leases": [{"seconds": at, "servers": dict(counts)} for at, counts in self.leases],
            "writes": self.writes,
            "reads": self.reads,
            "seconds": self.seconds,
        }


def conclude(scenario: Scenario, run: Run) -> DrillVerdict:
    """Judge one run."""
    recording, load = run.recording, run.load
    lost, late = judge.lost(recording.acks, run.kept), judge.late(recording, run.lease)
    split = judge.split(recording)
    outage = judge.outage(recording.acks, run.since, run.ended)
    counts = {
        "lost": len(lost) + sum(load[kind] for kind in _LOST),
        "late": len(late),
        "doubled": load["doubled"],
        "monitored_twice": load["monitored_twice"],
        "split": len(split),
    }
    broken = [*run.missed, *(f"{kind} {count}" for kind, count in counts.items() if count)]
    broken += _limits(scenario, load, outage, recording)
    broken += [] if scenario.mail is None or run.mail is None else _of_mail(scenario.mail, run.mail, load)
    found = {**{kind: tuple(texts) for kind, texts in load["examples"].items()},
             "lost": (*lost, *load["examples"].get("lost", ())), "late": tuple(late), "split": tuple(split),
             "gone": () if run.mail is None else run.mail.gone}
    return DrillVerdict(
        scenario.name, not broken, **counts, outage_ms=round(outage * 1000),
        requests_failed=load["failures"], requests_delayed=load["delayed"], substitutes=load["substitutes"],
        operation=run.operation, mail=run.mail,
        broken=tuple(broken), examples={kind: texts[:_EXAMPLES] for kind, texts in found.items() if texts},
        leases=tuple(judge.leases_over_time(recording.statuses, run.began)),
        writes=len(recording.acks), reads=len(recording.reads), seconds=round(run.ended - run.began, 1),
    )


def _limits(scenario: Scenario, load: Mapping[str, Any], outage: float, recording: DrillRecording) -> list[str]:
    """What else the scenario says must hold, and does not; and what the checker did not get to see."""
    failed, limit = load["failures"], scenario.failed
    checks = (
        (limit is not None and failed > limit, f"{failed} requests of devices failed"),
        (scenario.outage is not None and outage > scenario.outage,
         f"no write was acknowledged for {outage:.1f} s; at most {scenario.outage} s may pass"),
        (not load["history_read"], "the sync history could not be read: what devices hold was not compared with it"),
        (not (recording.acks and recording.reads and recording.statuses and recording.samples),
         "the checker saw nothing"),
    )
    return [text for wrong, text in checks if wrong]


def _of_mail(limits: MailLimits, run: MailRun, load: Mapping[str, Any]) -> list[str]:
    """What must hold of mail and does not."""
    figures, within = run.figures, limits.within
    checks = (
        (figures.gone > 0 and not limits.gone, f"mail servers were judged gone {figures.gone} times"),
        (limits.disconnected is not None and figures.disconnected > limits.disconnected,
         f"{figures.disconnected} users whose mail is no trouble were without a mail connection"),
        (figures.apart > within,
         f"users were without a mail connection for {figures.apart:.1f} s; at most {within:g} s may pass"),
        (limits.logins is not None and figures.logins > limits.logins,
         f"{figures.logins} log-ins; at most {limits.logins} may be needed"),
        (max(run.next_after, default=0.0) > within,
         f"told of the next mail after {max(run.next_after, default=0.0):.1f} s; at most {within:g} s may pass"),
        (load["substitutes"] < limits.substitutes,
         f"{load['substitutes']} substitutes; at least {limits.substitutes} mails cannot be read"),
    )
    return [text for wrong, text in checks if wrong]


def not_run(scenario: Scenario, why: str) -> DrillVerdict:
    """A drill that could not be run or judged."""
    return DrillVerdict(scenario.name, False, None, None, None, None, None, None, None, None, broken=(why,))
