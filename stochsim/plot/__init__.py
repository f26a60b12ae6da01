"""Figures in one style: exact answers black, methods in the Okabe–Ito colours, 95 % bars, direct labels.

Each function draws on the axes it is given, or on a new figure of 4.6 by 3.4 inches, and returns the axes.
Matplotlib is imported inside the functions, so that importing this module costs nothing.
"""

from stochsim._figure import OKABE_ITO, style, to_svg
from stochsim.plot._equations import density, order, paths, stability
from stochsim.plot._samplers import animate, contours, errors, marginals, phase_portrait, trajectories

__all__ = [
    "OKABE_ITO",
    "animate",
    "contours",
    "density",
    "errors",
    "marginals",
    "order",
    "paths",
    "phase_portrait",
    "stability",
    "style",
    "to_svg",
    "trajectories",
]
