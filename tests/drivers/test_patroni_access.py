"""Who may change something through Patroni's REST interface: its own server, with TLS, client certificates, log-in."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from tests.drivers.authority import Certificates
from tests.drivers.daemons import free_port
from tuiha.drivers.databases.patroni_rest import Login, PatroniRest
from tuiha.drivers.protocols import DriverError

PASSWORD = "s3cret-0f-patr0ni"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


def api() -> Any:
    """Patroni's module, for the tests that need it alone: importing it narrows the umask of this process."""
    before = os.umask(0o022)
    try:
        return pytest.importorskip("patroni.api", reason="patroni is not installed: pip install 'tuiha[patroni]'")
    finally:
        os.umask(before)


@contextmanager
def patroni(certificates: Certificates, verify_client: str) -> Iterator[tuple[int, list[str]]]:
    """Patroni's interface as it runs in Patroni, without the rest of it: its port, and what it was made to do."""
    port, done = free_port(), list[str]()
    server: Any = api().RestApiServer(
        SimpleNamespace(version="4", sighup_handler=lambda: done.append("reload")),
        {"listen": f"127.0.0.1:{port}", "certfile": certificates.file("right"), "cafile": str(certificates.ca),
         "verify_client": verify_client, "auth": f"tuiha:{PASSWORD}"})
    server.start()
    try:
        yield port, done
    finally:
        server.shutdown()


async def reload(certificates: Certificates, port: int, own: str | None, login: Login | None) -> tuple[int, str]:
    """One thing that changes something, as an operation sends it."""
    rest = PatroniRest("db1", f"https://localhost:{port}", None, 5.0, certificates.context(own), login)
    try:
        return await rest.tell("/reload", {}, 5.0)
    finally:
        await rest.close()


def right() -> tuple[str, str]:
    return "tuiha", PASSWORD


@pytest.mark.parametrize("verify_client", ["none", "optional", "required"])
async def test_with_certificate_and_log_in_it_is_done(certificates: Certificates, verify_client: str) -> None:
    with patroni(certificates, verify_client) as (port, done):
        status, _ = await reload(certificates, port, "client", right)
    assert (status, done) == (202, ["reload"])


@pytest.mark.parametrize(("own", "login", "status", "words"), [
    (None, right, 403, "it wants a client certificate: name one at database.patroni.tls"),
    ("client", None, 401, "it wants a log-in: add database.patroni.user and password"),
    ("client", lambda: ("tuiha", "wrong"), 401, "it does not accept the log-in: correct database.patroni.user"),
])
async def test_what_is_missing_is_said(
    certificates: Certificates, own: str | None, login: Login | None, status: int, words: str
) -> None:
    with patroni(certificates, "optional") as (port, done):
        found, said = await reload(certificates, port, own, login)
    assert (found, done) == (status, [])
    assert words in said


@pytest.mark.parametrize(("own", "words"), [
    (None, "it (may want|wants) a client certificate"),  # it does not always leave the time to read why
    ("other-client", r"it does not accept our certificate|it may want .* another one"),
])
async def test_without_its_certificate_nobody_is_let_in(
    certificates: Certificates, own: str | None, words: str
) -> None:
    with patroni(certificates, "required") as (port, done):
        with pytest.raises(DriverError, match=words):
            await reload(certificates, port, own, right)
        assert done == []
