"""Scores put together: conditions, tilted laws, measurements, several models."""
