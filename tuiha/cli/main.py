"""The command `tuiha`: finds the module, parses, runs, and turns every failure into words and a code."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn, Protocol

from tuiha import __version__
from tuiha.cli import exits
from tuiha.cli.arguments import completed_by_files
from tuiha.cli.output.help import HelpFormatter
from tuiha.cli.output.streams import flush, put, say, write

DEFAULT = "dashboard"

# name -> its room below tuiha.cli.commands, and its line in `tuiha --help`. The module is imported when it is used.
COMMANDS: dict[str, tuple[str, str]] = {
    "dashboard": ("look", "the pool on one screen, live (also without a command)"),
    "demo": ("run", "start an embedded pool with load, and its dashboard"),
    "up": ("run", "start the embedded pool in the background"),
    "down": ("run", "stop the embedded pool"),
    "lab": ("run", "hurt or grow the embedded pool: kill, pause, resume, start, add"),
    "wall": ("look", "pools in large figures, for a screen that only shows"),
    "web": ("look", "the wall in a browser"),
    "status": ("look", "the pool's state as text or JSON; the exit code says whether it is whole"),
    "events": ("look", "what happened in the pool"),
    "users": ("operate", "find users: monitoring server, mail server, devices, last sync; disable, enable, forget one"),
    "devices": ("operate", "the devices of a user; revoke one, or allow it again"),
    "record": ("look", "keep what the pool looks like in a file, without a screen"),
    "replay": ("look", "the pool as it was recorded, on the dashboard"),
    "plan": ("operate", "what an operation would do: checks, steps, what can be lost; changes nothing"),
    "apply": ("operate", "do what a plan says, and follow it"),
    "operations": ("operate", "what was done and what runs, with steps and evidence"),
    "resume": ("operate", "continue an operation that stopped half-way"),
    "undo": ("operate", "undo an operation, before its point of no return"),
    "cancel": ("operate", "stop a running operation where that is safe"),
    "rehearse": ("operate", "restore a backup in a folder of its own, and report; the pair is not touched"),
    "ack": ("operate", "tell the alert receivers that a person works on the pool's problems"),
    "export": ("look", "the whole pool for Prometheus, and alerts when it has a problem"),
    "init": ("look", "write a configuration from what is there: HAProxy, PostgreSQL, IMAP"),
    "config": ("look", "print the example of a configuration, with every key explained"),
    "check": ("look", "validate the configuration, probe everything, say what to fix"),
    "explain": ("look", "what a word means, what users notice, what to do: `tuiha explain DEGRADED`"),
    "serve": ("run", "run a pool server"),
    "guard": ("run", "act on the loss of a database without an operator, under standing orders"),
    "drill": ("run", "load, a fault and an independent checker's verdict, on embedded pools"),
    "completion": ("run", "print the completion script for bash, zsh or fish"),
}

_EPILOG = """\
The configuration is --config FILE, else $TUIHA_CONFIG, else ./tuiha.yaml, else tuiha.yaml in the
user's configuration folder, else the running embedded pool.

exit codes:
  0   ok
  1   degraded, or failed and nothing changed
  2   usage or configuration
  3   unreachable
  4   refused
  5   outcome unknown

first steps:
  tuiha demo                     a real pool on this machine, live, in a few seconds
  tuiha init                     write the configuration of your own pool from what is there
  tuiha check --config FILE      try everything in it, and say what to fix
"""


class CommandModule(Protocol):
    """What a command's module offers."""

    HELP: str

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Add the command's arguments."""

    def run(self, arguments: argparse.Namespace) -> int:
        """Do it; returns the exit code."""


class _CommandParser(argparse.ArgumentParser):
    """The parser of one command: its module is imported when it first parses, or when it is asked to load."""

    command: str | None = None
    _loaded = False

    def load(self) -> None:
        """Import the command's module and add its arguments; once."""
        if self.command is None or self._loaded:
            return
        self._loaded = True
        module = command(self.command)
        self.description = module.HELP
        module.configure(self)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Load, then parse."""
        self.load()
        return super().parse_known_args(args, namespace)

    def _print_message(self, message: str, file: Any = None) -> None:
        """Help on stdout is data: what cannot be written of it is told."""
        if file is sys.stdout:
            write(message)
        else:
            super()._print_message(message, file)

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and where help is, without the whole usage."""
        self.exit(exits.USAGE, f"{self.prog}: {message}\n`{self.prog} --help` shows what it takes.\n")


def command(name: str) -> CommandModule:
    """Import a command's module."""
    module: Any = importlib.import_module(f"tuiha.cli.commands.{COMMANDS[name][0]}.{name}")
    checked: CommandModule = module
    return checked


