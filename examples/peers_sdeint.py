"""sdeint under the microscope: its methods on given noise and, for itoSRI2, on given iterated integrals."""

import numpy as np
import sdeint

import stochsim as ss
from stochsim.orders import Levels


def as_solver(method, model, **extra):
    """One path after the other; ``extra`` are functions of (noise, path) for further arguments."""

    def solve(x0, t, noise, p):
        def f(x, t):
            return np.reshape(model.drift(x, t, p), -1)

        def g(x, t):
            return np.reshape(model.diffusion(x, t, p), (len(x), -1))

        def end(i):
            return method(f, g, x0[i], t, dW=noise.dW[i], **{k: v(noise, i) for k, v in extra.items()})[-1]

        return np.array([end(i) for i in range(len(x0))])

    return solve


def ito_integrals(noise, i):  # (dW_j dW_k - h on the diagonal) / 2 + A_jk
    dW, h = noise.dW[i], noise.h[:, None, None]
    return (dW[:, :, None] * dW[:, None, :] - h * np.eye(dW.shape[1])) / 2 + noise.A[i]


gbm = ss.models.geometric_brownian_motion(mu=0.5, sigma=0.8)
linear = ss.models.noncommuting_linear()
for method, model, declared, needs, extra in (
    (sdeint.itoEuler, gbm, 0.5, ("dW",), {}),
    (sdeint.stratHeun, gbm.to_stratonovich(), 1.0, ("dW",), {}),
    (sdeint.itoSRI2, linear, 1.0, ("dW", "A"), {"I": ito_integrals}),
):
    solver, levels = as_solver(method, model, **extra), Levels(finest=9, n_levels=7)
    e = ss.strong_order(model, solver=solver, needs=needs, declared=declared, n_paths=1024, levels=levels)
    print(f"{method.__name__:10} {model.name:26} {declared:g}  {e.order:.3f} ± {e.half_width:.3f}  {e.verdict}")
