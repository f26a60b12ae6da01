"""What holds exactly of samplers: marginals on Gaussians, and the invariance of the target under adjusted ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from stochsim.densities import Gaussian, GaussianMixture
from stochsim.mcmc import ULA
from stochsim.mcmc.laws.affine import affine_law
from stochsim.metrics import Check, invariance_test
from stochsim.noise.seeds import seed_key
from stochsim.report.rows import CheckRow, Row
from stochsim.validating.chain_cases import Case, dense, find, mixture, posterior
from stochsim.validating.task import Task

__all__ = ["exact", "invariance", "invariance_target"]

FloatArray = npt.NDArray[np.floating[Any]]
EXACT, EXACT_STEPS = 1e-10, (0.05, 0.3, 0.6)
FALSE_ALARM = 1e-4
CHAINS, QUICK_CHAINS = 20_000, 5_000
TRANSITIONS = 8
STEP = 0.7
STEPS = {"MAMS": 1.5}  # where acceptance is too near to one at the usual step for a wrong ratio to show


def exact(task: Task) -> list[Row]:
    """Whether the marginals that a sampler claims are exact on a Gaussian are, for three step sizes.

    Parameters
    ----------
    task : Task
    """
    case = find(task.scheme)
    claimed = case(STEP).claims.exact_gaussian
    worst = max(_deviation(case(h), name) for h in EXACT_STEPS for name in claimed)
    control = min(_deviation(ULA(h), "position") for h in EXACT_STEPS)
    said = f"{' and '.join(claimed)} off by {worst:.1e} at steps up to {EXACT_STEPS[-1]:g}; of ULA by {control:.1e}"
    row = CheckRow(
        family=task.family, kind=task.kind, scheme=task.scheme, problem=task.problem, holds=worst < EXACT,
        value=worst, threshold=EXACT, control="the law of ULA", control_fails=control > EXACT, explanation=said,
    )  # fmt: skip
    return [row]


def _deviation(sampler: Any, marginal: str) -> float:
    """Largest error of a marginal's mean and covariance in the stationary law on a dense Gaussian."""
    law = dense()
    mean, cov = affine_law(sampler, law.target, law.d).stationary
    own = slice(0, law.d) if marginal == "position" else slice(law.d, 2 * law.d)
    aim = (law.mean, law.covariance) if marginal == "position" else (np.zeros(law.d), np.eye(law.d))
    return float(max(np.abs(mean[own] - aim[0]).max(), np.abs(cov[own, own] - aim[1]).max()))


@dataclass
class _Noise:
    """NumPy's random numbers; a power bends the uniforms, and with them every probability of acceptance."""

    rng: np.random.Generator
    power: float = 1.0

    def normal(self, x: Any) -> FloatArray:
        return np.asarray(self.rng.standard_normal(np.shape(x)))

    def uniform(self, x: Any) -> FloatArray:
        return np.asarray(self.rng.random(np.shape(x)[-1]) ** self.power)


def invariance_target(case: Case) -> Any:
    """The density on which invariance is tested.

    Parameters
    ----------
    case : Case
    """
    if case.has("prior"):
        return posterior()
    return dense() if case.has("betas") else mixture()


def invariance(task: Task) -> list[Row]:
    """Whether exact draws keep their law, and whether a wrong kernel is found out by the same test.

    Parameters
    ----------
    task : Task
    """
    case = find(task.scheme)
    n = QUICK_CHAINS if task.quick else CHAINS
    density, right, wrong, control = _kernels(case)
    passed, spoiled = (_tested(density, kernel, n, task.seed) for kernel in (right, wrong))
    value, found = _largest(passed), _largest(spoiled)
    said = f"largest of {len(passed.parts)} statistics {value:.2f} of its threshold; {found:.2f} with {control}"
    row = CheckRow(
        family=task.family, kind=task.kind, scheme=task.scheme, problem=task.problem, holds=passed.passed,
        value=value, threshold=1.0, control=control,
        control_fails=not spoiled.passed, explanation=said, n_paths=n, false_alarm=FALSE_ALARM,
    )  # fmt: skip
    return [row]


