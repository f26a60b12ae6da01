"""The exact solution as a scheme, where it is known."""

from __future__ import annotations

from stochsim.errors import SchemeError
from stochsim.schemes.record import scheme


@scheme(
    strong_order=None,
    weak_order=None,
    reference="the closed form that the model carries",
    name="exact",
    register=True,
)
def exact(sde, x, t, h, dW):
    """The model's own solution (on the same path, or in law): no discretisation error at any step."""
    raise SchemeError("exact is no formula of drift and diffusion; it runs where the model carries a solution")
