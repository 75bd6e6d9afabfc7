"""What a drill is: a fault under load at a moment, and what must hold."""

from __future__ import annotations

from dataclasses import dataclass

from tuiha.lab.drill.acts.base import Act

STEADY = "under steady load"


@dataclass(frozen=True, slots=True)
class MailLimits:
    """What must hold of mail in a scenario of mail."""

    apart: int  # users who may be without a mail connection: those whose mail or mailbox is the trouble
    disconnected: int | None = 0  # others who may be without one for two seconds; None: any number, only reported
    within: float = 5.0  # seconds in which a user is told of the next mail, and in which others are connected again
    substitutes: int = 0  # mails that must be told by a substitute, at least
    gone: bool = False  # whether a mail server may be judged gone: where one is killed
    logins: int | None = None  # most log-ins of the whole pool from the first act on; None: only reported


@dataclass(frozen=True, slots=True)
class Scenario:
    """A fault under load, and what must hold. Nothing may ever be lost, late, doubled, monitored twice or split."""

    name: str
    story: str  # one line
    moment: str  # when the fault comes
    acts: tuple[Act, ...]
    failed: int | None = 0  # requests of devices that may fail; None: any number, only reported
    outage: float | None = None  # seconds that no server may go without acknowledging a write; None: only reported
    ends_on: str | None = "db1"  # where every running server is at the end; None: where the ledger says
    protected: bool = True  # every commit waits for the secondary at the end
    grace: float = 40.0  # the longest wait for devices to fetch the rest at the end, seconds; over when they have it
    servers: int = 3
    users: int = 30
    devices: float = 1.5  # of each user, on average
    spare: int = 0  # of the users, so many have no device of the load: only the scenario's acts use them
    mail: MailLimits | None = None  # what else must hold in a scenario of mail
    quick: bool = False  # in the subset that runs without --all
