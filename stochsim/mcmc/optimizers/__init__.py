"""Stochastic optimisers and the equations they approximate."""
