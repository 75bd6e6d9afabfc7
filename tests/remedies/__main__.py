"""Go through the table: plant each fault alone, see it named, carry its remedy out, see it gone."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import time
from collections.abc import Sequence

from tests.remedies.acts import Fault
from tests.remedies.cycle import carry_out
from tests.remedies.scene import scene
from tests.remedies.table import FAULTS


async def go(faults: Sequence[Fault]) -> int:
    """Each on its own; a pool that a failed row left ill is replaced. Returns how many failed."""
    waiting, failed = list(faults), 0
    while waiting:
        async with scene() as pool:
            await pool.clean()
            while waiting:
                fault = waiting.pop(0)
                began = time.monotonic()
                try:
                    await carry_out(pool, [fault])
                except Exception as error:  # noqa: BLE001 - told, and the next one gets a pool of its own
                    failed += 1
                    say(f"FAILED  {fault.name}: {type(error).__name__}: {error}")
                    break
                say(f"ok      {fault.name} ({time.monotonic() - began:.1f} s)")
    say(f"planted {len(faults)}, named, remedy carried out and right: {len(faults) - failed}")
    return failed


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> int:
    """Exit code 0 when every remedy mends its fault."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="*", help="only faults whose names hold one of these")
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # of doubles that speak TLS in the middle of a connection
    words = parser.parse_args().words
    wanted = [fault for fault in FAULTS if not words or any(word in fault.name for word in words)]
    return 1 if asyncio.run(go(wanted)) else 0


if __name__ == "__main__":
    sys.exit(main())
