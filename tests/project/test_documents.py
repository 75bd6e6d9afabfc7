"""Documents, commands and the repository itself say what is so."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.programs.docs import configuration as make_configuration
from tests.programs.docs import documents as make_documents
from tests.programs.docs import glossary as make_glossary
from tests.programs.docs import metrics as make_metrics
from tests.project.shown import documents

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()

START = "python3 -m venv .venv && .venv/bin/pip install '.[demo]' && .venv/bin/tuiha demo"
TEST = "python3 -m venv .venv && .venv/bin/pip install -e '.[dev]' && .venv/bin/pytest"


def texts() -> list[Path]:
    """The text files of the repository: those that are tracked, or all when this is no checkout."""
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    names = done.stdout.split("\0")[:-1] if done.returncode == 0 else []
    ours = ("tuiha", "tests", "docs", "config", "themes", ".ci", "README.md", "pyproject.toml")
    files = [ROOT / name for name in names] or [p for top in ours for p in (ROOT / top, *(ROOT / top).rglob("*"))]
    return [file for file in files if file.is_file() and b"\0" not in file.read_bytes()[:4096]]


def test_the_readme_has_the_two_commands_each_on_one_line() -> None:
    lines = [line.strip() for line in README.splitlines()]
    assert START in lines
    assert TEST in lines


def test_ci_installs_and_tests_as_the_readme_says() -> None:
    script = (ROOT / ".ci" / "run").read_text().replace('"$venv/bin/', ".venv/bin/").replace('pip"', "pip").replace(
        '"$venv"', ".venv").replace(" --quiet", "")
    venv, install, pytest_ = TEST.split(" && ")
    assert f"step {venv}\n" in script
    assert f"step {install}\n" in script
    assert f"{pytest_}\" || fail" in script


def test_ci_run_is_executable() -> None:
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111 == 0o111


def anchors(document: Path) -> set[str]:
    """The headings of a page as links name them."""
    text = re.sub(r"(?ms)^ *```.*?^ *```", "", document.read_text())
    heads = [re.sub(r"[^\w\- ]", "", head.lower()) for head in re.findall(r"(?m)^#+ +(.*)$", text)]
    return {head.strip().replace(" ", "-") for head in heads}


@pytest.mark.parametrize("document", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    text = re.sub(r"(?ms)^ *```.*?^ *```|`[^`\n]*`", "", document.read_text())
    targets = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r"(?:src|srcset|href)=\"([^\"\s]+)", text)
    for target in targets:
        if "://" not in target:
            path, _, anchor = target.partition("#")
            page = document.parent / path if path else document
            assert page.exists(), f"{document.name}: {target}"
            assert not anchor or anchor in anchors(page), f"{document.name}: {target}"


@pytest.mark.parametrize("document", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_files_that_are_named_exist(document: Path) -> None:
    for name in re.findall(r"`((?:config|docs|themes|tuiha|tests)/[\w./-]+\.\w+)`", document.read_text()):
        assert (ROOT / name).exists(), f"{document.name}: {name}"


def test_nothing_names_the_place_where_it_was_made() -> None:
    """No path of a developer's machine and no address of a private registry in anything that is committed."""
    places = ("/work" + "/", "../" + "shared", "/tmp/" + "team", "index" + "-url")
    for file in texts():
        text = file.read_text(errors="replace")
        for place in places:
            assert place not in text, f"{file.relative_to(ROOT)} mentions {place}"


def test_the_reference_of_the_configuration_is_up_to_date() -> None:
    """When this fails: python -m tests.programs.docs.configuration."""
    assert (ROOT / "docs" / "configuration.md").read_text() == make_configuration.document()


def test_the_reference_of_the_json_documents_is_up_to_date() -> None:
    """When this fails: python -m tests.programs.docs.documents."""
    assert (ROOT / "docs" / "json.md").read_text() == make_documents.document()


def test_the_reference_of_the_metrics_is_up_to_date() -> None:
    """When this fails: python -m tests.programs.docs.metrics."""
    assert (ROOT / "docs" / "metrics.md").read_text() == make_metrics.document()


def test_the_glossary_is_up_to_date() -> None:
    """When this fails: python -m tests.programs.docs.glossary."""
    assert (ROOT / "docs" / "glossary.md").read_text() == make_glossary.document()
