"""The Traveler driver against a double. NO LIVE SERVER WAS TRIED: the double speaks the shapes that HCL documents, and
is wrong in the ways that operators and public clients report."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.doubles.traveler import NOW, TravelerDouble, row, traveler_double
from tuiha.config.settings import Pool
from tuiha.drivers.conformance import SERVER
from tuiha.drivers.factory import server_opener
from tuiha.drivers.protocols import DriverError
from tuiha.drivers.servers.traveler import TravelerServer, _number, judged
from tuiha.model.reports import ServerState, ServerTarget


@pytest.fixture
async def double() -> AsyncIterator[TravelerDouble]:
    async with traveler_double() as made:
        yield made


def driver(address: str, password: str = "secret", domino_name: str | None = "traveler1/acme",
           console: list[str] | None = None, seconds: float = 30.0) -> TravelerServer:
    return TravelerServer("s1", address, "demo", "admin", password, domino_name, console, seconds, clock=lambda: NOW)


async def test_it_conforms(double: TravelerDouble) -> None:
    seen = await SERVER.check(lambda address: driver(f"http://{address}"), double.address.removeprefix("http://"),
                              well=lambda report: (report.name, report.pool) == ("s1", "demo"))
    report = seen.report
    assert "refused" in seen.refused
    assert (report.state, report.users, report.availability_index) == (ServerState.UP, 512, 88)
    assert (report.database, report.epoch, report.lease_seconds) == (None, None, None), "nobody tells these"


async def test_it_is_found_by_its_host_when_it_has_no_name_in_the_configuration(double: TravelerDouble) -> None:
    one = driver(double.address, domino_name=None)
    assert (await one.poll()).users == 512
    double.rows = [row(), row("CN=traveler3/O=ACME", hostname="127.0.0.1")]
    with pytest.raises(DriverError, match="it lists CN=traveler1/O=ACME, CN=traveler3/O=ACME"):
        await one.poll()
    await one.close()


async def test_pages_are_followed_but_not_for_ever(double: TravelerDouble) -> None:
    double.page, double.rows = 1, [*(row(f"CN=t{n}/O=A") for n in range(9)), row()]
    one = driver(double.address)
    assert (await one.poll()).users == 512
    double.rows = [row(f"CN=t{n}/O=A") for n in range(99)]
    with pytest.raises(DriverError, match="does not list it"):
        await one.poll()
    await one.close()


@pytest.mark.parametrize(("changes", "state", "words"), [
    ({"availability_index": "88", "number_of_users": "1,024"}, ServerState.UP, None),
    ({"availability_index": -200}, ServerState.DRAINING, "available off"),
    ({"availability_index": -1}, ServerState.OVERLOADED, "availability index -1"),
    ({"availability_index": None}, ServerState.UP, "no availability index"),
    ({"availability_index": "n/a", "server_status": "Wird gestartet"}, ServerState.UP, "Wird gestartet"),
    ({"heart_beat": int((NOW - 61) * 1000)}, ServerState.CUT_OFF, "61 s old"),
    ({"heart_beat": int((NOW + 900) * 1000)}, ServerState.UP, None),  # its clock is ahead: no reason to call it dead
    ({"heart_beat": "soon"}, ServerState.UP, None),
])
async def test_rows_as_they_come(
    double: TravelerDouble, changes: dict[str, Any], state: ServerState, words: str | None
) -> None:
    double.rows = [row(**changes)]
    one = driver(double.address)
    report = await one.poll()
    await one.close()
    assert report.state is state
    assert report.target is (ServerTarget.DRAIN if state is ServerState.DRAINING else ServerTarget.UP)
    assert (report.reason is None) if words is None else words in (report.reason or "")
    assert report.users in (512, 1024)


async def test_a_localised_status_text_only_leaves_a_remark(double: TravelerDouble) -> None:
    double.status = "Der Traveler-Server ist verfügbar."
    one = driver(double.address)
    report = await one.poll()
    assert (report.state, report.reason) == (ServerState.UP, "getStatus does not say that it is available (in English)")
    await one.close()


async def test_redirects_are_followed_on_the_same_server_only(double: TravelerDouble) -> None:
    one = driver(double.address)
    double.redirects = "/traveler/there"
    assert (await one.poll()).reason is None
    double.redirects = "http://192.0.2.9/elsewhere"
    with pytest.raises(DriverError, match="redirects to another server"):
        await one.poll()
    await one.close()


async def test_a_wrong_password_is_said_without_saying_it(double: TravelerDouble) -> None:
    one = driver(double.address, password="wrong password")
    with pytest.raises(DriverError, match="no administrator") as caught:
        await one.poll()
    assert "wrong password" not in str(caught.value)
    await one.close()


CONSOLE = "import sys; open(sys.argv[1], 'a').write(sys.argv[2] + chr(10)); print('Command has been executed')"


async def test_withdraw_and_accept_are_console_commands(tmp_path: Path) -> None:
    one = driver("http://127.0.0.1:1", console=[sys.executable, "-c", CONSOLE, str(tmp_path / "told")])
    assert {"withdraw", "accept"} <= one.capabilities
    assert await one.withdraw() == "Command has been executed"
    await one.accept()
    assert (tmp_path / "told").read_text().split("\n")[:2] == ["tell traveler available off",
                                                               "tell traveler available on"]


async def test_the_console_does_not_get_the_variables_that_hold_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PASSWORD", "UNREAD", "OTHER"):  # one that is read is taken out of the environment anyway
        monkeypatch.setenv(f"TUIHA_TEST_{name}", name.lower())
    password, unread = {"env": "TUIHA_TEST_PASSWORD"}, {"env": "TUIHA_TEST_UNREAD"}
    roles = {role: {"user": role, "password": unread} for role in ("pool", "watcher")}
    settings = Pool.model_validate({
        "pool": "demo", "control": {"viewer": unread},
        "database": {"nodes": [{"name": "db1", "address": "127.0.0.1:1"}], "roles": roles},
        "servers": [{"name": "s1", "address": "http://127.0.0.1:1", "driver": "traveler", "traveler": {
            "user": "admin", "password": password, "console": ["/bin/sh", "-c", "echo $(env | grep TUIHA_TEST)"]}}]})
    one = server_opener(settings, tmp_path, "token")("s1", "http://127.0.0.1:1")
    assert isinstance(one, TravelerServer)
    assert await one.withdraw() == "TUIHA_TEST_OTHER=other"


async def test_a_console_that_fails_or_hangs_or_is_not_there() -> None:
    assert driver("http://127.0.0.1:1").capabilities == {"poll"}
    for console, words in (([], "no console command is configured"), (["/nonexistent/console"], "No such file"),
                           (["/bin/sh", "-c", "echo denied; exit 3"], "ended with 3: denied"),
                           (["/bin/sh", "-c", "sleep 60"], "outcome is not known")):
        with pytest.raises(DriverError, match=words):
            await driver("http://127.0.0.1:1", console=console, seconds=0.2).withdraw()


@given(st.dictionaries(st.sampled_from(["availability_index", "heart_beat"]), st.none() | st.booleans() | st.text() |
                       st.integers() | st.floats() | st.lists(st.integers())))
def test_no_field_can_break_it(found: dict[str, Any]) -> None:
    index, beat = _number(found, "availability_index", -200, 100), _number(found, "heart_beat", 0, 1 << 53)
    assert index is None or -200 <= index <= 100
    state, _ = judged(index, None if beat is None else float(beat), None)
    assert isinstance(state, ServerState)
    json.dumps([index, beat])
