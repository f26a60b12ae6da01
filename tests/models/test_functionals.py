"""Joint laws of path functionals over a step: against 80 digits, and one step against two half steps."""

import mpmath as mp
import numpy as np
import pytest

from stochsim.noise import functionals
from stochsim.noise.functionals import linear_step, mean_exponential_integral, ou_coefficients, ou_integral

STEPS = (2.0**-16, 2.0**-8, 0.1, 1.0, 3.0, 20.0)
RATES = (1e-3, 0.3, 1.0, -1.0, 2.0, 3.999, 4.001, -3.9, 12.0, -11.0)
MATRICES = {
    "random": ([[-0.7, 0.9], [-0.4, -1.1]], [[0.5, 0.2], [0.1, -0.6]]),
    "one noise, hypoelliptic": ([[0.0, 1.0], [-2.0, -0.5]], [[0.0], [1.0]]),
    "defective": ([[-1.0, 1.0], [0.0, -1.0]], [[0.0], [1.0]]),
    "stiff": ([[-8.0, 1.0], [0.0, -0.1]], [[1.0, 0.0], [0.0, 1.0]]),
    "growing": ([[1.0, 0.5, 0.0], [0.0, -0.5, 1.0], [0.2, 0.0, 0.3]], [[1.0, 0.0], [0.0, 1.0], [0.3, 0.1]]),
    "zero": ([[0.0, 0.0], [0.0, 0.0]], [[1.0, 0.0], [0.5, 1.0]]),
}


# --- scalar: int exp(-a (h - s)) dW ------------------------------------------------------------------


def precise_coefficients(a: float, h: float) -> tuple[mp.mpf, ...]:
    """c0, c1 and s by regression of the integral on (dW, dZ - h dW/2), from its exact covariances."""
    rate, step = mp.mpf(a), mp.mpf(h)
    y = rate * step
    c0 = (1 - mp.exp(-y)) / y
    weighted = (1 - (1 + y) * mp.exp(-y)) / y**2  # int_0^1 u exp(-y u) du
    c1 = 12 / step * (weighted - c0 / 2)
    rest = step * ((1 - mp.exp(-2 * y)) / (2 * y) - c0**2) - c1**2 * step**3 / 12
    return c0, c1, mp.sqrt(rest)


@pytest.mark.parametrize("h", STEPS)
def test_coefficients_agree_with_80_digits(h: float) -> None:
    with mp.workdps(80):
        for a in RATES:
            wanted = precise_coefficients(a, h)
            found = ou_coefficients(np.float64(a), np.float64(h))
            errors = [float(abs(mp.mpf(float(f)) / w - 1)) for f, w in zip(found, wanted, strict=True)]
            assert max(errors) < 1e-14, (a, errors)


def test_a_textbook_conditional_variance_cancels() -> None:
    """Negative control: the difference of closed forms, in double precision, has no correct digit left."""
    a, h = 1.0, 2.0**-16
    c0, c1, s = ou_coefficients(a, h)
    difference = -np.expm1(-2 * a * h) / (2 * a) - c0**2 * h - c1**2 * h**3 / 12
    assert abs(difference / s**2 - 1) > 0.1


def test_no_rate_gives_the_increment() -> None:
    assert ou_integral(0.0, 0.3, 1.7, 0.2, 5.0) == 1.7


def scalar_law(a: float, h: float) -> tuple[np.ndarray, np.ndarray]:
    """(dW, dZ, I) = M (normals): the (3, 3) factor, and the matrix that carries (dW, dZ, I) over the next step."""
    root, c = np.sqrt(h), ou_coefficients(a, h)
    rows = [[root, 0, 0], [h * root / 2, h * root / np.sqrt(12), 0]]
    rows.append([c[0] * root, c[1] * h * root / np.sqrt(12), c[2]])
    return np.array(rows, dtype=float), np.array([[1, 0, 0], [h, 1, 0], [0, 0, np.exp(-a * h)]])


