"""Moments of groups of paths, merged in a fixed order (Chan, Golub & LeVeque 1979)."""

from __future__ import annotations

import numpy as np

LANES = 256


def merge_moments(a: np.ndarray, b: np.ndarray, k: int) -> np.ndarray:
    """Two accumulators (slots, 1 + k + k (k + 1) / 2) as one."""
    total = a[:, 0] + b[:, 0]
    weight = np.divide(b[:, 0], total, out=np.zeros_like(total), where=total > 0)
    delta = b[:, 1 : 1 + k] - a[:, 1 : 1 + k]
    i, j = np.triu_indices(k)
    result = a + b
    result[:, 0] = total
    result[:, 1 : 1 + k] = a[:, 1 : 1 + k] + delta * weight[:, None]
    result[:, 1 + k :] += delta[:, i] * delta[:, j] * (a[:, 0] * weight)[:, None]
    return result
