"""`tuiha init`: a configuration from what is there already."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from tuiha.cli import exits
from tuiha.cli.arguments import completed_by_files
from tuiha.cli.exits import CommandError
from tuiha.cli.output.streams import progress, say, write
from tuiha.model.words import count
from tuiha.words.survey.comments import CHANGE
from tuiha.words.survey.remarks import said

if TYPE_CHECKING:
    import ssl

    from tuiha.config.draft.document import DraftedPool
    from tuiha.config.settings import Pool
    from tuiha.config.values import Secret
    from tuiha.watch.survey.site import Sources

T = TypeVar("T")

HELP = """Write a commented configuration from what is there: HAProxy, PostgreSQL or Patroni, IMAP. Everything is
optional, nothing is changed there, and what could not be read is marked in the file.

  tuiha init                                   ask a few questions, in a terminal
  tuiha init --haproxy /etc/haproxy/haproxy.cfg --postgres db1 --postgres db2
             --imap mail1:993 --imap mail2:993
  tuiha init --patroni https://db1:8008        a pair under Patroni
  tuiha check --config pool.yaml               what comes next

Secrets are never written: the file names files for them, and init lists those to create. To read names and identity
of the databases, set PGPASSWORD to the password of --postgres-user. tuiha logs in by SCRAM only, and over TLS unless
the database is on this machine.

exit codes: 0 the file is written, 1 it could not be written, 2 a wrong option or source, 4 the file exists"""

DEFAULT_OUT = "pool.yaml"
USUAL_HAPROXY = Path("/etc/haproxy/haproxy.cfg")
_OUTPUT = "-"  # stdout


def configure(parser: argparse.ArgumentParser) -> None:
    """Add where to look and where to write."""
    completed_by_files(parser.add_argument("--out", metavar="FILE", default=DEFAULT_OUT,
                                           help="the file to write (default %(default)s); - prints it"))
    parser.add_argument("--force", action="store_true", help="replace the file if it exists")
    parser.add_argument("--yes", action="store_true", help="ask nothing, also in a terminal")
    parser.add_argument("--name", metavar="NAME", help="the pool's name")
    completed_by_files(parser.add_argument("--haproxy", metavar="PATH", type=Path,
                                           help="HAProxy's configuration: a file, or a folder of *.cfg"))
    completed_by_files(parser.add_argument(
        "--haproxy-socket", metavar="SOCKET", action="append", default=[], dest="sockets",
        help="a HAProxy's runtime socket: a path, or tcp:HOST:PORT; once for each sprayer"))
    parser.add_argument("--backend", metavar="NAME", help="HAProxy's backend with the pool servers")
    parser.add_argument("--postgres", metavar="HOST:PORT", action="append", default=[],
                        help="a database, or postgresql://ROLE@HOST:PORT/DATABASE; twice for the pair")
    parser.add_argument("--postgres-user", metavar="ROLE",
                        help="the role to log in as, when PGPASSWORD is set (tuiha_watch)")
    parser.add_argument("--database", metavar="NAME", help="the pool's database in PostgreSQL (tuiha)")
    parser.add_argument("--patroni", metavar="URL", help="the REST interface of a Patroni, instead of --postgres")
    parser.add_argument("--imap", metavar="HOST:PORT", action="append", default=[],
                        help="a mail server; CLUSTER=HOST:PORT when there are several clusters")
    completed_by_files(parser.add_argument(
        "--ca", metavar="FILE", type=Path, help="the authority that signed the certificates of all of these (PEM)"))


def run(arguments: argparse.Namespace) -> int:
    """Look, and write the file."""
    import asyncio

    from tuiha.config.draft.document import draft
    from tuiha.watch.survey.site import survey

    out = _target(arguments)
    context, authority = _trust(arguments.ca)
    sources = replace(_sources(arguments), authority=authority)
    if can_ask() and not arguments.yes:
        sources = _asked(sources, arguments, out)
    with progress("looking"):
        found = asyncio.run(survey(sources, context))
    made = draft(found)
    _publish(made, out, arguments.force)
    return exits.OK


# ---------------------------------------------------------------------------- what to look at


def _target(arguments: argparse.Namespace) -> Path | None:
    """Where to write; None: to stdout. Raises CommandError before anything was asked."""
    if arguments.config is not None:
        raise CommandError("init writes a new configuration and reads none: name the file with --out", exits.USAGE)
    if arguments.out == _OUTPUT:
        return None
    out = Path(arguments.out).expanduser()
    if out.is_dir():
        raise CommandError(f"{out} is a folder: name a file in it with --out", exits.USAGE)
    if not out.parent.is_dir():
        raise CommandError(f"there is no folder {out.parent}: create it, or name another file with --out", exits.USAGE)
    if os.path.lexists(out) and not arguments.force:
        raise _exists(out)
    return out


def _exists(out: Path) -> CommandError:
    return CommandError(f"{out} exists and was not changed. Name another file with --out, or replace it with --force.",
                        exits.REFUSED)


def _trust(file: Path | None) -> tuple[ssl.SSLContext, str | None]:
    """Who is trusted: the authority that was named, or the system's trust store. Raises ConfigError."""
    from tuiha.config.tls import client
    from tuiha.config.values import Tls

    if file is None:
        return client(None, Path()), None
    whole = file.expanduser().absolute()
    if not str(whole).isprintable():
        raise CommandError("--ca: the file's name has a control character: rename the file", exits.USAGE)
    return client(Tls(ca=whole), Path()), str(whole)


