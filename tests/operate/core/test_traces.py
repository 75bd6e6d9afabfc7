"""Traces of operations: spans from a journal, what the SDK makes of them, and servers that hand the trace on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tuiha.config.pace import TracesSettings
from tuiha.model.operations.evidence import Done, StepId
from tuiha.model.operations.plans import OperationStatus, nothing
from tuiha.model.operations.statements import Statement, plain
from tuiha.model.operations.trace import (
    HELD,
    OPERATION,
    SpanFacts,
    span_id,
    step_part,
    trace_id,
    trace_of,
    traceparent,
)
from tuiha.operate.plans.plan import Plan, PlannedStep
from tuiha.operate.records.spans import begun, spans
from tuiha.operate.records.state import OperationState, Record, read_state, recorded
from tuiha.operate.run.traces import TracesNotSent, send

ID = "20260101-000000-beef"
SETTINGS = TracesSettings(address="http://127.0.0.1:9")


def plan() -> Plan:
    steps = (PlannedStep(1, "s1..s4", Statement(StepId.HOLD), 5.0, True),
             PlannedStep(2, "db2", Statement(StepId.PROMOTE, {"new": "db2"}), 10.0, False, True),
             PlannedStep(3, "s1..s4", Statement(StepId.ATTACH, {"new": "db2"}), 10.0, False))
    return Plan("7f3a", "east", "switchover", ("db2",), "db2", (), steps, nothing(plain("nothing")), 90.0, 1e10, {}, {})


def said(code: str, **figures: Any) -> dict[str, Any]:
    return recorded("evidence", Statement(code, figures))


def records() -> list[Record]:
    """A switchover whose second step had to be tried again by another process."""
    def step(at: float, number: int, state: str, **more: Any) -> Record:
        return {"at": at, "record": "step", "step": number, "state": state, **more}

    return [
        {"at": 100.0, "record": "start", "who": "ann@ops", "reason": "kernel", "host": "ops"},
        step(100.1, 1, "running"),
        step(100.2, 1, "done", seconds=0.1, **said(Done.HELD, servers=4, held_at=100.15)),
        step(100.3, 2, "running"),
        step(101.3, 2, "unknown", seconds=1.0, evidence="no answer"),
        {"at": 101.4, "record": "result", "state": "unknown", "text": "stopped"},
        {"at": 110.0, "record": "start", "by": "ben@ops", "host": "ops2"},
        step(110.1, 2, "running"),
        step(110.4, 2, "done", seconds=0.3),
        step(110.5, 3, "running"),
        step(111.0, 3, "done", seconds=0.5, **said(
            Done.ATTACHED, servers=4, new="db2", requests=7, served_at=110.9, later=[])),
        {"at": 111.1, "record": "result", "state": "done", "text": "done"},
    ]


def state() -> OperationState:
    return read_state(ID, plan(), records(), alive=False)


def test_each_attempt_at_a_step_and_the_held_time_have_a_span() -> None:
    assert state().state is OperationStatus.DONE
    whole, *parts = spans(state(), records())
    assert (whole.name, whole.parent, whole.begin, whole.end) == ("switchover db2", None, 100.0, 111.1)
    assert {part.parent for part in parts} == {whole.id}
    assert {part.trace for part in parts} == {trace_id(ID)}
    held = next(part for part in parts if part.name == "requests held")
    assert (held.begin, held.end) == (100.15, 110.9)
    steps = [(part.attributes["tuiha.step"], part.begin, part.end, bool(part.fault)) for part in parts
             if part is not held]
    assert steps == [(1, 100.1, 100.2, False), (2, 100.3, 101.3, True), (2, 110.1, 110.4, False),
                     (3, 110.5, 111.0, False)]
    assert len({part.id for part in (whole, *parts)}) == len(parts) + 1


def test_ids_are_the_same_in_every_process_and_other_for_every_part() -> None:
    second = step_part(2, False, 2)
    assert traceparent(ID, second) == traceparent(ID, second)
    assert trace_of(traceparent(ID, second)) == f"{trace_id(ID):032x}"
    assert len({span_id(ID, part) for part in (OPERATION, HELD, second, step_part(2, True, 2))}) == 4
    assert begun(records()) == {(1, False): 1, (2, False): 2, (3, False): 1}


@pytest.mark.parametrize("header", ["", "x", "00-" + "0" * 32 + "-" + "1" * 16 + "-01", "01-" + "a" * 32 + "-b-01",
                                    "00-" + "A" * 32 + "-" + "1" * 16 + "-01"])
def test_what_is_no_trace_is_not_handed_on(header: str) -> None:
    assert trace_of(header) is None


def test_one_that_has_not_ended_has_no_trace_yet() -> None:
    assert spans(read_state(ID, plan(), records()[:4], alive=True), records()[:4]) == ()


def test_nothing_of_opentelemetry_is_imported_by_a_runner() -> None:
    script = "import sys, tuiha.operate.run.runner, tuiha.operate.run.traces; " \
             "sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


# With the SDK


@pytest.fixture
def memory() -> Any:
    module = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter",
                                 reason="opentelemetry is not installed (extra otel)")
    return module.InMemorySpanExporter()


def test_the_sdk_has_the_spans_as_they_were(memory: Any, tmp_path: Path) -> None:
    facts = spans(state(), records())
    send(SETTINGS, tmp_path, facts, memory)
    found = {span.context.span_id: span for span in memory.get_finished_spans()}
    assert len(found) == len(facts)
    for one in facts:
        span = found[one.id]
        assert span.context.trace_id == one.trace
        assert (span.start_time, span.end_time) == (int(one.begin * 1e9), int(one.end * 1e9))
        assert (None if span.parent is None else span.parent.span_id) == one.parent
        assert dict(span.attributes) == dict(one.attributes)
        assert span.status.is_ok is not bool(one.fault)
        assert span.resource.attributes["service.name"] == "tuiha"


async def test_a_collector_gets_them_over_http(memory: Any, tmp_path: Path) -> None:
    import asyncio

    got: list[tuple[str, bytes]] = []

    async def take(request: web.Request) -> web.Response:
        got.append((request.headers.get("Authorization", ""), await request.read()))
        return web.Response(body=b"", content_type="application/x-protobuf")

    app = web.Application()
    app.router.add_post("/v1/traces", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        (tmp_path / "token").write_text("secret")
        (tmp_path / "token").chmod(0o600)
        settings = TracesSettings.model_validate({
            "address": f"http://127.0.0.1:{runner.addresses[0][1]}", "token": {"file": "token"}})
        await asyncio.to_thread(send, settings, tmp_path, spans(state(), records()))
    finally:
        await runner.cleanup()
    [(log_in, body)] = got
    assert log_in == "Bearer secret"
    assert trace_id(ID).to_bytes(16, "big") in body


def test_a_collector_that_is_away_costs_no_more_than_its_time(memory: Any, tmp_path: Path) -> None:
    settings = TracesSettings(address="http://127.0.0.1:9", seconds=1.0)
    with pytest.raises(TracesNotSent, match=r"127\.0\.0\.1:9"):
        send(settings, tmp_path, spans(state(), records()))


def test_a_missing_package_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk", None)
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace.export", None)
    with pytest.raises(TracesNotSent, match="pip install"):
        send(SETTINGS, tmp_path, (SpanFacts("x", 1, 1, None, 0.0, 1.0),))
