"""The process that runs one operation: `python -m tuiha.operate.run.runner --config FILE ID`.

It goes on from the journal, so starting, resuming and taking back are the same program.
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import os
import socket
import sys
import time
import traceback
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from tuiha.config.errors import ConfigError
from tuiha.config.load import load
from tuiha.config.pace import TracesSettings
from tuiha.config.settings import Pool
from tuiha.drivers.protocols import DriverError
from tuiha.model.operations.evidence import REMAINS, Ending, Fault
from tuiha.model.operations.intent import BEAT, Condition, at_rest
from tuiha.model.operations.plans import OperationStatus, StepStatus
from tuiha.model.operations.refusals import Refused
from tuiha.model.operations.statements import Statement
from tuiha.model.operations.trace import SpanFacts, step_part, traceparent
from tuiha.model.operations.ways import against
from tuiha.operate.plans.draft import kind_of
from tuiha.operate.plans.kinds import OperationRefused, ReadsBack, Step
from tuiha.operate.reach.world import World, open_world
from tuiha.operate.records.journal import Journal, read_records
from tuiha.operate.records.journal_copy import keep_in_database
from tuiha.operate.records.spans import begun, spans
from tuiha.operate.records.state import OperationState, recorded
from tuiha.operate.records.store import Folder, store_of
from tuiha.operate.run import intent as intents
from tuiha.operate.run.apply import ledger_of
from tuiha.operate.run.attempt import AttemptDone, Teller, attempt
from tuiha.operate.run.cost import Cost, cost, counts
from tuiha.operate.run.launch import RunnerOrder, handed
from tuiha.operate.run.precedence import gave_way
from tuiha.operate.run.witness import Truth, ask, next_one, refuse_to_undo

_TELLS, _TELL_AGAIN = 3, 0.2  # how often the ledger is told of a point of no return, and seconds between
# Of an operation that keeps the pool.
_CONDITIONS = {OperationStatus.FAILED: Condition.HALF_WAY, OperationStatus.UNKNOWN: Condition.UNKNOWN}
_RELEASE_SECONDS = 10.0  # how long an unreachable ledger is asked to take the intent back


class Runner:
    """Runs the steps of one operation, in order or backwards."""

    def __init__(self, world: World, folder: Folder, journal: Journal, intent: intents.Intent) -> None:
        self._world = world
        self._folder = folder
        self._journal = journal
        self._intent = intent
        self._ledger = ledger_of(world)
        plan = folder.plan()
        self._kind = kind_of(plan.kind)
        self._steps = self._kind.steps(plan)
        self._plan = plan
        self._counting: asyncio.Task[None] | None = None
        self._beating: asyncio.Task[None] | None = None
        self._taken_by: intents.Intent | None = None  # another operation has the pool by now
        self._taken = asyncio.Event()
        self._attempts = begun(read_records(folder.journal)) if world.pool.traces is not None else {}

    @asynccontextmanager
    async def alive(self) -> AsyncIterator[None]:
        """Give signs of life in the ledger meanwhile, and notice when another operation has taken the pool."""
        self._beating = asyncio.create_task(self._beat())
        try:
            yield
        finally:
            if self._beating is not None:
                self._beating.cancel()

    async def _beat(self) -> None:
        while True:
            await self._tell_ledger()
            await asyncio.sleep(BEAT)

    async def _no_more_signs(self) -> None:
        beating, self._beating = self._beating, None
        if beating is not None:
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)

    async def forward(self) -> None:
        """Run every step that is not done; ends with a result in the journal."""
        if not self._state().ever_began:  # beside the steps: nobody waits for a server that hangs
            self._counting = asyncio.create_task(self._count())
        for step, known in zip(self._steps, self._state().steps, strict=True):
            if known.state is StepStatus.DONE:
                continue
            if await self._gave_way() or await self._stop_asked():
                return
            state, said = await self._one(step)
            if await self._gave_way():
                return
            if state is StepStatus.DONE:
                continue
            if await self._stop_asked():
                return
            await self._stuck(step, state, said)
            return
        lacking = await self._kind.lacking(self._world, self._plan) if isinstance(self._kind, ReadsBack) else ()
        await self._end(OperationStatus.DONE, Ending.DONE(lacking=lacking), lacking=bool(lacking))

    async def backward(self, state: OperationStatus, why: Statement) -> None:
        """Take back every step that began, the last first; ends with `state` as the result."""
        known, remains = self._state(), list[Statement]()
        for step, was in reversed(list(zip(self._steps, known.steps, strict=True))):
            if not was.begun or not step.planned.undo:
                continue
            if await self._gave_way():
                return
            number = step.planned.number
            told = await self._begin(step, "undo")
            done = await attempt(step.undo, self._world, Teller(self._journal, number, self._taken.is_set),
                                 step.planned.limit_seconds, self._taken)
            result = StepStatus.UNDONE if done.state is StepStatus.DONE else done.state
            await self._journal.write("undo", step=number, state=result, seconds=done.seconds,
                                      **recorded("evidence", done.said))
            await told
            remains += [done.said] if done.said.code in REMAINS else []
            if result is not StepStatus.UNDONE:
                if await self._gave_way():
                    return
                stuck = Ending.STUCK_BACK(why=why, step=number, fault=done.said)
                await self._end(OperationStatus.UNKNOWN, stuck, keep=True)
                return
        if isinstance(self._kind, ReadsBack) and known.ever_began:
            remains += await self._kind.left(self._world, self._plan)
        await self._end(state, Ending.TAKEN_BACK(why=why, left=remains), changed=bool(remains), left=bool(remains))

    async def _one(self, step: Step) -> tuple[StepStatus, Statement]:
        number = step.planned.number
        told = await self._begin(step, "step")
        teller = Teller(self._journal, number, self._asked)
        if step.planned.point_of_no_return and not await told:
            done = AttemptDone(StepStatus.FAILED, Fault.UNTOLD(), 0.0)
        else:
            done = await attempt(step.run, self._world, teller, step.planned.limit_seconds, self._taken)
        state = StepStatus.STOPPED if done.state is StepStatus.DONE and teller.told else done.state
        self._journal.put("step", step=number, state=state, seconds=done.seconds, **recorded("evidence", done.said))
        await told  # only now: what was done is written down whatever the ledger says
        if state is not StepStatus.DONE:  # else the next record waits for both: pauses between steps lengthen an outage
            await self._journal.flush()
        return state, done.said

    async def _stuck(self, step: Step, state: StepStatus, said: Statement) -> None:
        """A step did not end well: back to the beginning where that is possible, else wait for an operator."""
        now = self._state()
        failed = state is StepStatus.FAILED
        why = Ending.STEP_FAILED if failed else Ending.STEP_UNKNOWN
        half_way_is_no_place = now.plan.point_of_no_return is not None
        stuck = why(step=step.planned.number, why=said)
        if now.undoable and (failed or half_way_is_no_place):
            await self.backward(OperationStatus.FAILED, stuck)
        else:
            await self._end(OperationStatus(state), stuck, keep=True)

    def _asked(self) -> bool:
        """Whether an operator asked to stop, and stopping is still possible; or the pool was taken."""
        if self._taken.is_set():
            return True
        asked = self._folder.asked("cancel") or self._folder.asked("undo")
        if asked is None:
            return False
        return against(intents.IntentWay.CANCEL, self._state().standing) is None

    async def _stop_asked(self) -> bool:
        """Do what an operator asked for, if anything: take it all back, or stop here."""
        if not self._asked() or not await self._may_stay():
            return False
        undo, cancel = self._folder.asked("undo"), self._folder.asked("cancel")
        who = undo or cancel
        await self._journal.write("cancel", who=who, undo=undo is not None)
        state = self._state()
        if undo is not None and state.undoable:
            await self.backward(OperationStatus.UNDONE, Ending.TAKEN_BACK_BY(who=who))
        elif state.plan.point_of_no_return is not None:
            await self.backward(OperationStatus.CANCELLED, Ending.CANCELLED_BY(who=who))
        else:
            await self._end(OperationStatus.CANCELLED, Ending.CANCELLED_AND_STAYS(who=who, operation=state.id),
                            changed=any(step.begun for step in state.steps))
        return True

    async def _may_stay(self) -> bool:
        """Whether it can be left here: taken back, or with no role of the pair half changed."""
        if self._state().undoable:
            return True
        try:
            return at_rest((await self._ledger.poll()).phase)
        except DriverError:
            return False

    async def _gave_way(self) -> bool:
        """Stop here when another operation has taken the pool: what is left can be resumed or taken back later."""
        other = self._taken_by
        if other is None:
            return False
        await self._journal.write("cancel", who=other.owner, undo=False)
        state = self._state()
        await self._end(OperationStatus.CANCELLED, gave_way(other, state), keep=True, gave_way_to=other.id,
                        changed=any(step.begun for step in state.steps))
        return True

    async def _end(self, state: OperationStatus, said: Statement, *, keep: bool = False, changed: bool = True,
                   gave_way_to: str = "", left: bool = False, lacking: bool = False) -> None:
        """Give the pool back unless the operation is stuck half-way, then write the result, then copy the journal."""
        await self._no_more_signs()
        await self._journal.flush()
        if keep and not gave_way_to:
            self._intent = replace(self._intent, condition=_CONDITIONS[state])
            await self._tell_ledger()  # so that everybody sees how it stands
        revision, given_back = (None, True) if keep else await self._give_back()
        cost = await self._cost()
        outcome = {**self._outcome(self._state()), **cost.figures()}
        if state is OperationStatus.DONE and isinstance(self._kind, ReadsBack):
            outcome["protected"] = not lacking
        await self._journal.write("result", state=state, changed=changed, outcome=outcome, revision=revision,
                                  gave_way_to=gave_way_to, left=left,
                                  **recorded("text", said if given_back else self._still_named(said)))

    async def _count(self) -> None:
        """Note the servers' counters before anything has happened."""
        await self._journal.write("counts", servers=await counts(self._world, self._plan))

    async def _cost(self) -> Cost:
        """What it cost devices; unknown when the counters at its beginning are."""
        if self._counting is not None:
            await self._counting
        state = self._state()
        if not state.counts:
            return Cost(None, None)
        return cost(state.counts, await counts(self._world, self._plan), state.started_at or 0.0)

    def _outcome(self, now: OperationState) -> dict[str, object]:
        evidence = {step.planned.number: step.said for step in now.steps
                    if step.said is not None and step.state in (StepStatus.DONE, StepStatus.STOPPED)}
        try:
            return dict(self._kind.outcome(now.plan, evidence))
        except Exception as error:  # noqa: BLE001 - figures that cannot be told must not cost the result
            traceback.print_exception(error)
            return {}

    async def _give_back(self) -> tuple[int | None, bool]:
        """Release the intent: the ledger's revision, and whether that could be done."""
        try:
            async with asyncio.timeout(_RELEASE_SECONDS):
                while True:
                    try:
                        return await intents.release(self._ledger, self._intent), True
                    except DriverError:
                        await asyncio.sleep(0.2)
        except TimeoutError:
            return None, False

    def _still_named(self, said: Statement) -> Statement:
        return Ending.STILL_NAMED(said=said, operation=self._intent.id)

    async def _begin(self, step: Step, record: str) -> asyncio.Task[bool]:
        """Note that a step begins: in the journal now, in the ledger while it runs, as servers may be waiting.

        Returns what has to be awaited after the step; before it, when it is the point of no return.
        """
        planned, undoing = step.planned, record == "undo"
        self._trace(planned.number, undoing)
        action = f"{'taking back: ' if undoing else ''}{planned.target} {planned.does}"
        self._intent = intents.at_step(self._intent, self._plan, planned.number, action, back=undoing)
        told = asyncio.create_task(self._tell_ledger(_TELLS if planned.point_of_no_return else 1))
        await self._journal.write(record, step=planned.number, state="running")
        return told

    def _trace(self, number: int, undoing: bool) -> None:
        """Have requests to servers say for which step they are, where traces are kept."""
        if self._world.pool.traces is not None:
            self._attempts[number, undoing] = count = self._attempts.get((number, undoing), 0) + 1
            self._world.control.trace = traceparent(self._folder.id, step_part(number, undoing, count))

    async def _tell_ledger(self, tries: int = 1) -> bool:
        """Write the intent as it is at this moment, with a sign of life; whether the ledger has it."""
        def current() -> intents.Intent:
            return replace(self._intent, beat=time.time())

        for left in reversed(range(tries)):
            try:
                await intents.note(self._ledger, current)
            except intents.Busy as busy:
                self._taken_by = busy.other
                self._taken.set()
                return False
            except DriverError as error:  # the journal has it: not worth stopping for
                step = self._intent.step
                print(f"the ledger could not be told of step {step}: {error}", file=sys.stderr)  # noqa: T201
                await asyncio.sleep(_TELL_AGAIN if left else 0.0)
            else:
                return True
        return False

    def _state(self) -> OperationState:
        return self._folder.state()


