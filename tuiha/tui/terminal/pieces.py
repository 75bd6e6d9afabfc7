"""Textual's updates as pieces: where on the screen, and which segments."""

from __future__ import annotations

from collections.abc import Iterator

from textual._compositor import ChopsUpdate, LayoutUpdate

from tuiha.tui.terminal.image import Piece


def pieces_of(update: LayoutUpdate | ChopsUpdate) -> Iterator[Piece]:
    """The pieces of a whole frame or of a partial one."""
    if isinstance(update, LayoutUpdate):
        yield from _whole(update)
    else:
        yield from _partial(update)


def _whole(update: LayoutUpdate) -> Iterator[Piece]:
    for y, line in enumerate(update.strips, update.region.y):
        x = update.region.x
        for strip in line:
            yield x, y, strip
            x += strip.cell_length


def _partial(update: ChopsUpdate) -> Iterator[Piece]:
    for y, start, end in update.spans:
        for x, strip in update.chops[y].items():
            if strip is None or x >= end or x + strip.cell_length <= start:
                continue
            first, last = max(start, x), min(end, x + strip.cell_length)
            yield first, y, strip.crop(first - x, last - x)
