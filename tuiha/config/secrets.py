"""Secrets from a file, the environment or a command. No message here ever holds one."""

from __future__ import annotations

import os
import shlex
import signal
import stat
import subprocess
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from tuiha.config.errors import ConfigError, ConfigProblem

if TYPE_CHECKING:
    from tuiha.config.values import Secret, Settings

COMMAND_SECONDS = 10.0
HIDDEN = "***"
_resolved: set[str] = set()  # what must not be in any log
MOST_BYTES = 64 * 1024


def resolve(secret: Secret, base: Path) -> str:
    """The secret itself, without a newline at its end. Raises ConfigError.

    Relative files are relative to `base`, the folder of the configuration file; a command runs there. Blocks for
    as long as the command takes (10 s at most): on an event loop call it through `asyncio.to_thread`.
    """
    if secret.file is not None:
        raw, source = _from_file(secret, base / secret.file.expanduser())
    elif secret.env is not None:
        raw, source = _from_environment(secret, secret.env)
    else:
        raw, source = _from_command(secret, secret.command or [], base)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise _failed(secret, f"{source} does not hold UTF-8 text", "write the secret as one line of text") from None
    text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        raise _failed(secret, f"{source} is empty", "put the secret there")
    if not text.isprintable():
        raise _failed(secret, f"{source} holds more than one line, or control characters",
                      "a secret is one line of text")
    _resolved.add(text)
    return text


def without_secrets(text: str) -> str:
    """The text without any secret that was resolved in this process, for logs."""
    for secret in sorted(_resolved, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return text


def resolve_all(secrets: Mapping[str, Secret], base: Path) -> dict[str, str]:
    """Several secrets by name, their commands side by side. Raises one ConfigError with all that failed."""
    with ThreadPoolExecutor(max_workers=8, thread_name_prefix="secrets") as threads:
        waiting = {name: threads.submit(resolve, secret, base) for name, secret in secrets.items()}
    found: dict[str, str] = {}
    problems: list[ConfigProblem] = []
    for name, future in waiting.items():
        try:
            found[name] = future.result()
        except ConfigError as error:
            problems.extend(error.problems)
    if problems:
        raise ConfigError(*problems)
    return found


def environment(settings: Settings) -> dict[str, str]:
    """What programs get that are started here: the environment without the variables that these settings name."""
    named = set(_variables(settings))
    return {name: value for name, value in os.environ.items() if name not in named}


def _variables(value: object) -> Iterator[str]:
    from tuiha.config.values import Secret, Settings

    if isinstance(value, Secret):
        yield from [] if value.env is None else [value.env]
    elif isinstance(value, Settings):
        for _, inner in value:
            yield from _variables(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _variables(inner)


def _failed(secret: Secret, what: str, remedy: str) -> ConfigError:
    return ConfigError(secret.problem(what, remedy))


def _from_file(secret: Secret, file: Path) -> tuple[bytes, str]:
    source = f"file {file}"
    try:
        # O_NONBLOCK: a pipe by that name must not make anybody wait
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise _failed(secret, f"{source} cannot be read ({error.strerror})", _why_unreadable(error)) from None
    try:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            raise _failed(secret, f"{source} is not a regular file", "name a file, or use command:")
        _refuse_open_file(secret, file, about)
        raw = os.read(descriptor, MOST_BYTES + 1)
    except OSError as error:
        raise _failed(secret, f"{source} cannot be read ({error.strerror})", "check the disk") from None
    finally:
        os.close(descriptor)
    if len(raw) > MOST_BYTES:
        raise _failed(secret, f"{source} is larger than 64 kB", "name the file with the secret alone in it")
    return raw, source


def _why_unreadable(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "create it with the secret in it, mode 0600"
    if isinstance(error, PermissionError):
        return "let the user that runs tuiha read it"
    return "check the path"


def _refuse_open_file(secret: Secret, file: Path, about: os.stat_result) -> None:
    """Nobody but us may read the file; one that belongs to somebody else may be readable by a group.

    The second half is for services: root writes the secret, the service's group reads it, and the service could
    not change the mode anyway.
    """
    forbidden = 0o077 if about.st_uid == os.geteuid() != 0 else 0o037
    if stat.S_IMODE(about.st_mode) & forbidden == 0:
        return
    mode = "600" if forbidden == 0o077 else "640"
    who = "" if about.st_uid == os.geteuid() or os.geteuid() == 0 else " (its owner, or root, can)"
    raise _failed(secret, f"file {file} is open to other users (mode {stat.S_IMODE(about.st_mode):04o})",
                  f"run: chmod {mode} {shlex.quote(str(file))}{who}")


def _from_environment(secret: Secret, name: str) -> tuple[bytes, str]:
    source = f"environment variable {name}"
    value = os.environ.get(name)
    if value is None:
        raise _failed(secret, f"{source} is not set", "set it before starting tuiha, or use file:")
    return os.fsencode(value), source


def _from_command(secret: Secret, command: list[str], base: Path) -> tuple[bytes, str]:
    """The output of a command. Its stderr goes nowhere: it may repeat the secret."""
    source = f"command '{Path(command[0]).name}'"
    try:
        process = subprocess.Popen(command, cwd=base, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL, start_new_session=True)
    except OSError as error:
        raise _failed(secret, f"{source} cannot be started ({error.strerror})",
                      "write [PROGRAM, ARGUMENT, ...], the program with its path") from None
    except ValueError:
        raise _failed(secret, f"{source} cannot be started", "remove the null character from it") from None
    try:
        output, _ = process.communicate(timeout=COMMAND_SECONDS)
    except subprocess.TimeoutExpired:
        raise _failed(secret, f"{source} did not end within {COMMAND_SECONDS:g} s",
                      "run it by hand: it may wait for input") from None
    finally:
        _end(process)
    if process.returncode != 0:
        raise _failed(secret, f"{source} ended with exit code {process.returncode}", "run it by hand to see why")
    if len(output) > MOST_BYTES:
        raise _failed(secret, f"{source} wrote more than 64 kB", "let it write the secret alone")
    return output, source


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the command and everything it started, when it has not ended by itself."""
    if process.poll() is None:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            process.kill()  # it ended between the two looks: harmless
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
