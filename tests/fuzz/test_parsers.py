"""A short fuzz of every parser, and the proof that it finds what is planted."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.fuzz.finding import fuzz
from tests.fuzz.parsers import Target, targets
from tuiha.drivers.protocols import DriverError

NAMES = [target.name for target in targets(Path("/nowhere"))]


@pytest.mark.parametrize("name", NAMES)
def test_whatever_comes_there_is_an_answer_or_a_message(name: str, tmp_path: Path) -> None:
    target = next(one for one in targets(tmp_path) if one.name == name)
    _, findings = fuzz(target, examples=20 if name == "configuration" else 150)
    assert findings == []


@pytest.mark.parametrize("target", targets(Path("/nowhere"))[:-1], ids=NAMES[:-1])
def test_samples_are_read(target: Target) -> None:
    for sample in target.samples:
        target.call(sample)


def _unguarded(raw: bytes) -> object:
    return json.loads(raw)["name"]


def _sleepy(raw: bytes) -> object:
    until = time.process_time() + (0.2 if raw.count(b"9") > 100 else 0.0)
    while time.process_time() < until:
        pass
    return raw


@pytest.mark.parametrize(("call", "text"), [(_unguarded, "Error"), (_sleepy, "more than")])
def test_a_planted_fault_is_found(call: object, text: str) -> None:
    assert callable(call)
    _, findings = fuzz(Target("planted", call, [b'{"name": 9}'], (DriverError,)), 300, seconds=0.1)
    assert [text in finding.what for finding in findings] == [True]
