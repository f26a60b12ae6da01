"""diffusers under the microscope: schedulers given the exact noise prediction of N(1, 0.25), against the exact flow."""

import numpy as np
import torch
from diffusers import schedulers

import stochsim as ss

VP, TARGET, STEPS = ss.diffusion.VP(), ss.densities.Gaussian([1.0], [0.25]), (20, 40, 80, 160, 320)
MODEL, START = ss.diffusion.Model(TARGET, VP), np.linspace(-2.0, 2.0, 13)[None]
KARRAS, TO_MIN = {"use_karras_sigmas": True}, {"final_sigmas_type": "sigma_min"}
CASES = [
    ("DDIM, trailing", 1, "DDIM", {"timestep_spacing": "trailing", "clip_sample": False}),
    ("Heun", 2, "HeunDiscrete", KARRAS),
    ("LMS 4", 4, "LMSDiscrete", KARRAS),
    ("DPM-Solver++ 2M", 2, "DPMSolverMultistep", KARRAS),
    ("DPM-Solver++ 3M", 3, "DPMSolverMultistep", {"solver_order": 3, **KARRAS}),
    ("DPM-Solver++ 3M, to sigma_min", 3, "DPMSolverMultistep", {"solver_order": 3, **KARRAS, **TO_MIN}),
    ("UniPC 2", 3, "UniPCMultistep", {"solver_order": 2, **KARRAS}),
    ("UniPC 3", 4, "UniPCMultistep", {"solver_order": 3, **KARRAS}),
    ("DEIS 2", 2, "DEISMultistep", {"solver_order": 2, **KARRAS}),
    ("DEIS 3", 3, "DEISMultistep", {"solver_order": 3, **KARRAS}),
]


def error(kind, options, n, told):
    """Before the last step, which never gets short; noise levels of the scheduler, or of the timesteps it tells."""
    scheduler = getattr(schedulers, f"{kind}Scheduler")(**options)
    scheduler.set_timesteps(n)
    steps, logs = scheduler.timesteps, np.log(1 / scheduler.alphas_cumprod.double().numpy() - 1) / 2
    levels = np.exp(np.interp(steps.double().numpy(), np.arange(len(logs)), logs))
    levels = levels if told or kind == "DDIM" else scheduler.sigmas[: len(steps)].double().numpy()
    times, scale = VP.t_of_lam(-np.log(levels)), np.sqrt(1 + levels**2) ** ("Discrete" in kind)  # 1, or of x_0 + σ z
    x = [torch.from_numpy(START * scale[0])]
    for i, t in enumerate(steps):
        scheduler.scale_model_input(x[-1], t)  # some refuse to step without
        x.append(scheduler.step(torch.from_numpy(MODEL.eps(x[-1].numpy() / scale[i], times[i])), t, x[-1]).prev_sample)
    off = x[-2].numpy() / scale[-1] - ss.diffusion.exact.flow_map(TARGET, VP, START, times[0], times[-1])
    return np.sqrt(np.mean(off**2)) + 0 * float(x[-1].sum())  # NaN if the last step makes it


for name, order, kind, options in CASES:
    e, told = np.array([error(kind, options, n, False) for n in STEPS]), error(kind, options, STEPS[-1], True)
    slopes = np.log2(e[:-1] / e[1:])
    verdict = "NaN" if np.isnan(e).any() else "as said" if abs(np.median(slopes[1:]) - order) < 0.3 else "not as said"
    print(f"{name:30} {order} ", *(f"{v:6.2f}" for v in slopes), f" {verdict:11}  {e[-1]:.7f}  {told:.7f}")
