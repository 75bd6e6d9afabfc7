"""The screens of operations by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tuiha.tui.screens.arm import ArmScreen
from tuiha.tui.screens.base import PoolScreen
from tuiha.tui.screens.confirm import ConfirmScreen
from tuiha.tui.screens.menu import MenuScreen
from tuiha.tui.screens.plan import PlanScreen
from tuiha.tui.screens.rebalance import RebalanceScreen
from tuiha.tui.screens.result import ResultScreen
from tuiha.tui.screens.run import RunScreen

SCREENS: Mapping[str, Callable[[], PoolScreen]] = {
    "arm": ArmScreen, "menu": MenuScreen, "rebalance": RebalanceScreen, "plan": PlanScreen, "confirm": ConfirmScreen,
    "run": RunScreen, "result": ResultScreen,
}