async def run(pool: Pool, base: Path, folder: Folder, lock: int, *, undo: bool = False) -> None:
    """Take the pool for this operation and bring it to a result. Raises Refused, NoCredentials, DriverError.

    `lock` is the operation's, held; it is let go of with the result, before the slower copy into the database.
    """
    async with open_world(pool, base) as world:
        journal = Journal(folder.journal)
        try:
            intent, truth = await own_intent(world, folder.state())
            back, finding = undo or truth.state.turned_back, truth.finding
            if undo:
                refuse_to_undo(truth, intent)
                finding = finding or next_one(truth.state)
            await journal.write("start", host=socket.gethostname(), pid=os.getpid(), undo=back)
            if finding is not None:
                await journal.write("found", **finding.fields)
            world.operation = folder.id
            runner = Runner(world, folder, journal, intent)
            by = folder.state().by or "an operator"
            async with runner.alive():
                if back:
                    await runner.backward(OperationStatus.UNDONE, Ending.TAKEN_BACK_BY(who=by))
                else:
                    await runner.forward()
        finally:
            journal.close()
        state, records = folder.state(), read_records(folder.journal)
        os.close(lock)
        kept = await keep_in_database(world, state, records)
        if kept is not None:
            folder.note(*kept)
        if pool.traces is not None:
            await _send_trace(pool.traces, base, spans(state, records))


