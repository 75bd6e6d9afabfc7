"""Run a Python module later: import what it will need now, wait for a word, then run it.

`python -m tuiha.lab.prepared IMPORTS MODULE ARGUMENTS...`, IMPORTS separated by commas. It goes on at the first line
on its standard input and ends at the input's end: imports take most of a pool server's start, and so they happen
while the databases are made.
"""

from __future__ import annotations

import importlib
import os
import runpy
import sys


def main() -> None:
    """Import, wait, run."""
    imports, module, *arguments = sys.argv[1:]
    for name in imports.split(","):
        importlib.import_module(name)
    if not sys.stdin.readline():
        sys.exit(1)
    with open(os.devnull, encoding="utf-8") as nothing:
        os.dup2(nothing.fileno(), 0)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
