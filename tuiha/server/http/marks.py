"""What a request or an answer carries from one room to another: a header, a cookie, what was found out on its way."""

from __future__ import annotations

from typing import Any

from aiohttp import web

FULL = "X-Tuiha-Full"  # in a 503: this server has no place; whoever passed the request on does not answer it either
COOKIE = "tuiha_pass"  # of a device: its pass, see `devices.passes`
PASS: web.RequestKey[Any] = web.RequestKey("pass", object)  # makes a pass for its user; empty: there are none
