"""diffrax under the microscope: its solvers on given noise, the order it declares, and the order measured."""

from types import SimpleNamespace

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
from peers_problems import problems, show

jax.config.update("jax_enable_x64", True)


class GivenNoise(dfx.AbstractBrownianPath):  # by step: increments, and space-time areas H = dZ / h - dW / 2
    h: jax.Array
    dW: jax.Array
    dZ: jax.Array
    t0, t1 = 0.0, 1.0
    levy_area: type = eqx.field(static=True, default=dfx.SpaceTimeLevyArea)

    def evaluate(self, t0, t1=None, left=True, use_levy=False):
        dW, dZ = (a[jnp.round(t0 / self.h).astype(int)] for a in (self.dW, self.dZ))
        return dfx.SpaceTimeLevyArea(dt=self.h, W=dW, H=dZ / self.h - dW / 2) if use_levy else dW


def as_solver(method, drift, noise):
    def path(x0, h, dW, dZ, p):
        given, p = GivenNoise(h, dW, dZ), SimpleNamespace(**p)
        terms = dfx.MultiTerm(
            dfx.ODETerm(lambda t, x, _: drift(x, p)),
            dfx.ControlTerm(lambda t, x, _: jnp.stack(noise(x, p), -1), given),
        )

        def step(carry, k):
            x, _, _, state, _ = method.step(terms, k * h, (k + 1) * h, carry[0], None, carry[1], made_jump=False)
            return (x, state), None

        start = x0, method.init(terms, 0.0, h, x0, None)
        return jax.lax.scan(step, start, jnp.arange(len(dW)))[0][0]

    paths = jax.jit(jax.vmap(path, (0, None, 0, 0, None)))
    return lambda x0, t, noise, p: paths(x0, noise.h[0], noise.dW, noise.dZ, vars(p))


METHODS = {
    "Itô": "Euler ItoMilstein",
    "Stratonovich": "EulerHeun Heun Midpoint Ralston ReversibleHeun StratonovichMilstein SPaRK GeneralShARK SlowRK",
    "additive, linear": "SEA SRA1 ShARK",
    "additive, nonlinear": "SEA SRA1 ShARK",
}
if __name__ == "__main__":
    for problem, (model, drift, noise) in problems(jnp.exp, sigma=(0.6, 0.5)).items():
        for name in METHODS[problem].split():
            method = getattr(dfx, name)()
            show(name, problem, model, as_solver(method, drift, noise), method.strong_order(None))
