"""Feeds a parser until it does what it may not, and says with which input."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Flaky

from tests.fuzz.parsers import Target

SLOW = 2.0  # seconds of processor time for one input: that is a hang to whoever waits
_NASTY = (
        b"\0", b"\r\n", b"\x1b[2J", b"\xff\xfe", b"\xed\xa0\x80", b"\xe2\x80\xae", b"NaN", b"1e999", b"-1", b"null",
        b"[]", b"{}", b"true", b'""', b"9" * 5000, b"[" * 20_000, b"(" * 20_000, b'{"a":' * 20_000, b"\\ud800",
        b"=" * 100, b"\xd9\xa3", b"\xc2\xb2", b"..", b"%00", b" " * 5000,
)
_PIECES = st.one_of(st.binary(max_size=8), st.sampled_from(_NASTY))


@dataclass(frozen=True)
class Finding:
    """What was wrong, and where."""

    where: str
    what: str


@st.composite
def damaged(draw: st.DrawFn, target: Target) -> bytes:
    """One of the samples with pieces of it replaced, or something that is no sample at all."""
    text = draw(st.one_of(st.sampled_from(list(target.samples)), st.binary(max_size=60)))
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(text)))
        text = text[:start] + draw(_PIECES) + text[start + draw(st.integers(0, 20)):]
    return text


def swept(target: Target, most: int) -> Iterator[bytes]:
    """Each sample with one word replaced by each nasty piece; evenly chosen where there are more than `most`."""
    every = [(sample, word.span(), piece) for sample in target.samples
             for word in re.finditer(rb"[0-9]+|[A-Za-z_]+|[^\w\s]", sample) for piece in _NASTY]
    for sample, (start, end), piece in every[:: max(1, len(every) // most)]:
        yield sample[:start] + piece + sample[end:]


class _Wrong(Exception):
    """A finding, on its way out of hypothesis."""


def fuzz(target: Target, examples: int, seconds: float = SLOW) -> tuple[int, list[Finding]]:
    """How often it was fed, and at most one finding: the smallest input that hypothesis knows."""
    fed = 0

    def one(raw: bytes) -> None:
        nonlocal fed
        fed += 1
        began = time.process_time()
        try:
            target.call(raw)
        except target.may_raise:
            pass  # it says that this is not what it reads
        except Exception as error:
            raise _Wrong(f"{type(error).__name__}: {str(error)[:120]} for {raw[:80]!r} ({len(raw)} bytes)") from error
        if time.process_time() - began > seconds:
            raise _Wrong(f"more than {seconds:g} s for {raw[:80]!r} ({len(raw)} bytes)")

    @settings(max_examples=examples, deadline=None, database=None, derandomize=True, print_blob=False,
              report_multiple_bugs=False, phases=[Phase.generate, Phase.shrink],
              suppress_health_check=list(HealthCheck))
    @given(damaged(target))
    def feed(raw: bytes) -> None:
        one(raw)

    try:
        for raw in swept(target, examples):
            one(raw)
        feed()
    except (_Wrong, Flaky) as wrong:
        return fed, [Finding(target.name, str(wrong))]
    return fed, []
