"""`tuiha config`: the example of a configuration, which explains every key."""

from __future__ import annotations

import argparse

from tuiha.cli import exits
from tuiha.cli.output.streams import write

HELP = """Print the example of a pool's configuration. It explains every key.

  tuiha config example                print it
  tuiha config example > pool.yaml    start from it

`tuiha init` writes a configuration from what you have: HAProxy, PostgreSQL or Patroni, IMAP."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add what to print."""
    parser.add_argument("what", choices=("example",), help="what to print")


def run(arguments: argparse.Namespace) -> int:
    """Print the example that tuiha brings along."""
    from tuiha.config.places import data_file

    write(data_file("config/pool.example.yaml").read_text(encoding="utf-8"))
    return exits.OK
