"""The catalogue: every kind of operation as data, with what it takes, its options, its keys and its one line of help.

The shell, the dashboard's command line, menus, footers, palette, completion, help and the checks of arguments are made
from it, and a test compares the documentation with it. What a kind does is in `tuiha.operate`, a class for each name.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Group(StrEnum):
    """What a kind of operation changes."""

    DATABASE = "database"  # the roles of the pair
    MAIL = "mail"
    SERVERS = "servers"  # which server monitors which user
    ACCESS = "access"  # users and devices that are refused
    GUARD = "guard"  # what guards may do
    POOL = "pool"  # what another operation left


class What(StrEnum):
    """What a target is."""

    SERVER = "SERVER"
    DATABASE = "DATABASE"
    MAIL = "MAIL"  # a mail server
    USER = "USER"
    DEVICE = "DEVICE"
    OPERATION = "OPERATION"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One word that a command takes, or several of a sort."""

    what: str
    optional: bool = False
    several: bool = False

    @property
    def usage(self) -> str:
        """As help writes it: `USER`, `SERVER...`, `[DATABASE]`."""
        word = f"{self.what}..." if self.several else self.what
        return f"[{word}]" if self.optional else word


@dataclass(frozen=True, slots=True)
class Takes:
    """The words that a command takes, in order. Only the last may stand for several."""

    parameters: tuple[Parameter, ...] = ()

    @property
    def usage(self) -> str:
        """As help writes it; empty when it takes nothing."""
        return " ".join(one.usage for one in self.parameters)

    @property
    def least(self) -> int:
        """How many words it needs."""
        return sum(not one.optional for one in self.parameters)

    @property
    def most(self) -> int | None:
        """How many words it can take; None: any number."""
        return None if self.several else len(self.parameters)

    @property
    def several(self) -> bool:
        """Whether it takes any number of words."""
        return bool(self.parameters) and self.parameters[-1].several

    def fits(self, number: int) -> bool:
        """Whether so many words are neither too few nor too many."""
        return number >= self.least and (self.most is None or number <= self.most)

    def at(self, place: int) -> Parameter | None:
        """What the word at that place is, the first one at 0; None when no word goes there."""
        if self.most is not None and place >= self.most:
            return None
        return self.parameters[min(place, len(self.parameters) - 1)]


NOTHING = Takes()


def takes(usage: str) -> Takes:
    """The words in the notation of help: `USER SERVER`, `SERVER...`, `[DATABASE]`."""
    return Takes(tuple(
        Parameter(word.strip("[].").upper(), word.startswith("["), "..." in word) for word in usage.split()
    ))


class Form(StrEnum):
    """What may be written for an option."""

    NUMBER = "number"
    TEXT = "text"
    NAMES = "names"  # of pool servers
    CHOICE = "choice"


@dataclass(frozen=True, slots=True)
class Option:
    """An option of a kind of operation: `--option NAME=VALUE`."""

    name: str
    help: str
    form: Form = Form.TEXT
    usual: float = 0.0  # of a number that is left out
    least: float = 0.0
    most: float = 0.0  # of a text: characters
    choices: tuple[str, ...] = ()

    def against(self, value: str) -> str:
        """Why that value cannot be meant; empty when it can."""
        if self.form is Form.CHOICE and value not in self.choices:
            return f"there is no {self.name} '{value}'; there are {', '.join(self.choices)}"
        if self.form is Form.TEXT and 0 < self.most < len(value):
            return f"the {self.name} has {len(value)} characters; write at most {self.most:g}"
        if self.form is Form.NUMBER and not self.least <= _number(value) <= self.most:
            return f"option {self.name} is {value!r}; write a number from {self.least:g} to {self.most:g}"
        return ""


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


@dataclass(frozen=True, slots=True)
class Operation:
    """One kind of operation. All of them change the pool, so each is planned and confirmed by name."""

    name: str  # as on the command line
    group: Group
    help: str  # one line
    title: str  # on screens; {0} and {1} are targets. What it does not name of them follows it
    takes: Takes = NOTHING
    options: tuple[Option, ...] = ()
    opposite: str = ""  # the kind that leads back when it is done; empty: none does
    untargeted: str = ""  # the title without a target, when it is another one
    offer: str = ""  # in a menu: {active}, {partner} or {target}; empty: no menu offers it
    means: str = ""  # beside it: what it leads to
    named: bool = False  # a menu names its target, although it could be left out
    ends_outage: bool = False  # other operations give way to it
    shell: str = ""  # the shell's shorter way to it: "users disable"

    @property
    def usage(self) -> str:
        """As help writes it: `move USER SERVER`."""
        return f"{self.name} {self.takes.usage}".rstrip()

    @property
    def keeps_reason(self) -> bool:
        """Whether the pool keeps the reason that an operator gives."""
        return any(option is REASON for option in self.options)

    def titled(self, target: Sequence[str]) -> str:
        """What it is, in words."""
        if len(target) < self.title.count("{"):
            return " ".join((self.untargeted or self.name, *target))
        return " ".join((self.title.format(*target), *target[self.title.count("{"):]))


