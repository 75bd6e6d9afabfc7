"""`python -m tuiha`."""

from __future__ import annotations

import sys

from tuiha.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
