from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.drivers.conftest import Sprayer
from tests.drivers.daemons import free_port
from tests.until import until
from tuiha.config.places import data_file
from tuiha.drivers.protocols import DriverError
from tuiha.drivers.sprayers.haproxy import Haproxy, chunks, report
from tuiha.drivers.sprayers.haproxy import entries as entries_of
from tuiha.drivers.sprayers.runtime import PAYLOAD_LIMIT, map_size
from tuiha.model.reports import AddressRow, BackendReport, BackendState, SprayerReport


async def backends(driver: Haproxy) -> dict[str, BackendReport]:
    async with asyncio.timeout(30):
        return {backend.server: backend for backend in (await driver.poll()).backends}


async def reported(driver: Haproxy, server: str, state: BackendState) -> BackendReport:
    return (await until(lambda: backends(driver), met=lambda seen: seen[server].state is state))[server]


@pytest.mark.parametrize("kind", ["unix", "tcp"])
async def test_a_poll(sprayer: Sprayer, kind: str) -> None:
    driver = Haproxy("spray1", getattr(sprayer, kind), "pool", sprayer.map)
    s1 = await reported(driver, "s1", BackendState.DOWN)
    found = await driver.poll()
    assert found.version.split("-")[0] == sprayer.version.split("-")[0]
    assert found.process is not None
    assert found.learned == 1
    assert found.uptime_seconds is not None
    assert found.requests == 0
    assert found.sessions == 0
    assert s1.check is not None
    assert "Connection refused" in s1.check
    assert s1.since_seconds is not None
    assert {backend.server for backend in found.backends} == {"s1", "s2"}
    assert (await backends(driver))["s2"].state is BackendState.UP  # it has no check


def held_of(sprayer: Sprayer) -> str:
    return str(Path(sprayer.map).with_name("held.map"))


async def test_who_holds_the_addresses_is_what_keepalived_says(sprayer: Sprayer) -> None:
    driver = Haproxy("spray1", sprayer.unix, held=held_of(sprayer))
    assert (await driver.poll()).addresses == (AddressRow("192.0.2.101", "BACKUP"), AddressRow("192.0.2.102", "BACKUP"))
    assert (await Haproxy("spray1", sprayer.unix).poll()).addresses is None
    assert (await Haproxy("spray1", sprayer.unix, held="/no/such.map").poll()).addresses is None


@pytest.mark.skipif(shutil.which("socat") is None or shutil.which("flock") is None,
                    reason="config/tuiha-held needs socat and flock (apt-get install socat util-linux)")
