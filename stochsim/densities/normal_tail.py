"""Tails of the normal law in the language of columns, without cancellation."""

from __future__ import annotations

from typing import Any

__all__ = ["erfcx"]

SCALE = 3.75
COEFFICIENTS = (
    1.2375126308378275,
    -0.14024059858554697,
    0.0035854154854644293,
    0.0822767384901452,
    -0.10880393014174886,
    0.09230432116037748,
    -0.05869339858963677,
    0.028362277418956406,
    -0.009746579558029276,
    0.0017556258528952954,
    0.00029371366559134476,
    -0.00029015408054084167,
    5.1649098892682556e-05,
    2.2384239155082102e-05,
    -1.1444146237700906e-05,
    -9.735598967365454e-07,
    1.751637648849696e-06,
    -5.721823060349127e-08,
    -2.5866850716224907e-07,
    2.3263508709053865e-08,
    3.8675334242697724e-08,
    -3.744210081042712e-09,
    -5.173990214198939e-09,
    3.111433381124947e-10,
    4.2514714451196884e-10,
)  # of (1 + 2 x) exp(x²) erfc(x) in powers of t = (x - 3.75) / (x + 3.75), computed with 40 digits


def erfcx(x: Any) -> Any:
    """The scaled tail exp(x²) erfc(x) for x >= 0, row by row, to 1e-15 relative.

    One polynomial for the whole half line: the substitution of Shepherd and Laframboise (1981), Chebyshev
    approximation of (1 + 2x) exp(x²) erfc x, Mathematics of Computation 36.
    """
    t = (x - SCALE) / (x + SCALE)
    value = COEFFICIENTS[-1] * t
    for coefficient in COEFFICIENTS[-2:0:-1]:
        value = (value + coefficient) * t
    return (value + COEFFICIENTS[0]) / (1.0 + 2.0 * x)
