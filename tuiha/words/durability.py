"""Why commits do not wait for the partner alone, or wait in vain, and what mends it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tuiha.model.codes import mend
from tuiha.model.databases.durability import IN_STEP, Durability, Gap, Loose, same_name
from tuiha.model.quotes import wait_for
from tuiha.words.next import command


def reason(found: Durability, partner: str, all_gaps: frozenset[Gap]) -> str:
    """Why the partner may lack acknowledged writes, or why commits wait for it: one line."""
    return "; ".join(_REASONS[gap](found, partner) for gap in Gap if gap in all_gaps)


def remedy(found: Durability, partner: str, all_gaps: frozenset[Gap]) -> str:
    """How to mend the first gap that no operation mends by itself; without one, `tuiha plan protect`."""
    return command(mend(found, partner, all_gaps))


def _place(loose: Loose) -> str:
    words = [f"role {loose.role}"] if loose.role is not None else []
    words += [f"database {loose.database}"] if loose.database is not None else []
    return f"{' in '.join(words) or 'all sessions'} ({loose.value})"


def _listed(found: Durability, partner: str) -> str:
    return f"synchronous_standby_names is {found.names}, not {wait_for(partner)}"


def _synchronous(found: Durability, partner: str) -> str:
    return ", ".join(sorted({one.name or "one without a name" for one in found.followers or ()
                             if one.sync_state in IN_STEP and not same_name(one.name, partner)}))


_Words = Callable[[Durability, str], str]
_REASONS: Mapping[Gap, _Words] = {
    Gap.NOBODY: lambda found, partner: "commits wait for no secondary: synchronous_standby_names is empty",
    Gap.UNREADABLE: _listed,
    Gap.ANYBODY: _listed,
    Gap.QUORUM: _listed,
    Gap.SEVERAL: _listed,
    Gap.ANOTHER: _listed,
    Gap.LOOSE: lambda found, partner: f"synchronous_commit does not wait: {', '.join(map(_place, found.loose))}",
    Gap.TWINS: lambda found, partner: f"two connections use the name {partner}: one may be another program",
    Gap.OTHERS: lambda found, partner: f"commits are acknowledged by {_synchronous(found, partner)}",
    Gap.STRANGER: lambda found, partner: f"the connection named {partner} does not use the slot of {partner}",
    Gap.DOUBLE: lambda found, partner: f"a copy of {partner} confirms commits in its place; the real {partner} lacks "
                                       "them",
    Gap.ABSENT: lambda found, partner: f"{partner} is not connected",
    Gap.BEHIND: lambda found, partner: f"{partner} is not synchronous yet",
    Gap.MORE: _listed,
}
