"""Which versions of tuiha may serve one pool together: docs/upgrades.md has the rule."""

from __future__ import annotations

import re
from collections.abc import Iterable


def neighbours(versions: Iterable[str]) -> bool | None:
    """Whether these are at most two minor versions of one major version, next to each other; None: cannot be said."""
    found: set[tuple[int, int]] = set()
    for version in versions:
        numbers = re.match(r"(\d{1,6})\.(\d{1,6})(?![\d])", version)
        if numbers is None:
            return None
        found.add((int(numbers[1]), int(numbers[2])))
    majors = {major for major, _ in found}
    minors = [minor for _, minor in found]
    return len(majors) <= 1 and (not minors or max(minors) - min(minors) <= 1)
