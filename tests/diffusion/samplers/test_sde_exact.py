"""What stochastic samplers do exactly: closed forms (1e-12), reductions to one another (rounding), noise, counts."""

import math

import numpy as np
import pytest

from stochsim.densities import Gaussian, GaussianMixture
from stochsim.diffusion import EDM, REGISTRY, VE, VP, Flow, Model, grids, samplers
from stochsim.diffusion.exact import flow_map, reverse_kernel
from stochsim.diffusion.record import no_noise
from stochsim.diffusion.samplers._sde_coefficients import ancestral_split
from stochsim.errors import ParameterError
from stochsim.laws import exact_law

CORRELATED = Gaussian([1.0, -0.5], [[0.5, 0.2], [0.2, 0.3]])
POINT = Gaussian([1.0, -0.5], [1e-26, 1e-26])
TWO = GaussianMixture([0.4, 0.6], [[-1.0], [1.0]], [[0.09], [0.25]])
PROCESSES = [VP(), VE(), Flow(), EDM(t_end=5.0)]
SDE = [r.with_options(**o) for r in REGISTRY.values() if r.kind == "sde" for o in r.variants]
ON_GRIDS = [r for r in SDE if r.control == "grid" and r.space == "data"]
EXPONENTIAL = [r for r in ON_GRIDS if r.parametrisation != "score" and r.options.get("variance") != "large"]


def noise_of(seed):
    def noise(k, shape):
        return np.random.default_rng([seed, k]).standard_normal(shape)

    return noise


def run(record, target=TWO, process=None, n=12, noise=None, columns=7, start=0.8, stop=0.05):
    """The last state, and the evaluations."""
    process = process or VP()
    model = Model(target, process)
    x = np.random.default_rng(5).standard_normal((target.d, columns))
    grid = grids.uniform(process, n, start * process.t_end, stop * process.t_end)
    return record(model, x, grid, noise or noise_of(3)), model.nfe


@pytest.mark.parametrize("process", PROCESSES, ids=lambda p: type(p).__name__)
@pytest.mark.parametrize("n", [1, 2, 7])
def test_ancestral_sampling_with_the_exact_variance_reproduces_a_gaussian_on_every_grid(process, n):
    """Item 28 (Bao et al. 2022)."""
    grid = grids.quadratic(process, n, 0.9 * process.t_end, 0.01 * process.t_end)
    law = exact_law(samplers.ancestral.with_options(variance="exact"), CORRELATED, process, grid)
    assert max(law.mean_error, law.cov_error) < 1e-12, law


@pytest.mark.parametrize("variance", ["small", "large"])
def test_the_fixed_variances_do_not_reproduce_it(variance):
    """Negative control of the test above."""
    law = exact_law(
        samplers.ancestral.with_options(variance=variance), CORRELATED, VP(), grids.uniform(VP(), 7, 0.9, 0.01)
    )
    assert law.cov_error > 1e-3, law


@pytest.mark.parametrize("n", [1, 3, 10])
def test_the_large_variance_is_exact_for_standard_normal_data(n):
    """Item 28: σ²_{t|t'} is right where the data is N(0, I) and σ² = 1 - α²."""
    law = exact_law(
        samplers.ancestral.with_options(variance="large"), Gaussian([0.0], [1.0]), VP(), grids.uniform(VP(), n)
    )
    assert law.cov_error < 1e-13, law


@pytest.mark.parametrize("process", PROCESSES, ids=lambda p: type(p).__name__)
def test_the_exact_kernel_has_the_law_of_the_data_on_every_grid(process):
    """Item 29, one component."""
    grid = grids.quadratic(process, 3, 0.9 * process.t_end, 0.01 * process.t_end)
    law = exact_law(samplers.exact_kernel, CORRELATED, process, grid)
    assert max(law.mean_error, law.cov_error) < 1e-12, law


