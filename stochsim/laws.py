"""The exact law of a sampler's output on a Gaussian target: linear algebra, no Monte Carlo.

With a score that is affine every step of an unadjusted sampler is affine in the state and in its noise, so its output
is Gaussian. The map is read off the sampler's own code, which is run once on a zero column, on unit first states
and on noises with a single one in them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from stochsim.errors import ModelError, SchemeError

__all__ = ["AffineMap", "ExactLaw", "affine_map", "affine_maps", "exact_law"]

Noise = Callable[[int, tuple[int, ...]], Any]
SUPERPOSITION = 1e-9  # relative; rounding stays far below, a curved step far above


@dataclass(frozen=True, eq=False)
class ExactLaw:
    """The Gaussian law of an output, beside that of the target.

    Attributes
    ----------
    mean, cov : ndarray, shapes (d,), (d, d)
        Of the output.
    target_mean, target_cov : ndarray, shapes (d,), (d, d)
        Of the law that was aimed at.
    """

    mean: np.ndarray
    cov: np.ndarray
    target_mean: np.ndarray
    target_cov: np.ndarray

    @property
    def w2(self) -> float:
        """Wasserstein-2 distance to the target."""
        from stochsim.metrics import wasserstein2_gaussian

        return wasserstein2_gaussian(self.mean, self.cov, self.target_mean, self.target_cov)

    @property
    def kl(self) -> float:
        """Kullback-Leibler divergence KL(output || target), in nats."""
        from stochsim.metrics import kl_gaussian

        return kl_gaussian(self.mean, self.cov, self.target_mean, self.target_cov)

    @property
    def mean_error(self) -> float:
        """Distance of the means."""
        return float(np.linalg.norm(self.mean - self.target_mean))

    @property
    def cov_error(self) -> float:
        """Frobenius norm of the difference of covariances."""
        return float(np.linalg.norm(self.cov - self.target_cov))

    def __repr__(self) -> str:
        return (
            f"ExactLaw(d={len(self.mean)}: W2 {self.w2:.3g}, KL {self.kl:.3g}, mean off by {self.mean_error:.3g}, "
            f"covariance by {self.cov_error:.3g})"
        )


@dataclass(frozen=True, eq=False)
class AffineMap:
    """Output = offset + matrix · first state + Σ noises_k · z_k with independent standard normals z_k.

    Attributes
    ----------
    offset : ndarray, shape (d,)
    matrix : ndarray, shape (d, d)
    noises : ndarray, shape (d, m)
        All noise matrices side by side.
    """

    offset: np.ndarray
    matrix: np.ndarray
    noises: np.ndarray

    def law(self, mean: Any, cov: Any) -> tuple[np.ndarray, np.ndarray]:
        """Mean and covariance of the output for a first state with these."""
        moved = self.matrix @ np.atleast_2d(cov) @ self.matrix.T
        return self.offset + self.matrix @ np.atleast_1d(mean), moved + self.noises @ self.noises.T


def affine_map(run: Callable[[np.ndarray, Noise], Any], d: int, *, name: str = "this sampler") -> AffineMap:
    """Read the affine map off a sampler's code.

    Parameters
    ----------
    run : callable
        ``run(x, noise)`` takes columns (d, n) to columns; ``noise(k, shape)`` is its only randomness.
    d : int
    name : str
        For the message.

    Raises
    ------
    SchemeError
        If two random columns are not the superposition of the single ones: the sampler is not affine.
    """
    return affine_maps(lambda x, noise: [run(x, noise)], d, name=name)[0]


def affine_maps(
    run: Callable[[np.ndarray, Noise], list[Any]], d: int, *, name: str = "this sampler"
) -> list[AffineMap]:
    """The affine maps to several states of one run.

    Parameters
    ----------
    run : callable
        As for `affine_map`, but it returns a list of states.
    d : int
    name : str

    Raises
    ------
    SchemeError
        As `affine_map`.
    """
    rng = np.random.default_rng(0)
    first, drawn = rng.standard_normal(d), {}  # type: np.ndarray, dict[int, np.ndarray]

    def listen(k: int, shape: tuple[int, ...]) -> np.ndarray:
        drawn.setdefault(k, rng.standard_normal(shape[0]))
        return drawn[k][:, None].copy()

    alone = run(first[:, None].copy(), listen)
    probe = _Probe.of(first, drawn, rng)
    together = run(probe.first.copy(), probe)
    return [_read_off(np.asarray(y), np.asarray(one), probe, d, name) for y, one in zip(together, alone, strict=True)]


def _read_off(out: np.ndarray, alone: np.ndarray, probe: _Probe, d: int, name: str) -> AffineMap:
    offset, checks = out[:, 0], out[:, -2:]
    effects = out[:, 1:-2] - offset[:, None]
    superposed = offset[:, None] + effects @ probe.checks
    scale = np.abs(out).max()
    # a column may depend neither on others nor, but linearly, on itself
    defects = np.concatenate([checks - superposed, checks[:, :1] - alone], axis=1)
    defect = float(np.abs(defects).max() / scale) if scale > 0.0 else 0.0
    if not defect <= SUPERPOSITION:
        raise SchemeError(
            f"{name} is not affine in its state and noise (a superposition is off by {defect:.2g}); its law has no "
            "closed form, compare samples instead"
        )
    return AffineMap(offset, effects[:, :d], effects[:, d:])


@dataclass(frozen=True, eq=False)
class _Probe:
    """Columns: zero, unit first states, unit noises, then two with all of them at random."""

    starts: dict[int, int]  # of each call of the noise, its first column
    first: np.ndarray  # (d, n)
    checks: np.ndarray  # (d + m, 2)

    @classmethod
    def of(cls, state: np.ndarray, drawn: dict[int, np.ndarray], rng: np.random.Generator) -> _Probe:
        """Columns for a first state and noises of which the first check is made."""
        starts, n, d = {}, 1 + len(state), len(state)
        for k, values in drawn.items():
            starts[k], n = n, n + len(values)
        given = np.concatenate([state, *drawn.values()])
        checks = np.stack([given, rng.standard_normal(len(given))], axis=1)
        first = np.zeros((d, n + 2))
        first[:, 1 : 1 + d] = np.eye(d)
        first[:, -2:] = checks[:d]
        return cls(starts, first, checks)

    def __call__(self, k: int, shape: tuple[int, ...]) -> np.ndarray:
        if k not in self.starts:
            raise SchemeError(f"noise {k} was not asked for in the first run: what is drawn depends on the state")
        start, z = self.starts[k], np.zeros(shape)
        z[:, start : start + shape[0]] = np.eye(shape[0])
        z[:, -2:] = self.checks[start - 1 : start - 1 + shape[0]]
        return z


def exact_law(sampler: Any, target: Any, *arguments: Any, **options: Any) -> ExactLaw:
    """The law of a sampler's output on a Gaussian target, exactly.

    Parameters
    ----------
    sampler : object
        A diffusion sampler or an unadjusted sampler of `stochsim.mcmc`; or an object of yours with a method
        ``affine_law(target, ...)``.
    target : Gaussian
    *arguments : object
        What the sampler's law depends on: of diffusion samplers, process and grid; of chains the number of steps
        (default: the stationary law).
    **options : object
        Of diffusion samplers, ``start``: "exact", "prior" or (mean, covariance) of the first state; of chains ``x0``
        and ``covariance`` of the start (default N(0, I)).

    Returns
    -------
    ExactLaw

    Raises
    ------
    ModelError
        If the target is not Gaussian.
    SchemeError
        If the sampler is not affine on Gaussians, or knows no such law.
    """
    from stochsim.densities import Gaussian

    if not isinstance(target, Gaussian):
        raise ModelError(f"the target is a {type(target).__name__}; exact laws are known for a Gaussian")
    if hasattr(sampler, "affine_law"):
        law: ExactLaw = sampler.affine_law(target, *arguments, **options)
        return law
    for kind, find in _FINDERS.items():
        if isinstance(sampler, kind):
            return find(sampler, target, *arguments, **options)
    raise SchemeError(f"{sampler!r} has no exact law; give a diffusion sampler or an unadjusted MCMC sampler")


_FINDERS: dict[type, Callable[..., ExactLaw]] = {}
F = TypeVar("F", bound=Callable[..., ExactLaw])


def finds_laws_of(kind: type) -> Callable[[F], F]:
    """Let `exact_law` ask a function, ``f(sampler, target, ...)``, for the laws of a kind of samplers.

    Parameters
    ----------
    kind : type
        For families whose samplers do not bring the method themselves.
    """

    def enter(function: F) -> F:
        _FINDERS[kind] = function
        return function

    return enter
