"""Warm-up: step sizes, metrics and lengths found for all chains together."""
