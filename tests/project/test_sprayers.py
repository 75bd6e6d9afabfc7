"""The production pair of sprayers: checked by HAProxy itself, then run as a pair in front of two small servers."""

from __future__ import annotations

import asyncio
import grp
import os
import pwd
import re
import shutil
import ssl
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from tests.drivers.daemons import SPRAYERS, free_port, sprayer_program
from tests.until import until
from tuiha.config import tls
from tuiha.config.places import data_file
from tuiha.config.values import Tls
from tuiha.drivers.protocols import DriverError
from tuiha.drivers.sprayers.haproxy import Haproxy
from tuiha.model.reports import BackendState

CERTIFICATES = Path(__file__).parent.parent / "config" / "certificates"
OURS = Tls(ca=Path("certificate.pem"), certificate=Path("certificate.pem"), key=Path("key.pem"))
PAIR = ("spray1", "spray2")
LONG = "long" * 40  # what the stick table would cut off
USERS = ("alice", " Alice", "ALICE ", "Alice@Example.org", "alice\n", LONG, LONG + "er")
MAY_COME_IN = {aiohttp.encode_basic_auth(user, "right") for user in USERS}


@dataclass
class Sprayer:
    """One of the pair, with the production file's paths, names and ports replaced."""

    name: str
    program: Path
    file: Path
    devices: int
    runtime: int
    operators: int
    map: Path

    def driver(self, ssl_context: ssl.SSLContext | None) -> Haproxy:
        return Haproxy(self.name, f"tcp:127.0.0.1:{self.runtime}", map=str(self.map), ssl=ssl_context)

    def operator(self) -> Haproxy:
        return Haproxy(self.name, f"tcp:127.0.0.1:{self.runtime}", map=str(self.map),
                       ssl=tls.client(OURS, CERTIFICATES), operator=f"tcp:127.0.0.1:{self.operators}")


@pytest.fixture(params=SPRAYERS)
def program(request: pytest.FixtureRequest) -> Path:
    """HAProxy's program: the wheel's, and Debian's."""
    return sprayer_program(str(request.param))


@pytest.fixture
def ports() -> list[int]:
    return [free_port() for _ in range(12)]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short name: the path of a unix socket has at most 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="tuiha-") as name:
        yield Path(name)


def replaced(text: str, changes: dict[str, str]) -> str:
    """The text with every change made at least once; a change that finds nothing is a fault of the test."""
    for pattern, new in changes.items():
        text, count = re.subn(pattern, new, text)
        assert count, f"{pattern!r} is not in the file"
    return text


def prepared(program: Path, folder: Path, ports: list[int], operator: str = "localhost") -> list[Sprayer]:
    """The production file for both sprayers. `ports`: 2 servers, 2 peers, then 4 for each sprayer."""
    found = []
    for number, name in enumerate(PAIR):
        own = folder / name
        own.mkdir()
        both = (CERTIFICATES / "certificate.pem").read_bytes() + (CERTIFICATES / "key.pem").read_bytes()
        for pem in ("sync.pem", "sprayer.pem"):
            (own / pem).write_bytes(both)
        shutil.copy(CERTIFICATES / "certificate.pem", own / "pool-ca.crt")
        (own / "users.map").touch()
        (own / "full.map").touch()
        (own / "held.map").touch()
        devices, runtime, alive, operators = ports[4 + 4 * number: 8 + 4 * number]
        text = replaced(data_file("config/haproxy.cfg").read_text(), {
            r"/etc/haproxy/tuiha": str(own),
            r"/var/lib/haproxy|/run/haproxy": str(own),
            r"(?m)^    chroot .*$": "",  # only root may
            r"unix@/(watch|operate)\.sock": rf"unix@{own}/\1.sock",
            r"operator\.example\.org": operator,
            r"user haproxy": f"user {pwd.getpwuid(os.getuid()).pw_name}",
            r"group haproxy": f"group {grp.getgrgid(os.getgid()).gr_name}",
            r"maxconn 100000": "maxconn 1000",
            r"log /dev/log local0": "log stderr format raw local0",
            r"spray1\.example\.org:10000": f"127.0.0.1:{ports[2]}",
            r"spray2\.example\.org:10000": f"127.0.0.1:{ports[3]}",
            r"(?m)^(    server s1) s1\.example\.org:8443": rf"\1 127.0.0.1:{ports[0]}",
            r"(?m)^(    server s2) s2\.example\.org:8443": rf"\1 127.0.0.1:{ports[1]}",
            r"s[12]\.example\.org( |\)|$|\n)": r"localhost\1",
            r"bind :443": f"bind 127.0.0.1:{devices}",
            r"bind :9443": f"bind 127.0.0.1:{runtime}",
            r"bind :9444": f"bind 127.0.0.1:{operators}",
            r"bind 127.0.0.1:8404": f"bind 127.0.0.1:{alive}",
        })
        file = own / "haproxy.cfg"
        file.write_text(text)
        found.append(Sprayer(name, program, file, devices, runtime, operators, own / "users.map"))
    return found


