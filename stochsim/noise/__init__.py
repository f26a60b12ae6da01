"""Counter-based noise: every draw is a pure function of (seed, path, index, component, stream)."""