def test_the_exact_kernel_of_a_mixture_draws_its_component_by_a_uniform_number():
    """Item 29: mean and variance over the noise at one point, by quadrature in z and cells of the uniform number."""
    from scipy.special import ndtri

    process, x = VP(), 0.3
    kernel = reverse_kernel(TWO, process, 0.8, 0.2)
    first = kernel.probabilities(np.array([[x]]))[0, 0]
    u = np.array([0.5 * first, 0.5 + 0.5 * first])  # one in each component's cell
    z, w = np.polynomial.hermite_e.hermegauss(10)
    w = np.concatenate([first * w, (1.0 - first) * w]) / math.sqrt(2.0 * math.pi)
    draws = [np.tile(z, 2)[None], np.repeat(ndtri(u), len(z))[None]]
    out = samplers.exact_kernel(Model(TWO, process), np.full((1, 20), x), [0.8, 0.2], lambda k, shape: draws[k])[0]
    law = kernel.law_at(np.array([x]))
    assert abs(w @ out - law.mean[0]) < 1e-13
    assert abs(w @ (out - law.mean[0]) ** 2 - law.covariance[0, 0]) < 1e-13


@pytest.mark.parametrize("record", EXPONENTIAL, ids=lambda r: r.label)
def test_a_point_mass_is_exact_for_exponential_integrators(record):
    """Item 27: a constant data prediction makes every step the exact one, whatever the noise."""
    law = exact_law(record, POINT, VP(), grids.uniform(VP(), 6, 0.8, 0.05))
    assert law.w2 < 1e-12, law


@pytest.mark.parametrize("name", ["euler_maruyama", "stochastic_heun"])
def test_a_point_mass_is_not_exact_for_schemes_in_time(name):
    """Negative control of the test above."""
    assert exact_law(samplers.REGISTRY[name], POINT, VP(), grids.uniform(VP(), 24, 0.8, 0.05)).w2 > 1e-3


@pytest.mark.parametrize("eta", [0.0, 0.3, 0.9999, 1.0])
def test_the_ancestral_split_keeps_the_law_with_an_exact_flow(eta):
    """Item 36: the flow to σ_down, then fresh noise, gives the law at σ' for Gaussian data."""
    target, process = Gaussian([1.0], [0.25]), EDM(t_end=5.0)
    for t, s in [(4.0, 3.999), (4.0, 1.0), (1.0, 1e-6)]:
        gap, up = ancestral_split(math.log(t / s), eta)
        down, added = math.exp(-gap) * t, (up * s) ** 2
        assert abs(down**2 + added - s**2) < 1e-14 * s**2
        ends = flow_map(target, process, np.array([[0.0, 1.0]]), t, down)[0]
        assert abs((ends[1] - ends[0]) ** 2 * (0.25 + t**2) + added - (0.25 + s**2)) < 1e-13


def test_a_langevin_correction_of_fixed_size_has_the_stationary_law_of_ula():
    """Item 40: with a fixed r, corrections tend to the variance C/(1 - ε/2C), not to C; the mean is right."""
    process, target = VP(), Gaussian([1.0], [0.25])
    s = 0.3
    noised = Model(target, process).noised(s)
    C, step = float(noised.covariance[0, 0]), 2.0 * (0.5 * float(process.sigma(s))) ** 2
    record = samplers.predictor_corrector.with_options(snr=0.5, corrections=80, scale="step")
    law = exact_law(record, target, process, [0.5, s])
    assert abs(law.cov[0, 0] - C / (1.0 - step / (2.0 * C))) < 1e-12
    assert abs(law.mean[0] - noised.mean[0]) < 1e-12


SAME = [
    (samplers.euler_ancestral.with_options(eta=0.0), samplers.ddim),
    (samplers.sde_dpm_pp_1.with_options(eta=0.0), samplers.ddim),
    (samplers.er_sde.with_options(order=1, phi=1), samplers.ddim),
    (samplers.edm_stochastic.with_options(S_churn=0.0, solver="euler"), samplers.ddim),
    (samplers.sa_solver.with_options(tau=0.0, predictor=1, corrector=0), samplers.ddim),
    (samplers.euler_maruyama.with_options(eta=0.0), samplers.euler),
    (samplers.stochastic_heun.with_options(eta=0.0), samplers.heun),
    (samplers.edm_stochastic.with_options(S_churn=0.0), samplers.edm_heun),
    (samplers.restart.with_options(loops=0), samplers.edm_heun),
    (samplers.dpm2_ancestral.with_options(eta=0.0), samplers.dpm_solver_2),
    (samplers.dpm_pp_2s_ancestral.with_options(eta=0.0), samplers.dpm_solver_pp_2s),
    (samplers.dpm_pp_sde.with_options(eta=0.0), samplers.dpm_solver_pp_2s),
    (samplers.sde_dpm_pp_3m.with_options(eta=0.0), samplers.sa_solver.with_options(tau=0.0, predictor=3, corrector=0)),
    (samplers.euler_ancestral, samplers.ancestral),
    (samplers.sde_dpm_pp_1, samplers.euler_ancestral),
    (samplers.er_sde.with_options(order=1, phi=2), samplers.euler_ancestral),
    (samplers.er_sde.with_options(order=1, phi=1.25), samplers.sde_dpm_pp_1.with_options(eta=0.5)),
    (samplers.predictor_corrector.with_options(corrections=0), samplers.ancestral),
    (samplers.sde_dpm_pp_2m.with_options(solver="heun"), samplers.sa_solver.with_options(predictor=2, corrector=0)),
    (samplers.sa_solver.with_options(tau=lambda lam: 0.5 + 0.0 * lam), samplers.sa_solver.with_options(tau=0.5)),
]


