"""Planting rows of the table, looking, carrying out what check advises, and looking again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack

from tests.remedies.acts import Fault
from tests.remedies.scene import PATIENCE, Scene, told
from tuiha.model.check.finding import Finding
from tuiha.words.findings import said


async def carry_out(scene: Scene, faults: Sequence[Fault]) -> None:
    """Plant faults together, see each named with its remedy, carry them out; then nothing is left to be said."""
    async with AsyncExitStack() as stack:
        scene.stack = stack
        for fault in faults:
            await fault.plant(scene)
        found = await named(scene, faults)
        for fault in faults:
            finding = found[fault.name]
            scene.kept["remedy"] = fault.remedy
            await fault.mend(scene, finding)
        await scene.clean()


async def named(scene: Scene, faults: Sequence[Fault]) -> dict[str, Finding]:
    """Wait until check names every fault, with its remedy; name of the fault -> its finding.

    What starts or ends says other things on its way, each with a remedy for that moment.
    """
    found: Sequence[Finding] = ()
    missed: list[str] = []
    try:
        async with asyncio.timeout(PATIENCE):
            while True:
                found = await scene.findings()
                named = {fault.name: one for fault in faults for one in found
                         if one.subject == fault.subject and said(one).what.startswith(fault.what)
                         and fault.remedy in said(one).fix}
                missed = [fault.name for fault in faults if fault.name not in named]
                if not missed:
                    return named
                await asyncio.sleep(0.2)
    except TimeoutError:
        raise AssertionError(f"not named: {missed}; but {told(found)}") from None
