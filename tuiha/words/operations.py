"""What operations may lose, what is known of how far they came, and their results, as sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tuiha.model.operations.evidence import Ending, Known, Left, Loses
from tuiha.model.operations.statements import Statement
from tuiha.words.checks import FOUND, MENDS, WANTED
from tuiha.words.steps import BACK, DOING, DONE, FAULTS, STEPS
from tuiha.words.templates import Template, complete, rendered


def _gave_way(kind: str, taker: str, owner: str, operation: str, undoable: bool) -> str:
    back = f", `tuiha undo {operation}` undoes it" if undoable else ""
    return (f"stopped for {kind}, operation {taker} of {owner}; completed steps stay. "
            f"`tuiha resume {operation}` finishes it{back}")


def _taken_back(why: str, left: Sequence[str]) -> str:
    rest = f"undone, except for this: {'; '.join(left)}" if left else "everything is undone"
    return f"{why}; {rest}"


KNOWN: Mapping[Known, Template] = {
    Known.ACTIVE_INSTEAD: "{active} is active in epoch {epoch} now",
    Known.BACK_BEGUN: "{why}, and the undo has begun",
    Known.IN_RECOVERY: "{new} is in recovery",
    Known.LEADS_BY_PATRONI: "{new} leads according to Patroni",
    Known.LEADS_INSTEAD: "{leader} leads according to Patroni",
    Known.LEDGER_NAMES: lambda lost, step: f"{lost}; the ledger names {f'step {step}' if step else 'no step'}",
    Known.MAY_BE_BEGUN: "step {step} may have started",
    Known.NAMED_ACTIVE: "the ledger names {new} active in epoch {epoch}",
    Known.NOBODY_LEADS: "Patroni has no leader",
    Known.OLD_SERVES: "{new} is promoted, and {old} gives leases",
    Known.OUT_OF_RECOVERY: "{new} is out of recovery",
    Known.SILENT: "{new} does not answer: it is not known whether it was promoted",
}


LEFT: Mapping[Left, Template] = {
    Left.BY_COMMAND: "`{command}`",
    Left.COMMITS_WAIT: "{why}: commits on {active} wait for it; if it stays away: `tuiha plan degrade`",
    Left.DOES_NOT_RECEIVE: "{partner} does not receive from {active}: `tuiha plan rejoin {partner}`",
    Left.LEDGER_SILENT: "the ledger could not be read back: {error}",
    Left.NOT_ASKED: "{database} did not answer: {error}",
    Left.NO_EPOCH: "{database} has no epoch row",
    Left.OTHER_ACTIVE: "the ledger names {active} in epoch {epoch}; before, it named {was_active} in {was_epoch}",
    Left.PHASE: "the ledger's phase is {phase}",
    Left.REJOIN_OR_PROTECT: "`tuiha plan rejoin {partner}`, or `tuiha plan protect` when it streams",
    Left.SAYS_EPOCH: "{database} shows epoch {epoch} of {active}, {state}",
    Left.STANDBY_CHANGED:
        "UNPROTECTED: the ledger shows {partner} as {standby}, before as {was}: `tuiha plan protect`",
    Left.STANDBY_IS: "the ledger shows {partner} as {standby}",
    Left.UNPROTECTED: "UNPROTECTED: {why}; losing {active} now would lose acknowledged writes. Next: {mend}",
    Left.UNPROTECTED_PERHAPS: "probably UNPROTECTED: {why}",
}


LOSSES: Mapping[Loses, Template] = {
    Loses.AT_PROMOTION: "writes that {active} had and {partner} lacked when it was promoted",
    Loses.COMMITS_TAKE_LONGER: "nothing: commits take as long as {partner} needs to flush them",
    Loses.CONTINUE: "nothing: devices and mail continue where they stopped",
    Loses.COPIED_ANEW: "on {partner}, everything: it is copied from {active} again",
    Loses.DEVICE_CONTINUES: "nothing: after allow-device the device continues from the last change it acknowledged",
    Loses.DEVICE_CONTINUES_WITH_KEY:
        "nothing: with a new key the device continues from the last change it acknowledged",
    Loses.FOR_GOOD: "{devices:device} and {changes:change}, permanently",
    Loses.HOLES: "every write that {partner} does not have: {why}",
    Loses.IF_CAUGHT_UP: "nothing, if {partner} catches up; now it is {standby}",
    Loses.JOINS_AGAIN: "nothing: started again, it joins the pool as a new server",
    Loses.MONITORED_ONCE: "nothing: one server monitors each user, before and after",
    Loses.NOTHING: "nothing",
    Loses.OF_PARTNER: "on {partner}, writes that {active} lacks; on {active}, nothing",
    Loses.ON_PARTNER: "nothing: every acknowledged write is on {partner}",
    Loses.PROTECTION:
        "nothing now. While {active} is alone, its loss loses every write since then, and {partner} cannot replace "
        "it",
    Loses.READ_FROM_PARTNER:
        "nothing: mail that arrives meanwhile is read from the partner, and nothing is reported twice",
    Loses.RECORDED_LATER: "nothing: mail that arrives meanwhile is recorded when the user is enabled",
    Loses.SERVED_BY_OTHERS: "nothing: the other servers serve its devices",
    Loses.SERVES_AGAIN: "nothing: {active} serves again, and no server has used {partner} meanwhile",
    Loses.SINCE_STALE: "every write since {partner} became STALE: it lacks acknowledged writes",
    Loses.STAYS_AS_IS: "nothing: completed steps of operation {operation} stay; plan again for the rest",
    Loses.STOPPED_BY_PATRONI: "nothing: Patroni stops {active} cleanly, and {partner} has all of it",
    Loses.STOPPED_CLEANLY: "nothing: {active} is stopped cleanly, and {partner} replays all of it",
    Loses.WAS_READ_FROM_PARTNERS:
        "nothing: mail that arrived meanwhile was read from the partners, and nothing is reported twice",
    Loses.WHAT_PARTNER_LACKS: "every write that {partner} lacks: under Patroni, commits did not wait for it",
}


ENDINGS: Mapping[Ending, Template] = {
    Ending.CANCELLED_AND_STAYS: "cancelled by {who}; completed steps stay. `tuiha resume {operation}` continues",
    Ending.CANCELLED_BY: "cancelled by {who}",
    Ending.CLOSED: "it had released the pool, but its journal has no result. `tuiha status` shows the pool's state",
    Ending.DONE: lambda lacking: ". ".join(("every step was done and verified", *lacking)),
    Ending.GAVE_WAY: _gave_way,
    Ending.LEFT: "left as it is by {who}; completed steps stay. `tuiha resume {operation}` continues",
    Ending.NEVER_BEGAN: "it did not start: {why}",
    Ending.RECLAIMED: "another operation reclaimed the pool and ended this one",
    Ending.STEP_FAILED: "step {step} failed: {why}",
    Ending.STEP_UNKNOWN: "step {step} has an unknown outcome: {why}",
    Ending.STILL_NAMED:
        "{said}. The ledger could not be written and still names this operation: `tuiha resume {operation}` releases "
        "the pool",
    Ending.STUCK_BACK: "{why}; step {step} could not be undone: {fault}",
    Ending.TAKEN_BACK: _taken_back,
    Ending.TAKEN_BACK_BY: "undone by {who}",
}

# Every sentence about operations, by its code.
TABLES: dict[str, Template] = {
    str(code): template
    for table in (FOUND, WANTED, MENDS, STEPS, DONE, BACK, DOING, FAULTS, KNOWN, LEFT, LOSSES, ENDINGS)
    for code, template in table.items()
}


def text(statement: Statement | None) -> str:
    """The sentence of a statement about an operation; empty for none."""
    return "" if statement is None else rendered(statement, TABLES)


def known(statement: Statement) -> bool:
    """Whether this version has words for a statement, and the statement has all the figures that they need."""
    return complete(statement, TABLES)
