"""What a plan means for users and for the way back, in a few words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tuiha.model.operations.evidence import StepId

_MOVES = "none; a user that moves waits for a moment"
_OUTAGES: Mapping[StepId, str] = {  # by the step that tells it, the first that a plan has
    StepId.HAND_OVER: _MOVES,
    StepId.TAKE_MANY: _MOVES,
    StepId.TAKE_USER: _MOVES,
    StepId.RETURN: "none; new mail of these users comes a moment later",
    StepId.MONITOR_THROUGH: "none; new mail of these users comes a moment later",
    StepId.DELETE: "the user is refused from step 1 on",
    StepId.REFUSE_USER: "the user is refused from step 1 on, until the user is enabled",
    StepId.REFUSE_DEVICE: "the device is refused from step 1 on, until it is allowed",
    StepId.REINITIALIZE: "none; the pool is unprotected until the copy is complete",
}


def outage(steps: Sequence[str]) -> str:
    """What users notice while these steps (their ids, in order) run."""
    numbers = {step: number for number, step in enumerate(steps, 1)}
    end = numbers.get(StepId.ATTACH)
    if end is not None and StepId.HOLD in numbers:
        return f"requests wait from step {numbers[StepId.HOLD]} to step {end}; none fails"
    if end is not None:
        return f"nobody is served until step {end} is done; step {end} ends it"
    if StepId.GIVE_UP in numbers:
        return f"commits that wait for the lost database continue with step {numbers[StepId.GIVE_UP]}"
    return next((words for step, words in _OUTAGES.items() if step in numbers), "none")


def way_back(steps: Sequence[bool], point: int | None) -> str:
    """How far the operation can be undone: `steps` says of each whether it can be, `point` is that of no return."""
    if point is not None:
        return (f"possible until step {point - 1} is done; from step {point} on only forward" if point > 1
                else "not possible: step 1 is the point of no return")
    kept = [str(number) for number, can in enumerate(steps, 1) if not can]
    if not kept:
        return "possible at every step"
    return f"possible until step {kept[0]} begins" if kept[0] != "1" else "not possible"


def no_return(steps: Sequence[str], point: int | None) -> str:
    """The point of no return, of steps by their names."""
    return "none: every step can be undone" if point is None else f"step {point} of {len(steps)}: {steps[point - 1]}"
