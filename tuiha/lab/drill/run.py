"""One drill from start to verdict."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace

from tuiha.lab.drill import verdict
from tuiha.lab.drill.acts.disks import NoDisk
from tuiha.lab.drill.build import staged
from tuiha.lab.drill.needs import lacking
from tuiha.lab.drill.observation.mailwatch import judge
from tuiha.lab.drill.observation.observer import ObserverFailed, kept
from tuiha.lab.drill.scenario import Scenario
from tuiha.lab.drill.stage import NotReached, Stage, steady
from tuiha.lab.drill.verdict import DrillVerdict, Run
from tuiha.lab.embedded import StartError
from tuiha.lab.load.process import LoadFailed
from tuiha.lab.pool.control import LabControlError
from tuiha.pooldb.errors import UNREAD

LONGEST = 240.0  # seconds from the first act to the last
_RECOVERY = 60.0  # seconds for the pool to be whole after the last act

Say = Callable[[str], None]
Place = Callable[[Scenario, Say], AbstractAsyncContextManager[Stage]]
Keep = Callable[[Scenario, Run], None]


def _forget(_: Scenario, __: Run) -> None:
    """Nobody wants the recording."""


async def drill(scenario: Scenario, say: Say, place: Place = staged, keep: Keep = _forget) -> DrillVerdict:
    """Run a scenario and judge it. Never raises for what a pool does: a drill that could not be run says so.

    `place` makes the pool with its load and observer; without it an embedded one. `keep` gets each run that is judged.
    """
    say(f"{scenario.name}: {scenario.story}")
    why = lacking(scenario.acts, os.geteuid() == 0)
    if why is not None:
        return verdict.not_run(scenario, why)
    try:
        async with place(scenario, lambda text: say(f"  {text}")) as stage:
            return await _on(stage, scenario, say, keep)
    except (StartError, LoadFailed, ObserverFailed, NoDisk) as error:
        return verdict.not_run(scenario, str(error))
    except Exception as error:  # noqa: BLE001 - one drill's fault must not end the others
        return verdict.not_run(scenario, f"{type(error).__name__}: {error}")


async def _on(stage: Stage, scenario: Scenario, say: Say, keep: Keep) -> DrillVerdict:
    missed: list[str] = []
    try:
        await steady(stage)
        async with asyncio.timeout(LONGEST):
            await _play(stage, scenario, say)
    except (NotReached, LabControlError) as error:
        missed.append(str(error))
    except TimeoutError:
        missed.append(f"not over after {LONGEST:g} s")
    ended = time.time()
    of_mail = _mail(stage, scenario)
    say("  the load ends; the checker compares")
    load = await stage.load.stop()
    recording = await asyncio.to_thread(stage.observer.stop)
    active = await stage.active()
    asked = time.time()
    try:
        in_database = await kept(stage.observer.databases, active, stage.observer.users)
    except UNREAD as error:
        why = "; ".join([*missed, f"{active} does not answer at the end: {error or 'no answer'}"])
        return replace(verdict.not_run(scenario, why), operation=stage.operation)
    run = Run(
        recording, load, in_database, stage.settings.lease.seconds, stage.began, stage.since or stage.began, ended,
        tuple(missed), stage.operation, of_mail, (asked, time.time()))
    keep(scenario, run)
    return verdict.conclude(scenario, run)


def _mail(stage: Stage, scenario: Scenario) -> verdict.MailRun | None:
    """What a scenario of mail measured, until now."""
    if scenario.mail is None:
        return None
    hands, now = stage.mail, time.monotonic()
    since = now - (time.time() - (stage.since or stage.began))
    figures = judge(hands.watch.samples, since, now, scenario.mail.apart, len(gone := hands.watch.gone()))
    return verdict.MailRun(figures, tuple(hands.next_after), tuple(hands.odd_after), tuple(gone))


async def _play(stage: Stage, scenario: Scenario, say: Say) -> None:
    for act in scenario.acts:
        say(f"  {act.text}")
        await act.do(stage)
    database = scenario.ends_on or await stage.active()
    await stage.leased(database, _RECOVERY)
    if scenario.protected:
        await stage.protected(database, _RECOVERY)
    await stage.served(_RECOVERY)
    await asyncio.sleep(1.0)
