"""From a straight-line program to code that runs: NumPy arrays or compiled lane kernels."""
