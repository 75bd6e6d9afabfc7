"""Whatever bytes come, in whatever pieces: no operation starts. The same keys from a hand start one.

The bytes go through the terminal's own parser; the operator is a fake that notes what it is asked.
TUIHA_STREAMS=10000 is the full number; without it there are fewer, for the time that it takes.
"""

from __future__ import annotations

import os
import random

import pytest
from textual.pilot import Pilot

from tests.doubles.operator import FakeOperator, switchover
from tests.tui.acting import by_hand, done, made, on, rest, timed, to_confirm
from tuiha.tui.operations.screens.confirm import ConfirmScreen
from tuiha.tui.operations.screens.plan import PlanScreen
from tuiha.tui.operations.screens.run import RunScreen
from tuiha.tui.operations.screens.unlock import UnlockScreen
from tuiha.tui.terminal.sequences import Keys
from tuiha.tui.views.home.screen import HomeScreen

STREAMS = int(os.environ.get("TUIHA_STREAMS", "1000"))
WORDS = (
    b"w", b"patch\r", b"f", b"r", b"d", b"e", b"\r", b"c", b"db2", b"db2\x18", b"\x18", b"\x1b", b"x", b"b", b"y", b"6",
    b"d", b"b", b"2", b"\x1b[A", b"\x1b", b"[A", b"\x1b[200~db2\x1b[201~", b"\x18\x18", b"override lag\x18", b"m", b"u",
)

CODES = ("", "0", "13", "27", "57", "106", "107", "119", "120", "57441", "57358", "1114111", "1114112", "55296")
BROKEN = (b"\xc3", b"\xf0\x9f", b"\xff", b"\xe2\x82", b"\x80", b"\x1b[\xc3", b"\xed\xa0\x80")


def stream(source: random.Random) -> bytes:
    """Keys that mean something, and now and then any byte; never the keys that leave."""
    parts = [_part(source) for _ in range(source.randrange(2, 9))]
    return b"".join(parts).replace(b"q", b"j").replace(b"\x03", b"k").replace(b"\x1a", b"k")


def _part(source: random.Random) -> bytes:
    choice = source.random()
    if choice < 0.6:
        return source.choice(WORDS)
    if choice < 0.75:
        return bytes(source.randrange(256) for _ in range(3))
    if choice < 0.85:
        return source.choice(BROKEN) * source.randrange(1, 40)
    return _kitty(source) if choice < 0.95 else _report(source)


def _kitty(source: random.Random) -> bytes:
    """A key of kitty's protocol, well formed or not: pressed, held, or released, `q` only released."""
    event = source.choice(("", ":1", ":2", ":3", ":3", ":9", ":"))
    code = "113" if event == ":3" and source.random() < 0.5 else source.choice(CODES)
    text = source.choice(("", ";", ";106", ";1114112", ";55296", ";0", ";106:107", f";{'9' * 30}"))
    modifiers = source.choice(("", "1", "2", "3", "257", "99999"))
    alternates = source.choice(("", ":", ":74", "::106", ":74:106"))
    return f"\x1b[{code}{alternates};{modifiers}{event}{text}{source.choice('u~ABCDEFHPQRS')}".encode()


def _report(source: random.Random) -> bytes:
    """Something that a terminal might answer, or any other sequence."""
    inside = "".join(source.choice("0123456789;:<=>? !$") for _ in range(source.randrange(60)))
    ends = {"[": source.choice("ABHMRcmntuy~"), "O": source.choice("APjr"), "]": "\x07", "P": "\x1b\\", "_": "\x1b\\"}
    kind = source.choice(sorted(ends))
    return f"\x1b{kind}{inside}{ends[kind] if source.random() < 0.9 else ''}".encode()


def pieces(data: bytes, source: random.Random) -> list[bytes]:
    """The stream as a slow or a fast link delivers it."""
    found = []
    while data:
        size = source.randrange(1, 12)
        found.append(data[:size])
        data = data[size:]
    return found


async def feed(pilot: Pilot[int], parser: Keys, data: bytes) -> None:
    driver = pilot.app._driver
    assert driver is not None
    for message in [*parser.feed(data.decode("utf-8", "replace")), *parser.tick()]:
        driver.process_message(timed(pilot, message))


async def back_home(pilot: Pilot[int]) -> None:
    """Undo what the last stream led to, so that the next one begins at a known place."""
    await done(pilot)
    for _ in range(12):
        if isinstance(pilot.app.screen, HomeScreen):
            return
        await pilot.press("escape")
    raise AssertionError(f"esc does not lead home from {pilot.app.screen}")


@pytest.mark.parametrize("part", range(2))
async def test_random_streams_start_nothing(part: int) -> None:
    source, operator = random.Random(part), FakeOperator()
    app, near = made(operator), 0
    async with app.run_test(size=(80, 24)) as pilot:
        for number in range(STREAMS // 2):
            parser = Keys()
            if number % 50 == 0:  # now and then one begins where one name is all that is missing
                await back_home(pilot)
                assert app.operations.unlock("patch")
                await to_confirm(pilot)
            for piece in pieces(stream(source), source):
                await feed(pilot, parser, piece)
                if source.random() < 0.1:
                    await pilot.pause(0)
            near += isinstance(app.screen, PlanScreen | ConfirmScreen)
        await done(pilot)
        assert app.is_running
        for thread in operator.threads:
            thread.join()
        assert not operator.asked("apply")
        assert not operator.asked("cancel")
        assert not operator.asked("undo")
    assert near > STREAMS // 200  # the streams did come near
    assert operator.asked("plan")


async def test_the_same_bytes_from_a_hand_start_it() -> None:
    """The negative control: with nothing but time between the keys, it starts."""
    operator = FakeOperator()
    app = made(operator)
    async with app.run_test(size=(80, 24)) as pilot:
        parser = Keys()
        await feed(pilot, parser, b"w")
        await on(pilot, UnlockScreen)
        await feed(pilot, parser, b"patch\r")
        await on(pilot, HomeScreen)
        await to_confirm(pilot)
        for key in (b"d", b"b", b"2", b"\x18"):
            rest(pilot)
            await feed(pilot, parser, key)
        await on(pilot, RunScreen)
        assert [call[:3] for call in operator.asked("apply")] == [("apply", switchover().id, "db2")]


async def test_a_stream_that_a_stalled_link_delivers_at_once_starts_nothing() -> None:
    operator = FakeOperator()
    app = made(operator)
    async with app.run_test(size=(80, 24)) as pilot:
        assert app.operations.unlock("patch")
        await to_confirm(pilot)
        rest(pilot)
        await feed(pilot, Keys(), b"db2\x18")
        await by_hand(pilot, "ctrl+x")
        assert isinstance(app.screen, ConfirmScreen)
        assert not operator.asked("apply")
