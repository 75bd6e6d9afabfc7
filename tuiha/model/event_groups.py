"""Events of one cause as one: when a database is lost, each server has the same to report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tuiha.model.codes import EventKind
from tuiha.model.facts import Event

TOGETHER = 3.0  # seconds between two events of one cause


@dataclass(frozen=True, slots=True)
class EventGroup:
    """Events of one cause, the newest first; most groups have one."""

    events: tuple[Event, ...]

    @property
    def newest(self) -> Event:
        """The one that the group is shown by."""
        return self.events[0]

    @property
    def subjects(self) -> tuple[str, ...]:
        """The nodes, the first to change first."""
        return tuple(dict.fromkeys(event.subject for event in reversed(self.events)))


def grouped(events: Iterable[Event]) -> Iterator[EventGroup]:
    """The events, newest first, with those of one cause together at the place of the newest."""
    open_ones: dict[object, list[Event]] = {}
    order: list[tuple[object, list[Event]]] = []
    for event in events:
        kind = _KINDS.get(event.kind)
        key: object = object() if kind is None else (event.kind, event.severity, kind(event.facts))
        known = open_ones.get(key)
        if known is not None and known[-1].at - event.at <= TOGETHER:
            known.append(event)
            continue
        open_ones[key] = made = [event]
        order.append((key, made))
        while order and order[0][1][-1].at - event.at > TOGETHER:
            yield EventGroup(tuple(order.pop(0)[1]))
    for _, left in order:
        yield EventGroup(tuple(left))


_KINDS: Mapping[EventKind, Callable[[Any], object]] = {
    EventKind.STATE: lambda facts: (facts.before, facts.after),
    EventKind.TARGET: lambda facts: facts,
    EventKind.RECORDED: lambda facts: facts.text,
}