def test_haproxy_accepts_it(program: Path, folder: Path, ports: list[int]) -> None:
    for sprayer in prepared(program, folder, ports):
        done = subprocess.run([sprayer.program, "-c", "-L", sprayer.name, "-f", str(sprayer.file)],
                              capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        assert "WARNING" not in done.stderr
        assert "ALERT" not in done.stderr


@contextmanager
def running(sprayer: Sprayer) -> Iterator[None]:
    with (sprayer.file.parent / "log").open("wb") as log:
        process = subprocess.Popen([sprayer.program, "-db", "-L", sprayer.name, "-f", str(sprayer.file)],
                                   stdout=log, stderr=log)
        try:
            yield
        finally:
            process.kill()
            process.wait()


@asynccontextmanager
async def server(
    name: str, port: int, words: Sequence[str] = (), reached: list[web.Request] | None = None
) -> AsyncIterator[None]:
    """A server of a pool in which s2 monitors every user; s1 answers as if it had forwarded.

    While there are `words` it is full, and says the last of them to the sprayer. `reached`: what it was asked.
    """
    reached = [] if reached is None else reached

    async def me(request: web.Request) -> web.Response:
        reached.append(request)
        if words:
            return web.Response(status=503, headers={"X-Tuiha-Full": words[-1], "Retry-After": "7"})
        if request.headers["Authorization"] not in MAY_COME_IN:
            return web.Response(status=401, headers={"X-Tuiha-Server": "s2"})  # what nobody must learn from
        headers = {"X-Tuiha-Server": "s2"} | ({} if name == "s2" else {"X-Tuiha-Forwarded-By": name})
        headers["Told"] = request.headers.get("X-Tuiha-Forwarded", "nothing")
        return web.Response(text=name, headers=headers)

    async def health(request: web.Request) -> web.Response:
        return web.Response()

    app = web.Application()
    app.add_routes([web.get("/v1/me", me), web.put("/v1/me", me),
                    web.get("/health", health), web.get("/control/status", health)])
    runner = web.AppRunner(app)
    await runner.setup()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATES / "certificate.pem", CERTIFICATES / "key.pem")
    await web.TCPSite(runner, "127.0.0.1", port, ssl_context=context).start()
    try:
        yield
    finally:
        await runner.cleanup()


async def admin(sprayer: Sprayer, command: str) -> str:
    """The answer on the runtime socket of the sprayer's own host."""
    reader, writer = await asyncio.open_unix_connection(sprayer.file.parent / "admin.sock")
    writer.write(command.encode() + b"\n")
    answer = await reader.read()
    writer.close()
    return answer.decode()


class Device:
    """One user's device. It comes with a connection of its own each time."""

    def __init__(self, user: str, password: str = "right") -> None:
        self.auth = aiohttp.encode_basic_auth(user, password)
        self.tls = tls.client(OURS, CERTIFICATES)

    async def again(self, sprayer: Sprayer, method: str = "GET") -> tuple[int, int]:
        """A request: its status, and the seconds after which it shall come again (0: nothing was said)."""
        async with (
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=self.tls, force_close=True)) as session,
            session.request(method, f"https://127.0.0.1:{sprayer.devices}/v1/me",
                            headers={"Authorization": self.auth, "X-Tuiha-Share": "999"}) as answer,
        ):
            return answer.status, int(answer.headers.get("Retry-After", "0"))

    async def get(self, sprayer: Sprayer, path: str = "/v1/me", **headers: str) -> tuple[int, str, str | None]:
        connector = aiohttp.TCPConnector(ssl=self.tls, force_close=True)
        async with aiohttp.ClientSession(connector=connector) as session:
            url = f"https://127.0.0.1:{sprayer.devices}{path}"
            sent = {"Authorization": self.auth} | {k.replace("_", "-"): v for k, v in headers.items()}
            async with session.get(url, headers=sent) as answer:
                return answer.status, await answer.text(), answer.headers.get("Told")


