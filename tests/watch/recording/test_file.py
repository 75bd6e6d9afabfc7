"""The file: small, private, bounded, whole after any death of its writer, one writer at a time."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from tests.watch.recording.made import KEEP, TROUBLE, at_turn, recorded
from tuiha.config.errors import ConfigError
from tuiha.model.facts import Snapshot, Verdict
from tuiha.watch.recording.codec import pack, unpack
from tuiha.watch.recording.reader import Recording
from tuiha.watch.recording.store import APPLICATION, BLOCK, RecordingError
from tuiha.watch.recording.writer import Keep, RecordingTaken, Writer


def same(snapshot: Snapshot) -> Snapshot:
    """A snapshot as it is after having been recorded."""
    return unpack(Snapshot, pack(snapshot))


def test_every_snapshot_is_found_again(tmp_path: Path) -> None:
    recording = Recording(recorded(tmp_path / "r.sqlite", range(150)))
    assert (recording.pool, recording.first, recording.last) == ("corp-east", 1, 150)
    assert [recording.snapshot(turn + 1) for turn in range(150)] == [same(at_turn(turn)) for turn in range(150)]
    assert [block.frames for block in recording.blocks] == [BLOCK, BLOCK, 150 - 2 * BLOCK]
    assert all(block.sealed for block in recording.blocks)
    recording.close()


def test_moments_and_changes_are_found(tmp_path: Path) -> None:
    recording = Recording(recorded(tmp_path / "r.sqlite", range(200)))
    assert recording.number_at(at_turn(77).at + 0.5) == 78
    assert recording.number_at(at_turn(0).at - 99) == 1
    assert recording.number_at(at_turn(199).at + 99) == 200
    worst = [block.verdict for block in recording.blocks]
    assert worst == ["HEALTHY", "DEGRADED", "DEGRADED", "HEALTHY"]
    began = recording.change(TROUBLE.start - 5, forward=True)
    while began is not None and recording.snapshot(began).verdict is Verdict.HEALTHY:
        began = recording.change(began, forward=True)
    assert began == TROUBLE.start + 1
    assert any(event.subject == "mail2" for event in recording.step_events(began))
    recording.close()


def test_the_file_is_private_small_and_whole(tmp_path: Path) -> None:
    path = tmp_path / "r.sqlite"
    old = os.umask(0)
    try:
        writer = Writer(path, "corp-east", KEEP)
        for turn in range(600):
            writer.write(at_turn(turn))
        assert {oct(file.stat().st_mode & 0o777) for file in tmp_path.iterdir()} == {"0o600"}
    finally:
        os.umask(old)
    writer.close()
    assert path.stat().st_size / 600 < 250  # bytes for each snapshot of a pool of ten nodes in which all numbers change
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION,)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_what_is_old_goes(tmp_path: Path) -> None:
    path = recorded(tmp_path / "r.sqlite", range(600), Keep(seconds=200, bytes=KEEP.bytes))
    recording = Recording(path)
    assert 200 <= recording.last - recording.first < 200 + 2 * BLOCK
    recording.close()


def test_a_full_recording_loses_its_oldest_and_never_grows_beyond_its_limit(tmp_path: Path) -> None:
    path = tmp_path / "r.sqlite"
    most = 120_000
    writer = Writer(path, "corp-east", Keep(seconds=KEEP.seconds, bytes=most))
    largest = 0
    for turn in range(1500):
        writer.write(at_turn(turn))
        if turn % BLOCK == 0:
            largest = max(largest, sum(file.stat().st_size for file in tmp_path.iterdir()))
    writer.close()
    recording = Recording(path)
    assert recording.first > 300
    assert recording.last == 1500
    assert largest < most + 1_200_000  # the write-ahead log is bounded too
    assert path.stat().st_size < most + 100_000
    recording.close()


WRITE_ON = """
import sys
from pathlib import Path
from tests.watch.recording.made import at_turn, KEEP
from tuiha.watch.recording.writer import Writer
writer = Writer(Path(sys.argv[1]), "corp-east", KEEP)
for turn in range(int(sys.argv[2]), 100000):
    writer.write(at_turn(turn))
    print(turn, flush=True)
