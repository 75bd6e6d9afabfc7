"""What the rooms of the server know a request or an answer by: its path, a header, a cookie, what was found out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aiohttp import web

DEVICE_PATHS = ("/v1/",)  # how the paths begin at which devices ask, one for each protocol
# In a 503: this server has no place; a server that passed the request on does not answer it either. Its value is for
# the sprayer: how many of a thousand requests to turn away itself, and the seconds to spread these over ("630:12").
FULL = "X-Tuiha-Full"
# In a request, by a sprayer: of a thousand, how many it turned away when it let this one through.
SHARE = "X-Tuiha-Share"
COOKIE = "tuiha_pass"  # of a device: its pass, see `devices.passes`
PASS: web.RequestKey[Any] = web.RequestKey("pass", object)  # makes a pass for its user; empty: there are none


@dataclass(frozen=True, slots=True)
class TurnedAway:
    """What one request is told that gets no place."""

    seconds: int  # after which it shall come again
    word: str  # for the sprayer: the value of FULL


def share(text: str | None) -> int:
    """The number in SHARE; 0 where there is none, or no number."""
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) <= 3 else 0
