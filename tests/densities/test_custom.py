"""Densities from formulas: what is derived, what is guessed, what is refused."""

import math
from typing import Any

import numpy as np
import pytest

from stochsim.densities import FormulaDensity, Gaussian, from_log_prob
from stochsim.errors import ModelError, ParameterError, TraceError

X = np.random.default_rng(0).normal(size=(20, 2))
PRECISION = np.array([[2.0, 0.5], [0.5, 1.0]])


def largest(difference: Any) -> float:
    return float(np.max(np.abs(difference)))


def test_the_promised_toy() -> None:
    toy = from_log_prob(lambda x: -((x[0] ** 2 - 1) ** 2) - x[1] ** 2)
    a, b = X.T
    score = np.stack([-4 * a * (a**2 - 1), -2 * b], axis=1)
    assert toy.d == 2
    assert not toy.normalised
    assert largest(toy.log_prob(X) + (a**2 - 1) ** 2 + b**2) < 1e-13
    assert largest(toy.score(X) - score) < 1e-13
    assert largest(toy.hessian(X)[:, 0, 0] + 12 * a**2 - 4) < 1e-12
    assert largest(toy.hessian(X)[:, 1, 1] + 2) < 1e-13
    assert largest(toy.hessian(X)[:, 0, 1]) == 0.0
    assert largest(toy.laplacian(X) + 12 * a**2 - 2) < 1e-12


def test_a_quadratic_form_is_its_gaussian() -> None:
    """Formula with a matrix parameter against the hand-written Gaussian: all derivatives, normaliser and moments."""
    formula = from_log_prob(
        lambda x, p: -0.5 * (x - p.m) @ p.A @ (x - p.m), d=2, params={"A": PRECISION, "m": [1.0, 2]}
    )
    exact = Gaussian([1.0, 2.0], np.linalg.inv(PRECISION))
    assert largest(formula.score(X) - exact.score(X)) < 1e-13
    assert largest(formula.hessian(X) - exact.hessian(X)) < 1e-13
    assert largest(formula.laplacian(X) - exact.laplacian(X)) < 1e-13
    assert largest(formula.mean - exact.mean) < 1e-12
    assert largest(formula.covariance - exact.covariance) < 1e-12
    assert formula.log_normaliser() == pytest.approx(-exact.log_prob(exact.mean), abs=1e-12)


def test_many_components_need_a_sampler_for_draws() -> None:
    def log_prob(x: Any) -> Any:
        return -0.5 * np.sum(x**2) - np.sum(x[1:] * x[:-1]) / 4

    density = from_log_prob(log_prob, d=12)
    x = np.random.default_rng(1).normal(size=(5, 12))
    assert largest(density.laplacian(x) + 12) < 1e-13
    with pytest.raises(ModelError, match="has 12; give sampler="):
        density.sample(3)
    drawn = from_log_prob(log_prob, d=12, sampler=lambda n, rng: rng.normal(size=(n, 12)))
    assert drawn.sample(3, seed=1).shape == (3, 12)


def test_a_sampler_of_another_shape_is_refused() -> None:
    with pytest.raises(ModelError, match=r"sampler returned shape \(3, 2\); return \(3, 1\)"):
        from_log_prob(lambda x: -(x[0] ** 2), sampler=lambda n, rng: rng.normal(size=(n, 2))).sample(3)


def test_parameters_change_without_new_formulas() -> None:
    law = from_log_prob(lambda x, p: -0.5 * (x[0] / p.s) ** 2, params={"s": 2.0})
    other = law.with_params(s=3.0)
    assert law.covariance[0, 0] == pytest.approx(4.0, rel=1e-12)
    assert other.covariance[0, 0] == pytest.approx(9.0, rel=1e-12)
    assert law.target.gradient.outputs == other.target.gradient.outputs
    with pytest.raises(ParameterError, match="unknown parameter 'r'"):
        law.with_params(r=1.0)


def test_a_domain_keeps_to_its_side() -> None:
    half = from_log_prob(lambda x: -x[0], domain=(0.0, 60.0))
    assert half.mean[0] == pytest.approx(1.0, abs=1e-12)
    assert half.sample(100, seed=0).min() > 0.0
    assert half.log_normaliser((0.0, 1.0)) == pytest.approx(np.log(1.0 - np.exp(-1.0)), abs=1e-14)


