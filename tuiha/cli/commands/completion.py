"""`tuiha completion SHELL`: the completion script, generated from the parser itself."""

from __future__ import annotations

import argparse
import sys

from tuiha.cli import exits

HELP = """Print the completion script of a shell.

  bash   tuiha completion bash > ~/.local/share/bash-completion/completions/tuiha
  zsh    tuiha completion zsh > DIRECTORY_IN_FPATH/_tuiha
  fish   tuiha completion fish > ~/.config/fish/completions/tuiha.fish"""

SHELLS = ("bash", "zsh", "fish")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the shell."""
    parser.add_argument("shell", choices=SHELLS, help="the shell")


def run(arguments: argparse.Namespace) -> int:
    """Print the script on stdout."""
    import shtab

    from tuiha.cli.main import build_parser

    sys.stdout.write(shtab.complete(build_parser(whole=True), shell=arguments.shell) + "\n")
    return exits.OK
