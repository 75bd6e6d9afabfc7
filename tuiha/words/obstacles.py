"""Obstacles to a change of roles, and oddities of sprayers, in words: finding, meaning and remedy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tuiha.model.codes import Obstacle, Oddity, ProblemCode
from tuiha.model.quotes import literal
from tuiha.model.words import count, names, size, span


@dataclass(frozen=True, slots=True)
class ObstacleWords:
    """The sentences of one finding."""

    what: str
    means: str
    remedy: str


@dataclass(frozen=True, slots=True)
class _Text:
    state: str  # of its problem on the screen
    means: str
    what: Callable[[Any], str]
    remedy: Callable[[Any], str]


def found(one: Obstacle | Oddity) -> ObstacleWords:
    """The sentences of an obstacle or an oddity."""
    text = _TEXTS[one.code]
    return ObstacleWords(text.what(one), text.means, text.remedy(one))


def state(one: Obstacle | Oddity) -> str:
    """The word with which its problem begins."""
    return _TEXTS[one.code].state


def _late(one: Obstacle) -> str:
    told = names((f"process {late.process} ({late.application or 'no name'}) for {span(late.seconds)}"
                  for late in one.open), 3)
    return f"transactions are open: {told}"


def _ends(one: Obstacle) -> str:
    ends = names((f"SELECT pg_terminate_backend({late.process})" for late in one.open), 3)
    return f"end them in their programs, or on {one.database}: {ends}"


def _rolls_back(one: Obstacle) -> str:
    orders = names((f"ROLLBACK PREPARED {literal(name)}" for name in one.prepared), 3)
    return f"on {one.database}, in the database it was made in: {orders} (or COMMIT PREPARED)"


def _kept(one: Obstacle) -> str:
    return "an unknown amount of WAL" if one.kept is None else f"{size(one.kept)} of WAL"


def _ready(one: Oddity) -> str:
    return ("; ".join(f"`set server BACKEND/{server} state ready` at its runtime socket" for server in one.servers)
            + ", or take it out everywhere: " + "; ".join(f"tuiha plan drain {server}" for server in one.servers))


def _away(one: Oddity) -> str:
    told = names((f"{away.server} ({away.check})" if away.check else away.server for away in one.away), 4)
    return f"does not reach {told}"


_TEXTS: Mapping[ProblemCode, _Text] = {
    ProblemCode.REPLAY_PAUSED: _Text(
        "REPLAY", "it keeps what it receives and does not show it: it cannot take over, and people who read there see "
        "a past",
        lambda _: "its replay is paused", lambda one: f"on {one.database}: SELECT pg_wal_replay_resume()"),
    ProblemCode.PREPARED_TRANSACTIONS: _Text(
        "PREPARED", "it holds locks and old rows until somebody ends it, and a switchover is refused",
        lambda one: count(len(one.prepared), "prepared transaction"), _rolls_back),
    ProblemCode.LONG_TRANSACTIONS: _Text(
        "LONG-TRANSACTION", "a switchover waits for them longer than requests are held, and is refused", _late, _ends),
    ProblemCode.BACKUP_RUNNING: _Text(
        "BACKUP", "a change of roles would break it off, and is refused",
        lambda one: f"{count(one.backups, 'base backup')} running", lambda _: "wait until it has ended"),
    ProblemCode.SLOT_UNUSED: _Text(
        "SLOT", "WAL is kept for it until the disk is full, or max_slot_wal_keep_size ends it",
        lambda one: f"slot {one.slot} is used by nobody and keeps {_kept(one)}",
        lambda one: f"on {one.database}, unless somebody will use it: SELECT pg_drop_replication_slot("
                    f"{literal(one.slot)})"),
    ProblemCode.SLOT_LOST: _Text(
        "SLOT", "the partner needs a fresh copy",
        lambda one: f"the partner's slot {one.slot} has lost what it kept", lambda _: "tuiha plan rejoin"),
    ProblemCode.SLOT_KEEPS: _Text(
        "SLOT", "WAL is kept until the partner is back, or the disk is full",
        lambda one: f"the partner's slot {one.slot} keeps {_kept(one)}, and nobody reads it",
        lambda _: "bring the partner back: start it, or tuiha plan rejoin"),
    ProblemCode.CUT_OFF: _Text(
        "CUT OFF", "devices are forwarded by other servers: slower, and with more load", _away,
        lambda _: "compare the address on its line `server` with the server's, and open the way from the sprayer's "
                  "host to it"),
    ProblemCode.DIFFERS: _Text(
        "DIFFERS", "somebody took it out at this sprayer alone: its share of the devices differs",
        lambda one: f"{names(one.servers)} gets no new users here, and does elsewhere", _ready),
    ProblemCode.UNCHECKED: _Text(
        "UNCHECKED", "devices are sent there also when it is gone, cut off, or leaving",
        lambda one: f"it does not check the health of {names(one.servers)}",
        lambda _: "write `check` on its line `server` (config/haproxy.cfg), and then: systemctl reload haproxy"),
    ProblemCode.NO_MAP: _Text(
        "NO MAP", "devices are forwarded by any server each time, and who holds an address is not known",
        lambda one: f"it has no map {names(one.lacking)}",
        lambda one: "write the path that its configuration has at sprayers.map (or held): "
                    f"{names(one.maps) or 'it has none; config/haproxy.cfg shows it'}"),
}
