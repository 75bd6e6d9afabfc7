"""Values of the settings, and what all settings have in common."""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from tuiha.config.errors import ConfigProblem

UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"
_HOST_PORT = r"^(\[[0-9a-fA-F:.]+\]|[^\s:/@\[\]]+):\d{1,5}$"
_URL = r"^https?://(\[[0-9a-fA-F:.]+\]|[^\s:/?#@\[\]]+):\d{1,5}$"
_SOCKET = r"^(unix:/.+|tcp:(\[[0-9a-fA-F:.]+\]|[^\s:/@\[\]]+):\d{1,5})$"
_DIGITS = r"^\d{1,20}$"
_DATABASE_NAME = r"^[^\s\x00]{1,63}$"
_PREFIX = r"^(/[A-Za-z0-9._-]+){1,8}$"
_DOMAIN = r"^[^\s@\x00*?]{1,253}$"
_PATH = r"^/[^\s#]*$"
_SEPARATOR = r"^[!#$%&*+,/:;=^|~]$"
_POINTER = r"^/[^\s#]*(#(/[^/]*)*)?$"
_SOURCE = r"^[^\s\-][^\s\x00]*$"
_PAGE = r"^\S*\{code\}\S*$"

PATTERNS: Mapping[str, tuple[str, str]] = {  # pattern -> what is wrong, what to write
    _NAME: ("is not a name", "use letters, digits, '.', '_' and '-', at most 63, a letter or digit first"),
    _HOST_PORT: ("is not HOST:PORT", "write for example db1.example.org:5432 or '[::1]:5432'"),
    _URL: ("is not an address of a server", "write https://HOST:PORT, without a path and without a user"),
    _SOCKET: ("is not a socket", "write unix:/PATH or tcp:HOST:PORT"),
    _DIGITS: ("is not a system identifier", "write the number that pg_controldata prints, in quotes"),
    _DATABASE_NAME: ("is not a name of PostgreSQL", "write 1 to 63 characters without spaces"),
    _PREFIX: ("is not a path of keys", "write for example /tuiha"),
    _DOMAIN: ("is not a mail domain", "write for example example.org, without an @"),
    _PATH: ("is not a path", "write for example /health"),
    _SEPARATOR: ("is not a separator", "write one of ! # $ % & * + , / : ; = ^ | ~ in quotes; Dovecot's is its "
                 "auth_master_user_separator"),
    _POINTER: ("is not a path with a JSON pointer", "write for example /stats#/pool/users"),
    _SOURCE: ("is not a name or a path", "write pgBackRest's stanza, Barman's server or a path, without blanks"),
    _PAGE: ("is not an address with {code}", "write for example https://docs.example.org/runbooks/{code}"),
}


def network(value: object) -> object:
    """An address or a network of addresses, as written. Raises ValueError for another text."""
    if isinstance(value, str):
        try:
            ip_network(value, strict=False)
        except ValueError:
            raise ValueError("is no address or network; write for example 10.0.0.7 or 10.0.0.0/24") from None
    return value


def seconds(value: object) -> object:
    """Turn `250ms`, `10s`, `10m`, `24h`, `7d` or a plain number into seconds.

    Raises ValueError for a text that is none of these; other types pass through to pydantic.
    """
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?\s*", value)
    if match is None:
        raise ValueError("is not a duration; write for example 250ms, 10s, 10m or 24h")
    return float(match[1]) * UNITS[match[2] or "s"]


def _port(value: str) -> str:
    """The text itself, when the port that it ends with can be one."""
    port = re.search(r":(\d+)$", value)
    if port is not None and not 0 < int(port[1]) < 65536:
        raise ValueError("ends with a port that cannot be; write a port from 1 to 65535")
    return value


def _digits(value: object) -> object:
    """A system identifier that was written without quotes is a number to YAML."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Seconds = Annotated[float, BeforeValidator(seconds), Field(ge=0)]
Network = Annotated[str, BeforeValidator(network)]
Name = Annotated[str, Field(pattern=_NAME)]
HostPort = Annotated[str, Field(pattern=_HOST_PORT), AfterValidator(_port)]
Url = Annotated[str, Field(pattern=_URL), AfterValidator(_port)]
Socket = Annotated[str, Field(pattern=_SOCKET), AfterValidator(_port)]
DatabaseName = Annotated[str, Field(pattern=_DATABASE_NAME)]
Identifier = Annotated[str, BeforeValidator(_digits), Field(pattern=_DIGITS)]
MailDomain = Annotated[str, Field(pattern=_DOMAIN)]
UrlPath = Annotated[str, Field(pattern=_PATH)]
Pointer = Annotated[str, Field(pattern=_POINTER)]
BackupSource = Annotated[str, Field(pattern=_SOURCE)]
PageAddress = Annotated[str, Field(pattern=_PAGE)]
Prefix = Annotated[str, Field(pattern=_PREFIX)]
Separator = Annotated[str, Field(pattern=_SEPARATOR)]


class Settings(BaseModel):
    """Base of all settings: unknown keys are errors, nothing changes after validation."""

    # Only a whole file is validated: what validates a part alone need not be made when the part is declared.
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, defer_build=True)

    @field_validator("*", mode="before")
    @classmethod
    def _as_people_write(cls, value: object, info: ValidationInfo) -> object:
        field = cls.model_fields.get(info.field_name or "")
        if field is None:
            return value
        if value is None and isinstance(field.default, Settings):  # `watch:` with all its keys commented out
            return {}
        if isinstance(value, bool) and field.annotation in (int, float):
            raise ValueError("is true or false, not a number; write a number")
        return value


class Located(Settings):
    """Settings that are opened later, and remember where they were written for what may be said then."""

    _file: Path | None = PrivateAttr(None)
    _line: int | None = PrivateAttr(None)
    _field: str = PrivateAttr("")

    def remember(self, file: Path, line: int, field: str) -> None:
        """Note the place in the configuration."""
        self._file, self._line, self._field = file, line, field

    def problem(self, what: str, remedy: str = "", key: str = "") -> ConfigProblem:
        """A problem with these settings, or with one key of them, at the place where they were written."""
        field = f"{self._field}.{key}" if self._field and key else self._field or key
        return ConfigProblem(what, remedy, field, self._file, self._line)


Source = tuple[Path | None, str | None, tuple[str, ...]]  # the file, the variable, or the command of a secret


class Secret(Located):
    """Where a secret comes from: exactly one of a file, an environment variable, or a command's output."""

    file: Path | None = None
    env: Annotated[str, Field(min_length=1)] | None = None
    command: Annotated[list[str], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Secret:
        if sum(source is not None for source in (self.file, self.env, self.command)) != 1:
            raise ValueError("does not name one source; write exactly one of file, env and command")
        return self

    @property
    def source(self) -> Source:
        """Where it comes from, to be compared: two secrets of one source are one text."""
        return self.file, self.env, tuple(self.command or ())


class Tls(Located):
    """TLS towards one kind of target. Verification is on unless told otherwise."""

    ca: Path | None = None  # None: the system's trust store
    certificate: Path | None = None
    key: Path | None = None
    verify: bool = True

    @model_validator(mode="after")
    def _both_or_none(self) -> Tls:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("has a certificate without a key, or a key without a certificate; write both or none")
        return self
