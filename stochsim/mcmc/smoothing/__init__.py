"""Samplers that go by way of noised densities."""
