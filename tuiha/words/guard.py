"""What guards say: evidence, countdown, what holds an order back, and the reason of an operation."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from tuiha.model.guard.report import GuardHold, GuardOrder, GuardOutlook, GuardRecord, GuardSign, Held
from tuiha.model.words import names, span

_Said = Callable[[GuardOutlook], str]


def _servers(outlook: GuardOutlook) -> str:
    return names(outlook.servers) or "servers"


def _wait(outlook: GuardOutlook) -> str:
    return span(outlook.wait or 0.0, fine=False)


THERE: Mapping[GuardSign, _Said] = {
    GuardSign.STEADY: lambda one: "the ledger is steady",
    GuardSign.FREE: lambda one: "no operation has the pool",
    GuardSign.WHOLE: lambda one: "no server uses another database",
    GuardSign.SYNC: lambda one: f"{one.partner} has every acknowledged write",
    GuardSign.STALE: lambda one: f"the pool works without {one.partner}",
    GuardSign.PRIMARY_GONE: lambda one: f"the guard cannot use {one.active}",
    GuardSign.PRIMARY_ANSWERS: lambda one: f"{one.active} answers as the primary",
    GuardSign.SERVERS_AGREE: lambda one: f"no server that answers can use {one.active}",
    GuardSign.SERVERS_REACH: lambda one: f"most servers reach {one.active}",
    GuardSign.SERVERS_SERVE: lambda one: f"most servers have a lease on {one.active}",
    GuardSign.MAJORITY: lambda one: "most servers of the pool answer",
    GuardSign.NO_LEASE: lambda one: "no server has a lease",
    GuardSign.SECONDARY_READY: lambda one: f"{one.partner} answers as a secondary",
    GuardSign.NOTHING_RECEIVED: lambda one: f"{one.partner} receives nothing",
    GuardSign.NO_FOLLOWER: lambda one: f"{one.partner} does not confirm commits",
    GuardSign.COMMITS_WAIT: lambda one: f"commits wait for {one.partner}",
    GuardSign.PARTNER_BACK: lambda one: f"{one.partner} answers and does not follow {one.active}",
    GuardSign.STREAMS: lambda one: f"{one.partner} follows {one.active} again",
}
MISSING: Mapping[GuardSign, _Said] = {
    GuardSign.STEADY: lambda one: "the ledger cannot be read, or a change of roles is half done",
    GuardSign.FREE: lambda one: "an operation has the pool",
    GuardSign.WHOLE: lambda one: f"{_servers(one)} may use another database: never while the pool is split",
    GuardSign.SYNC: lambda one: f"{one.partner} may lack acknowledged writes: never without an operator",
    GuardSign.STALE: lambda one: f"the ledger counts on {one.partner}",
    GuardSign.PRIMARY_GONE: lambda one: f"{one.active} answers the guard",
    GuardSign.PRIMARY_ANSWERS: lambda one: f"{one.active} does not answer the guard as the primary",
    GuardSign.SERVERS_AGREE: lambda one: f"{_servers(one)} may still reach {one.active}",
    GuardSign.SERVERS_REACH: lambda one: f"{_servers(one)} cannot reach {one.active}: most servers must",
    GuardSign.SERVERS_SERVE: lambda one: f"{_servers(one)} have no lease on {one.active}: most servers must",
    GuardSign.MAJORITY: lambda one: f"{_servers(one)} do not answer: most servers must",
    GuardSign.NO_LEASE: lambda one: f"{_servers(one)} still have a lease",
    GuardSign.SECONDARY_READY: lambda one: f"{one.partner} does not answer as a secondary",
    GuardSign.NOTHING_RECEIVED: lambda one: f"{one.partner} still receives",
    GuardSign.NO_FOLLOWER: lambda one: f"{one.partner} confirms commits",
    GuardSign.COMMITS_WAIT: lambda one: f"commits do not wait for {one.partner}",
    GuardSign.PARTNER_BACK: lambda one: f"{one.partner} does not answer",
    GuardSign.STREAMS: lambda one: f"{one.partner} does not follow {one.active}",
}
_COUNTDOWN: Mapping[GuardOrder, _Said] = {
    GuardOrder.FAILOVER: lambda one: f"failover to {one.partner} in {_wait(one)} unless {one.active} answers",
    GuardOrder.DEGRADE: lambda one: f"degrade in {_wait(one)} unless {one.partner} follows again",
    GuardOrder.REJOIN: lambda one: f"rejoin of {one.partner} in {_wait(one)}",
    GuardOrder.PROTECT: lambda one: f"protect in {_wait(one)} if {one.partner} still follows",
}


def _seconds(held: Held) -> str:
    return "" if held.seconds is None else f" for {span(max(0.0, held.seconds), fine=False)}"


def _of(held: Held) -> str:
    return f" by {', '.join(held.names)}" if held.names else ""


_HELD: Mapping[GuardHold, Callable[[Held], str]] = {
    GuardHold.PAUSED: lambda held: f"the guard is paused{_of(held)}{_seconds(held)}",
    GuardHold.ACKNOWLEDGE: lambda held: f"a guard has failed over already: acknowledge it, or wait{_seconds(held)}",
    GuardHold.REFUSED: lambda held: f"refused: {', '.join(held.names) or held.said}",
    GuardHold.STANDBY: lambda held: f"guard {', '.join(held.names) or 'of another host'} is the active one",
    GuardHold.STORE: lambda held: f"the guards' record cannot be used: {held.said}",
}


def held_back(held: Held) -> str:
    """What holds an order back."""
    return _HELD[held.hold](held)


def missing(outlook: GuardOutlook, sign: GuardSign) -> str:
    """What is otherwise than the order needs."""
    return MISSING[sign](outlook)


def there(outlook: GuardOutlook, sign: GuardSign) -> str:
    """A part of the evidence."""
    return THERE[sign](outlook)


def countdown(outlook: GuardOutlook) -> str:
    """How it stands with an order, in one line: what it waits for, or what holds it back."""
    if outlook.missing:
        return f"no {outlook.order}: {missing(outlook, outlook.missing[0])}"
    if outlook.held:
        return f"no {outlook.order}: {held_back(outlook.held[0])}"
    return _COUNTDOWN[outlook.order](outlook)


def reason(outlook: GuardOutlook) -> str:
    """The reason of the operation that a guard starts: what it saw, most telling first."""
    told = [there(outlook, sign) for sign in outlook.signs if sign not in _SELF_EVIDENT]
    return "; ".join(told)


_SELF_EVIDENT = frozenset({GuardSign.STEADY, GuardSign.FREE, GuardSign.WHOLE, GuardSign.MAJORITY, GuardSign.SYNC,
                           GuardSign.SECONDARY_READY})


def state(record: GuardRecord, now: float) -> str:
    """How the guard of a pool is, in a word or two."""
    if (pause := record.notes.paused(now)) is not None:
        return f"guard PAUSED {_minutes(pause.until - now)}"
    if record.report is None:
        return "guard OFF"
    return "guard: acknowledge" if record.to_acknowledge else f"guard {record.report.name}"


def _minutes(seconds: float) -> str:
    if not math.isfinite(seconds):
        return "for a time that is not known"
    whole = int(-(-seconds // 60))
    return f"{whole} min" if whole < 120 else f"{whole // 60} h"