"""


def test_a_killed_writer_loses_nothing_that_it_had_written(tmp_path: Path) -> None:
    path, turn = tmp_path / "r.sqlite", 0
    for more in (7, 58, 61, 3):  # in a block, at its end, after it
        child = subprocess.Popen([sys.executable, "-c", WRITE_ON, str(path), str(turn)], stdout=subprocess.PIPE,
                                 text=True)
        assert child.stdout is not None
        for _ in range(more):
            turn = int(child.stdout.readline()) + 1
        child.send_signal(signal.SIGKILL)
        for line in child.stdout:
            turn = int(line) + 1
        child.wait()
        child.stdout.close()
        recording = Recording(path)
        assert recording.last >= turn  # the one in the works may be there or not
        assert recording.snapshot(turn) == same(at_turn(turn - 1))
        recording.close()
        turn = recording.last
    writer = Writer(path, "corp-east", KEEP)
    writer.write(at_turn(turn))
    writer.close()
    recording = Recording(path)
    assert [recording.snapshot(n + 1).number for n in range(turn + 1)] == list(range(turn + 1))
    assert all(block.sealed for block in recording.blocks)
    recording.close()


def test_there_is_one_writer_and_any_number_of_readers(tmp_path: Path) -> None:
    path = tmp_path / "r.sqlite"
    first = Writer(path, "corp-east", KEEP)
    first.write(at_turn(0))
    with pytest.raises(RecordingTaken):
        Writer(path, "corp-east", KEEP)
    readers = [Recording(path), Recording(path)]
    first.write(at_turn(1))
    for reader in readers:
        reader.refresh()
        assert reader.last == 2
        assert reader.snapshot(2) == same(at_turn(1))
    first.close()
    Writer(path, "corp-east", KEEP).close()
    for reader in readers:
        reader.close()


def test_a_damaged_recording_is_put_aside(tmp_path: Path) -> None:
    path = recorded(tmp_path / "r.sqlite", range(130))
    data = bytearray(path.read_bytes())
    data[100:4096] = os.urandom(3996)
    path.write_bytes(data)
    assert Recording(recorded(path, range(3))).last == 3
    aside = [file for file in tmp_path.iterdir() if ".damaged-" in file.name]
    assert [file.read_bytes() for file in aside] == [bytes(data)]


@pytest.mark.parametrize(("make", "says"), [
    (lambda path: None, "there is no recording"),
    (lambda path: path.write_text("servers:\n" * 400), "cannot be read as a recording"),
    (lambda path: path.write_bytes(b""), "nothing is recorded yet"),
    (lambda path: other(path, "CREATE TABLE t (x)"), "not a recording"),
    (lambda path: altered(path, "PRAGMA user_version = 9"), "newer tuiha"),
    (lambda path: altered(path, "DELETE FROM block"), "nothing is recorded yet"),
])
def test_what_is_no_recording_is_refused_in_words(tmp_path: Path, make: object, says: str) -> None:
    path = tmp_path / "r.sqlite"
    make(path)  # type: ignore[operator]
    with pytest.raises(RecordingError, match=says):
        Recording(path)


def other(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.commit()
    connection.close()


def altered(path: Path, statement: str) -> None:
    other(recorded(path, range(3)), statement)


@pytest.mark.parametrize("text", [b"[1]", b"{}\n{", b'{"at":"x"}', b'{"at":1}', b"[" * 100_000, b"", b"\xff"])
@pytest.mark.parametrize("cut", [0, 3], ids=["whole", "cut off"])
def test_a_block_that_cannot_be_read_is_told_and_not_shown(tmp_path: Path, text: bytes, cut: int) -> None:
    path = recorded(tmp_path / "r.sqlite", range(3))
    connection = sqlite3.connect(path)
    connection.execute("UPDATE block SET data = ?", (zlib.compress(text)[cut:],))
    connection.commit()
    connection.close()
    recording = Recording(path)
    with pytest.raises(RecordingError, match="moment"):
        recording.snapshot(1)
    recording.close()


def test_the_writer_touches_nothing_that_is_not_its_own(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("mine")
    with pytest.raises(ConfigError):
        Writer(path, "corp-east", KEEP)
    assert path.read_text() == "mine"
    path = recorded(tmp_path / "r.sqlite", range(3))
    with pytest.raises(ConfigError, match="corp-east, not of west"):
        Writer(path, "west", KEEP)
    assert Recording(path).last == 3


def test_a_recording_in_a_folder_that_cannot_be_written_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "evidence"
    folder.mkdir()
    path = recorded(folder / "r.sqlite", range(5))
    path.chmod(0o400)
    folder.chmod(0o500)
    try:
        recording = Recording(path)
        assert recording.last == 5
        recording.close()
    finally:
        folder.chmod(0o700)
