"""NUTS: the kernel against the tree written out, the transition's exact invariance on an orbit, and the law it keeps.

The reference makes a whole orbit of leapfrogs first and then reads from it, block by block, what the sampler may take.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pytest

from stochsim.codegen.functions import filler
from stochsim.columns.noise import PhiloxNoise
from stochsim.densities import Gaussian, GaussianMixture, from_log_prob
from stochsim.errors import ParameterError
from stochsim.mcmc.hamiltonian.no_u_turn import NUTS, TreeChains, TreeProgram, nuts_kernel
from stochsim.metrics import invariance_test
from stochsim.noise.seeds import seed_key

KEY = seed_key(5)[:2]
CORRELATED = np.array([[1.0, 0.6, 0.0], [0.6, 2.0, 0.3], [0.0, 0.3, 0.5]])


class Orbit(NamedTuple):
    """Points of a trajectory, row 0 the first: positions, momenta, velocities, and gain = H(start) - H."""

    q: np.ndarray
    p: np.ndarray
    v: np.ndarray
    gain: np.ndarray
    log_prob: np.ndarray


def orbit(target: Any, metric: Any, q: np.ndarray, p: np.ndarray, h: float, reach: int) -> Orbit:
    """The points -reach .. reach around (q, p)."""

    def run(h: float) -> list[Any]:
        x, y, rows = q[:, None], p[:, None], []
        log_prob, score = target.log_prob_and_score(x)
        for _ in range(reach + 1):
            v = metric.velocity(y)
            rows.append((x[:, 0], y[:, 0], v[:, 0], log_prob[0], log_prob[0] - 0.5 * float(y[:, 0] @ v[:, 0])))
            y = y + 0.5 * h * score
            x = x + h * metric.velocity(y)
            log_prob, score = target.log_prob_and_score(x)
            y = y + 0.5 * h * score
        return rows

    rows = run(-h)[:0:-1] + run(h)
    qs, ps, vs, log_probs, minus_h = (np.array(column) for column in zip(*rows, strict=True))
    return Orbit(qs, ps, vs, minus_h - minus_h[reach], log_probs)


def turns(o: Orbit, lo: int, hi: int, *, ends: str = "both") -> bool:
    """Whether the block lo .. hi - 1 turns back: over its whole length, or across the seam of its halves."""
    mid = (lo + hi) // 2
    sums = [(lo, hi - 1, o.p[lo:hi].sum(axis=0))]
    sums += [(lo, mid, o.p[lo : mid + 1].sum(axis=0)), (mid - 1, hi - 1, o.p[mid - 1 : hi].sum(axis=0))]
    if ends != "both":
        return any(o.v[pair[ends == "last"]] @ rho <= 0.0 for *pair, rho in sums)
    return any(o.v[a] @ rho <= 0.0 or o.v[b] @ rho <= 0.0 for a, b, rho in sums)


# --- the kernel takes the points that the reference takes ---------------------------------------------------------


def uniforms(chain: int, step: int, n: int) -> np.ndarray:
    values = []
    for first in range(0, n, 16):
        pair = np.empty((2, 8))
        filler("uniforms")(*KEY, first // 2, step, chain, 19, pair[0], pair[1])
        values.append(pair.ravel())
    return np.concatenate(values)


def reference_step(sampler: NUTS, target: Any, q: np.ndarray, chain: int, step: int) -> tuple[np.ndarray, list[float]]:
    """The new place, and accept_prob, n_leapfrog, tree_depth."""
    pairs = (len(q) + 1) // 2
    z = np.empty((2, pairs))
    filler("normals")(*KEY, 0, step, chain, 18, z[0], z[1])
    p = sampler.metric.momentum(z.ravel()[: len(q)][:, None])[:, 0]
    reach = 2**sampler.max_depth - 1
    o = orbit(target, sampler.metric, q, p, sampler.step_size or 0.0, reach)
    u, drawn = uniforms(chain, step, 4 * reach + 16), iter(range(10**6))
    lo, hi, chosen, weight, accepted, leapfrogs, depth = reach, reach + 1, reach, 1.0, 0.0, 0, 0
    while depth < sampler.max_depth:
        n, forward = hi - lo, u[next(drawn)] < 0.5
        first, sign = (hi, 1) if forward else (lo - 1, -1)
        sub, chosen_sub, stopped = 0.0, -1, False
        for leaf in range(n):
            i, leapfrogs = first + sign * leaf, leapfrogs + 1
            if not o.gain[i] > -1000.0:
                stopped = True
                break
            accepted += min(1.0, np.exp(o.gain[i]))
            sub += np.exp(o.gain[i])
            if u[next(drawn)] * sub < np.exp(o.gain[i]):
                chosen_sub = i
            sizes = [2**k for k in range(1, 11) if (leaf + 1) % 2**k == 0]
            if any(turns(o, *((i - s + 1, i + 1) if forward else (i, i + s))) for s in sizes):
                stopped = True
                break
        if stopped:
            break
        if u[next(drawn)] * weight < sub:
            chosen = chosen_sub
        weight, depth = weight + sub, depth + 1
        lo, hi = (lo, hi + n) if forward else (lo - n, hi)
        if turns(o, lo, hi):
            break
    return o.q[chosen], [accepted / leapfrogs, leapfrogs, depth]


QUARTIC = from_log_prob(lambda x: -(x[0] ** 4) - 0.5 * (x[1] - x[0] ** 2) ** 2, d=2)
CASES: dict[str, tuple[Any, NUTS]] = {
    "diagonal": (Gaussian([0.0, 1.0, -1.0], [1.0, 4.0, 0.25]), NUTS(0.25, max_depth=5)),
    "dense metric": (Gaussian(np.zeros(3), CORRELATED), NUTS(0.3, metric=CORRELATED, max_depth=5)),
    "mixture, diagonal metric": (
        GaussianMixture([0.3, 0.7], [[0.0] * 9, [2.0] * 9], [0.5, 1.0]),
        NUTS(0.2, metric=np.linspace(0.5, 2.0, 9), max_depth=5),
    ),
    "formula": (QUARTIC, NUTS(0.2, max_depth=5)),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_kernel_takes_the_reference_s_points(name: str) -> None:
    density, sampler = CASES[name]
    rng = np.random.default_rng(1)
    x = rng.normal(size=(density.d, 3))
    trees = sampler.chains(density.target, density.d, KEY, 3, 1, first_chain=7)
    trees.put(sampler.init(density.target, x))
    rows = trees.advance(sampler, density.target, 12)
    for chain in range(3):
        q = x[:, chain]
        for step in range(12):
            q, told = reference_step(sampler, density.target, q, 7 + chain, step)
            np.testing.assert_allclose(rows[step, : density.d, chain], q, rtol=1e-9, atol=1e-9)
            np.testing.assert_allclose(rows[step, density.d + 1 : density.d + 4, chain], told, rtol=1e-9)
            q = rows[step, : density.d, chain]


# --- the transition keeps the weights of an orbit exactly ---------------------------------------------------------


def defect(o: Orbit, max_depth: int, *, sub_trees: bool = True, one_sided: bool = False, rule: str = "biased") -> float:
    """|Σ_i w_i P(i -> middle) / w_middle - 1|, P summed over all directions and all draws."""
    weights, reach, middle = np.exp(o.gain), 2**max_depth - 1, len(o.gain) // 2

    @cache
    def turning(lo: int, hi: int, ends: str = "both") -> bool:
        return turns(o, lo, hi, ends=ends)

    @cache
    def usable(lo: int, hi: int) -> bool:
        if hi - lo == 1 or not sub_trees:
            return True
        mid = (lo + hi) // 2
        return usable(lo, mid) and usable(mid, hi) and not turning(lo, hi)

    def row(lo: int, hi: int, law: np.ndarray, depth: int) -> np.ndarray:
        if depth == max_depth:
            return law
        total, n = np.zeros_like(law), hi - lo
        for new in ((hi, hi + n), (lo - n, lo)):
            if not usable(*new):
                total += 0.5 * law
                continue
            own = np.zeros_like(law)
            own[slice(*new)] = weights[slice(*new)] if rule != "equal weights" else 1.0
            ratio = weights[slice(*new)].sum() / weights[lo:hi].sum()
            accept = min(1.0, ratio) if rule != "newest" else 1.0
            mixed = (1.0 - accept) * law + accept * own / own.sum()
            whole, newest = (min(lo, new[0]), max(hi, new[1])), "last" if new[0] == hi else "first"
            stop = turning(*whole, newest if one_sided else "both")
            total += 0.5 * (mixed if stop else row(*whole, mixed, depth + 1))
        return total

    def arriving(i: int) -> float:
        return float(row(i, i + 1, np.eye(len(weights))[i], 0)[middle])

    flow = sum(weights[i] * arriving(i) for i in range(middle - reach, middle + reach + 1))
    return float(abs(flow / weights[middle] - 1.0))


@cache
def quartic_orbit() -> Orbit:
    from stochsim.mcmc.hamiltonian.metrics import euclidean

    return orbit(QUARTIC.target, euclidean(None), np.array([0.4, 0.9]), np.array([0.8, -1.1]), 0.35, 64)


def test_transition_keeps_the_weights_of_an_orbit() -> None:
    for max_depth in (1, 2, 3, 4):
        assert defect(quartic_orbit(), max_depth) < 1e-13


@pytest.mark.parametrize(
    "mutant",
    [
        {"sub_trees": False},
        {"rule": "newest"},
        {"rule": "equal weights"},
        {"one_sided": True},
    ],
    ids=["no checks inside", "newest half always", "equal weights", "only the newest end checked"],
)
def test_mutants_do_not_keep_the_weights(mutant: dict[str, Any]) -> None:
    """Negative controls: each breaks the balance by far more than rounding."""
    assert defect(quartic_orbit(), 4, **mutant) > 1e-3


# --- the law is kept ----------------------------------------------------------------------------------------------


def transition(sampler: NUTS, density: Any, change: Callable[[str], str] = str) -> Callable[[np.ndarray, int], Any]:
    """One step of every row, by the kernel or by a changed one."""
    kernel = nuts_kernel(sampler, density.target, density.d)
    kernel = replace(kernel, text=change(kernel.text))

    def move(x: np.ndarray, seed: int) -> np.ndarray:
        trees = TreeChains(TreeProgram(kernel, density.d, False), seed_key(seed)[:2], len(x), 2)
        trees.put(sampler.init(density.target, np.ascontiguousarray(x.T)))
        trees.advance(sampler, density.target, 1)
        moved: np.ndarray = trees.state().x.T
        return moved

    return move


MIXTURE = GaussianMixture([0.3, 0.7], [[-1.0, 0.0], [1.0, 1.0]], [0.3, 0.6])


def test_mixture_is_invariant() -> None:
    """False-alarm rate 1e-6, with steps long enough for an acceptance near 0.7."""
    check = invariance_test(
        MIXTURE, transition(NUTS(0.7), MIXTURE), n_chains=40_000, n_steps=4, seed=3, false_alarm=1e-6
    )
    assert check.passed, check


def test_wrong_weights_are_found() -> None:
    """Negative control: every point of a trajectory equally likely."""

    def equal(text: str) -> str:
        assert text.count("weight = exp(gain - offset)") == 1
        return text.replace("weight = exp(gain - offset)", "weight = 1.0")

    check = invariance_test(
        MIXTURE, transition(NUTS(0.7), MIXTURE, equal), n_chains=40_000, n_steps=4, seed=3, false_alarm=1e-6
    )
    assert not check.passed


# --- what it does with its chains ---------------------------------------------------------------------------------


def run(threads: int, parts: tuple[int, ...], n: int = 5, first: int = 0) -> np.ndarray:
    density, sampler = CASES["diagonal"]
    trees = sampler.chains(density.target, 3, KEY, n, threads, first_chain=first)
    trees.put(sampler.init(density.target, np.full((3, n), 0.5)))
    return np.concatenate([trees.advance(sampler, density.target, part) for part in parts])


def test_result_depends_on_neither_threads_nor_pieces_nor_other_chains() -> None:
    whole = run(1, (10,))
    np.testing.assert_array_equal(run(2, (10,)), whole)
    np.testing.assert_array_equal(run(2, (3, 6, 1)), whole)
    np.testing.assert_array_equal(run(1, (10,), n=2, first=3), whole[:, :, 3:])


def test_every_keeps_the_same_steps() -> None:
    density, sampler = CASES["diagonal"]
    trees = sampler.chains(density.target, 3, KEY, 5, 2)
    trees.put(sampler.init(density.target, np.full((3, 5), 0.5)))
    np.testing.assert_array_equal(trees.advance(sampler, density.target, 10, every=3), run(1, (10,))[2::3])


def test_step_of_arrays_is_the_kernel_s() -> None:
    density, sampler = CASES["diagonal"]
    state = sampler.init(density.target, np.full((3, 5), 0.5))
    for k in range(3):
        state, told = sampler.step(density.target, state, PhiloxNoise(KEY, 0, k))
        np.testing.assert_array_equal(np.vstack([state.x, state.log_prob, *told]), run(1, (10,))[k])
        np.testing.assert_allclose(state.score, density.target.score(state.x), rtol=1e-12)


@pytest.mark.parametrize("name", ["diagonal", "mixture, diagonal metric"])
def test_moments_are_those_of_the_draws(name: str) -> None:
    density, sampler = CASES[name]
    d, n = density.d, 4
    start = sampler.init(density.target, np.full((d, n), 0.5))
    both = [sampler.chains(density.target, d, KEY, n, 1, moments=m) for m in (False, True)]
    for trees in both:
        trees.put(start)
    draws = both[0].advance(sampler, density.target, 20)[:, :d]
    assert both[1].advance(sampler, density.target, 20).size == 0
    found = both[1].moments()
    centred = draws - draws.mean(axis=0)
    products = np.einsum("sic,sjc->ijc", centred, centred)
    pairs = [(i, j) for i in range(d) for j in range(i, d)] if d <= 8 else [(i, i) for i in range(d)]
    np.testing.assert_allclose(found[0], 20.0)
    np.testing.assert_allclose(found[1 : 1 + d], draws.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(found[1 + d :], [products[i, j] for i, j in pairs], rtol=1e-10, atol=1e-12)


def test_divergences_are_counted_and_stay_where_they_were() -> None:
    density = Gaussian(np.zeros(2), [1.0, 1e-6])
    sampler = NUTS(1.0)
    trees = sampler.chains(density.target, 2, KEY, 3, 1)
    trees.put(sampler.init(density.target, np.full((2, 3), 0.001)))
    rows = trees.advance(sampler, density.target, 5)
    assert (rows[:, 2 + 5] == 1.0).all()
    assert (rows[:, 2 + 2] == 1.0).all()
    assert (rows[:, :2] == 0.001).all()
    assert (rows[:, 2 + 1] == 0.0).all()


def test_long_fall_in_energy_keeps_weights_finite() -> None:
    """From 300 standard deviations away the first trajectory gains thousands of units."""
    density = Gaussian(np.zeros(2), 1.0)
    sampler = NUTS(0.3)
    trees = sampler.chains(density.target, 2, KEY, 50, 1)
    trees.put(sampler.init(density.target, np.full((2, 50), 300.0)))
    rows = trees.advance(sampler, density.target, 40)
    assert np.isfinite(rows).all()
    assert np.abs(rows[-1, :2]).max() < 6.0


@pytest.mark.parametrize(
    "bad", [{"step_size": 0.0}, {"step_size": 0.1, "max_depth": 0}, {"step_size": 0.1, "max_depth": 2.5}]
)
def test_bad_parameters_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ParameterError):
        NUTS(**bad)


def test_symbols_are_refused() -> None:
    with pytest.raises(ParameterError, match="PhiloxNoise"):
        NUTS(0.1).step(MIXTURE.target, NUTS(0.1).init(MIXTURE.target, np.zeros((2, 1))), object())  # type: ignore[arg-type]