@pytest.fixture
async def pair(program: Path, folder: Path, ports: list[int]) -> AsyncIterator[list[Sprayer]]:
    sprayers = prepared(program, folder, ports)
    async with AsyncExitStack() as stack:
        for number in (0, 1):
            await stack.enter_async_context(server(f"s{number + 1}", ports[number]))
            stack.enter_context(running(sprayers[number]))
        for sprayer in sprayers:
            await until(partial(ready, sprayer.driver(tls.client(OURS, CERTIFICATES))))
        yield sprayers


async def ready(driver: Haproxy) -> bool:
    """Has the sprayer checked all servers and found them well?"""
    try:
        backends = (await driver.poll()).backends
    except DriverError:
        return False
    return all(b.state is BackendState.UP and b.check is not None and "200" in b.check for b in backends)


async def answers(driver: Haproxy) -> bool:
    try:
        return await driver.level() == "user"
    except DriverError:
        return False


async def test_the_pair_learns_and_shares(pair: list[Sprayer]) -> None:
    one, two = pair
    device = Device("alice")
    driver = one.driver(tls.client(OURS, CERTIFICATES))

    async def straight(sprayer: Sprayer = one) -> bool:
        return (await device.get(sprayer))[1] == "s2"

    await until(straight)
    assert [(await device.get(one))[:2] for _ in range(8)] == [(200, "s2")] * 8
    assert (await driver.poll()).learned == 1

    async def partner_knows() -> bool:  # before it has seen a single request of hers
        return "key=alice" in await admin(two, "show table pool")

    await until(partner_knows)
    assert (await two.driver(tls.client(OURS, CERTIFICATES)).poll()).learned == 0
    assert (await device.get(two))[1] == "s2"


async def test_spellings_of_one_name_are_one_entry(pair: list[Sprayer]) -> None:
    driver = pair[0].driver(tls.client(OURS, CERTIFICATES))
    for spelling in ("ALICE ", " Alice", "alice"):
        await Device(spelling).get(pair[0])
    assert await driver.map_entries() == {"alice": "s2"}
    assert {(await Device(spelling).get(pair[0]))[1] for spelling in ("ALICE ", " Alice", "alice")} == {"s2"}
    wrong = [(await Device("aLICE", "wrong").get(pair[0]))[0] for _ in range(4)]
    assert wrong == [401] * 4
    assert await driver.map_entries() == {"alice": "s2"}


async def test_a_name_with_a_line_break_is_not_learned(pair: list[Sprayer]) -> None:
    for _ in range(4):
        assert (await Device("alice\n").get(pair[0]))[0] == 200
    await Device("alice").get(pair[0])
    assert await pair[0].driver(tls.client(OURS, CERTIFICATES)).map_entries() == {"alice": "s2"}


async def test_a_name_that_the_stick_table_would_cut_off_is_not_in_it(pair: list[Sprayer]) -> None:
    driver = pair[0].driver(tls.client(OURS, CERTIFICATES))
    for name in (LONG, LONG + "er", "alice"):
        while (await Device(name).get(pair[0]))[1] != "s2":
            pass
    assert set(await driver.map_entries()) == {LONG, LONG + "er", "alice"}
    await Device("alice").get(pair[0])
    table = await admin(pair[0], "show table pool")
    assert "key=alice" in table
    assert "key=long" not in table


@pytest.mark.parametrize(("which", "expected"), [(0, {"alice": "s2"}), (1, {"alice@example.org": "s2"})])
async def test_the_rules_with_a_domain_are_those_of_the_comments(
    program: Path, folder: Path, ports: list[int], which: int, expected: dict[str, str]
) -> None:
    one = prepared(program, folder, ports)[0]
    text = one.file.read_text()
    converter = re.findall(r',regsub\(".*?",".*?"\)', text)[which]
    one.file.write_text(text.replace(",lower'\n", f",lower{converter}'\n"))
    async with server("s1", ports[0]), server("s2", ports[1]):
        with running(one):
            driver = one.driver(tls.client(OURS, CERTIFICATES))
            await until(partial(ready, driver))
            for spelling in ("alice", "Alice@Example.org"):
                assert (await Device(spelling).get(one))[0] == 200
            assert await driver.map_entries() == expected


