"""What the control interface offers, each path once: routes and the OpenAPI document are made of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, Literal, TypeVar

from aiohttp import web

from tuiha.server.http.bodies import Body

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Role = Literal["viewer", "operator"]
H = TypeVar("H")


@dataclass(frozen=True, slots=True)
class Query:
    """A parameter behind the question mark."""

    name: str
    kind: Literal["string", "integer"]
    required: bool = False


@dataclass(frozen=True, slots=True)
class Endpoint(Generic[H]):
    """A path: the method of `H` that answers it, and what it takes and answers. Who looks is a viewer at least."""

    method: Literal["GET", "POST"]
    path: str
    handler: Callable[[H, web.Request], Awaitable[web.StreamResponse]]
    summary: str
    answers: tuple[Any, ...]  # classes of tuiha.model.documents, or of reports
    body: type[Body] | None = None
    query: tuple[Query, ...] = ()

    @property
    def role(self) -> Role:
        """Whose token it takes."""
        return "viewer" if self.method == "GET" else "operator"

    def route(self, owner: H, only: Callable[[Role, Handler], Handler]) -> web.RouteDef:
        """The route to `owner`; `only` lets a role's token through."""
        add = web.get if self.method == "GET" else web.post
        return add(self.path, only(self.role, partial(self.handler, owner)))
