"""Convergence orders, measured: strong and weak, with intervals, limits apart from rates, and verdicts."""

from stochsim.levels import Levels
from stochsim.orders.estimate import OrderEstimate
from stochsim.orders.regions import stability_region
from stochsim.orders.strong import strong_order
from stochsim.orders.weak import weak_order

__all__ = ["Levels", "OrderEstimate", "stability_region", "strong_order", "weak_order"]
