"""What the pool servers' probes say of the mail servers. Pure.

Each pool server keeps a connection to each mail server, with one log-in, and asks for a sign of life twice a second.
Their word is what a watcher needs. It logs in for itself only at a mail server of which no pool server reports.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tuiha.model.facts import Look, Polled, PolledMail
from tuiha.model.problems.mail_trouble import MailSight
from tuiha.model.reports import MailReport, ServerReport
from tuiha.model.rules import Rules

_DOUBT = 5  # times as long must a mail server be silent that no pool server calls gone

Sights = Mapping[str, Mapping[str, MailSight]]  # mail server -> pool server -> what it sees


def sights(look: Look) -> Sights:
    """What the servers that answer report."""
    found: dict[str, dict[str, MailSight]] = {}
    for polled in look.servers:
        for sight in _told(polled):
            found.setdefault(sight.name, {})[polled.name] = sight
    return found


def _told(polled: Polled[ServerReport]) -> tuple[MailSight, ...]:
    return polled.report.mail_servers or () if polled.fresh and polled.report is not None else ()


def with_sights(look: Look, rules: Rules) -> Look:
    """The look with what the pool servers see of the mail servers in the place of polls of one's own."""
    told, seen_at = sights(look), {s.name: s.seen_at for s in look.servers}
    return replace(look, mail=tuple(
        _seen(mail, told[mail.name], seen_at, look.interval, rules) if mail.name in told else mail
        for mail in look.mail))


def _seen(mail: PolledMail, told: Mapping[str, MailSight], reported_at: Mapping[str, float | None], interval: float,
          rules: Rules) -> PolledMail:
    """One that answers any pool server is there."""
    answered = [(sight.seconds, name, sight) for name, sight in told.items() if sight.seconds is not None]
    if not answered:
        why = next((s.gone or s.closed for s in told.values() if s.gone or s.closed), None)
        if why is None:  # the probes have just begun
            return mail
        return replace(mail, report=None, error=why, failures=rules.down_after, failing_since=mail.failing_since)
    seconds, name, sight = min(answered, key=lambda one: (one[0], one[1]))
    at = reported_at[name]
    seen = None if at is None else at - seconds
    judged = sight.gone is not None or sight.closed is not None  # else the pool server itself may have been held up
    silent = seconds > rules.down_after * interval * (1 if judged else _DOUBT)
    return replace(
        mail, report=MailReport(sight.latency_ms or 0.0, sight.greeting), seen_at=seen,
        error=(sight.gone or sight.closed or "no answer") if silent else None,
        failures=rules.down_after if silent else 0, failing_since=seen if silent else None,
        duration_ms=sight.latency_ms)


def closed(told: Mapping[str, MailSight]) -> str | None:
    """Why a mail server lets nobody in, as a pool server sees it that keeps users there; None when it does."""
    return next((sight.closed for sight in told.values() if sight.closed and not sight.gone), None)
