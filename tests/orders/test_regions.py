"""Claims of the stability regions: they are the known ones, to rounding."""

from __future__ import annotations

import numpy as np

import stochsim as ss

S = ss.schemes
LH, MU2H = np.linspace(-3.9, 0.7, 24), np.linspace(0.0, 5.0, 26)
KNOWN = {  # Saito & Mitsui 1996; Higham 2000
    S.euler_maruyama: lambda a, v: (1 + a) ** 2 + v,
    S.milstein: lambda a, v: (1 + a) ** 2 + v + v**2 / 2,
    S.drift_implicit_euler: lambda a, v: (1 + v) / (1 - a) ** 2,
}


def test_regions_are_the_known_ones() -> None:
    for scheme, formula in KNOWN.items():
        region = ss.stability_region(scheme, lh=LH, mu2h=MU2H)
        np.testing.assert_allclose(region.amplification, formula(LH[None], MU2H[:, None]), rtol=1e-11)


def test_a_wrong_region_would_be_seen() -> None:
    region = ss.stability_region(S.milstein, lh=LH, mu2h=MU2H)
    assert np.abs(region.amplification - KNOWN[S.euler_maruyama](LH[None], MU2H[:, None])).max() > 1


def test_a_region_prints_as_one_line() -> None:
    text = repr(ss.stability_region(S.euler_maruyama, lh=np.linspace(-4, 1, 5), mu2h=np.linspace(0, 6, 3)))
    assert text == (
        "stability region of euler_maruyama: lambda h in [-4, 1] (5), mu^2 h in [0, 6] (3); "
        "13% of the grid is mean-square stable"
    )
