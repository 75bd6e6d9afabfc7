"""Commits whose outcome is in doubt: cut by the fence, or cancelled; each guard with a control that takes it out."""

from __future__ import annotations

import asyncio
import signal
import time
from typing import Any

import pytest

from tests.drivers.conftest import Pair
from tests.server.support import PATIENCE, attached, insert
from tuiha.server.database import gate
from tuiha.server.database.access import OutcomeUnknown, Unavailable
from tuiha.server.database.attachment import Attachment


async def test_a_commit_that_waits_for_the_secondary_is_cut_by_the_fence_and_its_outcome_is_unknown(
    own_pair: Pair,
) -> None:
    async with attached(own_pair, lease=1.0, hold=3.0) as one:
        own_pair.db2.signal(signal.SIGSTOP)
        try:
            with pytest.raises((OutcomeUnknown, Unavailable)) as caught:
                async with one.gate.transaction() as connection:
                    await insert(connection)
            assert caught.type is OutcomeUnknown
        finally:
            own_pair.db2.signal(signal.SIGCONT)


async def test_a_commit_that_somebody_cancels_is_not_taken_for_done(own_pair: Pair) -> None:
    """PostgreSQL reports success, with a warning, for a commit whose wait for the secondary was cancelled."""
    admin = await own_pair.admin()
    await admin.execute("SET synchronous_commit = local")

    async def cancel_the_wait() -> None:
        found = None
        while found is None:
            found = await admin.fetchval("SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep' "
                                         "AND application_name = 'tuiha:s1' AND query ILIKE 'COMMIT%'")
            await asyncio.sleep(0.02)
        await admin.execute("SELECT pg_cancel_backend($1)", found)

    async with attached(own_pair, lease=60.0) as one:
        own_pair.db2.signal(signal.SIGSTOP)
        try:
            cancelling = asyncio.create_task(cancel_the_wait())
            with pytest.raises(OutcomeUnknown, match="warning"):
                async with one.gate.transaction() as connection:
                    await insert(connection, "half")
            await cancelling
            assert await admin.fetchval("SELECT count(*) FROM event WHERE text = 'half'") == 1, "visible, not safe"
        finally:
            own_pair.db2.signal(signal.SIGCONT)
    await admin.close()


async def true_within(admin: Any, question: str, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if await admin.fetchval(question):
            return True
        await asyncio.sleep(0.02)
    return False


async def shown_after_its_task_is_cancelled(pair: Pair, seconds: float) -> bool:
    """Whether a write whose commit waits for the secondary can be read within that time of its task's cancelling."""
    admin = await pair.admin()
    async with attached(pair, lease=60.0) as one:

        async def write() -> None:
            async with one.gate.transaction() as connection:
                await insert(connection, "half")

        pair.db2.signal(signal.SIGSTOP)
        writing = asyncio.create_task(write())
        try:
            waits = ("SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event = 'SyncRep' "
                     "AND application_name = 'tuiha:s1' AND query ILIKE 'COMMIT%'")
            assert await true_within(admin, waits, PATIENCE)
            writing.cancel()
            return await true_within(admin, "SELECT count(*) > 0 FROM event WHERE text = 'half'", seconds)
        finally:
            pair.db2.signal(signal.SIGCONT)
            await asyncio.wait({writing})
            await admin.close()


async def test_a_task_that_is_cancelled_does_not_cancel_its_commit(own_pair: Pair) -> None:
    assert not await shown_after_its_task_is_cancelled(own_pair, 0.5)


async def test_control_a_commit_that_is_cancelled_with_its_task_is_shown_and_not_safe(
    own_pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two guards stand behind each other: the commit goes on, and a session in mid-transaction is dropped."""
    monkeypatch.setattr(gate, "never_cancelled", lambda work: work())
    monkeypatch.setattr(Attachment, "_give_back", lambda *_: None)
    assert await shown_after_its_task_is_cancelled(own_pair, 10.0)
