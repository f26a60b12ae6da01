"""Mean-square and almost-sure stability of a scheme on the linear test equation, without Monte Carlo.

On dX = lambda X dt + mu X dW (Itô) one step of a scheme is X -> R X with a random factor R, so

    E|X_n|^2 -> 0  iff  E|R|^2 < 1,        |X_n| -> 0 almost surely  iff  E log|R| < 0.

For a system (a complex lambda as a real 2 x 2 system) E|R|^2 becomes the spectral radius of E[R (x) R].
The step is taken with h = 1, so that lambda stands for lambda h and mu^2 for mu^2 h. The solution is
mean-square stable where 2 Re lambda + |mu|^2 < 0.

References
----------
Y. Saito and T. Mitsui (1996), SIAM J. Numer. Anal. 33, 2254 (mean-square stability regions);
D. J. Higham (2000), SIAM J. Numer. Anal. 38, 753 (mean-square and asymptotic stability);
E. Buckwar and T. Sickenberger (2011), Math. Comput. Simulation 81, 1110 (systems).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from stochsim.errors import ParameterError, SchemeError
from stochsim.orders.linear_sde import LinearSDE
from stochsim.orders.step_maps import StepMap, affine_maps, noise_rule

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "Factory",
    "StabilityRegion",
    "complex_test_equation",
    "lyapunov_exponent",
    "mean_square_amplification",
    "mean_square_boundary",
    "stability_region",
]

FloatArray = npt.NDArray[np.float64]

Factory = Callable[[Any, Any], StepMap]
"""(lambda, mu) -> the scheme on the test equation; lambda is complex where the caller's lh is."""


