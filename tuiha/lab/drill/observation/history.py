"""The history of a drill: every registration and every read of the witness as one operation, a JSON object a line.

Other programs can judge it without knowledge of this one. The first line names the scenario. `answered` is null when a
registration was not acknowledged: it may have been done, at any time after `invoked`, or never. The last operations are
reads of the database itself, made when the drill was over. Times are unix seconds of the witness's clock.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from tuiha.lab.drill.observation.records import DrillRecording

DATABASE = "database"  # stands for the server in the reads at the end


def history(
    scenario: str, recording: DrillRecording, kept: Mapping[str, frozenset[str]], looked: tuple[float, float]
) -> Iterator[str]:
    """The lines. `kept`: user -> devices in the database at the end, read between the two moments of `looked`."""
    yield json.dumps({"scenario": scenario})
    for ack in recording.acks:
        yield _line(ack.user, ack.server, ack.sent, ack.received, registers=ack.device)
    for attempt in recording.attempts:
        yield _line(attempt.user, attempt.server, attempt.sent, None, registers=attempt.device)
    for read in recording.reads:
        yield _line(read.user, read.server, read.sent, read.received, reads=sorted(read.devices))
    for user, devices in kept.items():
        yield _line(user, DATABASE, *looked, reads=sorted(devices))


def _line(user: str, server: str, invoked: float, answered: float | None, **what: object) -> str:
    return json.dumps({"user": user, "server": server, "invoked": invoked, "answered": answered, **what})
