"""The runner's own program, with the kinds of these tests."""

from __future__ import annotations

import sys

from tests.operate.core import painting
from tuiha.operate.plans import draft
from tuiha.operate.run import runner

if __name__ == "__main__":
    vars(draft)["KINDS"] = painting.KINDS
    sys.exit(runner.main())
