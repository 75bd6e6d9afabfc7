"""Receivers of alerts: a real Alertmanager, and a double that refuses what PagerDuty refuses."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.doubles.pagerduty import ROUTING_KEY, pagerduty
from tests.model.looks import healthy
from tests.until import until
from tuiha.model.codes import Effect, Lost, ProblemCode, Reason
from tuiha.model.conclude import conclude
from tuiha.model.facts import NodeKind, Problem, Severity, Snapshot
from tuiha.model.operations.intent import Intent
from tuiha.model.problems.alerts import Alert, AlertKey, RaisedAlerts, alerts, due
from tuiha.watch.alerts.alertmanager import Alertmanager
from tuiha.watch.alerts.delivery import Delivery, Receiver
from tuiha.watch.alerts.pagerduty import PagerDuty
from tuiha.watch.alerts.post import ReceiverDoor, Undelivered

RUNBOOKS = "https://docs.example.org/runbooks/{code}"
NOW = time.time()
DOWN = Problem(Severity.BAD, NodeKind.SERVER, "s1", ProblemCode.SERVER_SILENT)
STALE = Problem(Severity.WARNING, NodeKind.DATABASE, "db2", ProblemCode.STALE)


def at(second: float, *problems: Problem, intent: str | None = None) -> Snapshot:
    now = NOW + second
    return replace(conclude(healthy()), at=now, problems=problems, intent=intent, intent_seen_at=now)


@pytest.mark.parametrize(("looks", "raised"), [
    ([1, 1, 1, 1], [0, 0, 1, 1]),  # it has lasted for two seconds
    ([1, 0, 1, 0, 1], [0, 0, 0, 0, 0]),  # it never lasts
    ([1, 1, 1, 0, 1, 1], [0, 0, 1, 1, 1, 1]),  # a moment without it is no end
    ([1, 1, 1, 0, 0, 0, 0], [0, 0, 1, 1, 0, 0, 0]),  # over for two seconds
])
def test_an_alert_is_raised_and_ends_when_that_has_lasted(looks: list[int], raised: list[int]) -> None:
    lasting = RaisedAlerts(2.0)
    seen = [len(lasting.look(at(second, *([DOWN] if there else [])))) for second, there in enumerate(looks)]
    assert seen == raised


def test_notes_are_no_alerts_and_of_equal_problems_the_graver_counts() -> None:
    note = replace(DOWN, severity=Severity.NOTE, subject="s2")
    found = alerts(at(0, note, replace(DOWN, severity=Severity.WARNING), DOWN))
    assert [(key.subject, one.problem.severity) for key, one in found.items()] == [("s1", Severity.BAD)]


def test_a_symptom_is_no_alert_beside_its_cause_and_has_to_last_longer() -> None:
    cause = Problem(Severity.BAD, NodeKind.DATABASE, "db1", ProblemCode.DATABASE_DOWN, Lost(Effect.FAILS_OVER))
    symptom = Problem(Severity.BAD, NodeKind.SERVER, "s1", ProblemCode.SERVER_CUT_OFF, Reason("no lease"))
    assert [key.subject for key in alerts(at(0, cause, symptom))] == ["db1"]
    lasting = RaisedAlerts(2.0)
    seen = [[key.subject for key in lasting.look(at(second, *problems))] for second, problems in enumerate(
        [[symptom], [symptom], [cause, symptom], [cause, symptom], [cause, symptom]])]
    assert seen == [[], [], [], [], ["db1"]]
    alone = RaisedAlerts(2.0)
    assert [len(alone.look(at(second, symptom))) for second in range(6)] == [0, 0, 0, 0, 1, 1]


def test_there_are_never_more_than_a_receiver_can_bear() -> None:
    many = [replace(STALE, subject=f"db{number}") for number in range(500)]
    found = list(alerts(at(0, *many, DOWN)))
    assert len(found) == 100
    assert found[0].subject == "s1"


def test_a_receiver_hears_what_is_new_graver_or_over() -> None:
    bad, warning = raised(DOWN), raised(replace(DOWN, severity=Severity.WARNING))
    text = next(iter(bad)).text
    assert due(bad.values(), {}).raised == tuple(bad.values())
    assert due(bad.values(), {text: Severity.WARNING}).raised == tuple(bad.values())
    assert due(warning.values(), {text: Severity.BAD}).raised == ()
    assert due((), {text: Severity.BAD}).over == (text,)


def raised(*problems: Problem, intent: str | None = None) -> dict[AlertKey, Alert]:
    return alerts(at(0, *problems, intent=intent))


def door(address: str, seconds: float = 20.0) -> ReceiverDoor:
    return ReceiverDoor(address, seconds, {})


@asynccontextmanager
async def delivering(receiver: Receiver, least: Severity = Severity.WARNING) -> AsyncIterator[
        tuple[Delivery, list[str]]]:
    said: list[str] = []
    delivery = Delivery(receiver, least, 0.05, said.append)
    task = asyncio.create_task(delivery.run())
    try:
        yield delivery, said
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


# PagerDuty


async def test_pagerduty_has_an_incident_for_each_problem_until_it_is_over(tmp_path: Path) -> None:
    intent = Intent("20260101-000000-beef", "failover", "ann@ops", "ops", NOW, step=2, action="db1 fence")
    async with pagerduty() as double:
        receiver = PagerDuty(door(double.address), ROUTING_KEY, RUNBOOKS, tmp_path / "open.json")
        async with delivering(receiver, Severity.BAD) as (delivery, _):
            delivery.add(raised(DOWN, STALE, intent=intent.text()))
            await until(lambda: double.incidents == {"tuiha/east/server-silent/s1": "triggered"})
            delivery.add(raised(DOWN))  # as before: no second event
            delivery.add({})
            await until(lambda: double.incidents == {"tuiha/east/server-silent/s1": "resolved"})
    assert [event["event_action"] for event in double.events] == ["trigger", "resolve"]
    told = double.events[0]
    assert told["payload"]["severity"] == "critical"
    assert told["payload"]["custom_details"]["code"] == "server-silent"
    assert "failover 20260101-000000-beef" in told["payload"]["custom_details"]["operation"]
    assert told["links"] == [{"href": "https://docs.example.org/runbooks/server-silent", "text": "Runbook"}]


async def test_an_incident_is_resolved_after_a_restart_too(tmp_path: Path) -> None:
    state = tmp_path / "open.json"
    async with pagerduty() as double:
        first = PagerDuty(door(double.address), ROUTING_KEY, RUNBOOKS, state)
        await first.deliver(raised(DOWN), 0)
        again = PagerDuty(door(double.address), ROUTING_KEY, RUNBOOKS, state)
        await again.deliver({}, 0)
        assert list(double.incidents.values()) == ["resolved"]
        state.write_text("[damaged")
        await PagerDuty(door(double.address), ROUTING_KEY, RUNBOOKS, state).deliver(raised(DOWN), 0)
        assert list(double.incidents.values()) == ["triggered"]


async def test_an_event_that_is_turned_away_is_sent_again(tmp_path: Path) -> None:
    async with pagerduty() as double:
        double.fails = [429, 503, 500]
        async with delivering(PagerDuty(door(double.address), ROUTING_KEY, RUNBOOKS, None)) as (delivery, said):
            delivery.add(raised(DOWN))
            await until(lambda: list(double.incidents.values()) == ["triggered"])
            await until(lambda: any("up to date again" in text for text in said))
    assert sum("was not told" in text for text in said) == 3  # each reason once
    assert len(double.events) == 1


async def test_a_wrong_key_is_told_once_and_holds_up_nothing() -> None:
    async with pagerduty() as double:
        wrong = PagerDuty(door(double.address), "X" * 32, RUNBOOKS, None)
        async with delivering(wrong) as (delivery, said):
            delivery.add(raised(DOWN))
            await until(lambda: any("Invalid routing key" in text for text in said))
            delivery.add(raised(DOWN))
        assert double.events == []
        with pytest.raises(Undelivered) as refused:
            await wrong.probe("east")
        assert refused.value.refused
        await PagerDuty(door(double.address), ROUTING_KEY, RUNBOOKS, None).probe("east")
        assert double.incidents == {}  # nobody was woken


async def test_an_acknowledgement_reaches_pagerduty() -> None:
    async with pagerduty() as double:
        receiver = PagerDuty(door(double.address), ROUTING_KEY, RUNBOOKS, None)
        await receiver.deliver(raised(DOWN), 0)
        await receiver.acknowledge(raised(DOWN).values(), "ann", "I am on it", 60, 0)
        assert list(double.incidents.values()) == ["acknowledged"]


async def test_a_receiver_that_hangs_or_is_not_there_is_given_up_in_time() -> None:
    async def silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(Undelivered, match=r"no answer from .* in 0\.1 s"):
        await door(f"http://127.0.0.1:{port}", 0.1).send("GET", "/")
    server.close()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(Undelivered, match=r"refused|connect"):
        await door(f"http://127.0.0.1:{port}").send("GET", "/")
    with pytest.raises(Undelivered, match="takes 524288"):
        await door(f"http://127.0.0.1:{port}").send("POST", "/", "x" * 600_000)


# Alertmanager

needs = pytest.mark.skipif(shutil.which("prometheus-alertmanager") is None,
                           reason="Alertmanager (Debian: prometheus-alertmanager) is not installed")


@asynccontextmanager
async def alertmanager(folder: Path) -> AsyncIterator[str]:
    """A real Alertmanager on a free port; its address."""
    (folder / "alertmanager.yml").write_text("route: {receiver: none}\nreceivers: [{name: none}]\n")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        "prometheus-alertmanager", f"--config.file={folder}/alertmanager.yml", f"--storage.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=",
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL)
    try:
        address = f"http://127.0.0.1:{port}"
        await until(lambda: _answers(address), "Alertmanager answers")
        yield address
    finally:
        process.terminate()
        await process.wait()


async def _answers(address: str) -> bool:
    try:
        return (await door(address, 5).send("GET", "/-/ready")).status == 200
    except Undelivered:
        return False


async def shown(address: str) -> list[dict[str, Any]]:
    """The alerts that it has now."""
    async with aiohttp.ClientSession() as session, session.get(f"{address}/api/v2/alerts") as answer:
        found: list[dict[str, Any]] = json.loads(await answer.text())
        return found


async def states(address: str) -> dict[str, str]:
    return {one["labels"]["subject"]: one["status"]["state"] for one in await shown(address)}


def settled(address: str, wanted: dict[str, str]) -> Callable[[], Awaitable[bool]]:
    async def look() -> bool:
        return await states(address) == wanted

    return look


@needs
async def test_alertmanager_has_each_problem_until_it_is_over(tmp_path: Path) -> None:
    async with alertmanager(tmp_path) as address:
        receiver = Alertmanager(door(address), RUNBOOKS)
        await receiver.probe("east")
        async with delivering(receiver) as (delivery, said):
            delivery.add(raised(DOWN, STALE))
            await until(settled(address, {"s1": "active", "db2": "active"}))
            told = {one["labels"]["subject"]: one for one in await shown(address)}["s1"]
            delivery.add(raised(STALE))
            await until(settled(address, {"db2": "active"}))
            await receiver.acknowledge(raised(STALE).values(), "ann", "I am on it", NOW + 3600, NOW)
            await until(settled(address, {"db2": "suppressed"}))
            delivery.add({})
            await until(settled(address, {}))
    assert said == []
    assert told["labels"] == {"alertname": "TuihaServerSilent", "pool": "east", "kind": "server", "subject": "s1",
                              "code": "server-silent", "severity": "critical"}
    assert told["annotations"]["runbook_url"] == "https://docs.example.org/runbooks/server-silent"


@needs
async def test_what_alertmanager_refuses_is_told(tmp_path: Path) -> None:
    async with alertmanager(tmp_path) as address:
        answer = await door(address).send("POST", "/api/v2/alerts", [{"labels": {}}])
        assert answer.refused
