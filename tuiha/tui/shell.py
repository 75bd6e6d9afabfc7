"""What does the same in a shell."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from tuiha.model.quotes import shell


def plan_command(kind: str, target: Sequence[str], options: Mapping[str, str]) -> str:
    """`tuiha plan ...`."""
    told = [word for name, value in options.items() for word in ("--option", f"{name}={value}")]
    return shell(["tuiha", "plan", kind], target, told)


def apply_command(plan: str, confirm: str, overrides: Sequence[str], reason: str) -> str:
    """`tuiha apply ...`, for a plan that was kept."""
    told = [word for name in overrides for word in ("--override", name)]
    why = ["--reason", reason] if reason else []
    return shlex.join(["tuiha", "apply", plan, "--confirm", confirm, *told, *why])


def both_commands(planned: str, applied: str) -> str:
    """Plan, and apply just that plan: when a fact has changed the second is refused."""
    return f"{planned} && {applied}"


def users_command(pattern: str) -> str:
    """`tuiha users ...`."""
    return shell(["tuiha", "users"], [pattern] if pattern else [])
