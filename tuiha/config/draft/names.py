"""NodeNames for nodes that were found: valid, and each once in the whole pool."""

from __future__ import annotations

import re

from tuiha.config.values import PATTERNS
from tuiha.model.survey.facts import Part, Remark, RemarkCode

LONGEST = 63
_NAME = next(re.compile(pattern) for pattern, (what, _) in PATTERNS.items() if what == "is not a name")


def is_name(text: str) -> bool:
    """Whether the configuration accepts a text as a name."""
    return _NAME.fullmatch(text) is not None and "\n" not in text


class NodeNames:
    """Gives out names; what it had to change is in `remarks`."""

    def __init__(self) -> None:
        self.remarks: list[Remark] = []
        self._taken: set[str] = set()

    def take(self, part: Part, wanted: str | None, otherwise: str) -> str:
        """The name of a node: the one that it has, as near to it as may be, or one made of `otherwise`."""
        if wanted is None:
            return self._free(otherwise)
        plain = wanted if is_name(wanted) else re.sub(r"[^A-Za-z0-9._-]+", "-", wanted).strip("._-")[:LONGEST]
        given = self._free(plain or otherwise)
        if given != wanted:
            code = RemarkCode.NAME_TAKEN if plain == wanted else RemarkCode.RENAMED
            self.remarks.append(Remark(part, code, wanted, given))
        return given

    def guess(self, guessed: str | None, otherwise: str) -> str:
        """A name that nobody gave: made of a host's name, or of `otherwise`."""
        return self._free(guessed if guessed is not None and is_name(guessed) else otherwise)

    def _free(self, name: str) -> str:
        found, number = name, 2
        while found in self._taken:
            tail = f"-{number}"
            found, number = name[:LONGEST - len(tail)] + tail, number + 1
        self._taken.add(found)
        return found
