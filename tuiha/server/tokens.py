"""Who may look and who may act: the tokens of the control interface, which can be changed while the server runs."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tuiha.config import secrets
from tuiha.config.parts import Control


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of both roles. Without an operator's nobody can act through this server."""

    viewers: tuple[str, ...]
    operators: tuple[str, ...] = ()

    @classmethod
    def read(cls, control: Control, base: Path) -> Tokens:
        """The present tokens, and the ones before them while these are still accepted. Raises ConfigError."""
        named = {"viewer": control.viewer, "viewer before": control.viewer_before,
                 "operator": control.operator, "operator before": control.operator_before}
        found = secrets.resolve_all({name: secret for name, secret in named.items() if secret is not None}, base)

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


def _among(given: bytes, tokens: Iterable[str]) -> bool:
    found = False
    for token in tokens:
        found |= hmac.compare_digest(given, token.encode())
    return found
