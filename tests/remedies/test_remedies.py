"""`tuiha check` on a real pool with planted faults: each is named, its remedy is carried out, and it is gone."""

from __future__ import annotations

import pytest

from tests.remedies.cycle import carry_out
from tests.remedies.scene import scene
from tests.remedies.table import FAULTS, TOGETHER

pytestmark = pytest.mark.pool


async def test_every_quick_fault_is_named_and_its_remedy_mends_it() -> None:
    """One pool for all of them; those that do not hide each other are planted at once."""
    together = {fault for group in TOGETHER for fault in group}
    async with scene() as pool:
        await pool.clean()
        for group in TOGETHER:
            await carry_out(pool, group)
        for fault in FAULTS:
            if not fault.slow and fault not in together:
                await carry_out(pool, [fault])


def test_the_table_is_whole() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= 51
    assert all(fault.remedy for fault in FAULTS)
    assert not any(fault.alone or fault.slow for group in TOGETHER for fault in group)