@dataclass(frozen=True, slots=True)
class OperationKey:
    """A key on a view of the dashboard that leads to operations."""

    id: str  # for a keymap; begins with the view's name
    key: str
    kinds: tuple[str, ...]  # several: a menu offers them
    means: str  # for the help
    short: str = ""  # for the footer; empty: not in the footer
    first: bool = False  # stays in the footer when there is little room


LONGEST_REASON = 200  # characters
RATE = Option("rate", "users a second; 0: as fast as it goes", Form.NUMBER, 20.0, 0.0, 100_000.0)
IN_FLIGHT = Option("in-flight", "users of one server that move at a time", Form.NUMBER, 5.0, 1.0, 200.0)
TRIGGER = Option("trigger", "so far off its share a server starts it", Form.NUMBER, 0.15, 0.0, 10.0)
BAND = Option("band", "so much over its share is still good", Form.NUMBER, 0.05, 0.0, 10.0)
REASON = Option("reason", "why; the pool keeps it", most=LONGEST_REASON)
FOR = Option("for", "minutes that no guard acts", Form.NUMBER, 60.0, 1.0, 10_080.0)
WITHOUT = Option("without", "pool servers that are not waited for", Form.NAMES)
WAY = Option("way", "how it is ended, when the databases allow more than one way", Form.CHOICE,
             choices=("release", "back", "finish"))

_PAIR = takes("[DATABASE]")
OPERATIONS: Mapping[str, Operation] = {one.name: one for one in (
    Operation("switchover", Group.DATABASE, "make the secondary the active database; requests wait, none fails",
              "switch over to {0}", _PAIR, opposite="switchover", untargeted="switch over to the secondary",
              offer="switch over  {active} ──▶ {partner}", means="planned: nothing is lost"),
    Operation("failover", Group.DATABASE, "the active database is down: make the secondary the active one",
              "fail over to {0}", _PAIR, opposite="switchover", untargeted="fail over to the secondary",
              offer="fail over  {active} ──▶ {partner}", means="{active} is down", ends_outage=True),
    Operation("degrade", Group.DATABASE, "the secondary is down: let the active database continue without it",
              "continue without the secondary", _PAIR, opposite="protect",
              offer="continue without {partner}", means="commits no longer wait for it", ends_outage=True),
    Operation("protect", Group.DATABASE, "the secondary follows again: have every commit wait for it",
              "commits wait for the secondary again", _PAIR, opposite="degrade",
              offer="protect: commits wait for {partner} again", means="the end of degraded"),
    Operation("rejoin", Group.DATABASE, "make the database that is not active the secondary again",
              "rejoin a database", _PAIR, offer="rejoin {partner}", means="make it follow {active}", named=True),
    Operation("failover-mail", Group.MAIL, "take a mail server out of service; its users go to its partners",
              "take out of service", takes("MAIL"), (REASON, WITHOUT), "return-mail",
              offer="take {target} out of service", means="its users go to its partners"),
    Operation("return-mail", Group.MAIL, "put a mail server in service again", "return to service", takes("MAIL"),
              opposite="failover-mail", offer="return {target} to service", means="its users come back"),
    Operation("rebalance", Group.SERVERS, "move users until every server has its share", "rebalance users",
              options=(RATE, IN_FLIGHT, TRIGGER, BAND)),
    Operation("move", Group.SERVERS, "move one user to another server", "move {0} to {1}", takes("USER SERVER"),
              opposite="move"),
    Operation("drain", Group.SERVERS, "move all users of servers to the others and keep them free", "drain",
              takes("SERVER..."), (RATE, IN_FLIGHT), "enable"),
    Operation("enable", Group.SERVERS, "let drained servers take users again", "enable", takes("SERVER..."),
              opposite="drain"),
    Operation("forget-server", Group.SERVERS, "remove a server that is gone for good from the pool", "forget",
              takes("SERVER")),
    Operation("reclaim", Group.POOL, "end an operation whose runner, folder or host is gone; give the pool back",
              "reclaim", takes("[OPERATION]"), (WAY,)),
    Operation("pause-guard", Group.GUARD, "let no guard act for a while", "pause the guard", options=(FOR, REASON),
              opposite="resume-guard", shell="guard pause"),
    Operation("resume-guard", Group.GUARD, "let guards act again", "let the guard act again", opposite="pause-guard",
              shell="guard resume"),
    Operation("acknowledge-guard", Group.GUARD, "you have seen what a guard did: it may fail over again",
              "acknowledge the guard", shell="guard ack"),
    Operation("disable-user", Group.ACCESS, "refuse a user on every server; nothing is lost", "disable",
              takes("USER"), (REASON,), "enable-user", shell="users disable"),
    Operation("enable-user", Group.ACCESS, "accept a disabled user again", "enable", takes("USER"),
              opposite="disable-user", shell="users enable"),
    Operation("forget-user", Group.ACCESS, "delete a user with devices and history; there is no way back", "forget",
              takes("USER"), shell="users forget"),
    Operation("revoke-device", Group.ACCESS, "refuse one device of a user, and its keys", "revoke {1} of {0}",
              takes("USER DEVICE"), (REASON,), "allow-device", shell="devices revoke"),
    Operation("allow-device", Group.ACCESS, "accept a revoked device again, with a new key", "allow {1} of {0}",
              takes("USER DEVICE"), opposite="revoke-device", shell="devices allow"),
)}

