"""Whatever a file holds: it is a configuration, or there is a message. Nothing else ever comes out."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.config.test_load import GOOD
from tuiha.config.load import ConfigError, ConfigProblem, load

PIECES = st.one_of(
    st.text(max_size=12),
    st.sampled_from([
        "- ", ": ", "\n", "\n  ", "{", "}", "[", "]", "&a ", "*a", "<<: *a", "!!str ", "!x ", "'", '"', "|\n", "null",
        "~", "yes", "0x1F", "1e999", "-1", ".nan", "? ", "\t", "---\n", "#", "%", "@", "\x85", "\ufeff",
    ]),
)


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """The good file with up to four pieces of it replaced."""
    text = GOOD
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        text = text[:start] + draw(PIECES) + text[start + draw(st.integers(0, 20)):]
    return text


@settings(max_examples=400, deadline=None, derandomize=True,
          suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=damaged())
def test_a_configuration_or_a_message(tmp_path: Path, text: str) -> None:
    file = tmp_path / "pool.yaml"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    for problem in problems_of(file):
        assert str(problem).startswith(str(file))
        assert problem.what
        assert problem.line is None or 1 <= problem.line <= len(text.splitlines()) + 2


def problems_of(file: Path) -> tuple[ConfigProblem, ...]:
    """What is wrong with a file; nothing when it is a configuration."""
    try:
        load(file)
    except ConfigError as error:
        return error.problems or (ConfigProblem(""),)
    return ()


@settings(max_examples=200, deadline=None, derandomize=True,
          suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(raw=st.binary(max_size=200))
def test_bytes_that_are_no_configuration(tmp_path: Path, raw: bytes) -> None:
    file = tmp_path / "pool.yaml"
    file.write_bytes(raw)
    with pytest.raises(ConfigError):
        load(file)
