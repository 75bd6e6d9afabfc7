"""`tuiha explain`: the real command, without a configuration."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tuiha.cli.main import main

WIDTH = 80


@pytest.fixture(autouse=True)
def nothing_is_configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("TUIHA_CONFIG", "TUIHA_STATE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.mark.parametrize("word", ["not-streaming", "NOT STREAMING", "Not_Streaming", "notstreaming"])
def test_spelling_does_not_matter(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", *word.split()]) == 0
    told = capsys.readouterr().out
    assert told.startswith("not-streaming  (problem)\n")
    assert "Users notice" in told
    assert "docs/runbooks/not-streaming.md" in told


@pytest.mark.parametrize("word", [
    "DEGRADED", "UNPROTECTED", "full", "limited by", "lease", "generation", "epoch", "ledger", "sprayer", "split",
    "promote", "exit code 4", "interrupted", "rejoin", "HELD", "FENCED", "VIEW", "p95",
])
def test_words_of_every_family_are_known(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", word]) == 0
    assert capsys.readouterr().out


def test_an_unknown_word_leads_to_the_closest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "leese"]) == 2
    assert "the closest words: lease" in capsys.readouterr().err
    assert main(["explain", "qqqq"]) == 2
    assert "`tuiha explain` lists all words" in capsys.readouterr().err


def test_without_a_word_each_has_one_line_that_fits(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= WIDTH
    assert any(line.startswith("  HEALTHY ") for line in lines)


def test_every_word_fits_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "--json"]) == 0
    words = json.loads(capsys.readouterr().out)["words"]
    for word in {one["word"] for one in words}:
        assert main(["explain", word]) == 0, word
    assert max(map(len, capsys.readouterr().out.splitlines())) <= WIDTH
