"""The figures of a load as JSON: live ones every second, and the report at the end."""

from __future__ import annotations

import time
from typing import Any

from tuiha.lab.load import checker
from tuiha.lab.load.books import Outcome, RecordedHistory
from tuiha.lab.load.devices import Fleet
from tuiha.lab.load.mailer import Mailer
from tuiha.lab.load.tally import Tally

SCHEMA = "tuiha.load/1"
LIVE_GRACE = 60.0  # seconds after which a message that a device lacks counts as lost while the load runs
EXAMPLES = 20  # findings of a kind that are named in the report
WRONG = ("lost", "doubled", "monitored_twice", "unrecorded", "history_gaps")


def common(tally: Tally, fleet: Fleet, mailer: Mailer, seconds: float) -> dict[str, Any]:
    """What live figures and report have in common. See Tally for how requests, failures and the rest are counted."""
    return {
        "schema": SCHEMA,
        "seconds": round(seconds, 1),
        "devices": len(fleet.devices),
        "registered": tally.registered,
        "requests": tally.requests,
        "failures": tally.failures,
        "delayed": tally.delayed,
        "retries": tally.retries,
        "messages": mailer.counts[Outcome.ACCEPTED],
        "maybe": mailer.counts[Outcome.MAYBE],
        "refused": mailer.counts[Outcome.REFUSED],
        "changes": tally.changes,
        "restarts": tally.restarts,
        "answers": tally.answers,
        "direct": tally.direct,
        "routed_direct_share": tally.direct_share,
        "by_sprayer": dict(tally.by_sprayer),
        "reasons": dict(tally.reasons),
        "mail_failures": dict(mailer.failures),
        "latency_ms": tally.latency.percentiles(),
        "registration_ms": tally.registration.percentiles(),
    }


def live(
    tally: Tally, fleet: Fleet, mailer: Mailer, history: RecordedHistory, seconds: float, moment: float
) -> dict[str, Any]:
    """The live figures. `lost`: missing for longer than a minute; the report at the end has no such patience.

    `open`: messages that a device still has to get, or whose delivery is under way. `moment` is the load's clock.
    """
    waiting = list(mailer.open.values())
    ages = [moment - message.ended_at for message in waiting if message.ended_at is not None]
    return common(tally, fleet, mailer, seconds) | {
        "at": time.time(),
        "open": len(waiting),
        "oldest_open_seconds": round(max(ages), 3) if ages else None,
        "lost": len(checker.overdue(waiting, fleet.books, moment, LIVE_GRACE)),
        "doubled": len(checker.doubled(fleet.every_book)),
        "monitored_twice": len(checker.monitored_twice(history)),
    }


def verdict(found: checker.LoadVerdict, spread: dict[str, int] | None, history_read: bool) -> dict[str, Any]:
    """What the report adds: what is wrong, with examples, and how many users each server has at the end."""
    kinds: dict[str, tuple[checker.CheckerFinding, ...]] = {kind: getattr(found, kind) for kind in WRONG}
    return {kind: len(findings) for kind, findings in kinds.items()} | {
        "substitutes": len(found.substitutes),  # mails that cannot be read, as devices were told of them
        "history_read": history_read,  # without it, only what mailer and devices recorded was judged
        "users_per_server": spread,
        "examples": {
            kind: [finding.text for finding in findings[:EXAMPLES]]
            for kind, findings in kinds.items()
            if findings
        },
    }


def failed(report: dict[str, Any]) -> bool:
    """Whether a report shows what must not be: failures, losses, doubles, two monitors, or no look at the history."""
    return any(report[kind] for kind in ("failures", *WRONG)) or not report["history_read"]
