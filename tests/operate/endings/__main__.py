"""Every operation on users, servers and mail, killed in each of its steps: `python -m tests.operate.endings [KIND...]`.

The operations on the pair are killed at each of their awaits by `python -m tests.proof.operations`.
"""

from __future__ import annotations

import asyncio
import sys
import time

from tests.operate.endings.ground import PLANS, Ending, ground, one


def say(text: str) -> None:
    """A line, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


async def sweep(kinds: list[str]) -> list[Ending]:
    """All steps of these kinds, on one pool."""
    found: list[Ending] = []
    async with ground() as on:
        for kind in kinds:
            for step in range(1, PLANS[kind][1] + 1):
                began = time.monotonic()
                ending = await one(on, kind, step)
                found.append(ending)
                say(f"{kind:14} killed in step {step}: told {ending.told}, while cut off {ending.cut}, then "
                      f"{ending.whole}, settled {ending.settled}, pool free {ending.free}, "
                      f"{time.monotonic() - began:.0f} s")
                if ending.stuck or not ending.told:
                    say("    " + "\n    ".join(ending.steps))
    return found


def main() -> int:
    """Print each one, and the sums."""
    found = asyncio.run(sweep(sys.argv[1:] or list(PLANS)))
    stuck, silent = sum(one.stuck for one in found), sum(not one.told for one in found)
    say(f"{len(found)} killed, {stuck} stuck, {silent} not told")
    return int(bool(stuck or silent))


if __name__ == "__main__":
    sys.exit(main())