def build_parser(*, whole: bool = False) -> argparse.ArgumentParser:
    """The parser; with `whole`, every command's arguments are in it (completion), else only their names."""
    parser = _CommandParser(
        prog="tuiha",
        description="Runs and shows a high-availability mail sync pool: "
                    "pool servers, a database pair, sprayers, mail.",
        epilog=_EPILOG,
        formatter_class=HelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"tuiha {__version__}")
    _add_config(parser, default=None)
    kinds = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands", parser_class=_CommandParser,
                                  prog=parser.prog)  # else it is worked out from the usage, with what that imports
    for name, (_, line) in COMMANDS.items():
        child = kinds.add_parser(name, help=line, description=line, allow_abbrev=False,
                                 formatter_class=HelpFormatter)
        child.command = name
        _add_config(child, default=argparse.SUPPRESS)
        if whole:
            child.load()
            child.description = line  # completion shows one line for each command
    return parser


def _add_config(parser: argparse.ArgumentParser, default: Any) -> None:
    action = parser.add_argument("--config", metavar="FILE", type=Path, default=default, action=_Config,
                                 help="the pool's configuration (YAML); dashboard and wall take several")
    completed_by_files(action)


class _Config(argparse.Action):
    """Keeps the last file, and all of them beside it."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any,
                 option_string: str | None = None) -> None:
        """Take one more."""
        namespace.config = values
        namespace.configs = (*getattr(namespace, "configs", ()), values)


def with_default(argv: Sequence[str]) -> list[str]:
    """Insert the default command where none is named."""
    start = 0
    while start < len(argv) and (argv[start] == "--config" or argv[start].startswith("--config=")):
        start += 2 if argv[start] == "--config" else 1
    rest = list(argv[start:])
    named = bool(rest) and (not rest[0].startswith("-") or rest[0] in ("-h", "--help", "--version"))
    return list(argv) if named or start > len(argv) else [*argv[:start], DEFAULT, *rest]


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    arguments = with_default(argv)
    parser = build_parser()
    word = next((a for a in arguments if not a.startswith("-")), None)
    if word is not None and arguments[0] == word and word not in COMMANDS:
        parser.error(f"there is no command '{word}'{_meant(word)}")
    return parser.parse_args(arguments)


def _meant(word: str) -> str:
    """What somebody may have meant by a word that is no command: an operation, which is planned first, or a command."""
    import difflib

    from tuiha.model.operations.catalogue import OPERATIONS

    if word in OPERATIONS:
        return f"; `tuiha plan {word}` plans that operation"
    near = difflib.get_close_matches(word, COMMANDS, n=1)
    return f"; did you mean '{near[0]}'?" if near else ""


def main(argv: Sequence[str] | None = None) -> int:
    """Run `tuiha`. Returns the exit code; nothing that goes wrong ends in a traceback."""
    try:
        arguments = _parse(sys.argv[1:] if argv is None else argv)
        code = _run(arguments)
        flush()
    except SystemExit as end:  # argparse: help, version, usage
        code = end.code if isinstance(end.code, int) else exits.USAGE
        return _flushed(code)
    except KeyboardInterrupt:
        return exits.INTERRUPTED
    except BrokenPipeError:
        _drop_stdout()
        return exits.PIPE_CLOSED
    except Exception as error:  # noqa: BLE001 - the last place where a failure can become words
        return _tell(error)
    return code


def _run(arguments: argparse.Namespace) -> int:
    """Run the command. With --json a refusal is a document on stdout, beside its sentence on stderr."""
    try:
        return command(arguments.command).run(arguments)
    except exits.CommandError as error:
        if error.said is not None and getattr(arguments, "json", False):
            import json

            from tuiha.cli.operations.documents import refusal

            put(json.dumps(refusal(error.said, str(error), error.code), indent=2))
        raise


def _flushed(code: int) -> int:
    """The code, once what was written is out; else what went wrong with that."""
    try:
        flush()
    except BrokenPipeError:
        _drop_stdout()
        return exits.PIPE_CLOSED
    except exits.CommandError as error:
        return _tell(error)
    return code


def _drop_stdout() -> None:
    """Keep the interpreter from complaining about unsent output when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _tell(error: Exception) -> int:
    """Say on stderr what went wrong; returns the exit code."""
    if isinstance(error, exits.CommandError):
        if isinstance(error, exits.OutputLost):
            _drop_stdout()
        say(f"tuiha: {error}")
        return error.code
    from tuiha.config.errors import ConfigError

    if isinstance(error, ConfigError):
        say(f"tuiha: {error}")
        return exits.USAGE
    import traceback  # not before something has gone wrong: a dashboard's first picture waits for what is imported

    if os.environ.get("TUIHA_DEBUG"):
        traceback.print_exception(error)
    frame = traceback.extract_tb(error.__traceback__)[-1]
    say(f"tuiha: unexpected {type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}: {error}\n"
        "This is a fault of tuiha. With TUIHA_DEBUG=1 the whole trace is shown, for a report.")
    return exits.FAILED
