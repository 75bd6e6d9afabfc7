"""Hosts: a network namespace each, with folders of its own in the places where a host's settings and data are.

All are joined by a bridge in one more namespace; nothing of it is in the machine's own network.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ADDRESSES = {
    "ops": 5, "spray1": 11, "spray2": 12, "db1": 21, "db2": 22, "s1": 31, "s2": 32, "s3": 33, "mail1": 41, "mail2": 42,
}
OWN = ("etc", "run", "var/lib", "var/log", "usr/local/bin", "usr/local/sbin")  # what each host has for itself
TOOLS = {
    "ip": "iproute2", "ssh": "openssh-client", "sshd": "openssh-server", "haproxy": "haproxy",
    "keepalived": "keepalived", "dovecot": "dovecot-imapd", "openssl": "openssl", "socat": "socat", "curl": "curl",
    "/usr/lib/postgresql/15/bin/postgres": "postgresql-15", "/usr/bin/python3": "python3",
}
HOME = "/var/lib/root"  # of root on a host: the machine's may have the Python that runs all this
PATH = "/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
_HERE = Path(__file__).parent
_DOUBLES = _HERE.parent / "doubles"


def missing() -> str | None:
    """What keeps the hosts from being made here, in words; None when nothing does."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        return "network namespaces need Linux and root"
    absent = [package for tool, package in TOOLS.items() if shutil.which(tool, path=PATH) is None]
    if absent:
        return f"not installed (Debian): {' '.join(absent)}"
    probe = f"tuiha-probe-{secrets.token_hex(3)}"
    if subprocess.run(["ip", "netns", "add", probe], capture_output=True, check=False).returncode != 0:
        return "this machine lets nobody make network namespaces"
    subprocess.run(["ip", "netns", "delete", probe], check=True)
    return None


def ip(*words: str) -> None:
    """Run ip."""
    subprocess.run(["ip", *words], check=True, timeout=30)


class Failed(Exception):
    """A command on a host failed."""


