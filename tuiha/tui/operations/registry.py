"""The screens of operations by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tuiha.tui.kit.screen import PoolScreen
from tuiha.tui.operations.screens.arm import ArmScreen
from tuiha.tui.operations.screens.confirm import ConfirmScreen
from tuiha.tui.operations.screens.menu import MenuScreen
from tuiha.tui.operations.screens.plan import PlanScreen
from tuiha.tui.operations.screens.rebalance import RebalanceScreen
from tuiha.tui.operations.screens.result import ResultScreen
from tuiha.tui.operations.screens.run import RunScreen

SCREENS: Mapping[str, Callable[[], PoolScreen]] = {
    "arm": ArmScreen, "menu": MenuScreen, "rebalance": RebalanceScreen, "plan": PlanScreen, "confirm": ConfirmScreen,
    "run": RunScreen, "result": ResultScreen,
}