@pytest.mark.parametrize(("left", "right"), SAME, ids=lambda r: r.label.split(" at 0x")[0])
def test_two_samplers_are_the_same_map_to_rounding(left, right):
    """Without noise the deterministic sampler; and the special cases that papers state."""
    np.testing.assert_allclose(run(left)[0], run(right)[0], rtol=0.0, atol=2e-14)


@pytest.mark.parametrize("record", [samplers.euler_ancestral, samplers.sa_solver], ids=lambda r: r.label)
def test_noise_makes_another_map(record):
    """Negative control of the test above."""
    assert np.abs(run(record)[0] - run(samplers.ddim)[0]).max() > 1e-2


@pytest.mark.parametrize("record", [r for r in SDE if r.space == "data"], ids=lambda r: r.label)
def test_columns_are_independent_and_the_noise_is_the_only_randomness(record):
    """Each column alone, with its own noise, gives what all together give."""
    whole, _ = run(record)
    model, noise = Model(TWO, VP()), noise_of(3)
    x = np.random.default_rng(5).standard_normal((1, 7))
    grid = grids.uniform(VP(), 12, 0.8, 0.05)
    for j in (0, 6):
        alone = record(model, x[:, j : j + 1].copy(), grid, lambda k, shape, j=j: noise(k, (1, 7))[:, j : j + 1])
        np.testing.assert_allclose(alone[:, 0], whole[:, j], rtol=0.0, atol=1e-13)


@pytest.mark.parametrize("record", ON_GRIDS, ids=lambda r: r.label)
def test_evaluations_are_as_many_as_declared(record):
    """A step; multistep samplers take a few more to start."""
    counts = [run(record, n=n, noise=no_noise)[1] for n in (16, 32)]
    assert counts[1] - counts[0] == record.nfe * 16
    assert 0 <= counts[0] - record.nfe * 16 <= 6


@pytest.mark.parametrize("record", ON_GRIDS, ids=lambda r: r.label)
def test_grids_may_end_without_noise(record):
    """Flow: σ = 0 at the end."""
    assert np.isfinite(run(record, process=Flow(), start=0.9, stop=0.0)[0]).all()


FROM_NOTHING = {"ancestral", "dpm_pp_sde", "euler_ancestral", "exact_kernel", "predictor_corrector"}
FROM_NOTHING |= {"sde_dpm_pp_1", "sde_dpm_pp_2m"}


@pytest.mark.parametrize("record", ON_GRIDS, ids=lambda r: r.label)
def test_grids_start_without_data_or_are_refused(record):
    """Flow: α = 0 at the start, where x/α is not defined."""
    if record.name in FROM_NOTHING:
        assert np.isfinite(run(record, process=Flow(), start=1.0)[0]).all()
    else:
        with pytest.raises(ParameterError, match="α = 0"):
            run(record, process=Flow(), start=1.0)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("ancestral", {"variance": "tiny"}), ("sde_dpm_pp_2m", {"solver": "rk"}), ("sa_solver", {"predictor": 5}),
        ("er_sde", {"order": 4}), ("edm_stochastic", {"solver": "rk"}), ("restart", {"window": (0.8, 0.2)}),
        ("predictor_corrector", {"scale": "snr"}), ("gotta_go_fast", {"path": "lost"}),
    ],
)  # fmt: skip
def test_unknown_options_are_refused(name, options):
    with pytest.raises(ParameterError):
        run(samplers.REGISTRY[name].with_options(**options))
