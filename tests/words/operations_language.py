"""A language of `x`: every sentence about operations is the same letter."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from tuiha.words import operations, results


@contextmanager
def language_of_x() -> Iterator[None]:
    """Whatever is said meanwhile is `x`: what still works rests on no sentence."""
    with mock.patch.dict(operations.TABLES, dict.fromkeys(operations.TABLES, "x")), \
            mock.patch.multiple(results, WORDS=dict.fromkeys(results.WORDS, "x"),
                                MEANINGS=dict.fromkeys(results.MEANINGS, "x")):
        yield