async def test_nobody_learns_from_a_wrong_password(pair: list[Sprayer]) -> None:
    device = Device("mallory", "wrong")
    assert {(await device.get(pair[0]))[0] for _ in range(4)} == {401}
    assert (await pair[0].driver(tls.client(OURS, CERTIFICATES)).poll()).learned == 0


async def test_devices_reach_the_device_interface_alone(pair: list[Sprayer]) -> None:
    device = Device("alice")
    for path in ("/control/status", "/health", "/metrics", "/"):
        assert (await device.get(pair[0], path))[0] == 404
    status, _, told = await device.get(pair[0], X_Tuiha_Forwarded="s9")
    assert (status, told) == (200, "nothing")


async def test_the_runtime_socket_wants_a_certificate(pair: list[Sprayer]) -> None:
    nobody = pair[0].driver(tls.client(Tls(ca=Path("certificate.pem")), CERTIFICATES))
    with pytest.raises(DriverError):
        await nobody.poll()
    plain = pair[0].driver(None)
    with pytest.raises(DriverError):
        await plain.poll()


async def test_the_watchers_socket_cannot_act(pair: list[Sprayer]) -> None:
    with pytest.raises(DriverError, match="refuses"):
        await pair[0].driver(tls.client(OURS, CERTIFICATES)).set_state("s1", "drain")


async def test_an_operator_elsewhere_steers_by_the_operators_socket(pair: list[Sprayer]) -> None:
    watcher, operator = pair[0].driver(tls.client(OURS, CERTIFICATES)), pair[0].operator()
    assert (await watcher.level(), await operator.level()) == ("user", "admin")
    await operator.set_state("s1", "drain")
    states = {backend.server: backend.state for backend in (await operator.poll()).backends}
    assert states["s1"] is BackendState.DRAIN
    await operator.set_state("s1", "ready")


async def test_another_host_of_the_pool_may_not_operate(program: Path, folder: Path, ports: list[int]) -> None:
    """Its certificate is of the same authority, and has another name."""
    first = prepared(program, folder, ports, operator="bastion.example.org")[0]
    with running(first):
        await until(partial(answers, first.driver(tls.client(OURS, CERTIFICATES))))
        with pytest.raises(DriverError):
            await first.operator().level()


async def test_the_sprayer_turns_away_what_a_full_server_names(
    program: Path, folder: Path, ports: list[int]
) -> None:
    """The polls of that server's users, for a second; nothing else, nobody else, and no longer."""
    one, words, reached = prepared(program, folder, ports)[0], [""], list[web.Request]()
    words.clear()
    alice, other = Device("alice"), Device(LONG)
    async with server("s1", ports[0]), server("s2", ports[1], words, reached):
        with running(one):
            await until(partial(ready, one.driver(tls.client(OURS, CERTIFICATES))))

            async def learned() -> bool:
                return (await alice.get(one))[1] == "s2"

            await until(learned)
            assert "X-Tuiha-Share" not in reached[-1].headers, "only the sprayer says it"
            words.append("1000:20")

            async def told() -> bool:
                """One reaches the server, and the next does not."""
                reached.clear()
                first, second = [await alice.again(one) for _ in range(2)]
                assert (first[0], second[0]) == (503, 503)
                assert 1 <= second[1] <= 21
                return len(reached) == 1

            await until(told)
            reached.clear()
            assert await alice.again(one, "PUT") == (503, 7)
            assert await other.again(one) in ((200, 0), (503, 7)), "nobody has learned this one's server"
            assert "PUT" in {request.method for request in reached}
            words[:] = ["0:20"]

            async def asked() -> bool:
                reached.clear()
                assert {await alice.again(one) for _ in range(5)} <= {(503, seconds) for seconds in range(1, 22)}
                return len(reached) == 5

            await until(asked)
            assert reached[-1].headers["X-Tuiha-Share"] == "0"
            words.clear()
            await until(learned)
