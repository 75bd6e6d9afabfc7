"""One polled target: its driver, the latest that it brought, and the poll under way."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Generic, Protocol, TypeVar

from tuiha.drivers.protocols import DriverError
from tuiha.model.facts import Polled, R
from tuiha.model.problems.causes import Cause
from tuiha.model.words import span

R_co = TypeVar("R_co", covariant=True)
CLOSE = 1.0  # seconds that a driver gets to close
_log = logging.getLogger(__name__)


class Driver(Protocol[R_co]):
    """What watching needs of a driver."""

    async def poll(self) -> R_co:
        """Ask the target. Raises DriverError."""

    async def close(self) -> None:
        """Drop connections."""


@dataclass
class Target(Generic[R]):
    """A target and what is known of it. `clock` tells unix seconds."""

    driver: Driver[R]
    polled: Polled[R]
    timeout: float  # seconds, of one poll
    clock: Callable[[], float] = time.time
    busy: bool = False  # a poll is under way; no second one is started
    resting: bool = False  # others report of it: it is not polled, and has no connection

    @property
    def tried(self) -> bool:
        """Whether a poll has ended, well or not."""
        return self.polled.seen_at is not None or self.polled.failures > 0

    def begin(self) -> Coroutine[None, None, None] | None:
        """The next poll, to be run as a task; None while the last one is still under way."""
        if self.busy:
            return None
        self.busy = True
        return self._poll()

    async def _poll(self) -> None:
        """Poll once and keep what came, a failure included. Only being cancelled is raised."""
        started = time.monotonic()
        try:
            async with asyncio.timeout(self.timeout):
                report = await self.driver.poll()
        except TimeoutError:
            self._failed(f"no answer in {span(self.timeout)}", Cause.SILENT)
        except DriverError as error:
            self._failed(str(error) or "it cannot be asked", error.cause)
        except OSError as error:
            self._failed(str(error) or type(error).__name__)
        except Exception as error:  # noqa: BLE001 - a driver's fault must not end the watching of all others
            _log.warning("the driver of %s failed", self.polled.name, exc_info=True)
            self._failed(f"unexpected {type(error).__name__} in its driver")
        else:
            self.polled = replace(self.polled, report=report, seen_at=self.clock(), error=None, cause=None,
                                  failing_since=None, failures=0, duration_ms=(time.monotonic() - started) * 1000)
        finally:
            self.busy = False

    def _failed(self, why: str, cause: Cause = Cause.OTHER) -> None:
        since = self.polled.failing_since
        self.polled = replace(self.polled, error=why, cause=cause, failures=self.polled.failures + 1,
                              failing_since=self.clock() if since is None else since)

    def rest(self, others_report: bool) -> Coroutine[None, None, None] | None:
        """Poll it no more while others report of it; what closes its connection, to be run as a task, if it has one."""
        rests = others_report and not self.busy
        begins, self.resting = rests and not self.resting, rests
        return self.close() if begins else None

    async def close(self) -> None:
        """Close the driver, within a second; what it still holds then ends with the process."""
        try:
            async with asyncio.timeout(CLOSE):
                await self.driver.close()
        except Exception as error:  # noqa: BLE001 - nothing more can be done, and nobody waits for it
            _log.warning("the driver of %s did not close: %s", self.polled.name, type(error).__name__)
