"""Judge the histories of drills: is each of them linearizable?

`python -m tests.programs.linearizable FILE...` reads what `tuiha drill --history FILE` wrote. Exit code 0 when every
history is linearizable, 1 when one is not, 2 when one could not be decided within the bounds.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.proof.growing import GROWING, Action, Added, History, gathered, histories
from tests.proof.linearizability import LONGEST, MOST, Answer, Judgement, Operation, judge

_CODES = {Answer.LINEARIZABLE: 0, Answer.UNDECIDED: 2, Answer.NOT: 1}


def main() -> int:
    """Judge each history of each file, and print one line for each."""
    parser = argparse.ArgumentParser(description="Judge the histories that drills wrote.")
    parser.add_argument("files", metavar="FILE", nargs="+", type=Path)
    parser.add_argument("--most", type=int, default=MOST, help="configurations of one search (bounds its memory)")
    parser.add_argument("--seconds", type=float, default=LONGEST, help="of one search")
    arguments = parser.parse_args()
    answers, operations, began = [], 0, time.monotonic()
    for path in arguments.files:
        for history in histories(path.read_text(encoding="utf-8").splitlines()):
            answer, lines = verdict(history, arguments.most, arguments.seconds)
            answers.append(answer)
            operations += history.size
            sys.stdout.write("\n".join(lines) + "\n")
            sys.stdout.flush()
    seconds = time.monotonic() - began
    counts = ", ".join(f"{answers.count(one)} {one.value}" for one in Answer if one in answers)
    sys.stdout.write(f"{len(answers)} histories, {operations:,} operations, {seconds:.1f} s: {counts or 'none'}\n")
    wrong = {_CODES[answer] for answer in answers} - {0}
    return min(wrong, default=0)


def verdict(history: History, most: int = MOST, longest: float = LONGEST) -> tuple[Answer, list[str]]:
    """The worst answer of all users, and lines for people."""
    began, configurations = time.monotonic(), 0
    worst, details = Answer.LINEARIZABLE, []
    for user, operations in history.users.items():
        found = judge(gathered(operations), GROWING, most, longest)
        configurations += found.configurations
        if found.answer is not Answer.LINEARIZABLE:
            details += [f"    {user}: {found.answer.value}", *(f"        {line}" for line in explained(found))]
            worst = Answer.NOT if Answer.NOT in (worst, found.answer) else found.answer
    seconds = time.monotonic() - began
    headline = (f"{history.scenario}: {worst.value}: {len(history.users)} users, {history.size:,} operations, "
                f"{configurations:,} configurations, {seconds:.2f} s")
    return worst, [headline, *details]


def explained(found: Judgement[Action]) -> Sequence[str]:
    """What does not fit after the longest order."""
    state: frozenset[str] = frozenset(one.action.device for one in found.order if isinstance(one.action, Added))
    return [f"{len(found.order):,} operations explained; then none of these fits:",
            *(_line(one, state) for one in found.stuck)]


def _line(one: Operation[Action], state: frozenset[str]) -> str:
    if isinstance(one.action, Added):
        return f"{one.by} registers {one.action.device}, invoked at {one.invoked:.3f} (fits, but leads nowhere)"
    lacks, more = sorted(state - one.action.devices), sorted(one.action.devices - state)
    return (f"{one.by} reads, {one.invoked:.3f} to {one.answered:.3f}: "
            f"lacks {', '.join(lacks) or 'nothing'}; shows too early {', '.join(more) or 'nothing'}")


if __name__ == "__main__":
    raise SystemExit(main())
