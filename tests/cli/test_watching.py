"""Watching in a process of its own: real processes, over a pool that takes connections and never answers."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.benchmarks.terminal_pool import black_hole
from tests.until import wait_until
from tuiha.cli.screens.dashboard import open_past
from tuiha.cli.screens.watcher import watch_apart
from tuiha.config.errors import ConfigError
from tuiha.config.load import load
from tuiha.model.reports import PastFigures
from tuiha.watch.child.feed import Apart, WatchingEnded
from tuiha.watch.child.messages import outline_of
from tuiha.watch.recording.reader import Recording
from tuiha.words.events import text

PATIENCE = 60.0


@pytest.fixture
def configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with black_hole(tmp_path) as path:
        yield path


def gone(pid: int) -> bool:
    """Whether a process has ended; one that nobody has waited for yet counts as well."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def number(feed: Apart) -> int:
    latest = feed.latest()
    return 0 if latest is None else latest.number


@pytest.fixture
def feed(configuration: Path) -> Iterator[Apart]:
    found = watch_apart(configuration)
    found.start()
    yield found
    found.stop()
    wait_until(lambda: gone(found.pid))


def test_looks_events_history_and_the_recording_come_from_it(feed: Apart, configuration: Path) -> None:
    assert feed.outline() == outline_of(load(configuration))
    threads: set[int] = set()
    end = feed.subscribe(lambda snapshot: threads.add(len(snapshot.databases)))
    wait_until(lambda: number(feed) > 2 and any(event.subject == "db1" for event in feed.events()))
    end()
    assert threads == {2}
    at = [event.at for event in feed.events()]
    assert at == sorted(at, reverse=True)
    assert len(feed.history("db1", "lag_bytes")) == 900
    assert feed.recording_trouble is None
    past = open_past(feed.outline(), configuration.parent, lambda: feed.recording_trouble)
    assert past.pool == feed.outline().pool
    past.close()
    before = number(feed)
    feed.poll_now()
    wait_until(lambda: number(feed) > before)


class Past(BaseHTTPRequestHandler):
    """A pool server that answers nothing but what its figures were."""

    def do_GET(self) -> None:
        known = self.path == "/control/past"
        body = json.dumps(asdict(PastFigures("s1", 10.0, 2.0, {"users": (41.0, 42.0)}))).encode() if known else b""
        self.send_response(200 if known else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def test_plots_of_a_screen_that_has_just_begun_have_what_servers_remember(configuration: Path) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Past) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        text = configuration.read_text(encoding="utf-8")
        own = f"http://127.0.0.1:{server.server_port}"
        configuration.write_text(re.sub(r"(name: s1\b.*?address: )[^\s,}]+", rf"\g<1>{own}", text, count=1, flags=re.S),
                                 encoding="utf-8")
        feed = watch_apart(configuration)
        feed.start()
        try:
            wait_until(lambda: {41.0, 42.0} <= set(feed.history("s1", "users")))
        finally:
            feed.stop()
            server.shutdown()


def test_a_process_that_is_killed_is_replaced_and_that_is_told(feed: Apart) -> None:
    wait_until(lambda: number(feed))
    killed, before = feed.pid, len(feed.events())
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: len(feed.events()) > before and "ended with signal 9" in text(feed.events()[-1 - before]))
    latest = feed.latest()
    wait_until(lambda: feed.latest() is not latest and feed.pid != killed)
    assert gone(killed)


def test_a_process_that_hangs_is_replaced(configuration: Path) -> None:
    ready = watch_apart(configuration)
    feed = Apart(ready._command, silence=0.5)
    ready.stop()
    feed.start()
    wait_until(lambda: number(feed))
    hangs = feed.pid
    os.kill(hangs, signal.SIGSTOP)
    wait_until(lambda: any("was silent for" in text(event) for event in feed.events()))
    latest = feed.latest()
    wait_until(lambda: feed.latest() is not latest)
    assert gone(hangs)
    feed.stop()
    wait_until(lambda: gone(feed.pid))


SCREEN = """
import sys, time
from pathlib import Path
from tuiha.cli.screens.watcher import watch_apart
from tuiha.words.events import text
feed = watch_apart(Path(sys.argv[1]))
feed.start()
print(feed.pid, flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP])
def test_it_ends_with_the_screen_however_that_ends(configuration: Path, number: signal.Signals) -> None:
    screen = subprocess.Popen([sys.executable, "-c", SCREEN, str(configuration)], stdout=subprocess.PIPE, text=True)
    assert screen.stdout is not None
    pid = int(screen.stdout.readline())
    assert not gone(pid)
    screen.send_signal(number)
    screen.wait()
    screen.stdout.close()
    wait_until(lambda: gone(pid))


REPLACED = """
import os, signal, sys, time
from pathlib import Path
from tuiha.cli.screens.watcher import watch_apart
from tuiha.words.events import text
feed = watch_apart(Path(sys.argv[1]))
feed.start()
first = feed.pid
print(Path(f"/proc/{first}/comm").read_text().strip())
print(Path(f"/proc/{first}/cmdline").read_text() == Path("/proc/self/cmdline").read_text())
os.kill(first, signal.SIGKILL)
while feed.pid == first or feed.latest() is None or feed.latest().number < 2:
    time.sleep(0.01)
