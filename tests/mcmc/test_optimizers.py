"""Claims: each optimizer's equation models it to its order, without Monte Carlo; fixed points and rates are exact.

Orders by one iteration, by exact moments on quadratics, and by quadrature of both laws on a curved loss.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import stochsim as ss
from stochsim.mcmc.laws.affine import AffineMap
from stochsim.mcmc.optimizers.adaptive import Adam, RMSprop
from stochsim.mcmc.optimizers.descent import NAGGS, SGD, ClippedSGD, Momentum, Optimizer, StochasticLoss
from stochsim.mcmc.optimizers.sharpness import DNSAM, SAM, USAM
from stochsim.mcmc.optimizers.weak_orders import local_order, moments_order, quadrature_order
from stochsim.mcmc.stochastic_gradients.batch_laws import BatchLaw
from stochsim.mcmc.stochastic_gradients.batches import INDEPENDENT

QUADRATIC = StochasticLoss(
    lambda x, g: np.stack([(1.0 + 0.5 * g[0]) * x[0] + 0.3 * x[1] + 0.5 * g[0], 0.3 * x[0] + 0.5 * x[1] + 0.4 * g[1]]),
    ("normal", "two_point"),
)
CURVED = StochasticLoss(
    lambda x, g: np.stack(
        [np.sin(x[0]) + 0.3 * x[1] + (1.0 + 0.2 * x[0]) * g[0], x[1] ** 3 + 0.3 * x[0] + 0.2 * g[0] + 0.7 * g[1]]
    ),
    ("three_point", "two_point"),
)
WELL = StochasticLoss(
    lambda x, g: np.stack([np.sin(x[0]) + 0.3 * x[0] + 0.8 * g[0] + 0.3 * g[0] * np.cos(x[0])]), ("two_point",)
)
LEVELS = [16, 32, 64, 128]
STEPS = (0.01, 0.005, 0.0025, 0.00125)
STATES: list[tuple[Optimizer, list[float]]] = [
    (SGD(), [0.5, -0.3]),
    (USAM(0.5), [0.5, -0.3]),
    (SAM(0.5), [0.5, -0.3]),
    (DNSAM(0.5), [0.5, -0.3]),
    (Momentum(1.5), [0.5, -0.3, 0.2, 0.7]),
    (NAGGS(0.5, 0.8), [0.5, -0.3, 0.2, 0.7, 0.6]),
    (RMSprop(1.3), [0.5, -0.3, 0.7, 0.9]),
    (Adam(2.0, 1.3), [0.5, -0.3, 0.2, -0.4, 0.7, 0.9]),
]


@pytest.mark.parametrize(("optimizer", "state"), STATES, ids=lambda v: type(v).__name__)
def test_one_iteration_agrees_with_the_generator_to_order_two(optimizer: Optimizer, state: list[float]) -> None:
    assert local_order(optimizer, CURVED, state, STEPS).order == pytest.approx(2.0, abs=0.01)


@dataclass(frozen=True)
class WrongNoise(SGD):
    """The wrong equation: the noise of gradients without the root of the learning rate."""

    def sde(self, loss: StochasticLoss, x0: Any, h: float) -> ss.SDE:
        return super().sde(loss, x0, 1.0)


@dataclass(frozen=True)
class Unregularised(USAM):
    """The wrong equation: that of plain descent, without the regularised loss."""

    def modelled(self, loss: StochasticLoss, x: Any, h: float) -> list[Any]:
        return SGD().modelled(loss, x, h)


def test_wrong_equations_are_found() -> None:
    assert local_order(WrongNoise(), CURVED, [0.5, -0.3], STEPS).order == pytest.approx(1.0, abs=0.01)
    assert local_order(Unregularised(0.5), CURVED, [0.5, -0.3], STEPS).order == pytest.approx(1.5, abs=0.02)
    assert moments_order(Unregularised(0.5), QUADRATIC, [1.0, -0.5], 1.0, LEVELS).order == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize(
    ("optimizer", "order"), [(SGD(), 1), (SGD(2), 2), (Momentum(1.5), 1), (USAM(0.5), 1)], ids=repr
)
def test_weak_orders_by_exact_moments(optimizer: Optimizer, order: int) -> None:
    assert moments_order(optimizer, QUADRATIC, [1.0, -0.5], 1.0, LEVELS).order == pytest.approx(order, abs=0.01)


@pytest.mark.parametrize(("optimizer", "order"), [(SGD(2), 2), (SAM(0.5), 1)], ids=repr)
def test_weak_orders_on_a_curved_loss_by_quadrature(optimizer: Optimizer, order: int) -> None:
    functionals = {"x": np.positive, "sin": np.sin}
    found = quadrature_order(optimizer, WELL, 0.5, 1.0, [16, 32, 64], functionals)
    assert found.order == pytest.approx(order, abs=0.03)
    assert max(fit.uncertainty for fit in found.fits) < 0.1


def test_the_stationary_variance_of_sgd_is_its_lyapunov_solution() -> None:
    """H S + S H - h H S H = h C, exactly; the equation of order 1 has h C/(2 H) instead."""
    h, curvature, spread = 0.1, 1.4, 0.7
    loss = StochasticLoss(lambda x, g: curvature * x + spread * g, ("two_point",))
    moments = np.array([[0.0]])
    for _ in range(400):
        ends = SGD().iterate(loss, np.repeat(moments, 2, axis=1) * 0.0, h, loss.atoms[0])
        moments = (1.0 - h * curvature) ** 2 * moments + (ends**2) @ loss.atoms[1][:, None]
    expected = h * spread**2 / (2.0 * curvature - h * curvature**2)
    np.testing.assert_allclose(moments, [[expected]], rtol=1e-12)


# --- clipping --------------------------------------------------------------------------------------------------------


def skewed(sigma: float, p: float) -> StochasticLoss:
    """x²/2 with noise of mean 0 and variance σ²: rarely far up, mostly a little down."""
    atoms = np.array([[sigma * np.sqrt((1.0 - p) / p), -sigma * np.sqrt(p / (1.0 - p))]])
    return StochasticLoss(lambda x, g: x + g, rule=(atoms, np.array([p, 1.0 - p])))


@pytest.mark.parametrize("h", [0.1, 0.01])
def test_clipping_moves_the_mean_by_an_amount_that_no_step_size_removes(h: float) -> None:
    """Koloskova, Hendrikx & Stich 2023: E clip(g) = 0 at σ√(p/(1-p)) - pc/(1-p); one atom is always clipped here."""
    sigma, p, c = 1.0, 0.01, 2.0
    loss, centre = skewed(sigma, p), sigma * np.sqrt(p / (1 - p)) - p * c / (1 - p)
    maps = []
    for atom in loss.atoms[0].T:
        at = [float(ClippedSGD(c).iterate(loss, np.array([[x]]), h, atom[:, None])[0, 0]) for x in (0.0, 0.5)]
        maps.append(AffineMap(np.array([[2.0 * (at[1] - at[0])]]), np.array([at[0]]), np.zeros((1, 1))))
    mixture = [maps[0]] + [maps[1]] * 99  # probabilities 0.01 and 0.99
    assert BatchLaw(mixture, INDEPENDENT, 1).mean[0] == pytest.approx(centre, rel=1e-10)


def test_the_worst_skew_gives_the_bound_of_the_paper() -> None:
    """Over p the displacement is at most about σ²/(4c), at p = σ²/(4c²)."""
    sigma, c = 1.0, 10.0
    p = np.linspace(1e-4, 0.02, 20001)
    shift = sigma * np.sqrt(p / (1 - p)) - p * c / (1 - p)
    assert shift.max() == pytest.approx(sigma**2 / (4 * c), rel=0.01)
    assert p[shift.argmax()] == pytest.approx(sigma**2 / (4 * c**2), rel=0.02)


def test_symmetric_noise_is_clipped_without_bias() -> None:
    loss = StochasticLoss(lambda x, g: x + 5.0 * g, ("two_point",))
    ends = ClippedSGD(1.0).iterate(loss, np.zeros((1, 2)), 0.1, loss.atoms[0])
    assert ends @ loss.atoms[1] == pytest.approx(0.0, abs=1e-15)


# --- NAG-GS ----------------------------------------------------------------------------------------------------------


def nag_gs_map(optimizer: NAGGS, curvature: float, alpha: float, spread: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """The matrix of (x, v) and the covariance that an iteration adds, on a quadratic with γ = μ."""
    loss = StochasticLoss(lambda x, g: curvature * x + spread * g, ("two_point",))
    states = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [optimizer.strength] * 3])
    ends = optimizer.iterate(loss, states, alpha, np.zeros((1, 3)))[:2]
    kicked = optimizer.iterate(loss, states[:, :1], alpha, np.ones((1, 1)))[:2]
    return ends[:, 1:] - ends[:, :1], (kicked - ends[:, :1]) @ (kicked - ends[:, :1]).T


def radius(optimizer: NAGGS, largest: float, alpha: float) -> float:
    curvatures = np.linspace(optimizer.strength, largest, 101)
    return max(float(np.abs(np.linalg.eigvals(nag_gs_map(optimizer, c, alpha)[0])).max()) for c in curvatures)


@pytest.mark.parametrize(("mu", "largest"), [(1.0, 10.0), (0.5, 100.0)])
def test_the_best_step_of_nag_gs_is_where_a_scan_finds_it(mu: float, largest: float) -> None:
    optimizer, best = NAGGS(mu), NAGGS.best_step(mu, largest)
    scan = {a: radius(optimizer, largest, a) for a in best * np.geomspace(0.5, 1.5, 41)}
    assert radius(optimizer, largest, best) == pytest.approx(1.0 / (1.0 + best), rel=1e-6)
    assert min(scan.values()) >= radius(optimizer, largest, best) - 1e-9


def test_the_rate_and_the_spread_of_nag_gs_are_those_of_its_iteration() -> None:
    optimizer, curvature, alpha, spread = NAGGS(0.5), 3.0, 0.3, 0.4
    A, added = nag_gs_map(optimizer, curvature, alpha, spread)
    covariance = np.linalg.solve(np.eye(4) - np.kron(A, A), added.reshape(-1)).reshape(2, 2)
    loss = StochasticLoss(lambda x, g: curvature * x + spread * g, ("two_point",))
    rng = np.random.default_rng(1)
    s = np.repeat(optimizer.start(np.array([1.0]))[:, None], 20_000, axis=1)
    for _ in range(150):
        s = optimizer.iterate(loss, s, alpha, rng.choice([-1.0, 1.0], (1, s.shape[1])))
    assert np.abs(np.linalg.eigvals(A)).max() ** 150 < 1e-6
    # 5 standard errors of a variance of 20 000 nearly Gaussian numbers: false-alarm rate 6e-7
    np.testing.assert_allclose(s[0].var(), covariance[0, 0], rtol=5.0 * np.sqrt(2.0 / 20_000))
    assert abs(s[0].var() / (0.8 * covariance[0, 0]) - 1.0) > 5.0 * np.sqrt(2.0 / 20_000)


def test_equations_run_through_the_engine() -> None:
    ds = ss.simulate(
        Adam(2.0, 1.3).sde(CURVED, [0.5, -0.3], 0.01),
        ss.schemes.euler_maruyama,
        t_end=0.2,
        n_steps=20,
        n_paths=50,
        seed=1,
    )
    assert ds.x.shape[0] == 50


def test_bad_input_is_told() -> None:
    with pytest.raises(ss.errors.ParameterError, match="equation_order is 3"):
        SGD(3)
    with pytest.raises(ss.errors.ParameterError, match=r"sum to 0\.9"):
        StochasticLoss(lambda x, g: x, rule=(np.ones((1, 2)), np.array([0.5, 0.4])))
    with pytest.raises(ss.errors.ParameterError, match="radius is 0"):
        SAM(0.0)
    with pytest.raises(ss.errors.ParameterError, match="h is -1"):
        SGD().sde(WELL, 0.5, -1.0)
    with pytest.raises(ss.errors.SchemeError, match="affine"):
        moments_order(SGD(), WELL, 0.5, 1.0, LEVELS)
