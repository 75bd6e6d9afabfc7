"""Who is told, when, how often: the decision as a pure function, the rest with real commands."""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from tests.documents import validate
from tests.model.looks import healthy
from tuiha.config.pace import Alerts
from tuiha.model.conclude import conclude
from tuiha.model.facts import Snapshot, Verdict
from tuiha.watch.alerts.command import Alerting, Steady

H, D, S = Verdict.HEALTHY, Verdict.DEGRADED, Verdict.SPLIT


def at(second: float, verdict: Verdict) -> Snapshot:
    return replace(conclude(healthy()), at=1000.0 + second, verdict=verdict)


@pytest.mark.parametrize(("seen", "told"), [
    ([H, H, H, H], []),
    ([D, D, D, D], [(2, None, D)]),  # it lasted for two seconds
    ([H, D, H, D, H, D, H], []),  # it never lasts
    ([D, D, D, H, D, D, D], [(2, None, D)]),  # one good look between is no change
    ([D, D, D, H, H, H], [(2, None, D), (5, D, H)]),
    ([D, S, D, S, S, S], [(5, None, S)]),  # each change of the verdict begins anew
    ([D, D, D, S, S, S, H, H, H], [(2, None, D), (5, D, S), (8, S, H)]),
])
def test_a_verdict_is_told_once_and_when_it_has_lasted(
    seen: list[Verdict], told: list[tuple[int, Verdict | None, Verdict]]
) -> None:
    steady = Steady(after=2.0)
    changes = [(second, steady.look(at(second, verdict))) for second, verdict in enumerate(seen)]
    assert [(second, one.before, one.snapshot.verdict) for second, one in changes if one] == told


async def alerted(command: list[str], folder: Path, snapshots: list[Snapshot], until: str, **more: float) -> list[str]:
    """Run an Alerting over snapshots until it says something with `until` in it; all that it said."""
    said: list[str] = []
    heard = asyncio.Event()

    def say(text: str) -> None:
        said.append(text)
        if until in text:
            heard.set()

    settings = Alerts.model_validate({"command": command, "after": 0, "again": 0.05, **more})
    alerting = Alerting(settings, command, folder, say, os.environ)
    task = asyncio.create_task(alerting.run())
    for snapshot in snapshots:
        alerting.add(snapshot)
    async with asyncio.timeout(60):
        await heard.wait()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    return said


async def test_the_command_gets_one_line_of_json_and_the_verdict(tmp_path: Path) -> None:
    script = 'cat > told; printf "%s %s" "$TUIHA_POOL" "$TUIHA_VERDICT" > env'
    await alerted(["/bin/sh", "-c", script], tmp_path, [at(0, D)], "told: ")
    document = json.loads((tmp_path / "told").read_text())
    validate(document)
    assert document["schema"] == "tuiha.alert/2"
    assert (document["verdict"], document["before"]) == ("DEGRADED", None)
    assert (tmp_path / "env").read_text().split()[1] == "DEGRADED"


async def test_a_command_that_fails_is_run_again_until_it_succeeds(tmp_path: Path) -> None:
    script = 'echo x >> tries; test $(wc -l < tries) -ge 3 || { echo no route >&2; exit 7; }'
    said = await alerted(["/bin/sh", "-c", script], tmp_path, [at(0, D)], "told: ")
    assert len([text for text in said if "ended with 7: no route" in text]) == 2
    assert len((tmp_path / "tries").read_text().split()) == 3


async def test_one_that_hangs_or_is_not_there_is_said(tmp_path: Path) -> None:
    said = await alerted(["/bin/sleep", "60"], tmp_path, [at(0, D)], "not delivered", seconds=0.1)
    assert "did not end within 0.1 s" in said[0]
    said = await alerted([str(tmp_path / "nothing")], tmp_path, [at(0, D)], "not delivered")
    assert "No such file" in said[0]


async def test_only_the_newest_verdict_is_told_when_telling_was_late(tmp_path: Path) -> None:
    snapshots = [at(0, D), at(1, S), at(2, H)]
    await alerted(["/bin/sh", "-c", 'echo "$TUIHA_VERDICT" >> told'], tmp_path, snapshots, "is HEALTHY")
    assert (tmp_path / "told").read_text().split() == ["HEALTHY"]
