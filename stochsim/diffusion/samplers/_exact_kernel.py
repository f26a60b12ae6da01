"""The exact reverse kernel of a mixture: no error at any step."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from typing import Any

from stochsim.columns import eager
from stochsim.diffusion.exact import reverse_kernel
from stochsim.diffusion.record import sampler


@sampler(
    kind="sde",
    law_order=inf,
    weak_order=None,  # exact too, but its uniform number is beyond quadrature by polynomials
    nfe=0,
    parametrisation="x0",
    aliases=("exact mixture kernel",),
    reference="Bayes' rule for a mixture of Gaussians; Ho, Jain & Abbeel 2020, eqs. 6-7 for each component",
)
def exact_kernel(model: Any, x: Any, grid: Any, noise: Any) -> Iterator[Any]:
    """Step x' ~ p(x'|x): component k with its probability r_k(x), then Gaussian with its own gain and covariance.

    Exact for Gaussians and mixtures whatever the grid, and no evaluation of the score: the yardstick of all other
    stochastic samplers. The component is chosen by a uniform number Φ(z).
    """
    t, xp = model.tables(grid)[0], eager.module(x)
    for i in range(len(t) - 1):
        kernel = reverse_kernel(model.target, model.process, t[i], t[i + 1])
        z, u = noise(2 * i, x.shape), 0.5
        if len(kernel.weights) > 1:
            u = _uniform(_host(noise(2 * i + 1, (1, x.shape[1]))[0]))
        x = xp.asarray(kernel.draw(_host(x), _host(z), u))
        yield x


def _uniform(z: Any) -> Any:
    from scipy.special import ndtr

    return ndtr(z)


def _host(x: Any) -> Any:
    return x.get() if hasattr(x, "get") else x
