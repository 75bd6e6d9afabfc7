"""What `tuiha check` finds of guards: is one active, do its orders wait long enough, is one host all there is?"""

from __future__ import annotations

from collections.abc import Iterator

from tuiha.model.check.facts import FindingCode, GuardFact, OrderFact
from tuiha.model.check.finding import Finding, bad, ok, warning
from tuiha.model.check.inspection import Inspection
from tuiha.model.facts import Look
from tuiha.model.guard.decide import REFUSED_SHARE

_Code = FindingCode
ANSWERS = 10.0  # an order's time, as a multiple of the slowest answer
# A primary that lives is seen by renewals of leases, five in a lease. One of them must fit into the shortest wait.
_RENEWAL = 1 / 5


def guard_findings(look: Look, seen: Inspection) -> Iterator[Finding]:
    """Nothing where guards have no orders."""
    orders = seen.orders
    if orders is None or not orders.after:
        return
    report = look.guard.report.report if look.guard is not None and look.guard.report is not None else None
    if report is None:
        yield bad(_Code.GUARD_OFF, "guard")
    answers = [*(one.duration_ms or 0.0 for one in look.databases if one.fresh),
               *(one.duration_ms or 0.0 for one in look.servers if one.fresh)]
    slowest = max(answers, default=0.0) / 1000
    least = max(ANSWERS * slowest, _RENEWAL * seen.lease / REFUSED_SHARE)
    short = [(order, after) for order, after in orders.after.items() if after < least]
    for order, after in short:
        yield warning(_Code.GUARD_SHORT, "guard", OrderFact(order, after, least, slowest))
    if seen.ledger_file:
        yield warning(_Code.GUARD_ONE_HOST, "guard")
    if report is not None and not short:
        yield ok(_Code.GUARD, "guard", GuardFact(report.name, tuple(map(str, report.orders))))
