"""Certificates that are right and wrong in every way, and a listener that shows them."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme

from tuiha.config.tls import client
from tuiha.config.values import Tls

Preamble = Callable[[socket.socket], None]  # what is said in plain text


class Certificates:
    """An authority that the drivers trust, one that they do not, and what both have signed, as PEM files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ours, self._others = trustme.CA(), trustme.CA()
        self.ca = folder / "ca.pem"
        self._ours.cert_pem.write_to_path(str(self.ca))
        yesterday = datetime.now(UTC) - timedelta(days=1)
        self._shown = {
            "right": self._ours.issue_cert("localhost"),
            "another authority": self._others.issue_cert("localhost"),
            "wrong name": self._ours.issue_cert("elsewhere.example.org"),
            "expired": self._ours.issue_cert("localhost", not_before=yesterday - timedelta(days=9),
                                             not_after=yesterday),
        }
        for name, authority in {"client": self._ours, "other-client": self._others}.items():
            authority.issue_cert(name).private_key_and_cert_chain_pem.write_to_path(str(folder / f"{name}.pem"))

    def file(self, shown: str) -> str:
        """What a server shows, with its key, as a PEM file."""
        path = self.folder / f"{shown}.pem"
        self._shown[shown].private_key_and_cert_chain_pem.write_to_path(str(path))
        return str(path)

    def server(self, shown: str, asks: bool = False) -> ssl.SSLContext:
        """What a server shows, and whether it asks for a certificate as well."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._shown[shown].configure_cert(context)
        if asks:
            context.verify_mode = ssl.CERT_REQUIRED
            self._ours.configure_trust(context)
        return context

    def settings(self, own: str | None = None) -> Tls:
        """The settings of who trusts the authority, and shows a certificate of its `own`."""
        file = None if own is None else self.folder / f"{own}.pem"
        return Tls(ca=self.ca, certificate=file, key=file)

    def context(self, own: str | None = None) -> ssl.SSLContext:
        """The context that the settings give."""
        return client(self.settings(own), self.folder)


@dataclass
class Listener:
    """Speaks TLS on a port of 127.0.0.1, at once or after `before`; does not answer what it hears, and hangs up.

    Blocking sockets, as most servers have: asyncio's ends a failed handshake without saying why.
    """

    context: ssl.SSLContext
    before: Preamble | None = None
    greeting: bytes = b""  # what is said over TLS first
    hasty: bool = False  # hangs up on whom it refuses, so that it may not be read why
    said: bytes = b""  # what came over TLS
    _socket: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    def __enter__(self) -> Listener:
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        with suppress(OSError):  # it was shut down
            while True:
                peer, _ = self._socket.accept()
                with peer:
                    peer.settimeout(5)
                    self._talk(peer)

    def _talk(self, peer: socket.socket) -> None:
        with suppress(OSError):  # whoever does not like the certificate goes away
            if self.before is not None:
                self.before(peer)
            try:
                secure = self.context.wrap_socket(peer.dup(), server_side=True)
            except ssl.SSLError:
                if self.hasty:
                    return
                peer.shutdown(socket.SHUT_WR)
                while peer.recv(65536):  # what is not read would cut off the refusal that was sent
                    pass
                return
            with secure:
                secure.sendall(self.greeting)
                self.said += secure.recv(65536)
