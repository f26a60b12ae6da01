"""Measuring convergence orders: estimators with honest intervals, wrong-limit tests and verdicts."""
