"""Events in words, by their kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tuiha.model.codes import Change, Ended, EventKind, Move, NoMail, Restart, StateChange, WatcherEnding
from tuiha.model.event_groups import EventGroup
from tuiha.model.facts import Event, NodeKind
from tuiha.model.words import count, names
from tuiha.words.mail import explained
from tuiha.words.states import NOT_KNOWN, OUT_OF_SERVICE, of_manager


def text(event: Event) -> str:
    """The event as one line."""
    return _TEXTS[event.kind](event.facts)


def of_group(group: EventGroup) -> str:
    """What happened to all nodes of a group, and how many events that were."""
    events = group.events
    if len(events) == 1:
        return text(group.newest)
    told = {text(event) for event in events}
    facts = group.newest.facts
    same = told.pop() if len(told) == 1 or not isinstance(facts, StateChange) else f"{facts.before} -> {facts.after}"
    return f"{same}  ({len(events)} events)"


def subjects(group: EventGroup, most: int) -> str:
    """The nodes of a group in at most so many characters."""
    every = " ".join(group.subjects)
    return every if len(every) <= most else f"{group.subjects[0]} +{len(group.subjects) - 1}"


def _changed(before: str = "") -> Callable[[Change], str]:
    return lambda facts: f"{before}{facts.before or NOT_KNOWN} -> {facts.after or NOT_KNOWN}"


def _state(facts: StateChange) -> str:
    why = OUT_OF_SERVICE if facts.out_of_service else facts.reason or of_manager(facts.managed)
    return f"{facts.before} -> {facts.after}{f'  {why}' if why and not facts.working else ''}"


def _without_mail(facts: NoMail) -> str:
    trouble = facts.trouble
    named = f" ({', '.join(trouble.examples)})" if trouble.examples else ""
    return f"{count(trouble.users, 'user')} without mail: {explained(trouble.reason).what}{named}"


def _restarted(facts: Restart) -> str:
    knew = "" if facts.knew is None else f"; it knew {count(facts.knew, 'user')}"
    return f"restarted{knew}{'' if facts.knows is None else f', knows {facts.knows:,}'}"


def _moved(facts: Move) -> str:
    return f"{count(facts.users, 'user')} moved {names(facts.losers)} -> {names(facts.winners)}"


def ending(facts: Ended) -> str:
    """How the process that watches ended."""
    return _ENDINGS[facts.ending](facts)


def _replaced(facts: Ended) -> str:
    return f"the watching process {ending(facts)}; it is started again"


_ENDINGS: Mapping[WatcherEnding, Callable[[Ended], str]] = {
    WatcherEnding.SIGNAL: lambda facts: f"ended with signal {facts.number:g}",
    WatcherEnding.CODE: lambda facts: f"ended with code {facts.number:g}",
    WatcherEnding.SILENT: lambda facts: f"was silent for {facts.number:g} s",
    WatcherEnding.NO_PIPE: lambda _: "lost its pipe",
    WatcherEnding.NO_START: lambda facts: f"cannot be started: {facts.reason}",
    WatcherEnding.REFUSED: lambda facts: f"refuses its configuration: {facts.reason}",
}
_KINDS: Mapping[str, str] = {NodeKind.MAIL: "mail server"}
_TEXTS: Mapping[EventKind, Callable[[Any], str]] = {
    EventKind.VERDICT: _changed(),
    EventKind.EPOCH: _changed("epoch "),
    EventKind.ACTIVE_DATABASE: _changed("active database "),
    EventKind.PROTECTION: _changed(),
    EventKind.JOINED: lambda facts: f"{_KINDS.get(facts.kind, facts.kind)} joined, {facts.state}",
    EventKind.LEFT: lambda facts: f"{_KINDS.get(facts.kind, facts.kind)} left",
    EventKind.STATE: _state,
    EventKind.ROLE: _changed("role "),
    EventKind.REPLICATION: lambda facts: f"replication {facts.before or 'none'} -> {facts.after or 'none'}",
    EventKind.TARGET: _changed("target "),
    EventKind.RESTARTED: _restarted,
    EventKind.USERS_MOVED: _moved,
    EventKind.WITHOUT_MAIL: _without_mail,
    EventKind.WITH_MAIL_AGAIN: lambda facts: f"{explained(facts.reason).what}: no user is affected any more",
    EventKind.WATCHER_FAILED: lambda facts: f"the watcher failed: unexpected {facts.reason}",
    EventKind.WATCHER_REPLACED: _replaced,
    EventKind.RECORDED: lambda facts: facts.text,
}