def _largest(check: Check) -> float:
    """The largest statistic, in units of its threshold."""
    ratios = [abs(p.statistic) / p.threshold for p in check.parts if p.threshold > 0.0]
    outside = [np.inf for p in check.parts if p.threshold == 0.0 and not p.passed]
    return float(max(ratios + outside))


Kernel = Callable[[FloatArray, int], FloatArray]


def _kernels(case: Case) -> tuple[Any, Kernel, Kernel, str]:
    """The density, the kernel, a wrong one, and what is wrong with it."""
    sampler, density = case(STEPS.get(case.cls.__name__, STEP)), invariance_target(case)
    if hasattr(sampler, "chains"):  # its uniforms are out of reach
        other = GaussianMixture([0.45, 0.55], density.means, density.covariances)
        return _Law(density), _compiled(sampler, density), _compiled(sampler, other), "weights 0.45 for 0.4"
    if case.has("betas"):
        rungs = _Rungs(density, np.ravel(sampler.betas))
        return rungs, rungs.kernel(sampler, 1.0), rungs.kernel(sampler, 2.0), "uniforms squared"
    return _Law(density), _by_arrays(sampler, density, 1.0), _by_arrays(sampler, density, 2.0), "uniforms squared"


def _tested(density: Any, kernel: Kernel, n: int, seed: int) -> Check:
    with np.errstate(all="ignore"):
        return invariance_test(density, kernel, n_chains=n, n_steps=1, seed=seed, false_alarm=FALSE_ALARM)


def _by_arrays(sampler: Any, density: Any, power: float) -> Kernel:
    """Some transitions from exact places, with momenta from their law."""

    def move(x: FloatArray, seed: int) -> FloatArray:
        noise = _Noise(np.random.default_rng(seed), power)
        state = sampler.init(density.target, np.ascontiguousarray(x.T))
        if hasattr(sampler, "refresh"):
            state = sampler.refresh(state, noise)
        for _ in range(TRANSITIONS):
            state, _ = sampler.step(density.target, state, noise)
        return np.ascontiguousarray(state.x.T)

    return move


def _compiled(sampler: Any, density: Any) -> Kernel:
    """The same by the sampler's own kernels."""

    def move(x: FloatArray, seed: int) -> FloatArray:
        key = seed_key(seed)[:2]
        chains = sampler.chains(density.target, density.d, key, len(x), 1)
        chains.put(sampler.init(density.target, np.ascontiguousarray(x.T)))
        chains.advance(sampler, density.target, TRANSITIONS)
        return np.ascontiguousarray(chains.state().x.T)

    return move


class _Law:
    """A density whose formulas run on arrays, so that nothing is compiled."""

    def __init__(self, density: Any) -> None:
        self._density = density

    def sample(self, n: int, *, seed: Any = None) -> FloatArray:
        return np.asarray(self._density.sample(n, seed=seed))

    def log_prob(self, x: FloatArray) -> FloatArray:
        return np.asarray(self._density.target.log_prob(np.ascontiguousarray(x.T)))


class _Rungs:
    """All replicas of a tempered Gaussian side by side, one independent of the other."""

    def __init__(self, density: Gaussian, betas: FloatArray) -> None:
        self._density, self._laws = density, [Gaussian(density.mean, density.covariance / b) for b in betas]

    def sample(self, n: int, *, seed: Any = None) -> FloatArray:
        rng = np.random.default_rng(seed)
        return np.hstack([law.sample(n, seed=rng) for law in self._laws])

    def log_prob(self, x: FloatArray) -> FloatArray:
        parts = np.split(x, len(self._laws), axis=1)
        return np.asarray(sum(_Law(law).log_prob(part) for law, part in zip(self._laws, parts, strict=True)))

    def kernel(self, sampler: Any, power: float) -> Kernel:
        """Transitions of all replicas."""
        target, d = self._density.target, self._density.d

        def move(x: FloatArray, seed: int) -> FloatArray:
            noise = _Noise(np.random.default_rng(seed), power)
            columns = np.ascontiguousarray(x.T)
            levels = [target.log_prob(columns[i : i + d]) for i in range(0, len(columns), d)]
            state = sampler.init(target, columns[:d])._replace(replicas=columns, log_probs=np.stack(levels))
            for _ in range(TRANSITIONS):
                state, _ = sampler.step(target, state, noise)
            return np.ascontiguousarray(state.replicas.T)

        return move
