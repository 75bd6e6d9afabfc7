"""What operations may lose, what is known of how far they came, and their results, as sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tuiha.model.operations.evidence import Ending, Known, Left, Loses
from tuiha.model.operations.statements import Statement
from tuiha.words.checks import FOUND, MENDS, WANTED
from tuiha.words.steps import BACK, DOING, DONE, FAULTS, STEPS
from tuiha.words.templates import Template, complete, rendered


def _gave_way(kind: str, taker: str, owner: str, operation: str, undoable: bool) -> str:
    back = f", `tuiha undo {operation}` takes it back" if undoable else ""
    return (f"gave way to {kind}, operation {taker} of {owner}; what was done stays. "
            f"`tuiha resume {operation}` finishes it{back}")


def _taken_back(why: str, left: Sequence[str]) -> str:
    rest = f"taken back, but this is left: {'; '.join(left)}" if left else "nothing is left of it"
    return f"{why}; {rest}"


KNOWN: Mapping[Known, Template] = {
    Known.ACTIVE_INSTEAD: "{active} is active in epoch {epoch} by now",
    Known.BACK_BEGUN: "{why}, and taking back has begun",
    Known.IN_RECOVERY: "{new} is in recovery",
    Known.LEADS_BY_PATRONI: "{new} leads, by Patroni",
    Known.LEADS_INSTEAD: "by Patroni {leader} leads",
    Known.LEDGER_NAMES: lambda lost, step: f"{lost}; the ledger names {f'step {step}' if step else 'no step'}",
    Known.MAY_BE_BEGUN: "step {step} may have been begun",
    Known.NAMED_ACTIVE: "the ledger names {new} active in epoch {epoch}",
    Known.NOBODY_LEADS: "by Patroni nobody leads",
    Known.OLD_SERVES: "{new} is promoted, and {old} gives leases",
    Known.OUT_OF_RECOVERY: "{new} is out of recovery",
    Known.SILENT: "{new} does not answer: whether it was promoted is not known",
}


LEFT: Mapping[Left, Template] = {
    Left.BY_COMMAND: "`{command}`",
    Left.COMMITS_WAIT: "{why}: commits on {active} wait for it; `tuiha plan degrade` if it does not come back",
    Left.DOES_NOT_RECEIVE: "{partner} does not receive from {active}: `tuiha plan rejoin {partner}`",
    Left.LEDGER_SILENT: "the ledger could not be read back: {error}",
    Left.NOT_ASKED: "{database} could not be asked: {error}",
    Left.NO_EPOCH: "{database} has no epoch row",
    Left.OTHER_ACTIVE: "the ledger names {active} in epoch {epoch}, it named {was_active} in {was_epoch}",
    Left.PHASE: "the ledger's phase is {phase}",
    Left.REJOIN_OR_PROTECT: "`tuiha plan rejoin {partner}`, or `tuiha plan protect` when it streams",
    Left.SAYS_EPOCH: "{database} says epoch {epoch} of {active}, {state}",
    Left.STANDBY_CHANGED:
        "UNPROTECTED: the ledger says that {partner} is {standby}, it was {was}: `tuiha plan protect`",
    Left.STANDBY_IS: "the ledger says that {partner} is {standby}",
    Left.UNPROTECTED: "UNPROTECTED: {why}; losing {active} now would lose acknowledged writes. Next: {mend}",
    Left.UNPROTECTED_PERHAPS: "UNPROTECTED, as far as can be told: {why}",
}


LOSSES: Mapping[Loses, Template] = {
    Loses.AT_PROMOTION: "whatever {active} had and {partner} did not when it was promoted",
    Loses.COMMITS_TAKE_LONGER: "nothing: commits take as long as {partner} needs to flush them",
    Loses.CONTINUE: "nothing: devices and mail continue where they stopped",
    Loses.COPIED_ANEW: "on {partner}, everything: it is copied from {active} anew",
    Loses.DEVICE_CONTINUES: "nothing: after allow-device the device continues from the last change it acknowledged",
    Loses.DEVICE_CONTINUES_WITH_KEY:
        "nothing: with a new key the device continues from the last change it acknowledged",
    Loses.FOR_GOOD: "{devices:device} and {changes:change}, for good",
    Loses.HOLES: "every write that {partner} does not have: {why}",
    Loses.IF_CAUGHT_UP: "nothing, if {partner} catches up; it is {standby} now",
    Loses.JOINS_AGAIN: "nothing: started again, it joins the pool as a new server",
    Loses.MONITORED_ONCE: "nothing: a user is monitored by one server before and by one after",
    Loses.NOTHING: "nothing",
    Loses.OF_PARTNER: "on {partner}, whatever {active} does not have; on {active}, nothing",
    Loses.ON_PARTNER: "nothing: every acknowledged write is on {partner}",
    Loses.PROTECTION:
        "nothing now; while {active} is alone, its loss loses every write since, and {partner} cannot take its "
        "place",
    Loses.READ_FROM_PARTNER: "nothing: what came meanwhile is read from the partner, and nothing is reported twice",
    Loses.RECORDED_LATER: "nothing: mail that comes meanwhile is recorded when the user is enabled",
    Loses.SERVED_BY_OTHERS: "nothing: devices are served by the others",
    Loses.SERVES_AGAIN: "nothing: {active} serves again; no server has used {partner} since",
    Loses.SINCE_STALE: "every write since {partner} became STALE: it lacks acknowledged writes",
    Loses.STAYS_AS_IS: "nothing: what operation {operation} did so far stays; plan again what is missing",
    Loses.STOPPED_BY_PATRONI: "nothing: Patroni stops {active} cleanly, and {partner} has all of it",
    Loses.STOPPED_CLEANLY: "nothing: {active} is stopped cleanly, and {partner} replays all of it",
    Loses.WAS_READ_FROM_PARTNERS:
        "nothing: what came meanwhile was read from the partners, and nothing is reported twice",
    Loses.WHAT_PARTNER_LACKS: "every write that {partner} lacks: Patroni did not have commits wait for it",
}


ENDINGS: Mapping[Ending, Template] = {
    Ending.CANCELLED_AND_STAYS: "cancelled by {who}; what was done stays. `tuiha resume {operation}` goes on",
    Ending.CANCELLED_BY: "cancelled by {who}",
    Ending.CLOSED: "it had given the pool back; its result was not in its journal. `tuiha status` shows what is so",
    Ending.DONE: lambda lacking: ". ".join(("every step was done and verified", *lacking)),
    Ending.GAVE_WAY: _gave_way,
    Ending.LEFT: "left as it is by {who}; what was done stays. `tuiha resume {operation}` goes on",
    Ending.NEVER_BEGAN: "it never began: {why}",
    Ending.RECLAIMED: "another operation reclaimed the pool from this one, and brought it to an end",
    Ending.STEP_FAILED: "step {step} failed: {why}",
    Ending.STEP_UNKNOWN: "step {step} has an unknown outcome: {why}",
    Ending.STILL_NAMED:
        "{said}. The ledger still names this operation, as it could not be written: `tuiha resume {operation}` "
        "gives the pool back",
    Ending.STUCK_BACK: "{why}; step {step} could not be taken back: {fault}",
    Ending.TAKEN_BACK: _taken_back,
    Ending.TAKEN_BACK_BY: "taken back by {who}",
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
