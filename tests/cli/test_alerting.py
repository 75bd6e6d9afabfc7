"""`tuiha ack` and what `tuiha check` says of receivers, on a real database pair and a double of PagerDuty."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Configured
from tests.doubles.pagerduty import ROUTING_KEY, PagerDutyDouble, pagerduty
from tests.drivers.daemons import free_port

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def service() -> Iterator[PagerDutyDouble]:
    """The double, on a loop of its own: commands have theirs."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    stack = AsyncExitStack()
    try:
        yield asyncio.run_coroutine_threadsafe(stack.enter_async_context(pagerduty()), loop).result(30)
        asyncio.run_coroutine_threadsafe(stack.aclose(), loop).result(30)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
        loop.close()


def told(folder: Path, address: str, key: str = ROUTING_KEY) -> dict[str, Any]:
    """The section `alerts:`."""
    secret = folder / "routing_key"
    secret.write_text(key)
    secret.chmod(0o600)
    return {"pagerduty": {"routing_key": {"file": str(secret)}, "address": address}}


def findings(capsys: Captured) -> list[dict[str, Any]]:
    return [one for one in json.loads(capsys.readouterr().out)["findings"]
            if one["code"] in ("alert-receiver", "trace-receiver", "backup")]


def test_ack_acknowledges_what_is_wrong_now(
    configured: Configured, service: PagerDutyDouble, capsys: Captured
) -> None:
    key = "tuiha/demo/no-server/demo"
    service.incidents |= {key: "triggered", "tuiha/demo/split/demo": "triggered"}
    assert configured.run("ack", alerts=told(configured.folder, service.address)) == 0
    assert f"acknowledged at PagerDuty {service.address}: demo no-server" in capsys.readouterr().out
    assert service.incidents[key] == "acknowledged"
    assert service.incidents["tuiha/demo/split/demo"] == "triggered", "that is not wrong now"


def test_ack_says_that_a_receiver_does_not_know(configured: Configured, capsys: Captured) -> None:
    away = f"http://127.0.0.1:{free_port()}"
    assert configured.run("ack", alerts=told(configured.folder, away)) == 1
    assert f"PagerDuty {away} did not take it" in capsys.readouterr().err
    assert configured.run("ack") == 2
    assert "names no receiver" in capsys.readouterr().err


def test_check_finds_a_wrong_key_and_a_receiver_that_is_away(
    configured: Configured, service: PagerDutyDouble, capsys: Captured
) -> None:
    configured.run("check", "--json", alerts=told(configured.folder, service.address))
    (good,) = findings(capsys)
    assert (good["level"], good["subject"]) == ("ok", "alerts.pagerduty")
    configured.run("check", "--json", alerts=told(configured.folder, service.address, "X" * 32))
    (wrong,) = findings(capsys)
    assert wrong["level"] == "bad"
    assert "Invalid routing key" in wrong["what"]
    assert wrong["fix"] == "correct the log-in at alerts.pagerduty"
    assert "X" * 32 not in json.dumps(wrong)
    away = f"http://127.0.0.1:{free_port()}"
    configured.run("check", "--json", alerts={"alertmanager": {"addresses": [away]}}, traces={"address": away})
    receiver, collector = findings(capsys)
    assert (receiver["level"], collector["level"]) == ("bad", "bad")
    assert receiver["fix"].startswith("correct the address at alerts.alertmanager")
    assert service.incidents == {}


def test_a_section_that_tells_nobody_or_sends_a_key_in_plain_text_is_refused(
    configured: Configured, capsys: Captured
) -> None:
    assert configured.run("check", alerts={"after": "5s"}) == 2
    assert "write command, alertmanager or pagerduty" in capsys.readouterr().err
    assert configured.run("check", alerts=told(configured.folder, "http://events.example.org:80")) == 2
    assert "routing key" in capsys.readouterr().err
