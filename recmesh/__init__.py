"""The client side of a mesh."""
