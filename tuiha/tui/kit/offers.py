"""A list to choose from by typing: what the palette and the command line offer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from tuiha.tui.draw.lists import wrapped
from tuiha.tui.draw.marks import CURSOR
from tuiha.tui.draw.spans import BLANK, Line, Span, fit, left, width_of

SHORT = 20  # cells: what is told of an offer beside its title, such as an id; longer texts are cut


@dataclass(frozen=True, slots=True)
class Offer:
    """Something that can be chosen; `against` says why it cannot be now, empty when it can."""

    name: str  # what choosing it means: an id, or the text that is put in
    title: str
    key: str = ""
    told: str = ""
    against: str = ""


def matching(offers: Iterable[Offer], text: str) -> tuple[Offer, ...]:
    """The offers that hold every word of the text, those that begin with it first."""
    words = text.lower().split()
    found = [offer for offer in offers if all(word in _all_of(offer) for word in words)]
    return tuple(sorted(found, key=lambda offer: not _begins(offer, words)))


def _all_of(offer: Offer) -> str:
    return f"{offer.title} {offer.key} {offer.told} {offer.name}".lower()


def _begins(offer: Offer, words: Sequence[str]) -> bool:
    return not words or any(text.lower().startswith(words[0]) for text in (offer.key, offer.title, offer.name))


def offer_lines(offers: Sequence[Offer], cursor: int, width: int, rows: int) -> tuple[Line, ...]:
    """The offers around the cursor in exactly `rows` lines; the last say what is cut or refused of the one under it."""
    if rows <= 0:
        return ()
    keys = min(12, max((cell_len(offer.key) for offer in offers), default=0))
    ids = max((cell_len(offer.told) for offer in offers if len(offer.told) <= SHORT), default=0)
    titles = min(max((cell_len(offer.title) for offer in offers), default=0),
                 max(12, width // 2, width - keys - ids - 8))
    below = _below(offers[cursor], titles, width)[: max(0, rows - 2)] if offers else []
    room = rows - len(below)
    top = max(0, min(cursor - room // 2, len(offers) - room))
    lines = [
        _line(offer, top + place == cursor, keys, titles, width)
        for place, offer in enumerate(offers[top : top + room])
    ]
    return (*lines, *below, *[BLANK] * (rows - len(lines) - len(below)))


def _below(offer: Offer, titles: int, width: int) -> list[Line]:
    """The title where its column has cut it, and why it cannot be chosen."""
    told: list[Span] = []
    if cell_len(offer.title) > titles:
        told += [(part, "text") for part in wrapped(offer.title, width - 4)]
    if offer.against:
        told += [(part, "warning") for part in wrapped(f"not now: {offer.against}", width - 4)]
    return [Line(fit((("   ", "text"), span), width)) for span in told]


def _line(offer: Offer, here: bool, keys: int, titles: int, width: int) -> Line:
    grey = bool(offer.against)
    spans: list[Span] = [(f" {CURSOR} " if here else "   ", "flow bold")]
    if keys:
        spans += [(left(offer.key, keys), "quiet" if grey else "flow bold"), ("  ", "text")]
    spans.append((left(offer.title, titles), "quiet" if grey else "strong"))
    told = f"not now: {offer.against}" if grey and not here else offer.told
    if told and width - width_of(spans) > 8:
        spans += [("  ", "text"), (told, "quiet")]
    return Line(fit(spans, width), "cursor" if here else "ground")