async def _send_trace(settings: TracesSettings, base: Path, found: Sequence[SpanFacts]) -> None:
    """Send the operation's trace; that it could not be sent is a line of the log, and no more."""
    from tuiha.operate.run.traces import TracesNotSent, send

    try:
        await asyncio.to_thread(send, settings, base, found)
    except (TracesNotSent, ConfigError) as error:
        print(f"the trace was not sent: {error}", file=sys.stderr)  # noqa: T201


async def own_intent(world: World, state: OperationState) -> tuple[intents.Intent, Truth]:
    """The pool's intent, taken again when it was given back, and how far the operation came.

    Raises Refused when going on is not safe or not possible.
    """
    ledger = ledger_of(world)
    seen = await ledger.poll()
    intents.refuse_if_touched(seen, state)
    found, host = intents.parse(seen.intent), socket.gethostname()
    ours = found if found is not None and found.id == state.id else None
    if ours is not None:
        await intents.refuse_if_elsewhere(ledger, ours)
    elif found is None and not state.ever_began:
        raise OperationRefused(Refused.NEVER_BEGAN_HERE(operation=state.id))
    truth = await ask(world, state, ours)
    mine = ours or intents.at_step(intents.Intent(state.id, state.kind, state.who, host, state.started_at or 0.0),
                                   state.plan, 0, "")
    mine = replace(mine, host=host, condition=Condition.RUNNING, past=bool(mine.past) or truth.state.past_no_return)
    if ours is None or ours.host != host:  # what another host left behind is taken like a new one
        await intents.take(ledger, seen, mine)
    return mine, truth


