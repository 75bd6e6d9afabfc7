"""Errors as problem+json (RFC 9457): what happened, to what, what it means, what to do."""

from __future__ import annotations

import json
import random
from http import HTTPStatus

from aiohttp import hdrs, web


class HttpProblem(Exception):
    """An answer that is not the one asked for. `title` is for people; `detail` says what to do."""

    def __init__(
        self, status: int, title: str, detail: str = "", *, headers: dict[str, str] | None = None, **members: object
    ) -> None:
        super().__init__(title)
        self.status = status
        self.title = title
        self.detail = detail
        self.headers = headers or {}
        self.members = members

    def response(self) -> web.Response:
        """The response for it."""
        body = {"type": "about:blank", "status": self.status, "title": self.title, "detail": self.detail}
        response = web.Response(
            status=self.status,
            text=json.dumps({**body, **self.members}),
            content_type="application/problem+json",
            headers=self.headers,
        )
        if self.headers.get(hdrs.CONNECTION) == "close":
            response.force_close()  # aiohttp keeps it open otherwise
        return response


def unavailable(detail: str, retry_after: int | None = None) -> HttpProblem:
    """503 with Retry-After: nothing was written, the same request may be repeated. None: at random, so that devices
    that are told it in one moment do not return in one.
    """
    if retry_after is None:
        retry_after = random.randint(1, 3)
    return HttpProblem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The pool cannot serve this now",
        f"{detail}. Repeat the same request after {retry_after} s.",
        headers={"Retry-After": str(retry_after)},
    )


def unknown_outcome() -> HttpProblem:
    """503 after the second look: the request may have happened; devices repeat with the same key."""
    return HttpProblem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The outcome of this request is unknown",
        "The database changed while it ran. Repeat the same request: nothing comes twice.",
        headers={"Retry-After": "1"},
    )
