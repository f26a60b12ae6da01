"""torchsde under the microscope: its methods on given noise, the order it declares, and the order measured."""

from types import SimpleNamespace

import torch
import torchsde

import stochsim as ss


class GivenNoise(torchsde.BaseBrownian):  # by step: increments, U = integral of W - W_k, Lévy areas A
    shape = dtype = device = levy_area_approximation = None

    def __init__(self, noise):
        self.noise, self.shape, self.dtype = noise, noise.dW[:, 0].shape, torch.float64
        self.device, self.levy_area_approximation = torch.device("cpu"), "foster"

    def __call__(self, ta, tb=None, return_U=False, return_A=False):
        k, noise = round(float(ta) / self.noise.h[0]), self.noise
        wanted = [noise.dW, *([noise.dZ] if return_U else []), *([noise.A] if return_A else [])]
        found = [torch.from_numpy(a[:, k]) for a in wanted]
        return found if len(found) > 1 else found[0]

    def __repr__(self):
        return "GivenNoise()"


def as_solver(method, sde_type, noise_type, f, g):
    def solve(x0, t, noise, p):
        sde = SimpleNamespace(sde_type=sde_type, noise_type=noise_type, f=lambda t, x: f(x, p), g=lambda t, x: g(x, p))
        start, ends = torch.from_numpy(x0), torch.tensor([t[0], t[-1]])
        return torchsde.sdeint(sde, start, ends, bm=GivenNoise(noise), method=method, dt=noise.h[0])[-1].detach()

    return solve


def area_noise(x, p):
    one, zero = torch.ones_like(x[:, 0]), torch.zeros_like(x[:, 0])
    return torch.stack([one, zero, zero, one, -x[:, 1] / 2, x[:, 0] / 2], 1).reshape(-1, 3, 2)


gbm, heisenberg = ss.models.geometric_brownian_motion(mu=0.5, sigma=0.8), ss.models.heisenberg()
ou, verhulst = ss.models.ornstein_uhlenbeck(), ss.models.log_verhulst()
constant = lambda x, p: torch.full((len(x), 1, 1), float(p.sigma))
problems = {
    "ito": (gbm, "ito", "diagonal", lambda x, p: p.mu * x, lambda x, p: p.sigma * x),
    "stratonovich": (gbm, "stratonovich", "diagonal", lambda x, p: (p.mu - p.sigma**2 / 2) * x, lambda x, p: p.sigma * x),
}