def _sources(arguments: argparse.Namespace) -> Sources:
    """What the options name. Raises CommandError."""
    from tuiha.cli import sources as told
    from tuiha.watch.survey.database import DatabaseLogin
    from tuiha.watch.survey.site import Sources

    if arguments.patroni is not None and arguments.postgres:
        raise CommandError("--patroni and --postgres name the same pair: take one of them", exits.USAGE)
    if len(arguments.postgres) > 2:
        raise CommandError(f"a pair is two databases, and {len(arguments.postgres)} are named with --postgres; for "
                           "more, have Patroni manage them and name it with --patroni", exits.USAGE)
    databases = [_read(told.database, one, "--postgres") for one in arguments.postgres]
    places = tuple(where for where, _, _ in databases)
    if len(set(places)) < len(places):
        raise CommandError("--postgres names the same database twice: name the other one of the pair", exits.USAGE)
    users = [user for _, user, _ in databases if user]
    names = [name for _, _, name in databases if name]
    login = DatabaseLogin(user=arguments.postgres_user or (users or ["tuiha_watch"])[0],
                          password=os.environ.get("PGPASSWORD") or None,
                          database=arguments.database or (names or ["tuiha"])[0])
    _read(_database_name, login.database, "--database")
    return Sources(
        pool="pool" if arguments.name is None else _read(told.pool_name, arguments.name, "--name"),
        login=login,
        haproxy=None if arguments.haproxy is None else _read(told.haproxy, arguments.haproxy, "--haproxy"),
        sockets=tuple(_read(told.runtime_socket, one, "--haproxy-socket") for one in arguments.sockets),
        backend=arguments.backend,
        postgres=places,
        patroni=None if arguments.patroni is None else _read(told.patroni, arguments.patroni, "--patroni"),
        mail=tuple(_read(told.mail_server, one, "--imap") for one in arguments.imap),
    )


W = TypeVar("W")


def _read(read: Callable[[W], T], word: W, option: str) -> T:
    """What an option's word means. Raises CommandError."""
    try:
        return read(word)
    except ValueError as error:
        raise CommandError(f"{option}: {error}", exits.USAGE) from None


def _database_name(text: str) -> str:
    if not 0 < len(text) < 64 or not text.isprintable() or any(map(str.isspace, text)):
        raise ValueError("a database's name has 1 to 63 characters without blanks")
    return text


