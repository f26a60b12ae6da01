"""`sample`: many chains of a sampler on a density, as an xarray Dataset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from stochsim._pool import ProgressBar, Stop, run_ranges
from stochsim._request import count, thread_count
from stochsim.densities.record import Density
from stochsim.errors import DivergenceError, ParameterError
from stochsim.mcmc import _results as results
from stochsim.mcmc._chains import Chains, Interrupted, chain_program, kept_pairs
from stochsim.mcmc._start import starting_points, starting_state
from stochsim.mcmc.record import Sampler
from stochsim.noise.seeds import seed_key

if TYPE_CHECKING:
    import xarray

LEAF = 8192  # chains whose moments are taken together
SAVED = ("draws", "final", "moments")


def sample(
    density: Density,
    sampler: Sampler,
    *,
    n_chains: int = 4,
    n_steps: int = 1000,
    n_warmup: int = 0,
    seed: int | np.random.SeedSequence | None = None,
    x0: Any = None,
    save: str = "draws",
    thin: int = 1,
    adapt: bool | None = None,
    allow_divergence: bool = False,
    threads: int | None = None,
    progress: bool | None = None,
) -> xarray.Dataset:
    """Run Markov chains.

    Parameters
    ----------
    density : Density
    sampler : Sampler
        Such as ``ss.mcmc.HMC(step_size=0.2, n_leapfrog=10)``.
    n_chains, n_steps : int
        Steps after the warm-up.
    n_warmup : int
        Steps that are made first and not kept.
    seed : int or SeedSequence, optional
        None draws one and records it. A chain is the same for any number of chains and threads, unless the sampler is
        adapted (then all chains have their say).
    x0 : (d,), (n_chains, d) or Density, optional
        Starting points, or a law to draw them from; default N(0, I).
    save : {"draws", "final", "moments"}
        Every draw; the last one; or means and covariances of all draws, in memory that does not grow with their
        number (covariances of up to eight components, variances above).
    thin : int
        Keep every thin-th draw.
    adapt : bool, optional
        Tune step size and metric during the warm-up, for all chains together. Default: if the sampler has a step size
        of None.
    allow_divergence : bool
        Return chains that left the finite numbers instead of raising.
    threads : int, optional
    progress : bool, optional
        Default: only on a terminal and for runs longer than about a second.

    Returns
    -------
    xarray.Dataset
        ``x(chain, draw, component)``, ``log_prob(chain, draw)`` and what the sampler tells of its steps
        (``accept_prob``, ``energy``, ``diverging`` ...). For moments ``mean(component)``, ``covariance`` (or
        ``variance``), ``mean_mcse``, ``r_hat(component)``, ``count``.

    Raises
    ------
    ParameterError
        If an argument is out of its domain, or the log-density is not finite at a starting point.
    DivergenceError
        If chains leave the finite numbers and ``allow_divergence`` is False.
    """
    _check(density, sampler, save)
    n_chains, n_steps, thin = count("n_chains", n_chains), count("n_steps", n_steps), count("thin", thin)
    n_warmup, threads = count("n_warmup", n_warmup, 0), thread_count(threads)
    k0, k1, record = seed_key(seed)
    run = Run(density, sampler, (k0, k1), record, n_chains, n_steps, n_warmup, thin, save, threads, allow_divergence)
    points = starting_points(density, x0, n_chains, run.key, record)
    run.bar = ProgressBar(progress, f"{density.name}: {sampler.name}", n_chains * (n_steps + n_warmup))
    try:
        if _wants_adaptation(sampler, adapt, n_warmup):
            return _adapted(run, points)
        return _moments(run, points) if save == "moments" else _draws(run, points)
    finally:
        run.bar.close()


@dataclass
class Run:
    """The checked arguments of a run."""

    density: Density
    sampler: Sampler
    key: tuple[int, int]
    record: str
    n_chains: int
    n_steps: int
    n_warmup: int
    thin: int
    save: str
    threads: int
    allow_divergence: bool
    bar: Any = None
    report: Any = None


def _check(density: Any, sampler: Any, save: Any) -> None:
    if not isinstance(density, Density):
        raise ParameterError(
            f"density is {density!r}; give one of ss.densities, or ss.densities.from_log_prob(lambda x: ...)"
        )
    if isinstance(sampler, type) and issubclass(sampler, Sampler):
        raise ParameterError(
            f"sampler is the class {sampler.__name__}; give one with its parameters: {sampler.__name__}(...)"
        )
    if not isinstance(sampler, Sampler):
        raise ParameterError(f"sampler is {sampler!r}; give one of ss.mcmc, such as ss.mcmc.MALA(step_size=0.1)")
    if save not in SAVED:
        raise ParameterError(f"save is {save!r}; give one of {', '.join(SAVED)}")


def _wants_adaptation(sampler: Sampler, adapt: bool | None, n_warmup: int) -> bool:
    untuned = getattr(sampler, "step_size", 0.0) is None
    wanted = untuned if adapt is None else adapt
    if (wanted or untuned) and not n_warmup:
        raise ParameterError(
            f"{sampler.name} is to be tuned, but n_warmup is 0; give n_warmup (500, say) or a step_size"
        )
    return bool(wanted)


def _chains(run: Run, n: int, threads: int, first: int = 0, moments: bool = False) -> Any:
    factory = getattr(run.sampler, "chains", None)
    if factory is not None:
        return factory(run.density.target, run.density.d, run.key, n, threads, first_chain=first, moments=moments)
    program = chain_program(run.sampler, run.density.target, run.density.d, moments=moments)
    return Chains(program, run.key, n, threads, first)


def _draws(run: Run, points: np.ndarray) -> xarray.Dataset:
    chains = _chains(run, run.n_chains, run.threads)
    chains.put(starting_state(run.sampler, run.density, points, run.key))
    if run.n_warmup:
        chains.advance(run.sampler, run.density.target, run.n_warmup, every=_never(run.n_warmup), progress=run.bar)
    return _finish(run, chains)


def _finish(run: Run, chains: Any) -> xarray.Dataset:
    every = run.n_steps if run.save == "final" else run.thin
    chains.origin = chains.steps_done
    try:
        values = chains.advance(run.sampler, run.density.target, run.n_steps, every=every, progress=run.bar)
    except Interrupted as stop:
        stop.partial = results.dataset(run, chains, stop.values)  # type: ignore[attr-defined]
        raise
    _refuse_divergence(run, int((~np.isfinite(chains.state().x)).any(axis=0).sum()))
    return results.dataset(run, chains, values)


def _never(n: int) -> int:
    return n + 1


def _adapted(run: Run, points: np.ndarray) -> xarray.Dataset:
    from stochsim.mcmc.warming.adaptation import warm_up

    state = starting_state(run.sampler, run.density, points, run.key)
    run.sampler, run.report, state = warm_up(
        run.sampler, run.density, state, key=run.key, n_warmup=run.n_warmup, threads=run.threads, progress=run.bar
    )
    if run.save == "moments":
        return _moments(run, np.ascontiguousarray(state.x), state)
    chains = _chains(run, run.n_chains, run.threads)
    chains.put(state)
    chains.steps_done = run.n_warmup
    return _finish(run, chains)


def _moments(run: Run, points: np.ndarray, state: Any = None) -> xarray.Dataset:
    leaves = [(lo, min(lo + LEAF, run.n_chains)) for lo in range(0, run.n_chains, LEAF)]
    parts: list[results.Pooled] = [None] * len(leaves)  # type: ignore[list-item]
    _chains(run, 1, 1, moments=True)  # compiled once, before the threads start

    def task(index: int, lo: int, hi: int, stop: Stop) -> None:
        own = points[:, lo:hi]
        begun = starting_state(run.sampler, run.density, own, run.key, lo) if state is None else _columns(state, lo, hi)
        if run.n_warmup and state is None:
            warming = _chains(run, hi - lo, 1, lo)
            warming.put(begun)
            warming.advance(
                run.sampler, run.density.target, run.n_warmup, every=_never(run.n_warmup), progress=run.bar, stop=stop
            )
            begun = warming.state()
        chains = _chains(run, hi - lo, 1, lo, moments=True)
        chains.put(begun)
        chains.steps_done = run.n_warmup
        chains.advance(run.sampler, run.density.target, run.n_steps, progress=run.bar, stop=stop)
        if not stop:
            parts[index] = results.pooled(chains.moments(), run.density.d)

    run_ranges(leaves, task, run.threads)
    merged = results.merged(parts)
    _refuse_divergence(run, merged.diverged)
    return results.moments_dataset(run, merged, kept_pairs(run.density.d))


def _columns(state: Any, lo: int, hi: int) -> Any:
    return type(state)(*(np.ascontiguousarray(v[..., lo:hi]) for v in state))


def _refuse_divergence(run: Run, n: int) -> None:
    if n and not run.allow_divergence:
        raise DivergenceError(
            f"{n} of {run.n_chains} chains of {run.sampler.name} left the finite numbers on {run.density.name}; take "
            "smaller steps or an adjusted sampler, or pass allow_divergence=True",
            n_diverged=n,
            first_time=float("nan"),
        )