def main(argv: Sequence[str] | None = None) -> int:
    """Run an operation; what it cannot say in the journal it says on stderr, which is the operation's log."""
    parser = argparse.ArgumentParser(prog="python -m tuiha.operate.run.runner")
    parser.add_argument("--config", type=Path, required=True)
    given = parser.add_mutually_exclusive_group(required=True)
    given.add_argument("--handed", type=int, help="the socket on which the operation comes, once that is decided")
    given.add_argument("operation", nargs="?")
    parser.add_argument("--undo", action="store_true")
    arguments = parser.parse_args(argv)
    pool, base = load(arguments.config), arguments.config.parent
    order = RunnerOrder(arguments.operation, arguments.undo) if arguments.handed is None else handed(arguments.handed)
    if order is None:
        return 0
    folder = store_of(pool, base).find(order.operation)
    lock = folder.lock() if order.lock is None else order.lock
    if lock is None:
        print(f"operation {folder.id} is running", file=sys.stderr)  # noqa: T201
        return 4
    fcntl.fcntl(lock, fcntl.F_SETFD, fcntl.FD_CLOEXEC)  # programs that steps start must not keep it
    return _to_the_end(pool, base, folder, lock, order.undo)


def _to_the_end(pool: Pool, base: Path, folder: Folder, lock: int, undo: bool) -> int:
    try:
        asyncio.run(run(pool, base, folder, lock, undo=undo))
    except OperationRefused as refused:
        print(refused, file=sys.stderr)  # noqa: T201
        return 4
    except Exception as error:  # noqa: BLE001 - the log is the last place; the operation is then interrupted
        traceback.print_exception(error)
        return 5
    return 0


if __name__ == "__main__":
    sys.exit(main())
