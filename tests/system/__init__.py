"""Real processes, real sockets, real data."""