@dataclass(frozen=True, repr=False)
class StabilityRegion:
    """Where a scheme is stable on the test equation.

    Attributes
    ----------
    lh : (n,)
        Values of lambda h, real or complex.
    mu2h : (m,)
        Values of mu^2 h.
    amplification : (m, n)
        E|R|^2 (spectral radius of E[R (x) R] for systems); mean-square stable below 1.
    lyapunov : (m, n) or None
        E log|R|; almost surely stable below 0.
    scheme : str
        Name for the figure.
    """

    lh: npt.NDArray[Any]
    mu2h: FloatArray
    amplification: FloatArray
    lyapunov: FloatArray | None = None
    scheme: str = ""

    def __repr__(self) -> str:
        m, n = np.shape(self.amplification)
        ranges = f"lambda h in {_range(self.lh)} ({n}), mu^2 h in {_range(self.mu2h)} ({m})"
        share = f"{np.mean(self.stable):.0%} of the grid is mean-square stable"
        return f"stability region of {self.scheme or 'a scheme'}: {ranges}; {share}"

    @property
    def stable(self) -> npt.NDArray[np.bool_]:
        """Where the scheme is mean-square stable; shape (m, n)."""
        return np.asarray(self.amplification < 1.0)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the region in the plane (lambda h, mu^2 h), lambda real.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; a new figure when omitted.

        Returns
        -------
        matplotlib Axes

        Raises
        ------
        ParameterError
            If lambda h is complex.
        """
        from stochsim import plot

        if np.iscomplexobj(self.lh):
            msg = "A region with complex lambda h was given; the plane (lambda h, mu^2 h) needs real ones, "
            raise ParameterError(msg + "draw .amplification yourself.")
        return plot.stability(self, ax=ax)


def complex_test_equation(lam: complex, mu: float) -> LinearSDE:
    """Write dZ = lam Z dt + mu Z dW with complex Z as a real system of two components.

    Parameters
    ----------
    lam : complex
        Drift rate, per unit time.
    mu : float
        Noise intensity.

    Returns
    -------
    LinearSDE
        For (Re Z, Im Z), Itô.
    """
    matrix = np.array([[lam.real, -lam.imag], [lam.imag, lam.real]])
    return LinearSDE(matrix, np.zeros(2), mu * np.eye(2)[None], np.zeros((1, 2)))


def mean_square_amplification(step: StepMap, h: float = 1.0, gauss_nodes: int = 10) -> float:
    """Growth factor of E|X|^2 in one step: the spectral radius of E[R (x) R].

    Parameters
    ----------
    step : StepMap
        A scheme on a linear homogeneous equation.
    h : float
        Step length.
    gauss_nodes : int
        Nodes for each normal; exact when R is a polynomial of degree below this in it.

    Returns
    -------
    float
        E R^2 when d = 1.

    Raises
    ------
    SchemeError
        If the step is not linear in x.
    """
    xi, w = noise_rule(step.primitives, gauss_nodes)
    factors = _linear_maps(step, h, xi)
    if step.d == 1:
        return float(w @ factors[:, 0, 0] ** 2)
    flat = factors.reshape(w.size, -1)
    gram = (flat.T @ (w[:, None] * flat)).reshape((step.d,) * 4)
    second = gram.transpose(0, 2, 1, 3).reshape(step.d**2, step.d**2)
    return float(np.abs(np.linalg.eigvals(second)).max())


def lyapunov_exponent(step: StepMap, h: float = 1.0) -> float:
    """E log|R|: the almost-sure growth rate of |X| in one step, d = 1.

    Normals are integrated by composite Gauss-Legendre panels, as log|R| is singular where R vanishes;
    the error is below 1e-3 near such a point and at rounding otherwise. Two- and three-point draws are
    exact.

    Parameters
    ----------
    step : StepMap
        A scheme on a scalar linear homogeneous equation, with at most one normal draw.
    h : float
        Step length.

    Returns
    -------
    float
        -inf when R vanishes with positive probability.

    Raises
    ------
    SchemeError
        If the step is not linear in x.
    ParameterError
        If d > 1 or there is more than one normal draw.
    """
    if step.d != 1 or step.primitives.count("normal") > 1:
        msg = f"A step with d={step.d} and draws {step.primitives} was given; "
        raise ParameterError(msg + "E log|R| needs d=1 and at most one normal draw.")
    xi, w = _panel_rule(step.primitives)
    return float(w @ _log_size(_linear_maps(step, h, xi)[:, 0, 0]))


def _panel_rule(primitives: tuple[str, ...], reach: float = 9.0) -> tuple[FloatArray, FloatArray]:
    """As `noise_rule`, with 360 panels of 6 Gauss-Legendre nodes for the normal draw."""
    if "normal" not in primitives:
        return noise_rule(primitives)
    node, weight = np.polynomial.legendre.leggauss(6)
    edges = np.linspace(-reach, reach, 361)
    half = reach / 360
    z = (0.5 * (edges[1:] + edges[:-1])[:, None] + half * node).ravel()
    density = np.tile(half * weight, 360) * np.exp(-0.5 * z**2)
    position = primitives.index("normal")
    others, w = noise_rule(primitives[:position] + primitives[position + 1 :])
    xi = np.insert(np.repeat(others, z.size, axis=1), position, np.tile(z, w.size), axis=0)
    return xi, np.multiply.outer(w, density / density.sum()).ravel()


def stability_region(
    factory: Factory,
    lh: npt.ArrayLike | None = None,
    mu2h: npt.ArrayLike | None = None,
    *,
    scheme: str = "",
    gauss_nodes: int = 10,
    almost_sure: bool = False,
    vectorized: bool = False,
) -> StabilityRegion:
    """Amplification of a scheme on a grid of the plane (lambda h, mu^2 h).

    Parameters
    ----------
    factory : callable
        (lambda, mu) -> StepMap; with complex lambda the step has d = 2 (see `complex_test_equation`).
    lh : (n,), optional
        Real or complex values of lambda h; default 101 points in [-4, 1].
    mu2h : (m,), optional
        Values of mu^2 h, not negative; default 101 points in [0, 6].
    scheme : str
        Name for the figure.
    gauss_nodes : int
        Nodes for each normal.
    almost_sure : bool
        Whether E log|R| is computed too (real lambda).
    vectorized : bool
        Whether the factory takes arrays (n,) of real lambda and mu, one value for each column of the x
        (1, n) that its step is then given. One call replaces one for each point of the plane.

    Returns
    -------
    StabilityRegion

    Raises
    ------
    SchemeError
        If the step is not linear in x.
    ParameterError
        If an array is empty, not finite, or mu2h is negative.
    """
    across = np.atleast_1d(np.linspace(-4.0, 1.0, 101) if lh is None else np.asarray(lh))
    up = np.atleast_1d(np.linspace(0.0, 6.0, 101) if mu2h is None else np.asarray(mu2h, float))
    if across.size == 0 or up.size == 0 or not np.isfinite(across).all() or not np.all((up >= 0) & (up < np.inf)):
        raise ParameterError("lh or mu2h is empty, not finite or negative; give finite lh and mu2h >= 0.")
    if vectorized:
        return _region_of_arrays(factory, across, up, scheme, gauss_nodes, almost_sure)
    steps = [[factory(lam, np.sqrt(v)) for lam in across.tolist()] for v in up.tolist()]
    amplification = np.array([[mean_square_amplification(s, 1.0, gauss_nodes) for s in row] for row in steps])
    exponent = np.array([[lyapunov_exponent(s) for s in row] for row in steps]) if almost_sure else None
    return StabilityRegion(across, up, amplification, exponent, scheme)


def _range(values: npt.NDArray[Any]) -> str:
    low, high = np.min(values), np.max(values)
    return f"[{low:g}, {high:g}]"


def _region_of_arrays(
    factory: Factory,
    lh: npt.NDArray[Any],
    mu2h: FloatArray,
    scheme: str,
    gauss_nodes: int,
    almost_sure: bool,
) -> StabilityRegion:
    """The same for a factory of arrays, row by row: R is the image of 1."""
    rows, exponents = [], []
    for v in np.sqrt(mu2h):
        rows.append(_mean_over_draws(factory, lh, v, lambda p: noise_rule(p, gauss_nodes), np.square))
        if almost_sure:
            exponents.append(_mean_over_draws(factory, lh, v, _panel_rule, _log_size))
    return StabilityRegion(lh, mu2h, np.array(rows), np.array(exponents) if almost_sure else None, scheme)


def _mean_over_draws(
    factory: Factory,
    lam: FloatArray,
    mu: float,
    rule: Callable[[tuple[str, ...]], tuple[FloatArray, FloatArray]],
    function: Callable[[FloatArray], FloatArray],
) -> FloatArray:
    """E function(R) for every lambda (n,) and one mu."""
    xi, w = rule(factory(lam, np.full_like(lam, mu)).primitives)
    columns = np.repeat(lam, w.size)
    step = factory(columns, np.full_like(columns, mu))
    ones, draws = np.ones((1, columns.size)), np.tile(xi, (1, lam.size))
    image = step(ones, 0.0, 1.0, draws)
    if not np.allclose(step(3.0 * ones, 0.0, 1.0, draws), 3.0 * image, rtol=1e-9, atol=1e-12):
        raise SchemeError("The step is not linear in x; stability is defined on dX = lambda X dt + mu X dW.")
    return np.asarray(function(image.reshape(lam.size, w.size)) @ w, float)


def _log_size(factors: FloatArray) -> FloatArray:
    with np.errstate(divide="ignore"):
        return np.log(np.abs(factors))


def mean_square_boundary(
    factory: Factory, lh: npt.ArrayLike, mu2h_max: float = 100.0, gauss_nodes: int = 10
) -> FloatArray:
    """The mu^2 h at which a scheme loses mean-square stability, for each lambda h.

    Parameters
    ----------
    factory : callable
        (lambda, mu) -> StepMap.
    lh : (n,)
        Values of lambda h.
    mu2h_max : float
        Where the search ends.
    gauss_nodes : int
        Nodes for each normal.

    Returns
    -------
    (n,) array
        First root of E|R|^2 = 1 on a scan of 400 intervals, to about 1e-12; nan where the scheme is not
        stable without noise, inf where it is stable up to `mu2h_max`.

    Raises
    ------
    SchemeError
        If the step is not linear in x.
    """
    lam = np.atleast_1d(np.asarray(lh))
    return np.array([_first_root(factory, value, mu2h_max, gauss_nodes) for value in lam.tolist()])


def _first_root(factory: Factory, lam: complex, mu2h_max: float, gauss_nodes: int) -> float:
    from scipy.optimize import brentq

    def excess(mu2h: float) -> float:
        return mean_square_amplification(factory(lam, np.sqrt(mu2h)), 1.0, gauss_nodes) - 1.0

    if excess(0.0) > -1e-12:
        return float("nan")
    low = 0.0
    for high in mu2h_max * (np.arange(1, 401) / 400) ** 2:
        if excess(float(high)) >= 0.0:
            return float(brentq(excess, low, float(high), xtol=1e-14, rtol=1e-14))
        low = float(high)
    return float("inf")


def _linear_maps(step: StepMap, h: float, xi: FloatArray) -> FloatArray:
    """Matrices R (n, d, d) of a step that is linear and homogeneous in x."""
    maps = affine_maps(step, h, xi)
    offset = float(np.abs(maps[:, 1:, 0]).max())
    if offset > 1e-12:
        msg = f"The step moves the point 0 by {offset:.1e}; "
        raise SchemeError(msg + "stability is defined on dX = lambda X dt + mu X dW, without constant terms.")
    return maps[:, 1:, 1:]
