"""Back up, go on, lose everything, restore: what servers, commands and a device say."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.restoring.scene import Scene, scene
from tests.until import until

_TIMELINE = "SELECT ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int"


def statements() -> list[str]:
    """Step 4 of docs/backup.md."""
    text = (Path(__file__).parents[2] / "docs" / "backup.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```restore\n(.*?)```", text, flags=re.DOTALL)
    return [one.strip() for one in block.split(";") if one.strip()]


async def restore(at: Scene, backup: Path, say: Callable[[str], None]) -> None:
    """Steps 1 to 6."""
    for part in ("s1", "s2", "db1", "db2"):
        await at.pool.kill(part)
    at.put_back(backup)
    await at.pool.start("db1")
    admin = await at.admin()
    say(f"restored: epoch {await admin.fetchval('SELECT epoch FROM pool_epoch')}, "
        f"timeline {await admin.fetchval(_TIMELINE)}")
    checked = json.loads((await asyncio.to_thread(at.tuiha, "check", "--json")).stdout)["findings"]
    (told,) = [finding["what"] for finding in checked if finding["subject"] == "ledger"]
    assert "timeline" in told, told
    say(f"tuiha check: ledger: {told}")
    for statement in statements():
        await admin.execute(statement)
    await admin.close()
    say(await asyncio.to_thread(at.new_ledger))
    await at.pool.start("s1")
    await at.pool.start("s2")


async def start_over(at: Scene, missed: list[str], say: Callable[[str], None]) -> None:
    """The device asks with the key that it had, and goes on as it is told."""
    before = at.key
    answer = await until(at.ask, met=lambda told: told[0] != 503, pause=0.3)
    assert answer[0] == 410, answer
    assert at.key != before
    say(f"the device's key of before: 410, {answer[1]['detail']}")
    again = await at.fetch(len(missed))
    assert sorted(again) == sorted(missed), again  # recorded anew from the mail server, and given again, as told
    new = await at.send(1)
    assert await at.fetch(1) == new
    say(f"then {', '.join(again)} again, and what is new: {new[0]}")


async def rejoin(at: Scene, say: Callable[[str], None]) -> None:
    """Step 7."""
    plan = json.loads((await asyncio.to_thread(at.tuiha, "plan", "rejoin", "db2", "--json")).stdout)
    done = await asyncio.to_thread(at.tuiha, "apply", plan["id"], "--confirm", "db2", "--reason", "restored")
    assert done.returncode == 0, done.stdout + done.stderr
    status = json.loads((await asyncio.to_thread(at.tuiha, "status", "--json")).stdout)
    say(f"db2 is a secondary again: {status['verdict']}, {status['protection']}, epoch {status['epoch']}")
    assert status["protection"] == "protected"


async def main() -> int:
    """Run it; 0 when everything is as the document says."""
    began = time.monotonic()

    def say(text: str) -> None:
        sys.stderr.write(f"{time.monotonic() - began:6.1f} s  {text}\n")

    folder = Path(tempfile.mkdtemp(prefix="tuiha-restoring-"))
    try:
        async with scene() as at:
            first = await at.send(2)
            assert await at.fetch(2) == first
            await at.ask()  # with the key of the second: acknowledged
            at.back_up(folder / "backup")
            say("base backup taken from db2")
            missed = await at.send(3)
            assert await at.fetch(3) == missed
            await restore(at, folder / "backup", say)
            await start_over(at, missed, say)
            await rejoin(at, say)
    finally:
        shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
