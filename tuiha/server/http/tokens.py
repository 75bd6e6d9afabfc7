"""Who may look and who may act: the tokens of the control interface, which can be changed while the server runs."""

from __future__ import annotations

import hmac
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from tuiha.config import secrets
from tuiha.config.errors import ConfigError
from tuiha.config.parts import ControlSettings

BITS = 128  # that a token has at least, as far as its characters tell
_LEAST_VARIED = 8  # different characters
_ALPHABETS = ((10, r"[0-9]+"), (16, r"[0-9a-f]+"), (16, r"[0-9A-F]+"), (26, r"[a-z]+"), (26, r"[A-Z]+"),
              (36, r"[0-9a-z]+"), (36, r"[0-9A-Z]+"), (62, r"[0-9A-Za-z]+"))
_OTHERS = 64  # base64; whatever else there is makes no more of it


def weak(token: str) -> bool:
    """Whether a token has less than BITS bits at best: too short for its alphabet, repetitive, or a sequence."""
    letters = next((size for size, pattern in _ALPHABETS if re.fullmatch(pattern, token)), _OTHERS)
    steps = [ord(b) - ord(a) for a, b in pairwise(token)]
    return (
        len(token) * math.log2(letters) < BITS
        or len(set(token)) < _LEAST_VARIED
        or (token + token).find(token, 1) < len(token)  # one piece, again and again
        or sum(abs(step) <= 1 for step in steps) > len(steps) / 2  # 0123456789...
    )


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of both roles. Without an operator's nobody can act through this server."""

    viewers: tuple[str, ...]
    operators: tuple[str, ...] = ()

    @classmethod
    def read(cls, control: ControlSettings, base: Path) -> Tokens:
        """The present tokens, and the ones before them while these are still accepted.

        Raises ConfigError, also for a token that can be guessed.
        """
        named = {"viewer": control.viewer, "viewer before": control.viewer_before,
                 "operator": control.operator, "operator before": control.operator_before}
        given = {name: secret for name, secret in named.items() if secret is not None}
        found = secrets.resolve_all(given, base)
        problems = [given[name].problem(f"the {name} token can be guessed", _REMEDY)
                    for name, token in found.items() if weak(token)]
        if problems:
            raise ConfigError(*problems)

        def role(name: str) -> tuple[str, ...]:
            return tuple(found[key] for key in (name, f"{name} before") if key in found)

        return cls(role("viewer"), role("operator"))

    def role(self, header: str) -> str | None:
        """The role of an Authorization header; None for none. Compares in constant time, and with all of them."""
        kind, _, token = header.partition(" ")
        if kind.lower() != "bearer":
            return None
        given = token.strip().encode("utf-8", "surrogateescape")  # as headers that are no UTF-8 are decoded
        acts, looks = _among(given, self.operators), _among(given, self.viewers)
        return "operator" if acts else "viewer" if looks else None


_REMEDY = f"a token has at least {BITS} random bits; make one with: openssl rand -hex 32"


def _among(given: bytes, tokens: Iterable[str]) -> bool:
    found = False
    for token in tokens:
        found |= hmac.compare_digest(given, token.encode())
    return found
