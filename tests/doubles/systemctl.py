"""A double of systemctl for hosts without systemd, and it says so. Knows the units that docs/deploy.md uses.

Installed as /usr/local/sbin/systemctl of each host, where it runs alone: it imports nothing of the project.
"""

import os
import pwd
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

RUN = Path("/run/units")
DATA = "/var/lib/postgresql/15/main"
ALWAYS = {
    "postgresql@15-main": f"/usr/lib/postgresql/15/bin/postgres -D {DATA} "
                          "-c config_file=/etc/postgresql/15/main/postgresql.conf",
    "haproxy": "/usr/sbin/haproxy -W -db -n 2000 -f /etc/haproxy/haproxy.cfg",
    "keepalived": "/usr/sbin/keepalived -n -l -f /etc/keepalived/keepalived.conf",
    "dovecot": "/usr/sbin/dovecot -F",
    "etcd": "etcd",
}


def defaults(name: str) -> dict[str, str]:
    """Variables of /etc/default/NAME."""
    file = Path("/etc/default", name)
    lines = file.read_text().splitlines() if file.exists() else []
    return {key: shlex.split(value)[0] for key, _, value in (one.partition("=") for one in lines) if key.isupper()}


def command(unit: str) -> list[str]:
    """What a unit starts: of its file in /etc/systemd/system, or as Debian's package does."""
    stem, _, instance = unit.partition("@")
    file = Path("/etc/systemd/system", f"{stem}@.service" if instance else f"{stem}.service")
    if unit not in ALWAYS and file.exists():
        (line,) = re.findall(r"(?m)^ExecStart=(.*)$", file.read_text())
        words = shlex.split(line.replace("%i", instance))
        return [shutil.which(Path(words[0]).name) or words[0], *words[1:]]
    return [*shlex.split(ALWAYS[unit]), *shlex.split(defaults(unit).get("EXTRAOPTS", ""))]


def pid_of(unit: str) -> int | None:
    """The main process, if it lives."""
    try:
        pid = int((RUN / unit).read_text())
        state = re.findall(r"(?m)^State:\s*(\S)", Path(f"/proc/{pid}/status").read_text())
    except (OSError, ValueError):
        return None
    return pid if state and state[0] not in "ZX" else None


def start(unit: str) -> None:
    """Start it, unless it is masked or runs."""
    if (RUN / f"{unit}.masked").exists():
        sys.exit(f"Unit {unit} is masked.")
    if pid_of(unit) is not None:
        return
    owner = "postgres" if unit.startswith("postgresql") else "root"
    user = None if os.geteuid() == pwd.getpwnam(owner).pw_uid else owner
    with Path("/var/log", f"{unit}.log").open("ab") as log:
        process = subprocess.Popen(
            command(unit), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/",
            umask=0o022, user=user, group=user, extra_groups=None if user is None else [],
            env={**os.environ, "HOME": pwd.getpwnam(owner).pw_dir, **defaults(unit)})
    (RUN / unit).write_text(str(process.pid))


def stop(unit: str) -> None:
    """End it, and wait for that."""
    pid = pid_of(unit)
    if pid is None:
        return
    os.kill(pid, signal.SIGINT if unit.startswith("postgresql") else signal.SIGTERM)
    give_up = time.monotonic() + 60
    while pid_of(unit) is not None and time.monotonic() < give_up:
        time.sleep(0.05)


def restart(unit: str) -> None:
    """Stop and start."""
    stop(unit)
    start(unit)


def reload(unit: str) -> None:
    """Have it read its settings again."""
    pid = pid_of(unit)
    if pid is not None:
        os.kill(pid, signal.SIGUSR2 if unit == "haproxy" else signal.SIGHUP)


def mask(unit: str) -> None:
    """Keep it from being started."""
    (RUN / f"{unit}.masked").touch()


def unmask(unit: str) -> None:
    """Let it be started again."""
    (RUN / f"{unit}.masked").unlink(missing_ok=True)


def look(unit: str) -> None:
    """Whether it runs."""
    alive = pid_of(unit) is not None
    sys.stdout.write("active\n" if alive else "inactive\n")
    sys.exit(0 if alive else 3)


def show(unit: str) -> None:
    """Whether it is known."""
    command(unit)
    sys.stdout.write(f"LoadState={'masked' if (RUN / f'{unit}.masked').exists() else 'loaded'}\n")


VERBS = {"start": start, "stop": stop, "restart": restart, "reload": reload, "mask": mask, "unmask": unmask,
         "is-active": look, "show": show}


def main(words: list[str]) -> None:
    """Do one verb for each unit."""
    sys.stderr.write("(a double of systemctl: this host is a test's)\n")
    verb, *units = [word for word in words if not word.startswith("-")]
    if verb == "daemon-reload" or (verb == "enable" and "--now" not in words):
        return
    for unit in units:
        VERBS["start" if verb == "enable" else verb](unit.removesuffix(".service"))


if __name__ == "__main__":
    os.umask(0)  # root and postgres share its files
    main(sys.argv[1:])
