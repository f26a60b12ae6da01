"""Exact laws of chains: affine maps on Gaussians, Markov operators by quadrature."""
