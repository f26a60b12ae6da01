"""torchsde under the microscope: its methods on given noise, the order it declares, and the order measured."""

from types import SimpleNamespace

import torch
import torchsde
from peers_problems import problems, show

METHODS = {
    ("Itô", "ito", "diagonal"): {"euler": 0.5, "milstein": 1.0, "srk": 1.5},
    ("Stratonovich", "stratonovich", "diagonal"): {"euler_heun": 1.0, "midpoint": 1.0, "reversible_heun": 0.5},
    ("additive, linear", "ito", "additive"): {"euler": 1.0, "srk": 1.5},
    ("additive, nonlinear", "ito", "additive"): {"euler": 1.0, "srk": 1.5},
}


class GivenNoise(torchsde.BaseBrownian):
    """Noise by step: the increment, and U, the integral of W - W_k."""

    shape = dtype = device = levy_area_approximation = None

    def __init__(self, noise):
        self.h, self.dW, self.dZ = noise.h[0], torch.from_numpy(noise.dW), torch.from_numpy(noise.dZ)
        self.shape, self.dtype, self.device = self.dW[:, 0].shape, torch.float64, self.dW.device
        self.levy_area_approximation = "space-time"

    def __call__(self, ta, tb=None, return_U=False, return_A=False):
        """The noise of the step from ta."""
        k = round(float(ta) / self.h)
        return (self.dW[:, k], self.dZ[:, k]) if return_U else self.dW[:, k]

    __repr__ = object.__repr__


def as_solver(method, drift, noise, sde_type, noise_type):
    def solve(x0, t, given, p):
        g = (lambda t, x: noise(x, p)[0]) if noise_type == "diagonal" else (lambda t, x: torch.stack(noise(x, p), -1))
        sde = SimpleNamespace(sde_type=sde_type, noise_type=noise_type, f=lambda t, x: drift(x, p), g=g)
        start, ends = torch.from_numpy(x0), torch.tensor([t[0], t[-1]])
        return torchsde.sdeint(sde, start, ends, bm=GivenNoise(given), method=method, dt=given.h[0])[-1].detach()

    return solve


def full(shape, value):
    return torch.full(shape, float(value), dtype=torch.float64)


for (problem, *kind), declared in METHODS.items():
    model, *coefficients = problems(torch.exp, full, sigma=(0.8,))[problem]
    for name, order in declared.items():
        show(name, problem, model, as_solver(name, *coefficients, *kind), order)
