"""Log-ins for looking: the watcher keeps its connection, and has none where pool servers report."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from tests.doubles.mail_server import fake_mail_server
from tests.model.looks import server
from tuiha.drivers.mail.imap import Imap
from tuiha.drivers.protocols import DriverError
from tuiha.model.facts import PolledMail
from tuiha.model.problems.mail_trouble import MailSight
from tuiha.model.reports import MailReport, ServerReport
from tuiha.model.rules import Rules
from tuiha.watch.poller import Poller
from tuiha.watch.targets import Target, Targets


async def test_many_polls_are_one_log_in() -> None:
    async with fake_mail_server() as (fake, port):
        driver = Imap("mail1", f"127.0.0.1:{port}", "plain", "probe", "secret")
        for _ in range(20):
            assert (await driver.poll()).greeting == "ready"
        assert (fake.connections, fake.logins) == (1, 1)
        fake.close()
        await asyncio.sleep(0.05)
        await driver.poll()
        assert fake.logins == 2, "the connection was lost"
        await driver.close()


async def test_a_refused_log_in_is_not_tried_again_at_once() -> None:
    async with fake_mail_server() as (fake, port):
        fake.probe_refusal = "[AUTHENTICATIONFAILED] no"
        driver = Imap("mail1", f"127.0.0.1:{port}", "plain", "probe", "secret", every=3600.0)
        for _ in range(5):
            with pytest.raises(DriverError, match="log-in of probe refused: no"):
                await driver.poll()
        assert fake.logins == 1


class Asked:
    """A mail driver that counts."""

    capabilities = frozenset({"poll"})

    def __init__(self) -> None:
        self.polls = self.closed = 0

    async def poll(self) -> MailReport:
        self.polls += 1
        return MailReport(1.0, "ready")

    async def close(self) -> None:
        self.closed += 1


class Told:
    """A pool server that reports of mail1, or of nothing."""

    capabilities = frozenset({"poll"})

    def __init__(self) -> None:
        self.sights: tuple[MailSight, ...] | None = None

    async def poll(self) -> ServerReport:
        report = server("s1").report
        assert report is not None
        return replace(report, mail_servers=self.sights)

    async def close(self) -> None:
        """Nothing is open."""


async def test_a_mail_server_of_which_a_pool_server_reports_is_not_polled() -> None:
    told, asked, other = Told(), Asked(), Asked()
    polled = server("s1")
    targets = Targets(
        "east", 1.0, 1.0, lambda name, address: told, {"s1": Target(told, replace(polled, report=None), 1.0)}, {}, {},
        {name: Target(driver, PolledMail(name, "x:1", cluster="east"), 1.0)
         for name, driver in (("mail1", asked), ("mail2", other))}, None)
    poller = Poller(targets, Rules())
    async with asyncio.TaskGroup() as group:
        await poller.round(group, 1.0)
        assert asked.polls == 1, "nobody reports yet"
        told.sights = (MailSight("mail1", 0.1, 1.0, "ready"),)
        await poller.round(group, 1.0)
        for _ in range(5):
            await poller.round(group, 1.0)
        assert (asked.polls, other.polls) == (2, 7)
        assert asked.closed == 1, "its connection is not kept"
        told.sights = None
        await poller.round(group, 1.0)
        await poller.round(group, 1.0)
        assert asked.polls == 3
