"""The next step, as a command for a shell, and as a key of the dashboard."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tuiha.model.codes import Action, ByHand, Next
from tuiha.model.databases.durability import Durability, Gap, Loose
from tuiha.model.quotes import identifier, literal

_ByHand = Callable[[Durability, str], str]

ATTACHES = "a"  # the dashboard's key that opens the operation that has the pool


def command(then: Next | None) -> str:
    """The command in a shell, or what to do by hand; empty when nothing comes next."""
    return "" if then is None else _COMMANDS[then.action](then)


def key(then: Next | None) -> str | None:
    """The dashboard's key that leads there, as it is declared; None when no key does."""
    return None if then is None else _KEYS.get((then.action, then.operation))


def _reset(found: Durability, partner: str) -> str:
    return "; ".join(_reset_of(one) for one in found.loose)


def _reset_of(loose: Loose) -> str:
    where = "" if loose.database is None else f" IN DATABASE {identifier(loose.database)}"
    if loose.role is not None:
        return f"ALTER ROLE {identifier(loose.role)}{where} RESET synchronous_commit"
    if loose.database is not None:
        return f"ALTER DATABASE {identifier(loose.database)} RESET synchronous_commit"
    return "ALTER ROLE ALL RESET synchronous_commit" if loose.altered else "synchronous_commit = on"


_MENDS: Mapping[Gap, _ByHand] = {
    Gap.LOOSE: _reset,
    Gap.TWINS: lambda found, partner: f"give the other program an application_name other than {literal(partner)}",
    Gap.STRANGER: lambda found, partner: f"stop the program with the name {literal(partner)} that is not {partner}, "
                                         f"or set primary_slot_name on {partner}",
    Gap.DOUBLE: lambda found, partner: f"stop the copy of {partner}, or the program that uses its name and slot",
}


def _mended(mend: ByHand | None) -> str:
    return "" if mend is None else _MENDS[mend.gap](mend.commits, mend.partner)


_COMMANDS: Mapping[Action, Callable[[Next], str]] = {
    Action.PLAN: lambda then: " ".join(("tuiha plan", then.operation, *then.targets)),
    Action.CHECK: lambda _: "tuiha check",
    Action.STATUS: lambda _: "tuiha status",
    Action.SERVE: lambda then: " ".join(("tuiha serve", *(then.targets or ("NAME",)))),
    Action.GUARD: lambda _: "tuiha guard",
    Action.SHOW: lambda then: " ".join(("tuiha operations", *then.targets)),
    Action.RESUME: lambda then: " ".join(("tuiha resume", *then.targets)),
    Action.UNDO: lambda then: " ".join(("tuiha undo", *then.targets)),
    Action.CANCEL: lambda then: " ".join(("tuiha cancel", *then.targets)),
    Action.USERS_WITHOUT_MAIL: lambda _: "tuiha users --without-mail",
    Action.MANAGER_RESUME: lambda _: "patronictl resume",
    Action.MANAGER_RESTART: lambda _: "patronictl restart",
    Action.MEND: lambda then: _mended(then.mend),
    Action.RECORDED: lambda then: " ".join(then.targets),
}
_KEYS: Mapping[tuple[Action, str], str] = {
    (Action.PLAN, "failover"): "f",
    (Action.PLAN, "degrade"): "f",
    (Action.PLAN, "protect"): "f",
    (Action.PLAN, "rejoin"): "f",
    (Action.PLAN, "failover-mail"): "f",
    (Action.PLAN, "return-mail"): "f",
    (Action.PLAN, "rebalance"): "r",
    (Action.PLAN, "enable"): "e",
    (Action.SHOW, ""): ATTACHES,
    (Action.RESUME, ""): ATTACHES,
    (Action.UNDO, ""): ATTACHES,
    (Action.CANCEL, ""): ATTACHES,
}
