"""Which drivers there are: those of this project, and those that other packages offer as entry points."""

from __future__ import annotations

from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points

SERVERS = "tuiha.servers"  # the group of entry points
OUR_SERVERS = frozenset({"pool", "http", "traveler"})


def offered(group: str) -> dict[str, EntryPoint]:
    """What installed packages offer, by name. Looks through all of them, which takes milliseconds."""
    return {entry.name: entry for entry in entry_points(group=group)}


def unknown_server(driver: str) -> str | None:
    """What to write instead of a driver that there is not; None when there is one of that name."""
    if driver in OUR_SERVERS:
        return None
    known = OUR_SERVERS | offered(SERVERS).keys()
    if driver in known:
        return None
    near = get_close_matches(driver, known, 1)
    return f"did you mean '{near[0]}'?" if near else f"there are {', '.join(sorted(known))}"
