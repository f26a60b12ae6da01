"""Hamiltonian trajectories, fixed, jittered or stopped at a U-turn."""
