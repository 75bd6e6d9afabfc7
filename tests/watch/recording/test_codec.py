"""What is stored comes back, also from older and newer files, and nothing that is broken gets through."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tui.samples import SAMPLES
from tests.watch.recording.made import at_turn
from tuiha.model.codes import ProblemCode
from tuiha.model.facts import Protection, Severity, Snapshot
from tuiha.model.problems.concerned import concerned
from tuiha.model.reports import ServerState
from tuiha.watch.recording.codec import SAME, DecodeError, Json, applied, difference, pack, unpack
from tuiha.words.next import command
from tuiha.words.problems import means, state, what
from tuiha.words.states import note

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(min_size=1, max_size=3), inner, max_size=4),
    max_leaves=20,
)


@pytest.mark.parametrize("sample", SAMPLES)
def test_a_snapshot_comes_back_but_for_what_nobody_can_see(sample: str) -> None:
    snapshot = SAMPLES[sample]()[0]
    once = unpack(Snapshot, json.loads(json.dumps(pack(snapshot))))
    assert pack(once) == pack(snapshot)
    assert unpack(Snapshot, pack(once)) == once
    assert [s.state for s in once.servers] == [s.state for s in snapshot.servers]
    assert once.at == pytest.approx(snapshot.at, abs=0.006)


def test_a_newer_file_has_fields_that_this_version_leaves_out() -> None:
    data = pack(at_turn(0)) | {"weather": "fine"}
    data["servers"][0]["colour"] = {"red": 1}
    assert unpack(Snapshot, data) == unpack(Snapshot, pack(at_turn(0)))


@dataclass(frozen=True)
class Newer:
    name: str
    level: int = 3
    of: tuple[str, ...] = ()
    tags: dict[str, float] = field(default_factory=dict)
    severity: Severity | None = None
    either: int | str | None = None


def test_an_older_file_lacks_fields_which_have_their_defaults_then() -> None:
    assert unpack(Newer, {"name": "a"}) == Newer("a")
    assert unpack(Newer, pack(Newer("a", 4, ("b",), {"c": 1.5}, Severity.BAD, "d"))) == \
        Newer("a", 4, ("b",), {"c": 1.5}, Severity.BAD, "d")


@pytest.mark.parametrize(("data", "what"), [
    ({}, "Newer.name is missing"), ([], "not an object"), ({"name": 3}, "Newer.name: 3 is not a text"),
    ({"name": "a", "level": True}, "Newer.level: True is not a whole number"),
    ({"name": "a", "level": 1.5}, "Newer.level"), ({"name": "a", "of": "b"}, "not a list"),
    ({"name": "a", "tags": [["x"]]}, "not a list of pairs"), ({"name": "a", "severity": "odd"}, "no Severity"),
    ({"name": "a", "either": 1.5}, "Newer.either"),
])
def test_what_is_broken_is_refused_with_its_field(data: Json, what: str) -> None:
    with pytest.raises(DecodeError, match=what):
        unpack(Newer, data)


def test_numbers_lose_what_nobody_reads() -> None:
    assert pack((1795144327.123456, 0.00123, 11.0, float("nan"), 5)) == [1795144327.12, 0.0012, 11, None, 5]


@given(JSON, JSON)
def test_a_difference_applied_gives_the_new_value(old: Json, new: Json) -> None:
    change = difference(old, new)
    assert (old if change is SAME else applied(old, json.loads(json.dumps(change)))) == new


def test_a_difference_holds_what_changed_only() -> None:
    old = pack(at_turn(0))
    new = pack(replace(at_turn(0), users=7))
    assert difference(old, new) == {"users": 7}
    assert difference(old, old) is SAME


@pytest.mark.parametrize("change", [{"missing": {"x": 1}}, {"servers": {"99": {"x": 1}}}, {"servers": {"x": {}}}])
def test_a_difference_that_does_not_fit_is_refused(change: Json) -> None:
    with pytest.raises(DecodeError):
        applied(pack(at_turn(0)), change)


def test_what_a_version_without_codes_recorded_is_shown_in_its_words() -> None:
    """Such a version wrote the frame: a secondary that follows no more, a lost mail server, a drained server."""
    data = json.loads((Path(__file__).parent / "frame_without_codes.json").read_text(encoding="utf-8"))
    snapshot = unpack(Snapshot, data)
    assert [(p.code, what(p), means(p), command(p.next)) for p in snapshot.problems] == [
        (ProblemCode.RECORDED, old["what"], old["means"], old["next"]) for old in data["problems"]]
    assert [state(p) for p in snapshot.problems] == ["NOT STREAMING", "DOWN", "WITHDRAWN"]
    assert [concerned(p) for p in snapshot.problems] == [("db1",), (), ()]
    assert [(p.since, p.at_least) for p in snapshot.problems] == [
        (old["since"], old["at_least"]) for old in data["problems"]]
    assert snapshot.servers[1].state is ServerState.DRAINING
    assert note(snapshot.servers[1]) == "drain by oncall"
    assert snapshot.protection is Protection.UNPROTECTED
    assert unpack(Snapshot, pack(snapshot)) == snapshot, "and it can be written again"


def test_each_kind_of_facts_comes_back_as_itself() -> None:
    snapshot = SAMPLES["degraded"]()[0]
    once = unpack(Snapshot, json.loads(json.dumps(pack(snapshot))))
    assert [p.facts for p in once.problems] == [p.facts for p in snapshot.problems]
    data = pack(snapshot)
    data["problems"][0]["facts"]["is"] = "Weather"
    with pytest.raises(DecodeError, match="is no Facts"):
        unpack(Snapshot, data)


def test_a_state_of_a_newer_version_is_unknown() -> None:
    data = pack(at_turn(0))
    data["servers"][0]["state"] = "DREAMING"
    assert unpack(Snapshot, data).servers[0].state is ServerState.UNKNOWN
