"""HAProxy's configuration file as sections of words. Pure, apart from `texts`, which reads the files.

The file is somebody else's: it may be large, odd, or no configuration at all. What HAProxy decides when it starts
(conditions, variables of its environment) is not known here, and noted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tuiha.drivers.protocols import DriverError

MOST_BYTES = 16 * 1024 * 1024  # of all files together
MOST_FILES = 1000
SECTIONS = frozenset({
    "global", "defaults", "frontend", "backend", "listen", "peers", "resolvers", "userlist", "mailers", "cache",
    "program", "http-errors", "ring", "log-forward", "fcgi-app", "crt-store", "traces", "log-profile", "acme",
})

_VARIABLE = re.compile(r"\$(?:\{([A-Za-z_]\w*)(?:-([^}]*))?\}|([A-Za-z_]\w*))")
_ESCAPE = re.compile(r"""\\(?:x([0-9a-fA-F]{2})|([nrt \\#"'$]))""")  # any other backslash is itself
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t"}
_NEVER, _ALWAYS = frozenset({"0", "false"}), frozenset({"1", "true"})


@dataclass(frozen=True, slots=True)
class ProxyLine:
    """The words of a line, without comment and quotes. A variable that is not known stays as it is written."""

    number: int
    words: tuple[str, ...]


@dataclass(slots=True)
class ProxySection:
    """A section: its kind, its name ("" where it has none), the defaults that it starts from, and its lines."""

    kind: str
    name: str
    base: str | None = None  # of `from NAME`
    lines: list[ProxyLine] = field(default_factory=list)

    def first(self, *words: str) -> ProxyLine | None:
        """The first line that begins with these words."""
        return next(self.all(*words), None)

    def all(self, *words: str) -> Iterator[ProxyLine]:
        """The lines that begin with these words."""
        return (line for line in self.lines if line.words[:len(words)] == words)


@dataclass(frozen=True, slots=True)
class ProxyConfiguration:
    """The sections in their order, and the lines with a condition that was not evaluated."""

    sections: tuple[ProxySection, ...]
    conditions: tuple[int, ...] = ()

    def of(self, *kinds: str) -> Iterator[ProxySection]:
        """The sections of some kinds."""
        return (section for section in self.sections if section.kind in kinds)


def texts(path: Path) -> str:
    """The text of a file, or of all `*.cfg` in a folder, as HAProxy itself reads one. Raises DriverError."""
    try:
        files = sorted(path.glob("*.cfg"))[:MOST_FILES] if path.is_dir() else [path]
        if not files:
            raise DriverError("is a folder without a file *.cfg")
        parts: list[bytes] = []
        for file in files:
            if not file.is_file():
                raise DriverError("is not a regular file" if file.exists() else "there is no such file")
            with file.open("rb") as stream:
                parts.append(stream.read(MOST_BYTES + 1 - sum(map(len, parts))))
    except OSError as error:
        raise DriverError(f"cannot be read ({error.strerror or error})") from None
    raw = b"\n".join(parts)
    if len(raw) > MOST_BYTES:
        raise DriverError("is larger than 16 MB")
    if b"\0" in raw:
        raise DriverError("is not a text file")
    return raw.decode("utf-8", "replace")


def parse(text: str) -> ProxyConfiguration:
    """The sections of a configuration. Raises DriverError when there is none in it."""
    found: list[ProxySection] = []
    variables: dict[str, str] = {}
    conditions: list[int] = []
    for line in _taken(text, variables, conditions):
        word, *rest = line.words
        if word in SECTIONS:
            found.append(_section(word, rest))
        elif not found:
            continue
        elif word in ("setenv", "presetenv") and len(rest) == 2:
            variables[rest[0]] = rest[1]
        else:
            found[-1].lines.append(line)
    if not any(section.kind in ("global", "frontend", "backend", "listen") for section in found):
        raise DriverError("has no section of a HAProxy configuration (global, frontend, backend, listen)")
    return ProxyConfiguration(_complete(found), tuple(conditions))


def _section(kind: str, rest: list[str]) -> ProxySection:
    name = rest[0] if rest and rest[0] != "from" else ""
    base = rest[rest.index("from") + 1] if "from" in rest[:-1] else None
    return ProxySection(kind, name, base)


def _complete(sections: list[ProxySection]) -> tuple[ProxySection, ...]:
    """The sections with the lines of their defaults before their own."""
    found: list[ProxySection] = []
    named: dict[str, ProxySection] = {}
    last: ProxySection | None = None
    for section in sections:
        if section.kind == "defaults":
            if section.base in named:
                section.lines[:0] = named[section.base].lines
            last = section
            named[section.name] = section
        elif section.kind in ("frontend", "backend", "listen"):
            base = last if section.base is None else named.get(section.base)
            section.lines[:0] = [] if base is None else base.lines
        found.append(section)
    return tuple(found)


def _taken(text: str, variables: Mapping[str, str], conditions: list[int]) -> Iterator[ProxyLine]:
    """The lines that hold, with their words; of a condition that is not known the first branch holds."""
    open_: list[tuple[bool, bool]] = []  # of each .if: whether this branch holds, whether one has held
    for number, raw in enumerate(text.split("\n"), 1):
        parts = tuple(words(raw, variables))
        if not parts:
            continue
        if not parts[0].startswith("."):
            if all(holds for holds, _ in open_):
                yield ProxyLine(number, parts)
        elif parts[0] == ".if":
            open_.append(_branch(parts, number, conditions))
        elif parts[0] == ".endif" and open_:
            open_.pop()
        elif parts[0] in (".elif", ".else") and open_:
            had = open_[-1][1]
            holds = not had and (parts[0] == ".else" or _branch(parts, number, conditions)[0])
            open_[-1] = (holds, had or holds)


def _branch(parts: tuple[str, ...], number: int, conditions: list[int]) -> tuple[bool, bool]:
    said = "".join(parts[1:]).lower()
    if said in _NEVER or not said:
        return False, False
    if said not in _ALWAYS:
        conditions.append(number)
    return True, True


def words(line: str, variables: Mapping[str, str]) -> list[str]:
    """The words of a line: quotes, backslashes and comments as HAProxy has them."""
    found: list[str] = []
    word: list[str] = []
    begun, quote, at = False, "", 0
    while at < len(line):
        one, at = line[at], at + 1
        if not quote and one == "#":
            break
        if not quote and one in " \t\r":
            if begun:
                found.append("".join(word))
            word, begun = [], False
            continue
        begun = True
        if one in "\"'" and quote in ("", one):
            quote = "" if quote else one
        elif quote != "'" and one == "\\" and (escape := _ESCAPE.match(line, at - 1)):
            word.append(chr(int(escape[1], 16)) if escape[1] else _ESCAPED.get(escape[2], escape[2]))
            at = escape.end()
        elif quote == '"' and one == "$" and (name := _VARIABLE.match(line, at - 1)):
            word.append(variables.get(name[1] or name[3], name[0] if name[2] is None else name[2]))
            at = name.end()
        else:
            word.append(one)
    return [*found, "".join(word)] if begun else found
