from __future__ import annotations

import pytest

from tuiha.model.check.versions import neighbours


@pytest.mark.parametrize(("versions", "good"), [
    ((), True), (("0.1.0",), True), (("0.1.0", "0.1.7", "0.2.0"), True), (("0.1.0", "0.3.0"), False),
    (("0.9.0", "0.10.0"), True), (("1.0.0", "2.0.0"), False), (("0.1.0", "what"), None), (("0.1.0.dev3", "0.2"), True),
    (("0.1.0", "0.2.0", "0.3.0"), False),
])
def test_neighbours(versions: tuple[str, ...], good: bool | None) -> None:
    assert neighbours(versions) is good
