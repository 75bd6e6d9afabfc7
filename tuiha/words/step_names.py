"""Steps in a few words, for screens that show all steps of an operation side by side.

`tuiha.words.steps` has the whole sentences. A name says what is so when the step is done.
"""

from __future__ import annotations

from collections.abc import Mapping

from tuiha.model.operations.evidence import StepId
from tuiha.model.operations.statements import Statement
from tuiha.words.operations import text
from tuiha.words.templates import Template, rendered

NAMES: Mapping[StepId, Template] = {
    StepId.ACCEPT_DEVICE: "device accepted again",
    StepId.ACCEPT_USER: "user accepted again",
    StepId.ACKNOWLEDGE_GUARD: "guard acknowledged",
    StepId.ANNOUNCE: "phase in the ledger",
    StepId.ASK_FAILOVER: "Patroni: {new} leads",
    StepId.ASK_SWITCHOVER: "Patroni: {new} leads",
    StepId.ATTACH: "servers on {new}",
    StepId.BEGIN_EPOCH: "epoch begun on {new}",
    StepId.CATCH_UP: "{new} caught up",
    StepId.CLOSE: "operation closed",
    StepId.CUT: "{new} cut off from {old}",
    StepId.DELETE: "user deleted",
    StepId.FENCE: "{old} fenced",
    StepId.FENCE_IF_REACHED: "{old} fenced",
    StepId.FORGET_SERVER: "server removed",
    StepId.GIVE_NO_NEW: "no new users",
    StepId.GIVE_UP: "{old} waits for nobody",
    StepId.GIVE_USERS: "sprayers give users",
    StepId.HAND_OVER: "users handed over",
    StepId.HOLD: "requests held",
    StepId.IN_SERVICE: "in service",
    StepId.LET_GO: "servers left {old}",
    StepId.MONITOR_THROUGH: "users at the partner",
    StepId.OUT_OF_SERVICE: "out of service",
    StepId.PATRONI_AGREES: "Patroni agrees",
    StepId.PATRONI_REJOINS: "{old} is the standby",
    StepId.PATRONI_REJOINS_IF_THERE: "{old} is the standby",
    StepId.PAUSE_GUARD: "guard paused",
    StepId.PREPARE: "{new} prepared",
    StepId.PROMOTE: "{new} promoted",
    StepId.PROTECT: "commits wait for {old}",
    StepId.PROTECT_IF_FOLLOWS: "commits wait for {old}",
    StepId.RECORD: "ledger: {new} is active",
    StepId.REFUSE_DEVICE: "device refused",
    StepId.REFUSE_USER: "user refused",
    StepId.REINITIALIZE: "{new} copied again",
    StepId.REJOIN: "{old} is the standby",
    StepId.REJOIN_IF_THERE: "{old} is the standby",
    StepId.REPLAY: "{new} replayed all",
    StepId.RESET_CONNECTION: "{new} may replicate",
    StepId.RESUME_GUARD: "guard resumed",
    StepId.RETURN: "users return",
    StepId.SEEN: "every server knows it",
    StepId.SEEN_AND_QUIET: "every server knows it",
    StepId.STOP: "{old} stopped",
    StepId.TAKE_BACK: "undo: {step}",
    StepId.TAKE_MANY: "users taken",
    StepId.TAKE_NOBODY: "takes nobody",
    StepId.TAKE_USER: "user taken",
    StepId.TAKE_USERS: "takes users",
    StepId.VERIFY: "verified: none on {old}",
    StepId.VERIFY_EMPTY: "verified: no user left",
    StepId.VERIFY_MONITORS: "verified",
    StepId.WAIT_UNTIL_QUIET: "no device connected",
}
_TABLE: Mapping[str, Template] = {str(code): template for code, template in NAMES.items()}


def step_name(says: Statement) -> str:
    """A step in a few words; the whole sentence of a step that only another version has a name for."""
    inner = says.figures.get("step")
    if says.code == StepId.TAKE_BACK and isinstance(inner, Statement):
        return f"undo: {step_name(inner)}"
    return rendered(says, _TABLE) if says.code in _TABLE else text(says)
