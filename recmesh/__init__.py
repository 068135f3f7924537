"""What a caller of the mesh installs: the client SDK, the RPC runtime, the call policies."""

__version__ = "0.1.0"
