"""Samplers from the overdamped Langevin equation."""
