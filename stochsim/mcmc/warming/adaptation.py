"""Warm-up: step size, metric and length of trajectories found while the chains find their law.

All chains share one adaptation, fed by all of them: with one chain it is Stan's, with a thousand every quantity is
known after a few steps. What is tunable is read off the sampler: ``step_size`` if its steps tell ``accept_prob``,
``metric`` if it has one (a matrix if it begins as one, else variances), trajectories for `JitteredHMC` on request.
Sampler classes may state an ``optimal_acceptance``.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

from stochsim.columns.noise import PhiloxNoise
from stochsim.densities.record import Density
from stochsim.errors import ParameterError
from stochsim.mcmc._chains import Chains, chain_program
from stochsim.mcmc.hamiltonian.metrics import DenseMetric, UnitMetric, euclidean
from stochsim.mcmc.hamiltonian.trajectories import JitteredHMC
from stochsim.mcmc.record import Sampler
from stochsim.mcmc.warming import _length
from stochsim.mcmc.warming._length import Length, Probe, Probed, halton, leapfrogs, slope
from stochsim.mcmc.warming._step_size import DualAveraging, first_step_size
from stochsim.mcmc.warming._windows import Spread, slow_windows

__all__ = ["WarmUp", "warm_up"]

ACCEPTANCE = 0.8  # where a sampler states none
FIRST_ACCEPTANCE = 0.8  # of a single leapfrog, for the first guess
TRIAL_INDEX = 2**32 - 2  # trials of first guesses count down from here; steps never get there


@dataclass(frozen=True, eq=False)
class WarmUp:
    """How a warm-up went.

    Attributes
    ----------
    sampler : str
        Its class.
    n_chains, n_steps : int
    step_size, target_acceptance, acceptance : float
        The step size found, what it was to reach, and the mean acceptance after the last metric was set.
    metric : str
        "none", "diagonal" or "dense".
    scales : tuple of float, optional
        Smallest and largest standard deviation along the metric's axes.
    n_diverging : int
        Divergent trajectories, of all chains.
    length : float, optional
        The longest trajectory (ChEES), in time.
    step_sizes : ndarray, shape (n_steps,)
        The step size of every step.
    """

    sampler: str
    n_chains: int
    n_steps: int
    step_size: float
    target_acceptance: float
    acceptance: float
    metric: str
    scales: tuple[float, float] | None
    n_diverging: int
    length: float | None
    step_sizes: np.ndarray = field(repr=False)

    def __repr__(self) -> str:
        parts = [
            f"step size {self.step_size:.4g} (acceptance {self.acceptance:.2f}, wanted {self.target_acceptance:.2f})"
        ]
        if self.scales is not None:
            parts.append(f"{self.metric} metric, standard deviations {self.scales[0]:.3g} to {self.scales[1]:.3g}")
        if self.length is not None:
            parts.append(f"trajectories up to {self.length:.3g}")
        parts.append(f"{self.n_diverging} divergent")
        return f"<warm-up of {self.sampler}, {self.n_chains} chains x {self.n_steps} steps: {'; '.join(parts)}>"


def warm_up(
    sampler: Sampler,
    density: Density,
    state: Any,
    *,
    key: tuple[int, int],
    n_warmup: int,
    threads: int = 1,
    progress: Any = None,
    target_acceptance: float | None = None,
    length: str = "fixed",
) -> tuple[Any, WarmUp, Any]:
    """Tune a sampler while it runs.

    The step size follows dual averaging of the chains' mean acceptance (Hoffman & Gelman 2014, section 3.2), begun anew
    whenever the metric changes; metrics are gathered in Stan's windows. Results do not depend on the number of threads.

    Parameters
    ----------
    sampler : Sampler
        Its step size is the first guess; None is 1.
    density : Density
    state : NamedTuple
        The sampler's state at the starting points.
    key : tuple of int
        Of the seed.
    n_warmup : int
        Steps, of index 0 to n_warmup - 1.
    threads : int
    progress : object, optional
        Told of steps by ``update(n)``.
    target_acceptance : float, optional
        Default: the sampler's ``optimal_acceptance``, else 0.8.
    length : {"fixed", "chees"}
        With "chees" the lengths of `JitteredHMC` are tuned: by u T in every step, u from a Halton sequence, T along the
        slope of ChEES, and a harmonic mean acceptance of 0.651. The result has lengths uniform up to T: it jitters its
        steps from 0 to the step size found.

    Returns
    -------
    sampler : Sampler
        With the tuned parameters.
    report : WarmUp
    state : NamedTuple
        Where the chains are.

    Raises
    ------
    ParameterError
        If the sampler has nothing to be tuned by, or ``length`` is not one of these.
    """
    if length not in ("fixed", "chees"):
        raise ParameterError(f"length is {length!r}; give 'fixed' or 'chees'")
    if length == "chees" and not isinstance(sampler, JitteredHMC):
        raise ParameterError(
            f"ChEES tunes the lengths of JitteredHMC, and sampler is {sampler.name}; give length='fixed'"
        )
    if target_acceptance is not None and not 0.0 < target_acceptance < 1.0:
        raise ParameterError(f"target_acceptance is {target_acceptance!r}; give a number between 0 and 1")
    kind = _Trajectories if length == "chees" else _Steps
    return kind(sampler, density, state, key, threads, target_acceptance).run(n_warmup, progress)


def _has(sampler: Sampler, name: str) -> bool:
    return name in {f.name for f in fields(sampler)}  # type: ignore[arg-type]


class _Steps:
    """A warm-up under way: the chains, their sampler, and what has been learnt of it."""

    def __init__(
        self, sampler: Sampler, density: Density, state: Any, key: tuple[int, int], threads: int, target: float | None
    ) -> None:
        self.given, self.density, self.key, self.threads = sampler, density, key, threads
        self.n_chains = state.x.shape[1]
        self.sampler: Any = self._begun(sampler)
        self.chains = self._made()
        if "accept_prob" not in self.chains.program.saved:
            raise ParameterError(
                f"{sampler.name} accepts every step, so no acceptance tells its step size; give one, and adapt=False"
            )
        self.chains.put(state)
        stated = getattr(type(sampler), "optimal_acceptance", ACCEPTANCE)
        self.target = float(stated if target is None else target)
        self.trials, self.n_diverging, self.acceptance = 0, 0, list[float]()

    def _begun(self, sampler: Sampler) -> Any:
        """The sampler with its first guess, and with a metric of the kind that will be found."""
        if not _has(sampler, "step_size"):
            raise ParameterError(f"{sampler.name} has no step size to be tuned; run it with adapt=False")
        begun: Any = sampler
        if begun.step_size is None:
            begun = replace(begun, step_size=1.0)
        if _has(sampler, "metric") and isinstance(begun.metric, UnitMetric):
            begun = replace(begun, metric=np.ones(self.density.d))
        return begun

    def _made(self) -> Any:
        target, d = self.density.target, self.density.d
        factory = getattr(self.sampler, "chains", None)
        if factory is not None:
            return factory(target, d, self.key, self.n_chains, self.threads)
        return Chains(chain_program(self.sampler, target, d), self.key, self.n_chains, self.threads)

    def run(self, n_warmup: int, progress: Any) -> tuple[Any, WarmUp, Any]:
        """All steps."""
        windows = {end: begin for begin, end in self._windows(n_warmup)} if _has(self.sampler, "metric") else {}
        step_sizes = np.empty(n_warmup)
        averaging, spread = self._restarted(), self._no_spread()
        for k in range(n_warmup):
            self.sampler = replace(self.sampler, step_size=averaging.step_size)
            step_sizes[k] = self.sampler.step_size
            accept, x = self._step(k)
            averaging = averaging.update(accept)
            self.acceptance.append(accept)
            if windows and min(windows.values()) <= k < max(windows):
                spread = spread.add(x)
            if k + 1 in windows:
                self._set_metric(spread.regularised())
                averaging, spread, self.acceptance = self._restarted(), self._no_spread(), []
            if progress is not None:
                progress.update(self.n_chains)
        self.sampler = replace(self.sampler, step_size=averaging.average)
        return self._tuned(), self._report(step_sizes), self._state()

    def _windows(self, n_warmup: int) -> list[tuple[int, int]]:
        return slow_windows(n_warmup)

    # --- one step ---------------------------------------------------------------------------------------------------

    def _step(self, k: int) -> tuple[float, np.ndarray]:
        """The mean acceptance of step k, and where the chains are then."""
        rows = self._advance(k)
        return float(self._accept(rows).mean()), rows[: self.density.d]

    def _advance(self, index: int) -> np.ndarray:
        self.chains.steps_done = index
        rows: np.ndarray = self.chains.advance(self.sampler, self.density.target, 1)[0][:, : self.n_chains]
        if "diverging" in self.chains.program.saved and index < TRIAL_INDEX - 10_000:
            self.n_diverging += int(self._told(rows, "diverging").sum())
        return rows

    def _told(self, rows: np.ndarray, name: str) -> np.ndarray:
        told: np.ndarray = rows[self.density.d + self.chains.program.saved.index(name)]
        return told

    def _accept(self, rows: np.ndarray) -> np.ndarray:
        told = self._told(rows, "accept_prob")
        return np.where(np.isfinite(told), told, 0.0)

    # --- what is tuned ----------------------------------------------------------------------------------------------

    def _restarted(self) -> DualAveraging:
        """Dual averaging from a first guess by single leapfrogs, after which the chains stand where they stood."""
        before, tuned = self.chains.state(), self.sampler
        single = {name: 1 for name in ("n_leapfrog", "max_depth") if _has(tuned, name)}
        wanted = FIRST_ACCEPTANCE if single else self.target

        def acceptance(step_size: float) -> float:
            self.sampler = replace(tuned, step_size=step_size, **single)
            self.chains.put(before)
            self.trials += 1
            return float(self._accept(self._advance(TRIAL_INDEX - self.trials)).mean())

        guess = first_step_size(acceptance, tuned.step_size, wanted)
        self.sampler = tuned
        self.chains.put(before)
        return DualAveraging.begin(guess, self.target)

    def _no_spread(self) -> Spread:
        dense = isinstance(getattr(self.sampler, "metric", None), DenseMetric)
        return Spread.empty(self.density.d, dense=dense)

    def _set_metric(self, covariance: np.ndarray) -> None:
        self.sampler = replace(self.sampler, metric=euclidean(covariance))
        refresh = getattr(self.sampler, "refresh", None)
        if refresh is not None:  # momenta of the old metric do not have the law of the new one
            self.trials += 1
            noise = PhiloxNoise(self.key, 0, TRIAL_INDEX - self.trials)
            self.chains.put(refresh(self.chains.state(), noise))

    # --- what comes out ---------------------------------------------------------------------------------------------

    def _tuned(self) -> Any:
        return self.sampler

    def _state(self) -> Any:
        return self.chains.state()

    def _length(self) -> float | None:
        return None

    def _report(self, step_sizes: np.ndarray) -> WarmUp:
        kind, scales = _described(getattr(self.sampler, "metric", None))
        accepted = float(np.mean(self.acceptance)) if self.acceptance else float("nan")
        return WarmUp(
            self.given.name, self.n_chains, len(step_sizes), float(self.sampler.step_size), self.target, accepted, kind,
            scales, self.n_diverging, self._length(), step_sizes,
        )  # fmt: skip


def _described(metric: Any) -> tuple[str, tuple[float, float] | None]:
    if metric is None or isinstance(metric, UnitMetric):
        return "none", None
    dense = isinstance(metric, DenseMetric)
    variances = np.linalg.eigvalsh(metric.inverse_mass) if dense else metric.inverse_mass
    return "dense" if dense else "diagonal", (float(np.sqrt(variances.min())), float(np.sqrt(variances.max())))


class _Trajectories(_Steps):
    """A warm-up of `JitteredHMC` that finds the length of its trajectories too."""

    def __init__(
        self, sampler: Sampler, density: Density, state: Any, key: tuple[int, int], threads: int, target: float | None
    ) -> None:
        begun = Probed(state.x, state.log_prob, state.score, state.x, np.zeros_like(state.x))
        super().__init__(sampler, density, begun, key, threads, _length.TARGET if target is None else target)
        self.length = Length.begin(self._restarted().step_size)

    def _begun(self, sampler: Sampler) -> Any:
        begun = super()._begun(sampler)
        return Probe(begun.step_size, begun.n_leapfrog, begun.metric, begun.integrator)

    def _windows(self, n_warmup: int) -> list[tuple[int, int]]:
        return slow_windows(n_warmup // 2)  # the length needs a hundred steps or two with the last metric

    def _set_metric(self, covariance: np.ndarray) -> None:
        super()._set_metric(covariance)
        self.length = Length.begin(self._restarted().step_size)

    def _step(self, k: int) -> tuple[float, np.ndarray]:
        time, h = halton(k) * self.length.length, self.sampler.step_size
        self.sampler = replace(self.sampler, n_leapfrog=leapfrogs(time, h))
        before = self.chains.state().x
        rows = self._advance(k)
        state, accept = self.chains.state(), self._accept(rows)
        self.length = self.length.update(slope(before, state.proposal, state.velocity, accept, time))
        harmonic = 1.0 / float(np.mean(1.0 / np.maximum(accept, 1e-10)))
        return harmonic, rows[: self.density.d]

    def _tuned(self) -> JitteredHMC:
        h, given = self.sampler.step_size, self.given
        assert isinstance(given, JitteredHMC)
        n = leapfrogs(self.length.average, h)
        return replace(given, step_size=0.5 * h, n_leapfrog=n, metric=self.sampler.metric, jitter=1.0)

    def _state(self) -> Any:
        state = self.chains.state()
        return self.given.init(self.density.target, state.x)

    def _length(self) -> float:
        return self.length.average
