"""Who may come in: disable-user, enable-user, forget-user, revoke-device, allow-device."""

from __future__ import annotations

from collections.abc import Callable

from tuiha.operate.access.kinds import AllowDevice, DisableUser, EnableUser, ForgetUser, RevokeDevice
from tuiha.operate.plans.kinds import OperationKind

KINDS: dict[str, Callable[[], OperationKind]] = {
    kind.name: kind for kind in (DisableUser, EnableUser, ForgetUser, RevokeDevice, AllowDevice)
}
