"""What the acts of a scenario need to be prepared before the load begins: found in the acts themselves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tuiha.lab.drill.network import Link

Setting = tuple[str, str, object]  # section of the configuration (a list: of each entry), key, value


@dataclass(frozen=True, slots=True)
class ScenarioNeeds:
    """Links with a proxy, servers that can be hurt from inside, parts on a small disk, settings of the servers."""

    links: tuple[Link, ...] = ()
    hurtable: tuple[str, ...] = ()
    disks: tuple[str, ...] = ()
    settings: tuple[Setting, ...] = ()


def needs(acts: Iterable[object]) -> ScenarioNeeds:
    """Everything that the acts name, those within an operation too."""
    every = list(_flat(acts))
    return ScenarioNeeds(*(tuple(dict.fromkeys(one for act in every for one in getattr(act, name, ())))
                           for name in ("links", "hurtable", "disks", "settings")))


def lacking(acts: Iterable[object], root: bool) -> str | None:
    """Why a scenario cannot be run by this user; None when it can."""
    wanted = needs(acts).disks
    if wanted and not root:
        return f"only root can mount the small file system for {' and '.join(wanted)} that is filled"
    return None


def _flat(acts: Iterable[object]) -> Iterator[object]:
    for act in acts:
        yield act
        yield from _flat(getattr(act, "then", ()))
