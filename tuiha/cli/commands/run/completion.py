"""`tuiha completion SHELL`: the completion script, generated from the parser itself."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from tuiha.cli import exits
from tuiha.cli.names import WORDS, words_of
from tuiha.cli.output.streams import put, write

HELP = """Print the completion script of a shell.

  bash   tuiha completion bash > ~/.local/share/bash-completion/completions/tuiha
  zsh    tuiha completion zsh > DIRECTORY_IN_FPATH/_tuiha
  fish   tuiha completion fish > ~/.config/fish/completions/tuiha.fish"""

_LINES = {"bash": '"${COMP_WORDS[@]:0:COMP_CWORD+1}"', "zsh": '"${words[@]}"', "fish": "(commandline -opc) x"}
SHELLS = tuple(_LINES)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the shell."""
    parser.add_argument("shell", choices=SHELLS, help="the shell")
    parser.add_argument("--names", choices=sorted(WORDS), help="print names to complete instead, as the script asks "
                        "for them: kinds of operation, their targets, plans, operations")
    parser.add_argument("--line", nargs=argparse.REMAINDER, default=[], help="the words of the line so far; the last "
                        "one is being typed")


def run(arguments: argparse.Namespace) -> int:
    """Print the script on stdout."""
    if arguments.names is not None:
        return _names(arguments)
    import shtab

    from tuiha.cli.main import build_parser

    parser = build_parser(whole=True)
    for action in _actions(parser):
        if (words := words_of(action)) is not None:
            line = f" --line {_LINES[arguments.shell]}" if words == "targets" else ""
            asks = f"tuiha completion {arguments.shell} --names {words}{line} 2>/dev/null"
            action.complete = shtab.cmd(asks)  # type: ignore[attr-defined]
    write(shtab.complete(parser, shell=arguments.shell) + "\n")
    return exits.OK


def _names(arguments: argparse.Namespace) -> int:
    """Print names, one a line; none where there is no configuration."""
    from tuiha.config.errors import ConfigError

    try:
        names = "\n".join(WORDS[arguments.names](arguments))
    except (ConfigError, exits.CommandError):
        return exits.USAGE
    put(names)
    return exits.OK


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for child in action.choices.values():
                yield from _actions(child)
