"""torchsde under the microscope: its methods on given noise, the order it declares, and the order measured."""

from types import SimpleNamespace

import torch
import torchsde
from peers_problems import problems, show


class GivenNoise(torchsde.BaseBrownian):  # by step: the increment, and U, the integral of W - W_k
    shape = dtype = device = levy_area_approximation = None

    def __init__(self, noise):
        self.noise, self.shape, self.dtype = noise, noise.dW[:, 0].shape, torch.float64
        self.device, self.levy_area_approximation = torch.device("cpu"), "space-time"

    def __call__(self, ta, tb=None, return_U=False, return_A=False):
        k = round(float(ta) / self.noise.h[0])
        dW, U = torch.from_numpy(self.noise.dW[:, k]), torch.from_numpy(self.noise.dZ[:, k])
        return (dW, U) if return_U else dW

    def __repr__(self):
        return "GivenNoise()"


def as_solver(method, drift, noise, sde_type, noise_type):
    def solve(x0, t, given, p):
        g = (lambda t, x: noise(x, p)[0]) if noise_type == "diagonal" else (lambda t, x: torch.stack(noise(x, p), -1))
        sde = SimpleNamespace(sde_type=sde_type, noise_type=noise_type, f=lambda t, x: drift(x, p), g=g)
        start, ends = torch.from_numpy(x0), torch.tensor([t[0], t[-1]])
        return torchsde.sdeint(sde, start, ends, bm=GivenNoise(given), method=method, dt=given.h[0])[-1].detach()

    return solve


METHODS = {
    ("Itô", "ito", "diagonal"): {"euler": 0.5, "milstein": 1.0, "srk": 1.5},
    ("Stratonovich", "stratonovich", "diagonal"): {
        "euler_heun": 1.0, "heun": 1.0, "midpoint": 1.0, "reversible_heun": 0.5, "milstein": 1.0},
    ("additive, linear", "ito", "additive"): {"euler": 1.0, "srk": 1.5},
    ("additive, nonlinear", "ito", "additive"): {"euler": 1.0, "srk": 1.5},
}  # fmt: skip
if __name__ == "__main__":
    for (problem, sde_type, noise_type), declared in METHODS.items():
        model, drift, noise = problems(torch.exp, sigma=(0.8,))[problem]
        for name, order in declared.items():
            show(name, problem, model, as_solver(name, drift, noise, sde_type, noise_type), order)
