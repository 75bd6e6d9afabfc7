"""The runner's own program, with the kinds of these tests."""

from __future__ import annotations

import sys

from tests.operate.core import painting
from tuiha.operate import kinds, runner

if __name__ == "__main__":
    vars(kinds)["table"] = painting.table
    sys.exit(runner.main())
