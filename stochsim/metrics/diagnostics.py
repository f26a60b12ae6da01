"""Diagnostics of chains, computed by ArviZ: effective sample sizes, R-hat, Monte-Carlo errors, and the way to it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from stochsim.errors import ParameterError
from stochsim.metrics._arrays import FloatArray

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["autocorrelation_time", "ess", "mcse", "rhat", "to_arviz"]

Result = float | FloatArray

ESS_KINDS = ("bulk", "tail", "mean")
MCSE_KINDS = ("mean", "sd", "median")

# what samplers report, by our names and by ArviZ's
STATISTICS = {
    "log_prob": "lp",
    "accept_prob": "acceptance_rate",
    "accepted": "accepted",
    "diverging": "diverging",
    "energy": "energy",
    "energy_error": "energy_error",
    "n_leapfrog": "n_steps",
    "step_size": "step_size",
    "tree_depth": "tree_depth",
}


def ess(x: Any, kind: str = "bulk") -> Result:
    """Effective sample size of all chains together.

    Parameters
    ----------
    x : (chain, draw) or (chain, draw, d) array or DataArray
        Chains, all of the same law, without their warm-up.
    kind : {"bulk", "tail", "mean"}
        "bulk": of rank-normalised split chains, for the centre of the law; "tail": the smaller one of the indicators
        of the 5 % and 95 % quantiles; "mean": of the values themselves, the one in sd/sqrt(ESS).

    Returns
    -------
    float or (d,) array
        In draws, by Geyer's initial monotone sequence over split chains (Vehtari, Gelman, Simpson, Carpenter &
        Bürkner 2021, Bayesian Analysis 16). It exceeds the number of draws for antithetic chains.

    Raises
    ------
    ParameterError
        An unknown kind, other axes, fewer than four draws, or draws that are not finite.
    """
    _known("kind", kind, ESS_KINDS)
    extra = {"prob": (0.05, 0.95)} if kind == "tail" else {}
    return _result(_arviz().ess(_chains(x), chain_axis=0, draw_axis=1, method=kind, **extra))


def rhat(x: Any) -> Result:
    """Potential scale reduction: spread between chains against spread within them, 1 for chains of one law.

    Parameters
    ----------
    x : (chain, draw) or (chain, draw, d) array or DataArray
        Chains without their warm-up; a single one is split into halves.

    Returns
    -------
    float or (d,) array
        The larger one of the rank-normalised and the folded split R-hat (Vehtari et al. 2021, eq. 4 and section 4);
        below 1.01 for long mixed chains. nan for a component that never moved.

    Raises
    ------
    ParameterError
        Other axes, fewer than four draws, or draws that are not finite.
    """
    with np.errstate(invalid="ignore", divide="ignore"):  # 0/0 where nothing moved
        return _result(_arviz().rhat(_chains(x), chain_axis=0, draw_axis=1, method="rank"))


def mcse(x: Any, kind: str = "mean") -> Result:
    """Monte-Carlo standard error of an estimate from the chains, in the units of x.

    Parameters
    ----------
    x : (chain, draw) or (chain, draw, d) array or DataArray
        Chains without their warm-up.
    kind : {"mean", "sd", "median"}
        The estimate.

    Returns
    -------
    float or (d,) array
        For the mean sd/sqrt(ESS); for the others Vehtari et al. (2021), section 4.

    Raises
    ------
    ParameterError
        An unknown kind, other axes, fewer than four draws, or draws that are not finite.
    """
    _known("kind", kind, MCSE_KINDS)
    return _result(_arviz().mcse(_chains(x), chain_axis=0, draw_axis=1, method=kind))


def autocorrelation_time(x: Any) -> Result:
    """Integrated autocorrelation time 1 + 2 sum_k rho_k, in draws: how many draws are worth one independent one.

    Parameters
    ----------
    x : (chain, draw) or (chain, draw, d) array or DataArray
        Chains in equilibrium.

    Returns
    -------
    float or (d,) array
        Draws of all chains over the effective sample size of the mean; (1 + a)/(1 - a) for an autoregression
        x' = a x + noise.

    Raises
    ------
    ParameterError
        Other axes, fewer than four draws, or draws that are not finite.
    """
    chains = _chains(x)
    return _result(chains.shape[0] * chains.shape[1] / np.asarray(ess(chains, "mean")))


def to_arviz(dataset: xr.Dataset) -> xr.DataTree:
    """A Dataset of chains as the DataTree that ArviZ reads: ``az.summary(tree)``, ``az.plot_trace_dist(tree)``.

    Parameters
    ----------
    dataset : xarray.Dataset
        Variables with the dimensions chain and draw, as a sampler of `stochsim.mcmc` returns them.

    Returns
    -------
    xarray.DataTree
        Group ``posterior`` with x (or, of a Dataset without one, every variable that is no statistic), and group
        ``sample_stats`` with what the sampler reported, under ArviZ's names (lp, acceptance_rate, n_steps, ...) where
        it has one. Nothing is copied, and ArviZ is not needed for it.

    Raises
    ------
    ParameterError
        No variable has the dimensions chain and draw.
    """
    import xarray as xr

    drawn = [name for name in map(str, dataset.data_vars) if {"chain", "draw"} <= set(dataset[name].dims)]
    sampled = ["x"] if "x" in drawn else [name for name in drawn if name not in STATISTICS]
    if not sampled:
        dims = ", ".join(map(str, dataset.dims)) or "none"
        raise ParameterError(f"no sampled variable has the dimensions chain and draw (dimensions here: {dims})")
    others = [name for name in map(str, dataset.data_vars) if "chain" in dataset[name].dims and name not in sampled]
    ordered = dataset.transpose("chain", "draw", ...)
    attrs = {**dataset.attrs, "inference_library": "stochsim"}
    groups = {"posterior": ordered[sampled].assign_attrs(attrs)}
    if others:
        names = {name: STATISTICS[name] for name in others if name in STATISTICS}
        groups["sample_stats"] = ordered[others].rename(names).assign_attrs(attrs)
    return xr.DataTree.from_dict(groups)


def _arviz() -> Any:
    return import_module("arviz_stats.base").array_stats


def _chains(x: Any) -> FloatArray:
    """Chains as (chain, draw, ...)."""
    if hasattr(x, "dims") and {"chain", "draw"} <= set(x.dims):
        x = x.transpose("chain", "draw", ...)
    array = np.asarray(x, dtype=np.float64)
    if array.ndim not in (2, 3) or array.shape[1] < 4 or 0 in array.shape:
        raise ParameterError(
            f"x has shape {array.shape}; chains are (chain, draw) or (chain, draw, d) with 4 draws or more"
        )
    bad = ~np.isfinite(array).reshape(len(array), -1).all(axis=1)
    if bad.any():
        raise ParameterError(
            f"{bad.sum()} of {len(array)} chains have draws that are not finite; leave these chains out"
        )
    return array


def _known(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ParameterError(f"{name}={value!r}; give one of {', '.join(choices)}")


def _result(values: Any) -> Result:
    array = np.asarray(values, dtype=np.float64)
    return float(array) if array.ndim == 0 else array
