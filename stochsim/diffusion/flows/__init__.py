"""Interpolants between two laws, and the flows that follow them."""
