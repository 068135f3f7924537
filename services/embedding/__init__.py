"""The embedding service: histories and texts to vectors."""