def two_steps(law: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Covariance after two steps: the first carried over the second, plus the second."""
    factor, carry = law
    one = factor @ factor.T
    return carry @ one @ carry.T + one


@pytest.mark.parametrize("a", [0.7, -1.3, 3.0])
@pytest.mark.parametrize("h", [0.01, 0.8])
def test_two_half_steps_have_the_law_of_one(a: float, h: float) -> None:
    whole = scalar_law(a, h)[0]
    np.testing.assert_allclose(two_steps(scalar_law(a, h / 2)), whole @ whole.T, rtol=1e-13)


def test_a_wrong_sign_of_dZ_breaks_the_composition() -> None:
    """Negative control."""
    factor, carry = scalar_law(0.7, 0.4)
    factor[2, 1] *= -1
    whole = scalar_law(0.7, 0.8)[0]
    whole[2, 1] *= -1
    assert np.abs(two_steps((factor, carry)) - whole @ whole.T).max() > 1e-3


# --- matrices ------------------------------------------------------------------------------------------


def vector_law(A: np.ndarray, B: np.ndarray, h: float) -> tuple[np.ndarray, np.ndarray]:
    """Factor of (dW, dZ, I) by feeding unit normals, and the matrix that carries it over the next step."""
    (d, m), root = B.shape, np.sqrt(h)
    columns, growth = [], np.zeros((d, d))
    for unit in np.eye(2 * m + d):
        dW = root * unit[:m]
        dZ = h * dW / 2 + h * root / np.sqrt(12) * unit[m : 2 * m]
        growth, integral = linear_step(A, B, h, dW, dZ, unit[2 * m :])
        columns.append(np.concatenate([dW, dZ, integral]))
    carry = np.eye(2 * m + d)
    carry[m : 2 * m, :m] = h * np.eye(m)
    carry[2 * m :, 2 * m :] += growth
    return np.array(columns).T, carry


def precise_covariance(A: np.ndarray, B: np.ndarray, h: float) -> np.ndarray:
    """Covariance of the integral, int_0^h exp(A u) B B^T exp(A^T u) du, by Van Loan's block exponential."""
    with mp.workdps(60):
        a, q, d = mp.matrix(A.tolist()), mp.matrix((B @ B.T).tolist()), len(A)
        block = mp.zeros(2 * d)
        for i in range(d):
            for j in range(d):
                block[i, j], block[i, d + j], block[d + i, d + j] = -a[i, j] * h, q[i, j] * h, a[j, i] * h
        power = mp.expm(block, method="taylor")
        result = power[d:, d:].T * power[:d, d:]
        return np.array([[float(result[i, j]) for j in range(d)] for i in range(d)])


@pytest.mark.parametrize("name", MATRICES)
@pytest.mark.parametrize("h", [2.0**-16, 2.0**-6, 0.5, 1.6])
def test_the_matrix_integral_has_its_covariance(name: str, h: float) -> None:
    A, B = (np.array(v) for v in MATRICES[name])
    factor, _ = vector_law(A, B, h)
    part = factor[-len(A) :]
    wanted = precise_covariance(A, B, h)
    scale = np.sqrt(np.outer(np.diag(wanted), np.diag(wanted)))
    assert (np.abs(part @ part.T - wanted) <= 1e-12 * scale).all()


@pytest.mark.parametrize("name", MATRICES)
@pytest.mark.parametrize("h", [2.0**-10, 0.1, 1.5])
def test_two_half_matrix_steps_have_the_law_of_one(name: str, h: float) -> None:
    A, B = (np.array(v) for v in MATRICES[name])
    whole = vector_law(A, B, h)[0]
    wanted = whole @ whole.T
    scale = np.sqrt(np.outer(np.diag(wanted), np.diag(wanted)))
    assert (np.abs(two_steps(vector_law(A, B, h / 2)) - wanted) <= 1e-12 * scale).all()


def test_one_dimension_agrees_with_the_scalar_formula() -> None:
    """Both are joint with (dW, dZ): the same coefficients, not only the same law."""
    for h in (2.0**-12, 0.3, 2.0):
        growth, matrix = linear_step(np.array([[-1.3]]), np.eye(1), h, np.array([0.4]), np.array([0.1]), np.zeros(1))
        assert growth[0, 0] == pytest.approx(np.expm1(-1.3 * h), rel=1e-13)
        assert matrix[0] == pytest.approx(float(ou_integral(1.3, h, 0.4, 0.1, 0.0)), rel=1e-12)


def test_the_rest_is_positive_at_tiny_steps() -> None:
    """At h = 2^-16 the conditional covariance is of order h^5: 1e-24 of the whole, and still right."""
    A, B = (np.array(v) for v in MATRICES["random"])
    h = 2.0**-16
    rest = vector_law(A, B, h)[0][-2:, -2:]
    leading = h**5 / 720 * (A @ A @ B) @ (A @ A @ B).T
    np.testing.assert_allclose(rest @ rest.T, leading, rtol=1e-3)


def test_a_step_beyond_the_stated_range_is_not_a_number() -> None:
    growth, integral = linear_step(np.array([[-17.0]]), np.eye(1), 1.0, np.array([0.4]), np.array([0.1]), np.zeros(1))
    assert np.isnan(growth).all()
    assert np.isnan(integral).all()
    assert functionals.LARGEST_STEP == 16.0


# --- int exp(c u + s B_u) du ---------------------------------------------------------------------------


def tower(c: float, s: float, h: float, weight: tuple[int, int]) -> float:
    """E[integral dW^i dZ^j] by Gauss-Hermite quadrature over (dW, dZ)."""
    x, w = np.polynomial.hermite_e.hermegauss(30)
    u, v = np.meshgrid(x, x, indexing="ij")
    mass = np.outer(w, w) / (2 * np.pi)
    dW = np.sqrt(h) * u
    dZ = h * dW / 2 + h * np.sqrt(h / 12) * v
    return float(np.sum(mass * mean_exponential_integral(c, s, h, dW, dZ) * dW ** weight[0] * dZ ** weight[1]))


def expected(c: float, s: float, h: float, weight: tuple[int, int]) -> float:
    """The same by Girsanov: under the density exp(s B_u - s^2 u/2), dW and dZ are shifted by s u, s u (h - u/2)."""

    def moment(u: mp.mpf) -> mp.mpf:
        shift_w, shift_z = s * u, s * u * (h - u / 2)
        values = {
            (0, 0): mp.mpf(1),
            (1, 0): shift_w,
            (0, 1): shift_z,
            (2, 0): h + shift_w**2,
            (1, 1): mp.mpf(h) ** 2 / 2 + shift_w * shift_z,
        }
        return mp.exp((c + s**2 / 2) * u) * values[weight]

    return float(mp.quad(moment, [0, h]))


@pytest.mark.parametrize("weight", [(0, 0), (1, 0), (0, 1), (2, 0), (1, 1)])
def test_the_conditional_mean_has_the_moments_of_the_integral(weight: tuple[int, int]) -> None:
    """For a conditional mean given (dW, dZ), products with functions of (dW, dZ) have the same expectation."""
    for c, s, h in ((0.7, 0.5, 1 / 16), (-1.0, 1.0, 1 / 8), (0.3, -0.8, 1 / 64)):
        assert tower(c, s, h, weight) == pytest.approx(expected(c, s, h, weight), rel=1e-8)


def test_a_trapezoid_is_not_the_conditional_mean() -> None:
    """Negative control: the trapezoid rule in its place."""
    c, s, h = 0.7, 0.5, 1 / 16
    x, w = np.polynomial.hermite_e.hermegauss(30)
    trapezoid = float(np.sum(w * h / 2 * (1 + np.exp(c * h + s * np.sqrt(h) * x))) / np.sqrt(2 * np.pi))
    assert abs(trapezoid / expected(c, s, h, (0, 0)) - 1) > 1e-5
