"""diffrax under the microscope: its solvers on given noise, the order it declares, and the order measured."""

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import stochsim as ss

jax.config.update("jax_enable_x64", True)


class GivenNoise(dfx.AbstractBrownianPath):  # increments by step, and space-time areas H = dZ / h - dW / 2
    h: jax.Array
    dW: jax.Array
    dZ: jax.Array
    t0: float = 0.0
    t1: float = 1.0
    levy_area: type = eqx.field(static=True, default=dfx.SpaceTimeLevyArea)

    def evaluate(self, t0, t1=None, left=True, use_levy=False):
        dW, dZ = (a[jnp.round(t0 / self.h).astype(int)] for a in (self.dW, self.dZ))
        return dfx.SpaceTimeLevyArea(dt=self.h, W=dW, H=dZ / self.h - dW / 2) if use_levy else dW


def as_solver(method, drift, diffusion):
    def path(x0, h, dW, dZ, p):
        noise = dfx.ControlTerm(lambda t, x, p: diffusion(x, p), GivenNoise(h, dW, dZ))
        terms = dfx.MultiTerm(dfx.ODETerm(lambda t, x, p: drift(x, p)), noise)

        def step(carry, k):
            x, state = carry
            x, _, _, state, _ = method.step(terms, k * h, (k + 1) * h, x, p, state, made_jump=False)
            return (x, state), None

        return jax.lax.scan(step, (x0, method.init(terms, 0.0, h, x0, p)), jnp.arange(len(dW)))[0][0]

    paths = jax.jit(jax.vmap(path, (0, None, 0, 0, None)))
    return lambda x0, t, noise, p: np.asarray(paths(x0, noise.h[0], noise.dW, noise.dZ, vars(p)))


gbm = ss.models.multi_noise_geometric_brownian_motion(mu=0.5, sigma=(0.6, 0.5))  # commutative noise
ou, verhulst = ss.models.ornstein_uhlenbeck(), ss.models.log_verhulst()  # additive: linear and nonlinear drift
ITO = (gbm, lambda x, p: p["mu"] * x, lambda x, p: jnp.reshape(x * p["sigma"], (1, -1)))
STRATONOVICH = (gbm, lambda x, p: (p["mu"] - sum(p["sigma"] ** 2) / 2) * x, ITO[2])
LINEAR = (ou, lambda x, p: p["theta"] * (p["mu"] - x), lambda x, p: jnp.reshape(p["sigma"], (1, 1)))
NONLINEAR = (verhulst, lambda x, p: p["growth"] - p["sigma"] ** 2 / 2 - jnp.exp(x), LINEAR[2])
CASES = [(ITO, ("Euler", "ItoMilstein")), (LINEAR, ("SEA", "SRA1", "ShARK")), (NONLINEAR, ("SEA", "SRA1", "ShARK"))]
CASES += [(STRATONOVICH, ("EulerHeun", "Heun", "Midpoint", "Ralston", "ReversibleHeun", "StratonovichMilstein"))]
CASES += [(STRATONOVICH, ("GeneralShARK", "SPaRK", "SlowRK"))]
for (model, drift, diffusion), names in CASES:
    for name in names:
        method = getattr(dfx, name)()
        declared = method.strong_order(None)
        solver = as_solver(method, drift, diffusion)
        e = ss.strong_order(model, solver=solver, needs=("dW", "dZ"), declared=declared, n_paths=8192)
        print(f"{name:20} {model.name:37} {declared:3} {e.order:.3f} ± {e.half_width:.3f} {e.verdict}", flush=True)
