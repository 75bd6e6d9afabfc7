"""The dashboard, unlocked, over a made-up feed and a fake operator: `python -m tests.tui.play_acting FILE`.

Whatever keys come: when it ends, FILE says how often each thing was asked of the operator. With `careless` as a second
argument `d` starts what it plans at once: the control that shows that the counting counts.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

from tests.doubles.operator import FakeOperator, switchover
from tests.tui.samples import SAMPLES, SampleFeed
from tuiha.tui.app import Dashboard
from tuiha.tui.looks import Looks
from tuiha.tui.operations.node_keys import ActingScreen

STARTS = ("apply", "cancel", "undo", "resume")


def careless(screen: ActingScreen) -> None:
    """What no key does: start without plan, confirmation and pace."""
    screen.dashboard.operations.apply(switchover(), "db2", "", (), lambda answer: None)


def main(target: Path, how: str) -> int:
    """Run until told to end; unlocked all the time."""
    snapshot, happened = SAMPLES["healthy"]()
    operator = FakeOperator()
    looks = Looks()
    app = Dashboard(SampleFeed(snapshot, happened), snapshot.pool, looks.palette(), operator=operator, looks=looks)
    if how == "careless":
        setattr(ActingScreen, "action_operate", careless)  # noqa: B010 - the one thing that is not as it is
    app.leave = lambda: None  # type: ignore[method-assign]  # only a signal ends it: the streams go on to the last
    app.call_later(app.set_interval, 0.2, lambda: app.operations.unlock("patch"))
    code = app.run(mouse=False) or 0
    for thread in operator.threads:
        thread.join()
    asked = Counter(str(call[0]) for call in operator.calls)
    counts = {name: asked[name] for name in ("plan", *STARTS)}
    target.write_text(json.dumps({**counts, "failure": repr(app.failure) if app.failure else ""}), encoding="utf-8")
    return code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else ""))
