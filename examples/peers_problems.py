"""What the solvers of other libraries are measured on: four problems for any array library, and one row each."""

import stochsim as ss
from stochsim.orders import Levels


def problems(exp, full, sigma):
    """Name -> (model, drift(x, p), noise(x, p)): one coefficient shaped like x for each Brownian motion."""
    gbm = ss.models.multi_noise_geometric_brownian_motion(mu=0.5, sigma=sigma)

    def each(x, p):
        return [s * x for s in p.sigma]

    def constant(x, p):
        return [full(x.shape, p.sigma)]

    return {
        "Itô": (gbm, lambda x, p: p.mu * x, each),
        "Stratonovich": (gbm, lambda x, p: (p.mu - sum(p.sigma**2) / 2) * x, each),
        "additive, linear": (ss.models.ornstein_uhlenbeck(), lambda x, p: p.theta * (p.mu - x), constant),
        "additive, nonlinear": (ss.models.log_verhulst(), lambda x, p: p.growth - p.sigma**2 / 2 - exp(x), constant),
    }


def show(method, problem, model, solver, declared):
    """Measure one solver and print its row."""
    fine = model.solution.resolution > 1  # the closed form runs on a grid 16 times finer: stop at h = 2^-10
    levels = Levels(finest=10, n_levels=8) if fine else None
    e = ss.strong_order(model, solver=solver, needs=("dW", "dZ"), declared=declared, n_paths=4096, levels=levels)
    print(f"{method:20} {problem:20} {declared:3g}  {e.order:.3f} ± {e.half_width:.3f}  {e.verdict}", flush=True)