KEYS: tuple[OperationKey, ...] = (
    OperationKey("home.rebalance", "r", ("rebalance",), "plan to rebalance users over the servers", "rebalance"),
    OperationKey("home.failover", "f",
                 ("switchover", "failover", "degrade", "protect", "rejoin", "failover-mail", "return-mail"),
                 "fail over: the database pair, or a mail server", "fail over", True),
    OperationKey("home.drain", "d", ("drain",), "plan to drain the marked servers, or this one", "drain"),
    OperationKey("home.enable", "e", ("enable",), "plan to enable the marked servers, or this one", "enable"),
    OperationKey("home.forget", "x", ("forget-server",),
                 "plan to forget a server that is gone for good"),
    OperationKey("users.move", "m", ("move",), "choose a server to move this user to; planned first", "move", True),
    OperationKey("users.disable", "d", ("disable-user",), "refuse this user on every server; planned first", "disable"),
    OperationKey("users.enable", "e", ("enable-user",), "accept this user again; planned first", "enable"),
    OperationKey("users.forget", "x", ("forget-user",), "delete this user with devices and history; planned first",
                 "forget"),
    OperationKey("devices.revoke", "d", ("revoke-device",), "refuse this device and its keys; planned first", "revoke",
                 True),
    OperationKey("devices.allow", "e", ("allow-device",), "accept this device again; planned first", "allow", True),
)


def of_group(group: Group) -> tuple[Operation, ...]:
    """The kinds that change it."""
    return tuple(one for one in OPERATIONS.values() if one.group is group)


def key_of(kind: str, view: str = "home") -> OperationKey | None:
    """The key on a view that leads to a kind; None when no key does."""
    return next((key for key in KEYS if kind in key.kinds and key.id.startswith(f"{view}.")), None)


def shell_words(command: str) -> dict[str, Operation]:
    """The kinds that a shell command has a shorter way to, by the word after it: `disable` of `users`."""
    found = (one for one in OPERATIONS.values() if one.shell.startswith(f"{command} "))
    return {one.shell.removeprefix(f"{command} "): one for one in found}


def misuse(kind: str, target: Sequence[str], options: Mapping[str, str]) -> str:
    """Why a question is wrong whatever the pool is like, with what it should be; empty when it is right."""
    operation = OPERATIONS.get(kind)
    if operation is None:
        return f"there is no kind of operation '{kind}'{_hint(kind, OPERATIONS)}"
    return next(filter(None, (*_against_options(operation, options), _against_target(operation, target))), "")


def _against_target(operation: Operation, target: Sequence[str]) -> str:
    name, words = operation.name, operation.takes
    if not words.fits(len(target)):
        given = f", not {' '.join(target)}" if target else ""
        return f"{name} takes {words.usage or 'no target'}{given}"
    if words.several and len(set(target)) < len(target):
        return f"{name} was given {' '.join(target)}: name each once"
    return ""


def _against_options(operation: Operation, options: Mapping[str, str]) -> Iterable[str]:
    known = {option.name: option for option in operation.options}
    for name, value in options.items():
        if name in known:
            yield known[name].against(value)
        else:
            yield f"{operation.name} has no option '{name}'{_hint(name, known)}"


def _hint(word: str, known: Collection[str]) -> str:
    import difflib  # not before something is misspelled: a first picture waits for what is imported

    near = difflib.get_close_matches(word, known, n=1)
    if near:
        return f"; did you mean '{near[0]}'?"
    return f"; there are {', '.join(sorted(known))}" if known else "; it has none"