# ---------------------------------------------------------------------------- questions


def _asked(sources: Sources, arguments: argparse.Namespace, out: Path | None) -> Sources:
    """The sources with what a person adds; what an option names is not asked."""
    from tuiha.cli import sources as told

    say(f"tuiha init writes {out or 'to stdout'}. Enter takes what is in brackets; {NONE} leaves it out.")
    found = sources
    if arguments.name is None:
        found = replace(found, pool=ask("Name of the pool", found.pool, told.pool_name) or found.pool)
    if found.haproxy is None and not found.sockets:
        usual = str(USUAL_HAPROXY) if USUAL_HAPROXY.is_file() else ""
        found = replace(found, haproxy=ask("HAProxy's configuration, a file or folder", usual,
                                           lambda text: told.haproxy(Path(text))))
    if not found.postgres and found.patroni is None:
        found = ask("Databases: HOST:PORT of both, or https://HOST:8008 of a Patroni", "",
                    partial(_databases, found)) or found
    if found.postgres and found.login.password is None:
        secret = ask_secret(f"Password of database role {found.login.user}, to read names and identity")
        found = replace(found, login=replace(found.login, password=secret))
    if not found.mail:
        servers = ask("Mail servers with the same mailboxes: HOST:PORT ...", "",
                      lambda text: tuple(map(told.mail_server, _words(text))))
        found = replace(found, mail=servers or ())
    return found


def _words(text: str) -> Sequence[str]:
    return text.replace(",", " ").split()


def _databases(sources: Sources, text: str) -> Sources:
    from tuiha.cli import sources as told

    if text.startswith(("http://", "https://")):
        return replace(sources, patroni=told.patroni(text))
    places = tuple(dict.fromkeys(told.place(word, told.POSTGRES_PORT) for word in _words(text)))
    if len(places) > 2:
        raise ValueError("a pair is two databases")
    return replace(sources, postgres=places)


# ---------------------------------------------------------------------------- the file, and what is left to do


def _publish(made: DraftedPool, out: Path | None, force: bool) -> None:
    """Write the file once the loader accepts it, and say what is left to do. Raises CommandError."""
    import tempfile

    from tuiha.config.load import load

    if out is None:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / DEFAULT_OUT
            file.write_text(made.text, encoding="utf-8")
            pool = load(file)
        write(made.text)
    else:
        try:
            with NewFile(out) as new:
                new.write(made.text)
                pool = load(new.path)
                new.publish(force)
        except FileExistsError:
            raise _exists(out) from None
        except OSError as error:
            raise CommandError(f"{out} could not be written: {error.strerror or error}. Nothing was changed; name "
                               "another file with --out.") from None
    say("\n".join(left_to_do(made, pool, out)))

NONE = "none"  # the answer that leaves out what has a default
_TRIES = 5