print(any("ended with signal 9" in text(event) for event in feed.events()))
print("tuiha.cli.screens.watcher" in Path(f"/proc/{feed.pid}/cmdline").read_text())
feed.stop()
"""


def test_the_first_one_is_a_copy_of_the_screens_process_and_the_next_a_program(configuration: Path) -> None:
    """A copy begins with what is imported; once there are threads, it would be a broken one."""
    done = subprocess.run([sys.executable, "-c", REPLACED, str(configuration)], capture_output=True, text=True,
                          timeout=PATIENCE, check=True)
    assert done.stdout.split() == ["tuiha-watching", "True", "True", "True"]


def test_a_screen_that_stands_still_keeps_nothing_waiting(configuration: Path, tmp_path: Path) -> None:
    """The screen's process is stopped: what it does not read is recorded nevertheless."""
    screen = subprocess.Popen([sys.executable, "-c", SCREEN, str(configuration)], stdout=subprocess.PIPE, text=True)
    assert screen.stdout is not None
    pid = int(screen.stdout.readline())
    os.kill(screen.pid, signal.SIGSTOP)
    path = tmp_path / "state" / "tuiha" / "recordings" / f"{load(configuration).pool}.sqlite"
    wait_until(path.exists)

    def frames() -> int:
        try:
            recording = Recording(path)
        except ConfigError:
            return 0
        last = recording.last
        recording.close()
        return last

    wait_until(frames)
    before = frames()
    wait_until(lambda: frames() > before + 3)
    screen.kill()
    screen.wait()
    screen.stdout.close()
    wait_until(lambda: gone(pid))


def test_what_is_wrong_with_the_configuration_is_said_here(configuration: Path) -> None:
    configuration.write_text(f"{configuration.read_text(encoding='utf-8')}\nnonsense: 1\n", encoding="utf-8")
    with pytest.raises(ConfigError) as here:
        load(configuration)
    feed = watch_apart(configuration)
    with pytest.raises(ConfigError) as there:
        feed.outline()
    assert str(there.value) == str(here.value)
    feed.stop()


def test_a_token_that_cannot_be_read_is_said_at_the_start(configuration: Path) -> None:
    viewer = load(configuration).control.viewer
    assert viewer is not None
    assert viewer.file is not None
    (configuration.parent / viewer.file).unlink()
    feed = watch_apart(configuration)
    assert feed.outline().pool
    with pytest.raises(ConfigError, match=r"No such file|is not there|cannot be read|does not exist"):
        feed.start()
    feed.stop()


def test_one_that_never_begins_is_said_with_its_log() -> None:
    feed = Apart((sys.executable, "-c", "raise SystemExit(3)"), log="/var/log/it")
    with pytest.raises(WatchingEnded, match=r"ended with code 3; its log is /var/log/it"):
        feed.outline()
    with pytest.raises(WatchingEnded):
        feed.start()


LIGHT = """
import sys
from pathlib import Path
import tuiha.tui.app, tuiha.cli.operations.operator, tuiha.cli.screens.watcher, tuiha.cli.screens.dashboard
import tuiha.watch.child.feed
from tuiha.cli.operations.operator import PoolOperator
from tuiha.watch.child.messages import Outline
import threading
done = threading.Event()
operator = PoolOperator(Outline("p", 1.0), None, Path("/"), Path("/p.yaml"))
operator.operations(lambda answer: (print(answer), done.set()), elsewhere=False)
done.wait(30)
operator.close()
print(sorted({name.split(".")[0] for name in sys.modules} & {"aiohttp", "asyncpg", "pydantic", "yaml", "sqlite3"}))
"""


def test_the_screens_process_stays_light(tmp_path: Path) -> None:
    """Also when it has looked for operations of this host: what polls and the settings are in the other one."""
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", LIGHT], env=environment, capture_output=True, text=True, timeout=PATIENCE, check=True)
    assert done.stdout.split() == ["()", "[]"]


FIRST = """
import asyncio, sys
from pathlib import Path
import tuiha.watch.child.main
from tuiha.config.load import load
from tuiha.watch.factory import open_poller
path = Path(sys.argv[1])

async def look():
    poller = open_poller(load(path), path.parent)
    async with asyncio.TaskGroup() as group:
        await poller.round(group, 0.5)
    await poller.close()

asyncio.run(look())
print("aiohttp" in sys.modules)
"""


def test_the_first_look_waits_for_no_http_client(configuration: Path) -> None:
    """Importing one takes as long as all that is asked, and somebody waits for the first picture."""
    done = subprocess.run(
        [sys.executable, "-c", FIRST, str(configuration)], capture_output=True, text=True, timeout=PATIENCE, check=True)
    assert done.stdout == "False\n"
