"""`tuiha users`: find users; disable, enable and forget one."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from tuiha.cli import exits
from tuiha.cli.arguments import whole
from tuiha.cli.exits import CommandError
from tuiha.cli.operations.act import act, add_acting, refuse_acting
from tuiha.cli.output.streams import put, say
from tuiha.model.operations.catalogue import shell_words

if TYPE_CHECKING:
    from tuiha.watch.reader import UnreadableRow, UserRow, UserWithoutMail

KINDS = shell_words("users")

HELP = """Find users: the server that monitors each, since when, until when it is
locked there, devices, mail server, last sync.

  tuiha users [PATTERN]        the beginning of a name; a pattern with * or ?
                               must match the whole name
  tuiha users --without-mail   only users without monitored mail, and why
  tuiha users disable NAME     refuse the user on every server; nothing is lost
  tuiha users enable NAME      accept the user again
  tuiha users forget NAME      delete the user with devices and history;
                               there is no way back

Names are compared as at a log-in: capitals, blanks around them and the pool's
own domain do not matter (users.names). A single word is always a pattern:
`tuiha users disable` finds names that begin with "disable".

disable, enable and forget show their plan first. They start when the user's
name is typed, or given by --confirm. Their exit codes: 0 done, 1 failed and
nothing is left of it, 2 usage or configuration, 3 unreachable, 4 refused and
nothing was done, 5 still running, stopped half-way, or with an unknown
outcome: `tuiha operations`"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the words, --json, --limit and --after, and what an operation takes."""
    parser.add_argument("words", metavar="PATTERN", nargs="*",
                        help="the beginning of a name, or * and ?; or what to do, and the user's name")
    parser.add_argument("--json", action="store_true",
                        help="print one JSON object (tuiha.users/1, tuiha.operation/1)")
    parser.add_argument("--limit", metavar="N", type=whole(1, 100_000), default=100,
                        help="at most N users (default %(default)s)")
    parser.add_argument("--without-mail", action="store_true", dest="without_mail",
                        help="only users without monitored mail right now, with the reason")
    parser.add_argument("--after", metavar="NAME", default="", help="continue after this user (the next page)")
    add_acting(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print a page of users, or do something about one."""
    words: list[str] = arguments.words
    if len(words) > 1:
        return _act(arguments, words)
    refuse_acting(arguments)
    return _list(arguments, words[0] if words else "")


def _act(arguments: argparse.Namespace, words: list[str]) -> int:
    if words[0] not in KINDS:
        raise CommandError("users takes one PATTERN; or disable, enable or forget, and a NAME", exits.USAGE)
    if len(words) > 2:
        raise CommandError(f"users {words[0]} takes one NAME; put a name with blanks in quotes", exits.USAGE)
    if not words[1].strip():
        raise CommandError(f"users {words[0]} needs a user's NAME, and this one is empty", exits.USAGE)
    kind = KINDS[words[0]]
    options = {"reason": arguments.reason} if arguments.reason and kind.keeps_reason else {}
    return act(arguments, kind.name, words[1:], options)


def _list(arguments: argparse.Namespace, pattern: str) -> int:
    from tuiha.cli.configuration import opened, reading
    from tuiha.cli.output import documents
    from tuiha.cli.output.table import aligned, cell, plain
    from tuiha.model.users.names import canonical_pattern
    from tuiha.model.words import short
    from tuiha.watch.reader import read_unreadable, read_users, read_users_without_mail

    read = read_users_without_mail if arguments.without_mail else read_users
    pool, base = opened(arguments)
    limit: int = arguments.limit
    found = reading(pool, base, lambda source: read(source, pattern, arguments.after, limit + 1))
    rows, more = found[:limit], len(found) > limit
    name = canonical_pattern(pattern, pool.users.names.rule)
    one = next((row for row in rows if row.name == name), None)
    unread = [] if one is None else reading(pool, base, lambda source: read_unreadable(source, one.id))
    after = rows[-1].name if more else None
    if arguments.json:
        put(json.dumps(documents.users(pool.pool, rows, after, unread), indent=2))
        return exits.OK
    if rows:
        head = ("USER", "SERVER", "SINCE", "LOCKED UNTIL", "DEVICES", "MAIL", "LAST SYNC")
        put("\n".join(aligned([head, *((plain(r.name), _server(r), _time(r.since), _time(r.locked_until),
                                        str(r.devices), cell(r.mail_server), _time(r.last_sync)) for r in rows)],
                              (4,))))
        for row in rows:
            if row.no_mail is not None:
                put(f"{plain(row.name)}: no mail: {_without(row.no_mail)}")
    if unread:
        put(_unreadable(name, unread))
    if after is not None:
        say(f"there are more; the next page: --after {after}")
    elif not rows and arguments.without_mail:
        say("no user is without mail")
    elif not rows and arguments.after:
        say(f"no user comes after {short(arguments.after)}")
    elif not rows:
        say("no user has such a name" + (f"; to {pattern} one: tuiha users {pattern} NAME" if pattern in KINDS else ""))
    return exits.OK


def _unreadable(name: str, found: Sequence[UnreadableRow]) -> str:
    """The newest messages that the monitor could not read, as a table."""
    from tuiha.cli.output.table import aligned, cell, plain

    head = ("MAILBOX", "UID", "MAIL", "BYTES", "DATE", "REASON")
    rows = [(plain(r.mailbox), str(r.uid), plain(r.mail_server), cell(None if r.size is None else str(r.size)),
             _time(r.at), plain(r.reason)) for r in found]
    title = f"Messages of {plain(name)} that cannot be read, newest first. Devices show that they are there."
    return "\n".join(["", title, *aligned([head, *rows], (1, 3))])


def _server(row: UserRow) -> str:
    from tuiha.cli.output.table import cell

    return "DISABLED" if row.disabled else cell(row.server)


def _without(found: UserWithoutMail) -> str:
    from tuiha.cli.output.table import plain
    from tuiha.words.mail import explained

    where = f" by {plain(found.mail_server)}" if found.mail_server and found.text else ""
    said = f" ({plain(found.text)}{where})" if found.text else ""
    return f"{explained(found.reason).what}{said} since {_time(found.since)}"


def _time(at: datetime | None) -> str:
    from tuiha.cli.output.table import UNKNOWN

    return UNKNOWN if at is None else at.strftime("%Y-%m-%dT%H:%M:%SZ")
