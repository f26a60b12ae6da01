"""Numbers written with the digits that their interval supports."""

from __future__ import annotations

FIXED = 0.0005  # from this half-width on, three decimals show it
MOST_DECIMALS = 6


def with_interval(value: float, half_width: float, decimals: int = 3) -> str:
    """A value and its half-width: ``0.509 ± 0.018``; below 5e-4 ``1.00000 (±3e-6)``, the decimals that hold.

    Parameters
    ----------
    value, half_width : float
    decimals : int
        Of a value whose half-width they show.
    """
    if half_width >= FIXED:
        return f"{value:.{decimals}f} ± {half_width:.{decimals}f}"
    if not half_width > 0:
        return f"{value:.{MOST_DECIMALS}g} (±0)"
    shown, exponent = f"{half_width:.0e}".split("e")
    held = min(MOST_DECIMALS, -int(exponent) - (shown != "1"))
    return f"{value:.{held}f} (±{shown}e{int(exponent)})"
