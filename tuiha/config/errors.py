"""The one error of this floor: what is wrong with the configuration, where, and what to write instead."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

Location = tuple[str | int, ...]


def field_name(location: Location) -> str:
    """A field as people write it: `("database", "nodes", 0, "name")` is `database.nodes[0].name`."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


@dataclass(frozen=True, slots=True)
class ConfigProblem:
    """One thing that is wrong. Holds no value from the file that could be a secret."""

    what: str
    remedy: str = ""
    field: str = ""
    file: Path | None = None
    line: int | None = None

    def __str__(self) -> str:
        """`FILE:LINE: field.path: what is wrong; what to write`, without the parts that are not known."""
        place = "" if self.file is None else str(self.file) + (f":{self.line}" if self.line else "")
        text = f"{self.what}; {self.remedy}" if self.remedy else self.what
        return ": ".join(part for part in (place, self.field, text) if part)


class ConfigError(Exception):
    """The configuration cannot be used. `str()` is fit for a screen: one line for each problem, no secrets."""

    def __init__(self, *problems: ConfigProblem) -> None:
        super().__init__(*problems)
        self.problems: tuple[ConfigProblem, ...] = problems

    def __str__(self) -> str:
        """Each problem on a line of its own, in the order of the file."""
        return "\n".join(str(problem) for problem in self.problems)
