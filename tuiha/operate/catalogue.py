"""The classes that carry out the kinds of operations, by their names in `tuiha.model.operations.catalogue`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tuiha.operate import access, database, guard, mail, users
from tuiha.operate.plans.kinds import OperationKind
from tuiha.operate.run.reclaim import Reclaim

KINDS: Mapping[str, Callable[[], OperationKind]] = {
    **users.KINDS, **access.KINDS, **mail.KINDS, **database.KINDS, **guard.KINDS, Reclaim.name: Reclaim,
}
