"""Samplers from kinetic equations: positions and momenta that persist."""
