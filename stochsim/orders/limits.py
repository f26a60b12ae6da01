"""Does a scheme converge to the right solution? Signed errors projected on functions of the driving noise.

An order test cannot see a scheme that converges, at its order, to something else, and a mean absolute error
that stops falling is seen late. The signed error e_l of level l is therefore weighted by bounded functions of
the end point Z = W_T / sqrt(T) of each Brownian motion,

    psi_j(z) = He_j(z) exp(-z^2 / 4),      j = 0, ..., 3,

and by the products psi_1(z_k) psi_1(z_l) of two of them. The Gaussian factor bounds the weights, which tames
heavy tails. The means m_l = E[e_l psi_j] are errors of a smooth functional. On the seven finest levels they
are fitted by generalised least squares, with the covariance across levels, to

    m_l = B + b_1 h_l + b_2 h_l^(3/2) + b_3 h_l^2,

and B / se(B) is standard normal when the limit is right. B does not depend on any claimed order. The half-odd
power is needed for schemes with support values x + b sqrt(h).

The expansion starts at h because the signed error of a scheme of strong order 1/2 is of weak type, O(h): the
O(h^(1/2)) part of the error is conditionally centred given W. A scheme of *weak* order 1/2 breaks it: a term
c h^(1/2), seen down to h = 2^-11, leaves B = .013 c behind. Give weak_order=0.5 for such a scheme; a column
h^(1/2) is added, and se(B) is five to eight times larger.

The same test applied to the difference of two schemes on the same paths asks whether they share a limit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt
from scipy import special

from stochsim.errors import ParameterError
from stochsim.orders.error_sums import FEWEST_LEVELS, checked_steps
from stochsim.orders.least_squares import least_squares

__all__ = ["LimitResult", "LimitSums", "Projection", "limit_test", "limit_threshold", "projections"]

FloatArray = npt.NDArray[np.float64]

HERMITE_DEGREES = range(4)
MARGIN = 1e-5
"""Part of sd X_T by which a limit must be wrong, beside the noise, to be called wrong."""
POWERS = (1.0, 1.5, 2.0)
HALF = (0.5,)
N_LEVELS = 7
"""The finest levels used: two coarser ones gain little precision and bring most of the truncation bias."""
MISFIT = 3e-4
"""Part of its root mean square by which the mean of a level may miss the truncated expansion.

