"""Samplers whose gradients come from a part of the data."""
