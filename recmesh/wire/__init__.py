"""The messages of the wire itself."""
