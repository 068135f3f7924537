"""Learning the sequence model."""