def can_ask() -> bool:
    """Whether somebody sits in front of this."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def ask(question: str, default: str, read: Callable[[str], T]) -> T | None:
    """What `read` makes of the answer; None for one that leaves it out. Raises CommandError when nobody answers."""
    for _ in range(_TRIES):
        try:
            answer = _line(f"{question} [{default or 'skip'}]: ") or default
            return None if not answer or answer == NONE else read(answer)
        except UnicodeDecodeError:
            say("  this is not UTF-8: check the terminal's character set, or use ASCII")
        except ValueError as error:
            say(f"  {error}")
    raise exits.CommandError(f"{_TRIES} answers could not be used. Nothing was written.", exits.USAGE)


def ask_secret(question: str) -> str | None:
    """A secret, which is not shown; None when it is left out."""
    import getpass

    try:
        return getpass.getpass(f"{question} [skip]: ") or None
    except EOFError:
        raise _nobody() from None


def _line(prompt: str) -> str:
    sys.stderr.write(prompt)
    sys.stderr.flush()
    line = sys.stdin.readline()
    if not line:
        sys.stderr.write("\n")
        raise _nobody()
    return line.strip()


def _nobody() -> exits.CommandError:
    return exits.CommandError("the answers ended. Nothing was written.", exits.USAGE)


class NewFile:
    """Written beside the place that it is for, and given its name when it is whole; else it goes away."""

    def __init__(self, out: Path) -> None:
        self._out = Path(os.path.realpath(out))
        self.path = self._out.with_name(f".{self._out.name}.{os.getpid()}")

    def __enter__(self) -> NewFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.path.unlink(missing_ok=True)

    def write(self, text: str) -> None:
        """Write it down to the disk. Raises OSError."""
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        with open(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(descriptor)

    def publish(self, force: bool) -> None:
        """Give it its name. Another file of that name is replaced only by `force`; else raises FileExistsError.

        Raises OSError.
        """
        if force:
            os.replace(self.path, self._out)
            return
        try:
            os.link(self.path, self._out)  # unlike a rename it never replaces anything
        except FileExistsError:
            raise
        except OSError:  # a file system without links
            if os.path.lexists(self._out):
                raise FileExistsError(self._out) from None
            os.replace(self.path, self._out)


_TOKEN = "openssl rand -hex 32"


def left_to_do(made: DraftedPool, pool: Pool, out: Path | None) -> list[str]:
    """The lines: what the file holds, remarks, values to change, secrets to create, the next command."""
    name = "the configuration" if out is None else str(out)
    mail = sum(len(cluster.servers) for cluster in pool.mail)
    parts = (count(len(pool.database.nodes), "database"), count(len(pool.servers), "pool server"),
             count(len(pool.sprayers), "sprayer"), count(mail, "mail server"))
    lines = [f"{'Printed' if out is None else 'Wrote'} {name}: {', '.join(parts)}."]
    if made.remarks:
        lines += ["", "What tuiha found:", *(f"  - {said(remark)}" for remark in made.remarks)]
    changes = [f"  line {number}: {' '.join(line.lstrip(' #').split())}"
               for number, line in enumerate(made.text.splitlines(), 1) if f"# {CHANGE}: " in line]
    if changes:
        lines += ["", f"To complete in {name} (marked {CHANGE}):", *changes]
    base = Path() if out is None else out.parent
    secrets = {base / file: told for file, told in _secrets(pool) if not (base / file).exists()}
    if secrets:
        width = max(len(str(file)) for file in secrets)
        lines += ["", "Secrets to create: one line in each file, readable by its owner alone (mode 0600).",
                  *(f"  {file!s:<{width}}  {told}" for file, told in secrets.items()), "  For example:"]
        folders = dict.fromkeys(file.parent for file in secrets)
        lines += [f"    mkdir -p -m 700 {shlex.quote(str(folder))}" for folder in folders]
        tokens = [file for file, told in secrets.items() if _TOKEN in told]
        lines += [f"    (umask 077; {_TOKEN} > {shlex.quote(str(file))})" for file in tokens]
    shown = "FILE" if out is None else shlex.quote(str(out))
    return [*lines, "", f"Next: tuiha check --config {shown}"]


def _secrets(pool: Pool) -> Iterator[tuple[Path, str]]:
    """Each secret that is a file, and whose it is."""
    roles = pool.database.roles
    for role in (roles.pool, roles.watcher):
        yield from _file(role.password, f"password of database role {role.user}")
    for cluster in pool.mail:
        for login in (cluster.monitor, cluster.probe):
            yield from _file(login.password, f"password of {login.user} at mail cluster {cluster.cluster}")
    yield from _file(pool.control.viewer, f"the viewer's token: {_TOKEN}")


def _file(secret: Secret, told: str) -> Iterator[tuple[Path, str]]:
    if secret.file is not None:
        yield secret.file, told
