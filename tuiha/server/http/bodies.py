"""The JSON bodies of requests, and the values that each field may have: for handlers and for the OpenAPI document."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Annotated, Any, NoReturn, TypeVar

from aiohttp import web
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.json_schema import models_json_schema

from tuiha.server.http.problems import HttpProblem

MOST_USERS = 200  # in one request; with less than 16 kB of body
_IDS = 2**62


@dataclass(frozen=True, slots=True)
class Says:
    """The description of a field, for the refusal of a body; `each`: of an item of a list, as a whole sentence."""

    field: str
    each: str = ""


def _whole(value: object) -> object:
    """JSON has one kind of number: 3.0 is 3."""
    return int(value) if isinstance(value, float) and math.isfinite(value) else value


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("not printable")
    return text


def _storable(text: str) -> str:
    """The database cannot keep a null character. Half of a surrogate pair is refused before."""
    if "\0" in text:
        raise ValueError("a null character")
    return text


_STRICT_TEXT = Field(strict=True, min_length=1, max_length=256)
_STRICT_ID = Field(strict=True, gt=0, lt=_IDS)
_Seconds = Annotated[float, Field(strict=True, ge=0.1, le=120.0), Says("a number from 0.1 to 120.0")]
_Name = Annotated[str, _STRICT_TEXT, AfterValidator(_printable), Says("a text of 1 to 256 printable characters")]
_Epoch = Annotated[int, Field(strict=True, ge=1, le=_IDS), BeforeValidator(_whole), Says(f"a number from 1 to {_IDS}")]
_UserId = Annotated[int, _STRICT_ID, Says("a number")]
_Text = Annotated[str, _STRICT_TEXT, AfterValidator(_storable), Says("a text of 1 to 256 characters")]
_Device = Annotated[str, Field(strict=True, min_length=1, max_length=128), AfterValidator(_storable),
                    Says("a text of 1 to 128 characters")]


class Body(BaseModel):
    """A body. Fields that it does not name are ignored."""

    model_config = ConfigDict(frozen=True)


class HoldOrder(Body):
    """Let requests wait."""

    seconds: _Seconds


class AttachOrder(Body):
    """The pool is on this database in this epoch."""

    epoch: _Epoch
    database: _Name
    seconds: Annotated[float, Says("a number from 0.0 to 60.0"), Field(
        strict=True, ge=0.0, le=60.0, description="ends a hold, and waits so long for a lease",
        json_schema_extra=lambda schema: schema.pop("default"))] = 0.0

    @property
    def wait(self) -> float | None:
        """The seconds, if the body has any."""
        return self.seconds if "seconds" in self.model_fields_set else None


class BindOrder(Body):
    """Bind a user to a server."""

    user: _Name
    server: _Name


class SeenUser(Body):
    """A user, seen under a generation."""

    user_id: Annotated[int, _STRICT_ID]
    generation: Annotated[int, _STRICT_ID]


class TakeOrder(Body):
    """Bind users to this server."""

    users: Annotated[list[SeenUser], Field(min_length=1, max_length=MOST_USERS), Says(
        f"a list of 1 to {MOST_USERS} users", each="Each user is {user_id, generation}, both numbers.")]


class ProbeOrder(Body):
    """Reach a database of the pair."""

    database: _Name


class ReadyOrder(Body):
    """Log in to a database ahead."""

    database: _Name
    seconds: _Seconds


class ServiceOrder(Body):
    """Take a mail server out of service."""

    reason: _Name


class UserOrder(Body):
    """A user by id and name. The plan of an operation found the id under this name."""

    user_id: _UserId
    user: _Text


class DisableOrder(UserOrder):
    """A user, and why nobody serves the user any more."""

    reason: _Text


class DeviceOrder(UserOrder):
    """A device of a user."""

    device: _Device


class RevokeOrder(DeviceOrder):
    """A device, and why it is refused."""

    reason: _Text


class Registration(Body):
    """A device's kind."""

    kind: Annotated[str, Field(strict=True, min_length=1, max_length=64), AfterValidator(_printable)]


_ALL: tuple[type[Body], ...] = (
    HoldOrder, AttachOrder, BindOrder, TakeOrder, ProbeOrder, ReadyOrder, ServiceOrder, UserOrder, DisableOrder,
    DeviceOrder, RevokeOrder, Registration)
B = TypeVar("B", bound=Body)


def schemas() -> dict[str, Any]:
    """The schema of each body by its name, for the OpenAPI document."""
    _, found = models_json_schema(
        [(one, "validation") for one in _ALL], ref_template="#/components/schemas/{model}")
    return dict(found["$defs"])


async def body_of(request: web.Request, kind: type[B]) -> B:
    """A request's body. Raises Problem 400, which names the first field that does not fit."""
    return fitting(await _json_object(request), kind)


def fitting(said: dict[str, Any], kind: type[B]) -> B:
    """A JSON object as a body of this kind. Raises Problem 400."""
    try:
        return kind.model_validate(said)
    except ValidationError as error:
        where = error.errors(include_url=False, include_context=False, include_input=False)[0]["loc"]
    field = str(where[0])
    says = next(one for one in kind.model_fields[field].metadata if isinstance(one, Says))
    detail = says.each if len(where) > 1 else f"{field} is {says.field}."
    raise HttpProblem(400, f"Field {field}", detail, field=field)


def no_number(word: str) -> NoReturn:
    """Refuse NaN and Infinity, which Python reads and JSON does not have."""
    raise ValueError(f"{word} is no number of JSON")


async def _json_object(request: web.Request) -> dict[str, Any]:
    """The JSON object in a request's body; empty for none. Raises Problem 400."""
    try:
        body = json.loads(await request.text() or "{}", parse_constant=no_number)
    except (ValueError, LookupError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise HttpProblem(400, "Not a JSON object", "Send a JSON object as the body.")
    return body
