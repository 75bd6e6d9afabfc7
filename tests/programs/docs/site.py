"""The hook of mkdocs.yml: the same files are a repository's documents and a site.

Pages link to files beside docs/ (README.md, config/...): the site has a copy of each below `source/`, and links to it.
Lists that GitHub reads, and Python's Markdown does not, get the blank line and the four blanks that it wants.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from posixpath import dirname, normpath, relpath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[3]
DOCS = "docs/"
BESIDE = "source/"  # where the site has what stands beside docs/

_LINK = re.compile(r"(?<=\]\()([^)#\s]+)|(?<=src=\")([^\"]+)|(?<=srcset=\")([^\"]+)|(?<=href=\")([^\"]+)")
_FOLDER = re.compile(r"\[([^\]]+)\]\(([^)#\s]+)\)")
_ITEM = re.compile(r" {0,3}(?:[-*]|\d+\.) ")
_FENCE = re.compile(r"( *)```")
_TITLED = re.compile(r"( *```\w+) ([\w ]+)")  # "sh on db1": the site shows where a block is run as its title


def beside() -> Iterator[str]:
    """The files outside docs/ that the site has."""
    yield from ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE")
    for file in sorted((ROOT / "config").rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts:
            yield file.relative_to(ROOT).as_posix()


def place(path: str) -> str:
    """Where the site has a file of the repository."""
    return path.removeprefix(DOCS) if path.startswith(DOCS) else BESIDE + path


def origin(uri: str) -> str:
    """The file of the repository that the site has there."""
    return uri.removeprefix(BESIDE) if uri.startswith(BESIDE) else DOCS + uri


def linked(markdown: str, uri: str) -> str:
    """The page with its links as the site needs them. A link to a folder is its text: a site lists no folders."""
    here = dirname(origin(uri))

    def outside(target: str) -> bool:
        return "://" in target or target.startswith(("mailto:", "#"))

    def text(found: re.Match[str]) -> str:
        folder = not outside(found[2]) and (ROOT / here / found[2]).is_dir()
        return found[1] if folder else found[0]

    def target(found: re.Match[str]) -> str:
        if outside(found[0]):
            return found[0]
        return relpath(place(normpath(f"{here}/{found[0]}".lstrip("/"))), dirname(uri) or ".")

    return _LINK.sub(target, _FOLDER.sub(text, markdown))


def readable(markdown: str) -> str:
    """The page with lists as Python's Markdown reads them."""
    lines: list[str] = []
    fence: int | None = None
    listed = False
    for line in markdown.split("\n"):
        mark = _FENCE.match(line)
        indent = len(line) - len(line.lstrip())
        if fence is not None:
            lines.append(" " * (4 - fence) + line if 0 < fence < 4 and line else line)
            fence = None if mark else fence
            continue
        if _ITEM.match(line) and not listed and lines and lines[-1]:
            lines.append("")
        listed = bool(_ITEM.match(line)) or (listed and (indent > 0 or not line or bool(lines and lines[-1])))
        widened = " " * (4 - indent) + line if listed and 0 < indent < 4 else line
        fence = indent if mark else None
        lines.append(_TITLED.sub(r'\1 title="\2"', widened) if mark else widened)
    return "\n".join(lines)


def expanded(contents: list[Any]) -> list[Any]:
    """The contents of the site with `folder/*.md` as the pages of that folder."""
    found: list[Any] = []
    for entry in contents:
        if isinstance(entry, dict):
            found += [{title: expanded(below) if isinstance(below, list) else below} for title, below in entry.items()]
        elif "*" in entry:
            found += sorted(page.relative_to(ROOT / DOCS).as_posix() for page in (ROOT / DOCS).glob(entry))
        else:
            found.append(entry)
    return found


def pages(contents: list[Any]) -> list[str]:
    """Every page of contents that are expanded."""
    below = [list(entry.values()) if isinstance(entry, dict) else entry for entry in contents]
    return [page for entry in below for page in (pages(flat(entry)) if isinstance(entry, list) else [entry])]


def flat(values: list[Any]) -> list[Any]:
    """The values with lists in it opened."""
    return [one for value in values for one in (value if isinstance(value, list) else [value])]


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Give the contents every page of their folders."""
    config.nav = expanded(config.nav or [])
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what stands beside docs/."""
    from mkdocs.structure.files import File

    for path in beside():
        files.append(File.generated(config, BESIDE + path, abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links and lists of one page."""
    return readable(linked(markdown, page.file.src_uri))