@dataclass
class Net:
    """The hosts of one run."""

    prefix: str
    folder: Path
    names: tuple[str, ...] = field(default=tuple(ADDRESSES))

    def space(self, host: str) -> str:
        """The namespace of a host."""
        return f"{self.prefix}-{host}"

    def root(self, host: str) -> Path:
        """Where the folders of a host are."""
        return self.folder / host

    def popen(self, host: str, script: str) -> subprocess.Popen[str]:
        """Start a shell's script as root on a host."""
        environment = {"PATH": f"{PATH}:{Path(sys.executable).parent}", "HOME": HOME, "LC_ALL": "C",
                       "PYTHONPATH": str(_HERE.parents[1])}
        return subprocess.Popen(
            ["ip", "netns", "exec", self.space(host), "sh", str(_HERE / "enter.sh"), str(self.root(host)),
             "sh", "-euc", script], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, cwd="/", start_new_session=True)

    def run(self, host: str, script: str, seconds: float = 120.0, accept: tuple[int, ...] = (0,)) -> str:
        """Run a script to its end; what it wrote. Raises Failed."""
        process = self.popen(host, script)
        try:
            out, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # its session is its own
            out, _ = process.communicate(timeout=30)
            raise Failed(f"{host}: not done in {seconds:g} s:\n{script}\n{out[-3000:]}") from None
        if process.returncode not in accept:
            raise Failed(f"{host}: exit code {process.returncode}\n{script}\n--- {out[-3000:]}")
        return out

    def link(self, host: str, state: str) -> None:
        """Plug a host's cable in (`up`), or pull it (`down`)."""
        ip("-n", self.space("wires"), "link", "set", host, state)

    def make(self) -> None:
        """The bridge and every host."""
        wires = self.space("wires")
        ip("netns", "add", wires)
        ip("-n", wires, "link", "add", "wires", "type", "bridge")
        ip("-n", wires, "link", "set", "wires", "up")
        for host in self.names:
            space = self.space(host)
            ip("netns", "add", space)
            ip("-n", space, "link", "set", "lo", "up")
            ip("-n", wires, "link", "add", host, "type", "veth", "peer", "name", "eth0", "netns", space)
            ip("-n", wires, "link", "set", host, "master", "wires", "up")
            ip("-n", space, "address", "add", f"192.0.2.{ADDRESSES[host]}/24", "dev", "eth0")
            ip("-n", space, "link", "set", "eth0", "up")
            self._furnish(host)

    def _furnish(self, host: str) -> None:
        root = self.root(host)
        for part in OWN[1:]:
            (root / part).mkdir(parents=True)
        (self.folder / "mail").mkdir(exist_ok=True)
        shutil.copytree("/etc", root / "etc", symlinks=True, ignore=shutil.ignore_patterns("alternatives.bak"))
        for part in ("haproxy", "keepalived", "dovecot", "tuiha", "postgresql", "ssh"):
            shutil.rmtree(root / "etc" / part, ignore_errors=True)
        for part in ("etc/haproxy", "etc/keepalived", "etc/postgresql", "etc/ssh", "etc/dovecot", "run/haproxy",
                     "run/sshd", "run/units", "var/lib/haproxy", "var/lib/postgresql", HOME.lstrip("/") + "/.ssh"):
            (root / part).mkdir(parents=True)
        for part in ("var/lib/postgresql", "etc/postgresql"):
            shutil.chown(root / part, "postgres", "postgres")
        for part in ("run/units", "var/log"):
            (root / part).chmod(0o777)  # the double of systemctl is run by root and by postgres
        home = root / HOME.lstrip("/")
        for path in (home, home / ".ssh"):
            path.chmod(0o700)
        passwd = root / "etc/passwd"
        passwd.write_text(re.sub(r"(?m)^(root:.*):/root:", rf"\1:{HOME}:", passwd.read_text()))
        lines = [f"192.0.2.{number} {name}.example.org {name}" for name, number in ADDRESSES.items()]
        lines += ["192.0.2.101 sync.example.org", "192.0.2.102 sync.example.org", "127.0.0.1 localhost"]
        (root / "etc/hosts").write_text("\n".join(lines) + "\n")
        double = root / "usr/local/sbin/systemctl"
        double.write_text(f"#!/usr/bin/python3\n{(_DOUBLES / 'systemctl.py').read_text()}")
        double.chmod(0o755)
        shutil.copy(_DOUBLES / "sudo.sh", root / "usr/local/bin/sudo")
        (root / "usr/local/bin/sudo").chmod(0o755)
        (root / "usr/local/bin/tuiha").symlink_to(Path(sys.executable).parent / "tuiha")
        (root / "etc/sudoers.d").mkdir(exist_ok=True)
        shutil.copytree(_HERE.parents[1] / "config", home / "config")

    def doors(self) -> None:
        """What the manual takes for granted: root on `ops` reaches root on every host by ssh."""
        self.run("ops", "ssh-keygen -q -t ed25519 -N '' -f ~/.ssh/id_ed25519")
        key = (self.root("ops") / HOME.lstrip("/") / ".ssh/id_ed25519.pub").read_text()
        known = []
        for host in self.names:
            (self.root(host) / HOME.lstrip("/") / ".ssh/authorized_keys").write_text(key)
            self.run(host, "ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key\n"
                           "printf 'HostKey /etc/ssh/ssh_host_ed25519_key\\nPasswordAuthentication no\\nUsePAM yes\\n"
                           "Subsystem sftp internal-sftp\\n' >/etc/ssh/sshd_config\n/usr/sbin/sshd")
            public = (self.root(host) / "etc/ssh/ssh_host_ed25519_key.pub").read_text().split()
            known.append(f"{host}.example.org,{host} {public[0]} {public[1]}\n")
        (self.root("ops") / HOME.lstrip("/") / ".ssh/known_hosts").write_text("".join(known))


@contextmanager
def hosts(names: tuple[str, ...] = tuple(ADDRESSES)) -> Iterator[Net]:
    """Hosts that are joined; all of it is removed at the end, however that comes."""
    prefix = f"tuiha-{secrets.token_hex(3)}"
    folder = Path(tempfile.mkdtemp(prefix=f"{prefix}-"))
    folder.chmod(0o755)
    cleaner = subprocess.Popen([sys.executable, "-m", "tests.deployment.cleaner", prefix, str(folder)],
                               stdin=subprocess.PIPE, start_new_session=True, cwd=_HERE.parents[1])
    try:
        net = Net(prefix, folder, names)
        net.make()
        net.doors()
        yield net
    finally:
        assert cleaner.stdin is not None
        cleaner.stdin.close()
        cleaner.wait()


def blocks(text: str) -> list[tuple[tuple[str, ...], str]]:
    """The commands of a manual, in its order: each with the hosts that it is for."""
    found = re.findall(r"(?m)^```sh on ([^\n]+)\n(.*?)^```", text, flags=re.DOTALL)
    return [(tuple(re.split(r"[,\s]+", where.strip())), script) for where, script in found]
