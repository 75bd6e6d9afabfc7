"""The answers of the control interface against the classes that say what is in them."""

from __future__ import annotations

import re
from typing import Any

import jsonschema

from tuiha.model.schema import Definitions
from tuiha.server.control.api import CONTROL
from tuiha.server.control.rights import RIGHTS
from tuiha.server.http.endpoints import Endpoint


def validate_answer(method: str, path: str, body: object) -> None:
    """Raises ValidationError for an answer that has not the fields of its class, or more. Errors are not for here."""
    asked = path.split("?")[0]
    every: tuple[Endpoint[Any], ...] = (*CONTROL, *RIGHTS)
    endpoint = next(one for one in every if one.method == method
                 and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", one.path), asked))
    definitions = Definitions(wire=True)
    schema: dict[str, Any] = {"anyOf": [definitions.of(kind) for kind in endpoint.answers]}
    jsonschema.Draft202012Validator({**schema, "$defs": definitions.found}).validate(body)