Without it, errors that hardly vary from path to path have a covariance that is nearly singular across their
own mean, and least squares would rather explain an offset as noise than the expansion as truncated."""


@dataclass(frozen=True)
class Projection:
    """A product of psi_j(z_k).

    Parameters
    ----------
    factors : tuple of (int, int)
        Pairs (noise k, degree j).
    """

    factors: tuple[tuple[int, int], ...]

    def __call__(self, z: FloatArray) -> FloatArray:
        """Weights of paths.

        Parameters
        ----------
        z : (m, n_paths) array
            End points W_T / sqrt(T) of the noises, standard normal.

        Returns
        -------
        (n_paths,) array
        """
        product = np.ones(z.shape[1])
        for k, degree in self.factors:
            product *= special.eval_hermitenorm(degree, z[k]) * np.exp(-(z[k] ** 2) / 4)
        return product

    def __str__(self) -> str:
        return " ".join(f"psi{degree}(z{k + 1})" for k, degree in self.factors)


def projections(m: int) -> tuple[Projection, ...]:
    """Functions used for m noises: psi_0 to psi_3 of each, psi_1 psi_1 of each pair.

    Parameters
    ----------
    m : int
        Number of driving Brownian motions.
    """
    single = [Projection(((k, degree),)) for k in range(m) for degree in HERMITE_DEGREES]
    pairs = [Projection(((k, 1), (other, 1))) for k, other in combinations(range(m), 2)]
    return (*single, *pairs)


@dataclass(frozen=True, eq=False)
class LimitSums:
    """Sums over paths of Y_l = e_l psi_j and of Y_l Y_k; chunks are added with ``+``.

    Parameters
    ----------
    h : (n_levels,) array
        Step sizes, strictly decreasing.
    m : int
        Number of noises.
    n_paths : int
        Paths summed so far.
    first : (d, n_functions, n_levels) array
        Sum of Y_l for each component and function.
    second : (d, n_functions, n_levels, n_levels) array
        Sum of Y_l Y_k.
    """

    h: FloatArray
    m: int
    n_paths: int
    first: FloatArray
    second: FloatArray

    @classmethod
    def of(cls, h: npt.ArrayLike, errors: npt.ArrayLike, z: npt.ArrayLike) -> LimitSums:
        """Sums of one chunk of paths.

        Parameters
        ----------
        h : (n_levels,) array
            Step sizes, strictly decreasing.
        errors : (n_levels, d, n_paths) array
            Signed errors X_h - X at T, or X^a_h - X^b_h of two schemes.
        z : (m, n_paths) array
            End points W_T / sqrt(T) of the driving noises.

        Raises
        ------
        ParameterError
            The shapes do not fit.
        """
        steps = checked_steps(h)
        e, ends = np.asarray(errors, dtype=np.float64), np.asarray(z, dtype=np.float64)
        if e.ndim != 3 or ends.ndim != 2 or e.shape[0] != len(steps) or e.shape[2] != ends.shape[1]:
            raise ParameterError(
                f"errors of shape {e.shape} and end points of shape {ends.shape} were given for {len(steps)} "
                "step sizes; give errors (n_levels, d, n_paths) and end points (m, n_paths)"
            )
        functions = projections(len(ends))
        first = np.empty((e.shape[1], len(functions), len(steps)))
        second = np.empty((*first.shape, len(steps)))
        with np.errstate(over="ignore", invalid="ignore"):
            for j, psi in enumerate(functions):
                weight = psi(ends)
                for i in range(e.shape[1]):
                    y = e[:, i] * weight
                    first[i, j] = y.sum(axis=1)
                    second[i, j] = np.einsum("ln,kn->lk", y, y)
        return cls(steps, len(ends), e.shape[2], first, second)

    def __add__(self, other: LimitSums) -> LimitSums:
        if not np.array_equal(self.h, other.h) or self.first.shape != other.first.shape:
            raise ParameterError("limit sums of different levels or sizes were added; use the same in all chunks")
        with np.errstate(over="ignore", invalid="ignore"):
            return LimitSums(
                self.h,
                self.m,
                self.n_paths + other.n_paths,
                self.first + other.first,
                self.second + other.second,
            )


@dataclass(frozen=True, eq=False)
class LimitResult:
    """Extrapolated signed errors and the decision.

    Parameters
    ----------
    offset : (d, n_functions) array
        B, in the units of X.
    se : (d, n_functions) array
        Standard errors of B.
    threshold : float
        Standard errors that B must exceed.
    margin : float
        Standard deviations of X_T that B must exceed beside.
    scale : (d,) array
        Standard deviation of X_T, component by component.
    functions : tuple of Projection
        The weights, in the order of the columns.
    powers : tuple of float
        Exponents of the expansion.
    used : tuple of int
        Levels in the fit.
    fit_p : float
        Smallest lack-of-fit p-value times the number of fits, at most 1; nan without degrees of freedom.
    n_paths : int
        Paths behind the means.
    """

    offset: FloatArray
    se: FloatArray
    threshold: float
    margin: float
    scale: FloatArray
    functions: tuple[Projection, ...]
    powers: tuple[float, ...]
    used: tuple[int, ...]
    fit_p: float
    n_paths: int

    @property
    def z(self) -> FloatArray:
        """(d, n_functions) ratios B / se(B), zero where both are."""
        return np.divide(self.offset, self.se, out=np.zeros_like(self.offset), where=self.se > 0)

    @property
    def excess(self) -> FloatArray:
        """(d, n_functions) |B| over what noise and margin allow; above 1 the limit is wrong."""
        allowed = self.threshold * self.se + self.margin * self.scale[:, None]
        return np.divide(np.abs(self.offset), allowed, out=np.zeros_like(self.offset), where=allowed > 0)

    @property
    def wrong(self) -> bool:
        """Whether some projection says that the limit is wrong."""
        return bool(self.excess.max() > 1)

    @property
    def worst(self) -> tuple[int, int]:
        """Component and function with the largest excess."""
        component, function = np.unravel_index(int(self.excess.argmax()), self.excess.shape)
        return int(component), int(function)

    def __str__(self) -> str:
        i, j = self.worst
        ratio = self.offset[i, j] / self.scale[i] if self.scale[i] > 0 else math.nan
        return (
            f"component {i + 1} against {self.functions[j]}: offset {ratio:+.2e} sd of X_T at h -> 0, "
            f"{abs(self.z[i, j]):.1f} standard errors (threshold {self.threshold:.2f})"
        )


def limit_threshold(n_tests: int, level: float = 1e-4) -> float:
    """Standard errors at which n_tests two-sided tests together err with at most the given probability.

    Bonferroni; four tests at level 1e-3 give 3.66.

    Parameters
    ----------
    n_tests : int
        Components times functions.
    level : float
        Probability of a false alarm of the whole test.
    """
    return float(-special.ndtri(level / (2 * n_tests)))


def limit_test(
    sums: LimitSums,
    scale: npt.ArrayLike,
    *,
    levels: tuple[int, ...] | None = None,
    weak_order: float = 1.0,
    level: float = 1e-4,
    margin: float = MARGIN,
) -> LimitResult:
    """Extrapolate the projected signed errors to h = 0 and compare them with zero.

    Parameters
    ----------
    sums : LimitSums
        Sums over paths.
    scale : (d,) array or float
        Standard deviation of X_T.
    levels : tuple of int, optional
        Levels that may be used, such as ``Fit.usable``; all finite ones otherwise. The seven finest are.
    weak_order : float
        Below 1, a column h^(1/2) is added.
    level : float
        False-alarm probability of the whole test.
    margin : float
        Part of ``scale`` by which the limit must be wrong beside the noise.

    Raises
    ------
    ParameterError
        Fewer than four levels are finite.
    """
    finite = _finite_levels(sums)
    used = tuple(k for k in finite if levels is None or k in levels)[-N_LEVELS:]
    if len(used) < FEWEST_LEVELS:
        raise ParameterError(
            f"only {len(used)} of {len(sums.h)} levels can be used, and the limit test needs "
            f"{FEWEST_LEVELS}; use steps at which the scheme is stable"
        )
    powers = ((*HALF, *POWERS) if weak_order < 1 else POWERS)[: len(used) - 2]
    d, n_functions = sums.first.shape[:2]
    fits = [[_extrapolate(sums, i, j, used, powers) for j in range(n_functions)] for i in range(d)]
    offset, se, fit_p = np.moveaxis(np.array(fits), -1, 0)
    return LimitResult(
        offset=offset,
        se=se,
        threshold=limit_threshold(d * n_functions, level),
        margin=margin,
        scale=np.broadcast_to(np.asarray(scale, dtype=np.float64), (d,)),
        functions=projections(sums.m),
        powers=powers,
        used=used,
        fit_p=min(1.0, float(fit_p.min()) * fit_p.size),
        n_paths=sums.n_paths,
    )


def _finite_levels(sums: LimitSums) -> tuple[int, ...]:
    squares = np.diagonal(sums.second, axis1=-2, axis2=-1)
    finite = (np.isfinite(sums.first) & np.isfinite(squares)).all(axis=(0, 1))
    return tuple(int(level) for level in np.flatnonzero(finite))


def _extrapolate(
    sums: LimitSums, i: int, j: int, used: tuple[int, ...], powers: tuple[float, ...]
) -> tuple[float, float, float]:
    """Offset B, its standard error and the lack-of-fit p-value of one component and function."""
    levels, n = list(used), sums.n_paths
    mean, square = sums.first[i, j, levels] / n, sums.second[i, j][np.ix_(levels, levels)] / n
    size = np.sqrt(np.diagonal(square))
    if size.max() == 0:  # a component without error
        return 0.0, 0.0, 1.0
    size = np.maximum(size, 1e-12 * size.max())
    u = sums.h[levels] / sums.h[0]
    columns = np.stack([np.ones_like(u), *(u**q for q in powers)], axis=1)
    covariance = (square - np.outer(mean, mean)) / np.outer(size, size) / n + MISFIT**2 * np.eye(len(u))
    solved = least_squares(columns / size[:, None], mean / size, covariance)
    row, freedom = solved.operator[0], columns.shape[0] - columns.shape[1]
    fit_p = float(special.chdtrc(freedom, solved.chi_square))
    return float(solved.coefficients[0]), math.sqrt(row @ covariance @ row), fit_p
