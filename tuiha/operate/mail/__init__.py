"""Mail servers: failover-mail, return-mail."""

from __future__ import annotations

from collections.abc import Callable

from tuiha.operate.mail.failover import FailoverMail, ReturnMail
from tuiha.operate.plans.kinds import OperationKind

KINDS: dict[str, Callable[[], OperationKind]] = {kind.name: kind for kind in (FailoverMail, ReturnMail)}
