"""Compiled formulas of densities return the bits of their arrays.

What samplers run, log-density and score together, is compiled for every form of every family; all five formulas in
one kernel for three families, as a compilation takes seconds.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from stochsim.codegen import cache
from stochsim.columns.evaluate import Evaluator
from stochsim.densities import REGISTRY, Density, from_log_prob

EXAMPLES = {f"{name}-{i}": make for name, r in sorted(REGISTRY.items()) for i, make in enumerate(r.examples)}
EXAMPLES["from_log_prob"] = lambda: from_log_prob(
    lambda x, p: -((x[0] ** 2 - p.a) ** 2) + np.cos(x[0] * x[1]) - np.sqrt(1.0 + x[1] ** 4), params={"a": 1.5}
)
OTHER_FORMS = ("Gaussian-1", "GaussianMixture-1", "GaussianMixture-2", "GaussianMixture-3", "Banana-1", "from_log_prob")
SAME_AS_MIXTURE = ("GaussianMixture-0", "TwoMoons-0")
FORMS = [n for n in EXAMPLES if (n.endswith("-0") and n not in SAME_AS_MIXTURE) or n in OTHER_FORMS]


@dataclass(frozen=True, eq=False)
class Everything:
    """All formulas of a target in one kernel."""

    target: Any

    def all(self, x: Any, v: Any) -> tuple[Any, ...]:
        t = self.target
        return (t.log_prob(x), t.score(x), *t.log_prob_and_score(x), t.hessian_vector(x, v), t.laplacian(x))


def columns(density: Density) -> np.ndarray:
    x = np.ascontiguousarray(density.sample(300, seed=4).T)
    x[:, 0] *= 1e6  # far out: infinities and NaN must agree too
    return x


def agree(evaluate: Evaluator, *inputs: np.ndarray) -> bool:
    """Whether the kernel and the arrays return the same bits."""
    kernel, sizes, _ = evaluate._kernel(tuple(len(x) for x in inputs))
    compiled = evaluate._by_kernel(inputs, kernel, sizes, cache.load(kernel.text), 1)
    pairs = zip(compiled, evaluate._by_arrays(inputs), strict=True)
    return all(np.array_equal(found, wanted, equal_nan=True) for found, wanted in pairs)


@pytest.mark.parametrize("name", FORMS)
def test_log_prob_and_score_agree_to_the_bit(name: str) -> None:
    density = EXAMPLES[name]()
    assert agree(Evaluator(density.target, "log_prob_and_score"), columns(density))


@pytest.mark.parametrize("name", ["VonMisesMixture-1", "GaussianMixture-3", "from_log_prob"])
def test_all_formulas_agree_to_the_bit(name: str) -> None:
    density = EXAMPLES[name]()
    x = columns(density)
    assert agree(Evaluator(Everything(density.target), "all"), x, x[:, ::-1].copy())


def test_other_formulas_do_not_agree() -> None:
    """Negative control: a parameter that differs by one rounding."""
    density = EXAMPLES["from_log_prob"]()
    other = density.with_params(a=np.nextafter(1.5, 2.0))
    x = columns(density)
    assert not np.array_equal(density.target.score(x), other.target.score(x))


def test_one_kernel_serves_all_values_of_parameters() -> None:
    density = EXAMPLES["from_log_prob"]()
    other = density.with_params(a=0.7)
    kernels = [Evaluator(d.target, "score")._kernel((2,))[0] for d in (density, other)]
    assert kernels[0].text == kernels[1].text
    x = np.ones((1, 2))
    assert density.score(x)[0, 0] - other.score(x)[0, 0] == pytest.approx(4 * (1.5 - 0.7))
