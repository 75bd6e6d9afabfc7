"""A YAML file as plain data that still knows on which line each of its fields was written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import yaml

from tuiha.config.errors import ConfigError, ConfigProblem, Location, field_name

MOST_BYTES = 16 * 1024 * 1024
MOST_NODES = 500_000  # what aliases may unfold to
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")

# The fast loader is the same grammar in C; it is absent where PyYAML was built without libyaml.
_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Base):  # type: ignore[misc]  # its base is chosen at run time
    """Safe YAML without dates: no setting is one, and a name such as 2026-11-22 stays text."""

    yaml_implicit_resolvers: ClassVar[dict[str, list[Any]]] = {
        first: [pair for pair in pairs if pair[0].rpartition(":")[2] not in ("timestamp", "value")]
        for first, pairs in _Base.yaml_implicit_resolvers.items()
    }


# What the parser says, and what it means to somebody who wrote a configuration. Never quotes the file: the words
# at the place of an error may be a password.
_EXPLAINED = (
    (r"\\t|tab character", "a tab is not allowed here", "indent with spaces"),
    (r"undefined alias", "text that begins with * is an alias, and there is no such anchor", "put it in quotes"),
    (r"determine a constructor", "text that begins with ! is a tag", "put it in quotes"),
    (r"mapping values are not allowed", "a ': ' where none can be",
     "put text with ': ' in quotes; check the indentation of this line and the one above"),
    (r"single document", "a second document begins here ('---')", "write one pool in one file"),
    (r"end of stream", "a quotation mark that is never closed", "close it"),
    (r"escape character", "a backslash in double quotes", "use single quotes"),
    (r"cannot start any token", "text cannot begin with this character", "put it in quotes"),
    (r"flow ", "a [ ] list or a { } mapping is not closed, or a comma is missing", "close it"),
    (r"block scalar", "only a line break can follow | and >", "put the text in quotes"),
    (r"for merging", "'<<' wants an alias of a mapping", "write '<<: *NAME'"),
    (r"expected key|block end|expected '-'|expected ':'", "this line does not fit the lines above it",
     "check its indentation and quotes, and that every key ends in ': '"),
    (r"special characters|control characters", "a character that text cannot hold", "remove it"),
)


@dataclass(frozen=True, slots=True)
class Document:
    """The data of a YAML file and the line (1 is the first) of every mapping key and list item."""

    file: Path
    data: Mapping[str, Any]
    lines: Mapping[Location, int]

    def line(self, location: Location) -> int:
        """The line of a field; for one that is not in the file the line of what it belongs to."""
        while location and location not in self.lines:
            location = location[:-1]
        return self.lines.get(location, 1)


def read(file: Path) -> Document:
    """Read a YAML file whose top is a mapping. Raises ConfigError with line and column."""
    text = _text(file)
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        if root is None:
            raise _refused(file, "the file is empty", "`tuiha init` writes one, `tuiha config example` prints one")
        if not isinstance(root, yaml.MappingNode):
            kind = "a list" if isinstance(root, yaml.SequenceNode) else "a single text"
            raise _refused(file, f"the file is {kind}, not a mapping", "its first line is 'pool: NAME'",
                           line=root.start_mark.line + 1)
        lines = _Lines(file)
        lines.visit(root, ())
        if lines.problems:
            raise ConfigError(*lines.problems)
        return Document(file, loader.construct_document(root), lines.found)
    except yaml.YAMLError as error:
        raise ConfigError(_explain(file, text, error)) from None
    except ValueError:  # an explicit tag such as !!int before something else
        raise _refused(file, "a value is not what its '!!' tag says", "leave the tag out") from None
    except RecursionError:
        raise _refused(file, "the file is nested too deeply", "it needs about six levels") from None


def _refused(file: Path, what: str, remedy: str, line: int | None = None) -> ConfigError:
    return ConfigError(ConfigProblem(what, remedy, file=file, line=line))


def _text(file: Path) -> str:
    """The text of the file. Raises ConfigError when it cannot be had."""
    try:
        if file.is_dir():
            raise _refused(file, "is a folder", "name the YAML file in it")
        with file.open("rb") as stream:
            raw = stream.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise _refused(file, "there is no such file",
                       "name the configuration with --config FILE or TUIHA_CONFIG") from None
    except PermissionError:
        raise _refused(file, "may not be read by this user", "change its permissions or use another user") from None
    except OSError as error:
        raise _refused(file, f"cannot be read ({error.strerror})", "check the path and the disk") from None
    if len(raw) > MOST_BYTES:
        raise _refused(file, "is larger than 16 MB", "this is not a configuration file of a pool")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise _refused(file, "is not UTF-8 text", "save it as UTF-8", line=line) from None
    control = _CONTROL.search(text)
    if control is not None:
        raise _refused(file, "holds a control character", "remove it; write the file as plain text",
                       line=text.count("\n", 0, control.start()) + 1)
    return text


def _explain(file: Path, text: str, error: yaml.YAMLError) -> ConfigProblem:
    """What a parser's error means, without a word of the file."""
    mark = getattr(error, "problem_mark", None)
    said = " ".join(str(getattr(error, name, None) or "") for name in ("context", "problem", "reason"))
    if "end of stream" in said:  # the place to look at is where the quotes open
        mark = getattr(error, "context_mark", None) or mark
    if mark is not None and text.startswith("\t", mark.index):  # the parser does not always say so
        said = f"tab character: {said}"
    what, remedy = "something unexpected", "look at this line and the one above"
    for pattern, meaning, advice in _EXPLAINED:
        if re.search(pattern, said):
            what, remedy = meaning, advice
            break
    column = "" if mark is None else f" (column {mark.column + 1})"
    return ConfigProblem(
        f"not valid YAML{column}: {what}", remedy, file=file, line=None if mark is None else mark.line + 1
    )


class _Lines:
    """Walks the nodes of a document: lines of all fields, and keys that are written twice."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.found: dict[Location, int] = {}
        self.problems: list[ConfigProblem] = []
        self.nodes = 0

    def visit(self, node: yaml.Node, location: Location) -> None:
        """Note the line of `node` and of all below it. Raises ConfigError when aliases unfold without end."""
        self.nodes += 1
        if self.nodes > MOST_NODES or len(location) > 50:
            raise _refused(self.file, "its aliases unfold to more than a configuration can be", "write it without them")
        self.found.setdefault(location, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            self._mapping(node, location)
        elif isinstance(node, yaml.SequenceNode):
            for index, item in enumerate(node.value):
                self.visit(item, (*location, index))

    def _mapping(self, node: yaml.MappingNode, location: Location) -> None:
        first: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode) or key.tag not in _KEY_TAGS:
                self._problem("a key must be a word", "put it in quotes if it is meant as text", location, line)
                continue
            if key.tag == _MERGE:
                self.visit(value, location)
                continue
            here = (*location, str(key.value))
            if key.value in first:
                self._problem(f"is written twice, on line {first[key.value]} and on line {line}", "keep one of them",
                              here, line)
            first[key.value] = line
            self.found[here] = line
            self.visit(value, here)

    def _problem(self, what: str, remedy: str, location: Location, line: int) -> None:
        self.problems.append(ConfigProblem(what, remedy, field_name(location), self.file, line))


_MERGE = "tag:yaml.org,2002:merge"
_KEY_TAGS = ("tag:yaml.org,2002:str", _MERGE)
