"""`tuiha devices`: the devices of a user; revoke one, and allow it again."""

from __future__ import annotations

import argparse
import json
from datetime import datetime

from tuiha.cli import exits
from tuiha.cli.exits import CommandError
from tuiha.cli.operations.act import act, add_acting, refuse_acting
from tuiha.cli.output.streams import put, say
from tuiha.model.operations.catalogue import shell_words
from tuiha.model.quotes import shell

KINDS = shell_words("devices")

HELP = """The devices of a user: kind, since when, last seen, how many changes behind,
since when revoked.

  tuiha devices NAME                  list them
  tuiha devices revoke NAME DEVICE    refuse the device and its keys
  tuiha devices allow NAME DEVICE     accept it again, with a new key

A revoked device still has its user's password, and can register under another
name with it. So change the password at the mail server too.

revoke and allow show their plan first. They start when the device's name is
typed, or given by --confirm. Their exit codes: 0 done, 1 failed and nothing is
left of it, 2 usage or configuration, 3 unreachable, 4 refused and nothing was
done, 5 still running, stopped half-way, or with an unknown outcome:
`tuiha operations`"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the words, --json, and what an operation takes."""
    parser.add_argument("words", metavar="NAME", nargs="+", help="the user's name; or what to do, the user, the device")
    parser.add_argument("--json", action="store_true",
                        help="print one JSON object (tuiha.devices/1, tuiha.operation/1)")
    add_acting(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the devices, or do something about one."""
    words: list[str] = arguments.words
    if not all(word.strip() for word in words):
        raise CommandError("devices needs a NAME, and this one is empty", exits.USAGE)
    if len(words) == 1:
        refuse_acting(arguments)
        return _list(arguments, words[0])
    if len(words) == 2 and words[0] in KINDS:
        raise CommandError(f"devices {words[0]} needs a user's NAME and a DEVICE; to see the devices: "
                           + shell(["tuiha", "devices"], [words[1]]), exits.USAGE)
    if len(words) != 3 or words[0] not in KINDS:
        raise CommandError("devices takes a user's NAME; or revoke or allow, a NAME and a DEVICE", exits.USAGE)
    kind = KINDS[words[0]]
    options = {"reason": arguments.reason} if arguments.reason and kind.keeps_reason else {}
    return act(arguments, kind.name, words[1:], options)


def _list(arguments: argparse.Namespace, user: str) -> int:
    from tuiha.cli.configuration import opened, reading
    from tuiha.cli.output import documents
    from tuiha.cli.output.table import aligned, plain
    from tuiha.model.words import no_user
    from tuiha.watch.reader import read_devices

    pool, base = opened(arguments)
    rows = reading(pool, base, lambda source: read_devices(source, user))
    if rows is None:
        raise CommandError(f"{no_user(user)}; to find one: tuiha users PATTERN", exits.USAGE)
    if arguments.json:
        put(json.dumps(documents.devices(pool.pool, user, rows), indent=2))
    elif rows:
        head = ("DEVICE", "KIND", "REGISTERED", "LAST SEEN", "BEHIND", "REVOKED")
        put("\n".join(aligned([head, *((plain(r.name), plain(r.kind), _time(r.registered_at), _time(r.last_seen),
                                        f"{r.behind:,}", _time(r.revoked_at)) for r in rows)], (4,))))
    else:
        say(f"{user} has no device")
    return exits.OK


def _time(at: datetime | None) -> str:
    from tuiha.cli.output.table import UNKNOWN

    return UNKNOWN if at is None else at.strftime("%Y-%m-%dT%H:%M:%SZ")
