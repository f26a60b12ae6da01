"""diffrax under the microscope: its solvers on given noise, the order it declares, and the order measured."""

from types import SimpleNamespace

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
from peers_problems import problems, show

jax.config.update("jax_enable_x64", True)
METHODS = {"Itô": "Euler ItoMilstein", "additive, linear": "SEA SRA1 ShARK", "additive, nonlinear": "SEA SRA1 ShARK",
           "Stratonovich": "EulerHeun Heun Midpoint ReversibleHeun StratonovichMilstein SPaRK SlowRK"}  # fmt: skip


class GivenNoise(dfx.AbstractBrownianPath):
    """Noise by step: its size h, the increments, and the integrals of W - W_k."""

    steps: tuple
    levy_area: type = eqx.field(static=True, default=dfx.SpaceTimeLevyArea)
    t0, t1 = 0.0, 1.0

    def evaluate(self, t0, t1=None, left=True, use_levy=False):
        """The increment of the step from t0, and with use_levy its space-time area H."""
        h, dW, dZ = self.steps
        k = jnp.round(t0 / h).astype(int)
        return dfx.SpaceTimeLevyArea(dt=h, W=dW[k], H=dZ[k] / h - dW[k] / 2) if use_levy else dW[k]


def as_solver(method, drift, noise):
    def path(x0, h, dW, dZ, p):
        f, g = (lambda t, x, p: drift(x, p)), (lambda t, x, p: jnp.stack(noise(x, p), -1))
        terms = dfx.MultiTerm(dfx.ODETerm(f), dfx.ControlTerm(g, GivenNoise((h, dW, dZ))))
        p = SimpleNamespace(**p)

        def step(carry, k):
            x, _, _, state, _ = method.step(terms, k * h, (k + 1) * h, carry[0], p, carry[1], made_jump=False)
            return (x, state), None

        return jax.lax.scan(step, (x0, method.init(terms, 0.0, h, x0, p)), jnp.arange(len(dW)))[0][0]

    paths = jax.jit(jax.vmap(path, (0, None, 0, 0, None)))
    return lambda x0, t, noise, p: paths(x0, noise.h[0], noise.dW, noise.dZ, vars(p))


for problem, (model, *coefficients) in problems(jnp.exp, jnp.full, sigma=(0.6, 0.5)).items():
    for method in (getattr(dfx, name)() for name in METHODS[problem].split()):
        show(type(method).__name__, problem, model, as_solver(method, *coefficients), method.strong_order(None))
