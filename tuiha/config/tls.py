"""TLS contexts from the settings, and the rule that plain text goes to loopback addresses only."""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tuiha.config.errors import ConfigError, ConfigProblem, Location

if TYPE_CHECKING:
    from tuiha.config.parts import Database, MailCluster, MailServerSettings, Server, Sprayer
    from tuiha.config.settings import Pool
    from tuiha.config.values import Settings, Tls


def client(tls: Tls | None, base: Path) -> ssl.SSLContext:
    """A context to connect with; without settings it verifies against the system's trust store.

    Relative paths are relative to `base`, the folder of the configuration file. Raises ConfigError.
    """
    if tls is None or tls.ca is None:
        context = ssl.create_default_context()
    else:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # this authority alone, not the system's as well
        _load_ca(context, tls, base / tls.ca.expanduser())
    if tls is None:
        return context
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    _load_certificate(context, tls, base)
    return context


def listening(server: Server, base: Path) -> ssl.SSLContext | None:
    """The context that a pool server listens with; None when its address is http://. Raises ConfigError."""
    if not server.address.startswith("https://"):
        return None
    if server.tls is None or server.tls.certificate is None:
        raise ConfigError(_nowhere(server, "has no certificate to listen with",
                                   f"give server '{server.name}' tls.certificate and tls.key"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _load_certificate(context, server.tls, base)
    return context


def for_server(server: Server, base: Path) -> ssl.SSLContext | None:
    """The context to reach a server with; None when its address is http://. Raises ConfigError.

    The certificate in the settings of a pool server is what it listens with; in those of another one it is ours.
    """
    if not server.address.startswith("https://"):
        return None
    return client(_trust(server.tls) if server.driver == "pool" else server.tls, base)


def _trust(tls: Tls | None) -> Tls | None:
    """The settings without a certificate of one's own."""
    return None if tls is None else tls.model_copy(update={"certificate": None, "key": None})


def for_partners(servers: Sequence[Server], base: Path) -> ssl.SSLContext | None:
    """One context for requests to any of these pool servers; None when none of them is https://. Raises ConfigError.

    It trusts the authority of every one of them, and the system's when one names none.
    """
    secure = [server for server in servers if server.address.startswith("https://")]
    if not secure:
        return None
    told = [server.tls for server in secure if server.tls is not None]
    if len(told) == len(secure) and all(not one.verify for one in told):
        return client(_trust(told[0]), base)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for one in told:
        if one.ca is not None:
            _load_ca(context, one, base / one.ca.expanduser())
    if any(server.tls is None or server.tls.ca is None for server in secure):
        context.load_default_certs()
    return context


def refuse_plain_text(address: str, field: str) -> None:
    """Raise ConfigError when an http:// address would be reached from other machines: it carries passwords."""
    url = urlsplit(address)
    if url.scheme == "http" and not is_loopback(url.hostname or ""):
        raise ConfigError(ConfigProblem(
            _LEAVES, "listen on a loopback address, or give the server an https:// entry with tls under `servers:`",
            field))


def for_database(database: Database, base: Path) -> ssl.SSLContext | None:
    """The context to reach the database pair with; None without tls settings. Raises ConfigError."""
    return None if database.tls is None else client(database.tls, base)


def for_patroni(database: Database, base: Path) -> ssl.SSLContext | None:
    """The context to reach Patroni with; None when none of its addresses is https://. Raises ConfigError."""
    secure = any((node.rest or "").startswith("https://") for node in database.nodes)
    told = database.patroni
    return client(None if told is None else told.tls, base) if secure else None


def for_mail(cluster: MailCluster, server: MailServerSettings, base: Path) -> ssl.SSLContext | None:
    """The context to reach a mail server with; None when its security is plain. Raises ConfigError."""
    return None if server.security == "plain" else client(cluster.tls, base)


def for_sprayer(sprayer: Sprayer, base: Path) -> ssl.SSLContext | None:
    """The context to reach a sprayer's runtime socket with; None without tls settings. Raises ConfigError."""
    return None if sprayer.tls is None else client(sprayer.tls, base)


def is_loopback(host: str) -> bool:
    """Does `host` (a name, an address, or an address in brackets) never leave this machine?"""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def unverified(settings: Settings, at: str = "") -> Iterator[str]:
    """Every `tls` of these settings that accepts any certificate, as a place in the configuration: `mail.west.tls`."""
    from tuiha.config.values import Settings, Tls  # they bring the validator along

    for name, value in settings:
        place = f"{at}.{name}" if at else name
        entries = value if isinstance(value, list) else [value]
        for entry in entries:
            if isinstance(entry, Tls) and not entry.verify:
                yield place
            elif isinstance(entry, Settings):
                called = getattr(entry, "name", None) or getattr(entry, "cluster", None)
                yield from unverified(entry, f"{place}.{called}" if isinstance(value, list) else place)


def plain_text(pool: Pool) -> Iterator[tuple[Location, str, str]]:
    """Every place where plain text would leave this machine: location, what is wrong, what to write."""
    for index, server in enumerate(pool.servers):
        if server.address.startswith("http://") and not is_loopback(urlsplit(server.address).hostname or ""):
            yield ("servers", index, "address"), _LEAVES, "write https:// and give it tls.certificate and tls.key"
    for index, node in enumerate(pool.database.nodes):
        if pool.database.tls is None and not is_loopback(_host(node.address)):
            yield ("database", "nodes", index, "address"), _LEAVES, \
                "add database.tls ('tls: {}' verifies against the system's trust store)"
    for index, sprayer in enumerate(pool.sprayers):
        for field, socket in (("socket", sprayer.socket or ""), ("operator", sprayer.operator or "")):
            if sprayer.tls is None and socket.startswith("tcp:") and not is_loopback(_host(socket[4:])):
                yield ("sprayers", index, field), _LEAVES, \
                    "add tls (config/haproxy.cfg shows HAProxy's side), or use unix:/PATH"
    for index, cluster in enumerate(pool.mail):
        for number, mail_server in enumerate(cluster.servers):
            if mail_server.security == "plain" and not is_loopback(_host(mail_server.address)):
                yield ("mail", index, "servers", number, "security"), _LEAVES, "write tls or starttls"
    for index, node in enumerate(pool.database.nodes if pool.database.driver == "patroni" else ()):
        if (node.rest or "").startswith("http://") and not is_loopback(urlsplit(node.rest or "").hostname or ""):
            yield ("database", "nodes", index, "rest"), \
                "plain text would leave this machine, and who leads could be changed on the way", \
                "write https:// (restapi.certfile and keyfile in Patroni's configuration; database.patroni.tls here)"
    yield from _plain_receivers(pool)
    for index, endpoint in enumerate(pool.ledger.endpoints if pool.ledger is not None else ()):
        if endpoint.startswith("http://") and not is_loopback(urlsplit(endpoint).hostname or ""):
            yield ("ledger", "endpoints", index), \
                "plain text would leave this machine, and the ledger could be changed on the way", \
                "write https:// ('tls: {}' verifies against the system's trust store)"


def _plain_receivers(pool: Pool) -> Iterator[tuple[Location, str, str]]:
    """Receivers of alerts and traces that are told a secret."""
    told = pool.alerts
    if told is not None and told.pagerduty is not None and _leaves(told.pagerduty.address):
        yield ("alerts", "pagerduty", "address"), "plain text would leave this machine with the routing key in it", \
            "write https://"
    if told is not None and told.alertmanager is not None and told.alertmanager.password is not None:
        for index, address in enumerate(told.alertmanager.addresses):
            if _leaves(address):
                yield ("alerts", "alertmanager", "addresses", index), _LEAVES, "write https://"
    traces = pool.traces
    if traces is not None and traces.token is not None and _leaves(traces.address):
        yield ("traces", "address"), "plain text would leave this machine with the token in it", "write https://"


def _leaves(address: str) -> bool:
    url = urlsplit(address)
    return url.scheme == "http" and not is_loopback(url.hostname or "")


_LEAVES = "plain text would leave this machine with passwords in it"


def _host(address: str) -> str:
    return address.rpartition(":")[0]


def _nowhere(server: Server, what: str, remedy: str) -> ConfigProblem:
    return ConfigProblem(what, remedy, f"server {server.name}")


def _load_ca(context: ssl.SSLContext, tls: Tls, file: Path) -> None:
    try:
        context.load_verify_locations(file)
    except ssl.SSLError:
        raise ConfigError(tls.problem(f"{file} holds no certificate", "name a PEM file", "ca")) from None
    except OSError as error:
        raise ConfigError(tls.problem(f"{file} cannot be read ({error.strerror})", "check the path", "ca")) from None


def _load_certificate(context: ssl.SSLContext, tls: Tls, base: Path) -> None:
    if tls.certificate is None or tls.key is None:
        return
    certificate, key = base / tls.certificate.expanduser(), base / tls.key.expanduser()
    for name, file in (("certificate", certificate), ("key", key)):
        try:
            file.open("rb").close()
        except OSError as error:
            raise ConfigError(
                tls.problem(f"{file} cannot be read ({error.strerror})", "check the path and its permissions", name)
            ) from None
    try:
        context.load_cert_chain(certificate, key, password="")  # never ask on the terminal
    except ssl.SSLError:
        raise ConfigError(tls.problem(
            f"{certificate} and {key} are not a certificate and its key",
            "name PEM files that belong together; the key without a passphrase", "certificate")) from None