def test_a_formula_with_a_support_has_it() -> None:
    gamma = from_log_prob(lambda x: np.where(x[0] > 0, 2.0 * np.log(x[0]) - x[0], -np.inf))
    assert gamma.log_prob([-1.0]) == -np.inf
    assert gamma.score([4.0])[0] == pytest.approx(2.0 / 4.0 - 1.0, abs=1e-15)
    assert gamma.score([-1.0]).tolist() == [0.0]
    assert gamma.log_normaliser() == pytest.approx(np.log(2.0), abs=1e-10)


def test_a_kink_has_a_score_and_no_hessian() -> None:
    laplace = from_log_prob(lambda x: -np.abs(x[0]))
    assert laplace.score([[2.0], [-3.0]]).ravel().tolist() == [-1.0, 1.0]
    assert laplace.log_normaliser() == pytest.approx(np.log(2.0), abs=1e-12)
    with pytest.raises(ModelError, match=r"no second derivatives: .*sign\(\)"):
        laplace.laplacian([1.0])
    with pytest.raises(ModelError, match="no second derivatives"):
        from_log_prob(lambda x: -np.maximum(x[0], x[0] ** 2)).hessian([2.0])


@pytest.mark.parametrize(
    ("formula", "d"),
    [
        (lambda x: -(x[0] ** 2), 1),
        (lambda x: -(x**4), 1),
        (lambda x: -(x[2] ** 2), 3),
        (lambda x: -(x[0] ** 2) - x[1] ** 2, 2),
    ],
)
def test_the_number_of_components_is_read_off_the_formula(formula: Any, d: int) -> None:
    assert from_log_prob(formula).d == d


def test_unpacking_tells_the_number_of_components() -> None:
    def log_prob(x: Any) -> Any:
        a, b, c = x
        return -(a**2) - b**2 * c**2

    assert from_log_prob(log_prob).d == 3


def test_names() -> None:
    assert repr(from_log_prob(lambda x: -(x[0] ** 2))) == "<density, d=1, not normalised>"
    assert from_log_prob(lambda x: -(x[0] ** 2), name="bell <1>").name == "bell <1>"
    assert "bell &lt;1&gt;" in from_log_prob(lambda x: -(x[0] ** 2), name="bell <1>")._repr_html_()
    known = FormulaDensity(lambda x: -0.5 * x[0] ** 2 - 0.5 * np.log(2 * np.pi), normalised=True)
    assert known.log_normaliser() == pytest.approx(0.0, abs=1e-13)


@pytest.mark.parametrize(
    ("formula", "given", "error", "sentence"),
    [
        (lambda x: -np.sum(x**2), {}, ParameterError, "any number of components; give d="),
        (lambda x: [x[0], x[1]], {}, ModelError, r"returned shape \(2,\) for 2 components; return one number"),
        (lambda x: x, {"d": 3}, ModelError, r"returned shape \(3,\) for 3 components"),
        (lambda x: math.exp(x[0]), {}, TraceError, "use the NumPy function: np.exp instead of math.exp"),
        (lambda x: -x[0] if x[0] > 0 else x[0], {}, TraceError, "branches on a symbol"),
        (lambda x: np.interp(x[0], [0, 1], [0, 1]), {}, TraceError, "np.interp cannot be traced"),
        (lambda x: None, {}, TraceError, "returned nothing"),
        (lambda x: np.floor(x[0]), {}, TraceError, r"derivative of floor\(\)"),
        (lambda x, p: -p.b * x[0] ** 2, {"params": {"a": 1.0}}, ParameterError, "unknown parameter 'b'"),
        (lambda x: -(x[0] ** 2), {"d": 0}, ParameterError, "d is 0; give the number of components"),
        (lambda x: -(x[0] ** 2), {"d": 1.5}, ParameterError, "d is 1.5"),
        (lambda x, p: -(x[0] ** 2), {}, TraceError, "failed when called with symbols"),
    ],
)
def test_formulas_that_do_not_fit_are_told_why(
    formula: Any, given: dict[str, Any], error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=sentence) as caught:
        from_log_prob(formula, **given)
    assert "trace=False" not in str(caught.value)
