"""The ranking service: candidates in their final order."""
