"""The order of the tests: files that wait long for real programs come first, so that none ends the run alone."""

from __future__ import annotations

import pytest

LONG = frozenset({"lab", "operate", "proof", "remedies", "tui"})  # folders of tests


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first; within the two groups the order stays."""
    items.sort(key=lambda item: not (item.get_closest_marker("pool") or LONG & {*item.nodeid.split('/')}))
