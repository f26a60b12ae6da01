"""Formulas as data: tracing, derivatives, stochastic-calculus operators, straight-line programs."""
