"""Frames as differences: a terminal that gets only the differences shows the same as one that gets all."""

from __future__ import annotations

import re

import pyte
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.color import ColorSystem
from rich.segment import Segment
from rich.style import Style

from tuiha.tui.terminal.image import Image

WIDTH, HEIGHT = 12, 4
STYLES = [Style.parse(text) for text in ("#ff0000 on #000000", "bold #00ff00 on #000000", "#0000ff on #101010")]
Frame = list[list[Segment]]


def padded(segments: list[Segment]) -> list[Segment]:
    """Exactly as wide as the terminal."""
    line = Segment.adjust_line_length(segments, WIDTH, STYLES[0])
    return [Segment(segment.text, segment.style or STYLES[0]) for segment in line]


texts = st.text(alphabet="abc 12━●東京é", max_size=8)
lines = st.lists(st.tuples(texts, st.sampled_from(STYLES)), max_size=4).map(
    lambda parts: padded([Segment(text, style) for text, style in parts])
)
frames = st.lists(st.lists(lines, min_size=HEIGHT, max_size=HEIGHT), min_size=1, max_size=5)


def fresh() -> tuple[Image, pyte.Screen, pyte.Stream]:
    image, screen = Image(), pyte.Screen(WIDTH, HEIGHT)
    image.resize(WIDTH, HEIGHT)
    return image, screen, pyte.Stream(screen)


def sent(image: Image, frame: Frame) -> str:
    return image.update([(0, y, line) for y, line in enumerate(frame)], ColorSystem.TRUECOLOR)


def cells(screen: pyte.Screen) -> list[tuple[str, str, str, bool]]:
    return [
        (cell.data, cell.fg, cell.bg, cell.bold)
        for y in range(HEIGHT) for cell in (screen.buffer[y][x] for x in range(WIDTH))
    ]


@settings(max_examples=300)
@given(frames)
def test_differences_lead_to_the_same_screen(sequence: list[Frame]) -> None:
    image, screen, stream = fresh()
    for frame in sequence:
        stream.feed(sent(image, frame))
    whole_image, whole, whole_stream = fresh()
    whole_stream.feed(sent(whole_image, sequence[-1]))
    assert cells(screen) == cells(whole)


def test_an_equal_frame_sends_nothing() -> None:
    image, _, _ = fresh()
    frame = [padded([Segment("s1 512", STYLES[0])]) for _ in range(HEIGHT)]
    assert sent(image, frame)
    assert sent(image, frame) == ""


def test_one_digit_sends_one_digit() -> None:
    image, _, _ = fresh()
    sent(image, [padded([Segment("s1 512", STYLES[0])])])
    text = sent(image, [padded([Segment("s1 513", STYLES[0])])])
    assert re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", text) == "3"
    assert len(text) < 50


def test_a_style_is_named_once_for_all_its_runs() -> None:
    image, _, _ = fresh()
    sent(image, [padded([Segment("1 2 3 4", STYLES[0])])] * HEIGHT)
    text = sent(image, [padded([Segment("5 2 3 6", STYLES[0])])] * HEIGHT)
    assert text.count("m") == 1


def test_after_forgetting_everything_is_sent_again() -> None:
    image, screen, stream = fresh()
    frame = [padded([Segment(f"line {y}", STYLES[y % 3])]) for y in range(HEIGHT)]
    stream.feed(sent(image, frame))
    screen.reset()
    image.forget()
    stream.feed(sent(image, frame))
    assert [line.rstrip() for line in screen.display] == ["line 0", "line 1", "line 2", "line 3"]


def test_pieces_outside_of_the_terminal_are_cut() -> None:
    image, screen, stream = fresh()
    stream.feed(image.update(
        [(-2, 0, [Segment("abcd", STYLES[0])]), (10, 1, [Segment("wxyz", STYLES[0])]),
         (0, 99, [Segment("no", STYLES[0])])], ColorSystem.TRUECOLOR,
    ))
    assert screen.display[0].startswith("cd")
    assert screen.display[1].endswith("wx")


@given(st.sampled_from(list(ColorSystem)[:4]))
def test_every_colour_system_can_be_sent(system: ColorSystem) -> None:
    image, screen, stream = fresh()
    stream.feed(image.update([(0, 0, [Segment("UP", STYLES[1])])], system))
    assert screen.display[0].startswith("UP")
