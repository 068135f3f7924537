"""Real processes under load, and what networks, kernels and operators do to them: `make chaos`."""
