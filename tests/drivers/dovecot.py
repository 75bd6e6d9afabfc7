"""Dovecot (Debian's dovecot-imapd, 2.3): real servers that share one folder of mailboxes, as a cluster does."""

from __future__ import annotations

import grp
import pwd
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from tests.drivers.daemons import Account, free_port, listening
from tests.until import wait_until

SEPARATOR = "*"
MASTER, PROXY, PROBE = "tuiha-master", "tuiha-proxy", "tuiha-probe"
_PROGRAM = shutil.which("dovecot", path="/usr/sbin:/usr/bin:/usr/local/sbin")

_SETTINGS = """\
protocols = imap
listen = 127.0.0.1
instance_name = {name}
base_dir = {own}/run
state_dir = {own}/state
log_path = {own}/log
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
first_valid_uid = {uid}
first_valid_gid = {gid}
mail_uid = {user}
mail_gid = {group}
mail_location = maildir:{shared}/mail/%u
mail_max_userip_connections = {most}
auth_mechanisms = plain login
auth_master_user_separator = *
auth_failure_delay = 0
ssl = {ssl}
{certificate}
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {shared}/masters
  master = yes
  pass = yes
}}
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {shared}/users
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={shared}/home/%u
}}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = {penalty}
  }}
}}
service stats {{
  chroot =
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {secure}
    ssl = yes
  }}
}}
"""


def needed() -> None:
    """Skip the test where there is no Dovecot."""
    if _PROGRAM is None:
        pytest.skip("dovecot is not installed (Debian: dovecot-imapd)")


@dataclass
class Dovecot:
    """One server of the cluster."""

    name: str
    folder: Path  # of the cluster
    certificate: Path | None
    most: int = 10  # connections of one user from one address
    penalty: int = 0  # mode of the socket that counts refused log-ins of an address; 0: nobody counts
    port: int = field(default_factory=free_port)
    secure: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it greets."""
        account, own = Account(), self.folder / self.name
        if not own.is_dir():
            own.mkdir()
            shutil.chown(own, account.uid, account.gid)
        settings = own / "dovecot.conf"
        key = "" if self.certificate is None else (
            f"ssl_cert = <{self.certificate}\nssl_key = <{self.folder}/key.pem")
        settings.write_text(_SETTINGS.format(
            name=self.name, own=own, shared=self.folder, user=pwd.getpwuid(account.uid).pw_name,
            group=grp.getgrgid(account.gid).gr_name, uid=account.uid, gid=account.gid, most=self.most,
            penalty=self.penalty, port=self.port, secure=self.secure, certificate=key,
            ssl="no" if self.certificate is None else "yes"))
        assert _PROGRAM is not None
        self.process = account.popen([_PROGRAM, "-F", "-c", settings], own / "out")
        wait_until(lambda: self._up(own), f"{self.name} listens")

    def _up(self, own: Path) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (own / "out").read_text() + (own / "log").read_text()
        return listening(self.port)

    def stop(self) -> None:
        """End it in order: who is connected hears BYE."""
        if self.process is None:
            return
        sessions = psutil.Process(self.process.pid).children(recursive=True)
        self.process.terminate()
        for session in sessions:  # by themselves they stay for ten seconds
            with suppress(psutil.NoSuchProcess):
                session.terminate()
        self.process.wait(30)
        self.process = None

    def log(self) -> str:
        """What it logged."""
        return (self.folder / self.name / "log").read_text()


@dataclass
class Cluster:
    """Two Dovecots on the same mailboxes, and who may log in to them."""

    folder: Path
    certificate: Path | None
    nodes: tuple[Dovecot, Dovecot]

    def forget_index(self, name: str) -> None:
        """What a restored or moved mailbox looks like: the same messages, another UIDVALIDITY."""
        for pattern in ("dovecot-uidlist", "dovecot.index*", "dovecot-uidvalidity*"):
            for path in (self.folder / "mail" / name).glob(pattern):
                path.unlink()


@contextmanager
def cluster(
    folder: Path, certificate: Path | None, users: Mapping[str, str], most: int = 10
) -> Iterator[Cluster]:
    """Two running servers in a new folder, with `users` (name -> password). Skips where there is no Dovecot."""
    needed()
    account = Account()
    place = folder / f"dovecot-{free_port()}"
    for path in (place, place / "mail", place / "home"):
        path.mkdir()
        shutil.chown(path, account.uid, account.gid)
    if certificate is not None:
        for name in ("cert.pem", "key.pem"):
            shutil.copy(certificate.with_name(name), place / name)
            shutil.chown(place / name, account.uid, account.gid)
    lines = [f"{name}:{password}\n" for name, password in {PROBE: "the probe's", **users}.items()]
    (place / "users").write_text("".join(lines))  # once: Dovecot looks for changes now and then only
    (place / "masters").write_text(f"{MASTER}:the master's\n{PROXY}:the proxy's\n")
    shown = None if certificate is None else place / "cert.pem"
    found = Cluster(place, shown, (Dovecot("mail1", place, shown, most), Dovecot("mail2", place, shown, most)))
    try:
        for node in found.nodes:
            node.start()
        yield found
    finally:
        for node in found.nodes:
            node.stop()
        shutil.rmtree(place, ignore_errors=True)