async def test_what_keepalived_tells_reaches_the_watcher_and_lasts(sprayer: Sprayer) -> None:
    driver, path = Haproxy("spray1", sprayer.unix, held=held_of(sprayer)), held_of(sprayer)
    told = {"TUIHA_HELD_MAP": path, "TUIHA_HELD_SOCKET": sprayer.unix.removeprefix("unix:"), "PATH": os.defpath}
    for address, state in (("192.0.2.101", "MASTER"), ("192.0.2.103", "FAULT"), ("192.0.2.102", "MASTER"),
                           ("192.0.2.102", "BACKUP")):
        command = ["sh", str(data_file("config/tuiha-held")), address, "INSTANCE", "sync", state, "150"]
        done = await asyncio.to_thread(subprocess.run, command, env=told, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
    rows = (await driver.poll()).addresses
    assert rows is not None
    assert {row.address for row in rows if row.held} == {"192.0.2.101"}
    assert {row.address: row.state for row in rows} == {
        "192.0.2.101": "MASTER", "192.0.2.102": "BACKUP", "192.0.2.103": "FAULT"}
    sprayer.again()
    again = await until(driver.poll, met=lambda found: found.addresses is not None)
    assert again.addresses is not None
    assert {row.address: row.state for row in again.addresses} == {row.address: row.state for row in rows}


async def test_states(sprayer: Sprayer) -> None:
    driver = Haproxy("spray1", sprayer.unix)
    await driver.set_state("s2", "drain")
    assert (await backends(driver))["s2"].state is BackendState.DRAIN
    await driver.set_state("s2", "maint")
    assert (await backends(driver))["s2"].state is BackendState.MAINT
    await driver.set_state("s2", "ready")
    assert (await backends(driver))["s2"].state is BackendState.UP


async def test_a_server_is_added_checked_and_removed(sprayer: Sprayer) -> None:
    async def healthy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    driver = Haproxy("spray1", sprayer.unix)
    server = await asyncio.start_server(healthy, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        await driver.add_server("s3", f"127.0.0.1:{port}", "check inter 100ms fall 1 rise 1")
        await until(lambda: backends(driver), met=lambda seen: "L7OK" in (seen["s3"].check or ""))
        await reported(driver, "s3", BackendState.UP)
        with pytest.raises(DriverError, match="Already exists"):
            await driver.add_server("s3", f"127.0.0.1:{port}")
        with pytest.raises(DriverError, match="maintenance"):
            await driver.del_server("s3")
        await driver.set_checks("s3", False)
        await driver.set_address("s3", f"127.0.0.1:{free_port()}")
        await asyncio.sleep(0.5)  # several checks' time
        assert (await backends(driver))["s3"].state is BackendState.UP  # nobody asks it
        await driver.set_checks("s3", True)
        await reported(driver, "s3", BackendState.DOWN)
        await driver.set_state("s3", "maint")
        await driver.del_server("s3")
    assert "s3" not in await backends(driver)


async def test_the_map(sprayer: Sprayer) -> None:
    driver = Haproxy("spray1", sprayer.tcp, "pool", sprayer.map)
    assert await driver.map_entries() == {"anna": "s1"}
    await driver.set_map("anna", "s2")
    await driver.set_map("o'neill; show info", "s1")
    assert await driver.map_entries() == {"anna": "s2", "o'neill; show info": "s1"}
    await driver.del_map("anna")
    await driver.del_map("nobody")
    assert await driver.map_entries() == {"o'neill; show info": "s1"}


async def test_a_big_map_is_replaced_in_chunks(sprayer: Sprayer) -> None:
    driver = Haproxy("spray1", sprayer.unix, "pool", sprayer.map)
    entries = {f"user{number:06}@example.org": f"s{number % 2 + 1}" for number in range(3000)}
    await driver.replace_map(entries)
    assert await driver.map_entries() == entries
    assert (await driver.poll()).learned == 3000
    with pytest.raises(DriverError, match="cannot be an entry"):
        await driver.replace_map({"fine": "s1", "two words": "s1"})
    assert await driver.map_entries() == entries  # the old map is still whole


async def test_a_restart_shows_and_the_map_is_pushed_again(sprayer: Sprayer) -> None:
    driver = Haproxy("spray1", sprayer.unix, "pool", sprayer.map)
    entries = {f"user{number}": "s2" for number in range(700)}
    await driver.replace_map(entries)
    before = await driver.poll()
    sprayer.again()
    after = await driver.poll()
    assert after.process != before.process
    assert (before.learned, after.learned) == (700, 1), "it has what its file has"
    await driver.replace_map(entries)
    assert await driver.map_entries() == entries


async def test_errors(sprayer: Sprayer) -> None:
    with pytest.raises(DriverError, match="backend 'mail' is not in this sprayer's configuration"):
        await Haproxy("spray1", sprayer.unix, "mail").poll()
    with pytest.raises(DriverError, match=r"the sprayer refuses: No such server"):
        await Haproxy("spray1", sprayer.unix).set_state("s9", "drain")
    with pytest.raises(DriverError, match="no map is configured"):
        await Haproxy("spray1", sprayer.unix).set_map("anna", "s1")
    with pytest.raises(DriverError, match="has no map"):
        await Haproxy("spray1", sprayer.unix, "pool", "/no/such.map").map_entries()
    assert (await Haproxy("spray1", sprayer.unix, "pool", "/no/such.map").poll()).learned is None
    with pytest.raises(DriverError, match=r"^no such socket$"):
        await Haproxy("spray1", sprayer.unix + "x").poll()
    with pytest.raises(DriverError, match=r"^connection refused$"):
        await Haproxy("spray1", f"tcp:127.0.0.1:{free_port()}").poll()


@pytest.mark.parametrize("name", ["s1; disable server pool/s2", "s1 s2", "s1\nshow info", "", "s1\0", "sé"])
async def test_a_name_cannot_become_a_command(sprayer: Sprayer, name: str) -> None:
    with pytest.raises(DriverError, match="cannot be"):
        await Haproxy("spray1", sprayer.unix).set_state(name, "maint")


async def test_a_socket_that_is_not_a_sprayer() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH\r\n")
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        driver = Haproxy("spray1", f"tcp:127.0.0.1:{server.sockets[0].getsockname()[1]}", "pool", "/a.map")
        for call in (driver.poll, driver.map_entries):
            with pytest.raises(DriverError):
                await call()


def test_chunks_stay_under_the_limit_and_lose_nothing() -> None:
    entries = [(f"user{number}ü", "s1") for number in range(2000)]
    made = list(chunks(entries))
    assert len(made) > 1
    assert all(len(chunk.encode()) <= PAYLOAD_LIMIT for chunk in made)
    assert "".join(made).split("\n")[:-1] == [f"{user} {server}" for user, server in entries]


def test_the_size_of_one_map_among_several() -> None:
    listing = "# id (file) description\n0 (/a.map) x entry_cnt=3\n1 (/b.map) y. curr_ver=0 entry_cnt=12\n"
    assert map_size(listing, "/b.map") == 12
    assert map_size(listing, "/c.map") is None


def typed(**fields: object) -> list[object]:
    return [{"field": {"name": name}, "value": {"type": "x", "value": value}} for name, value in fields.items()]


SERVER = {"svname": "s1", "status": "UP 1/3", "scur": 1, "qcur": 0, "req_tot": 5}
TOTAL = typed(svname="BACKEND", scur=2, req_tot=9)
INFO = json.dumps(typed(Version="2.8"))


@pytest.mark.parametrize(("status", "state"), [
    ("UP 1/3", BackendState.UP), ("no check", BackendState.UP), ("DOWN (agent)", BackendState.DOWN),
    ("MAINT (via s2)", BackendState.MAINT), ("DRAIN", BackendState.DRAIN), ("NOLB", BackendState.DRAIN),
])
def test_words_for_states(status: str, state: BackendState) -> None:
    found = report(INFO, json.dumps([typed(**SERVER | {"status": status}), TOTAL]), None)
    assert found.backends[0].state is state


def test_a_server_may_be_called_as_the_total_is() -> None:
    rows = [typed(**SERVER | {"svname": "BACKEND", "type": 2}), typed(svname="BACKEND", scur=2, req_tot=9, type=1)]
    found = report(INFO, json.dumps(rows), None)
    assert [backend.server for backend in found.backends] == ["BACKEND"]
    assert found.sessions == 2


def test_what_is_no_entry_of_a_map_is_left_out() -> None:
    assert dict(entries_of("0x1 anna s1\n0x2 line\nbreak s2\n0x3 bert s2")) == {"anna": "s1", "bert": "s2"}
    with pytest.raises(DriverError, match="not well formed"):
        dict(entries_of("Permission denied"))


@pytest.mark.parametrize(("change", "message"), [
    ({"status": "SIDEWAYS"}, "unknown state for s1: SIDEWAYS"), ({"scur": "many"}, "'scur'"), ({"qcur": -1}, "'qcur'"),
    ({"svname": ""}, "'svname'"), ({"req_tot": None, "stot": None}, "'stot'"),
])
def test_wrong_fields_are_named(change: dict[str, object], message: str) -> None:
    with pytest.raises(DriverError, match=message):
        report(INFO, json.dumps([typed(**SERVER | change), TOTAL]), None)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(["field", "value", "name", "type", "svname"]) | st.text(max_size=4), inner, max_size=4),
    max_leaves=20,
)


@given(JSON | st.just(typed(Version="1")), JSON | st.lists(JSON, max_size=3), st.text(max_size=30))
def test_any_json_is_a_report_or_a_driver_error(info: object, statistics: object, junk: str) -> None:
    for left, right in ((json.dumps(info), json.dumps(statistics)), (junk, junk), (INFO, junk), ("[" * 9999, junk)):
        try:
            assert isinstance(report(left, right, None), SprayerReport)
        except DriverError:
            continue


@pytest.mark.parametrize("text", ['{"errorStr":"output buffer too short"}', '[{"errorStr":"output buffer too short"}]',
                                  '[[{"errorStr":"output buffer too short"}]]'])
def test_what_haproxy_says_in_place_of_statistics_is_told(text: str) -> None:
    for info, statistics in ((text, json.dumps([TOTAL])), (INFO, text)):
        with pytest.raises(DriverError, match="cannot tell its statistics: output buffer too short"):
            report(info, statistics, None)
