"""The scripts behind the vectors, a module a topic."""

from importlib import import_module

TOPICS = (
    *("handshake", "framing", "ids", "calls", "streams", "credit"),
    *("turns", "limits", "cancel", "connection", "outcomes"),
)

for topic in TOPICS:
    import_module(f"{__name__}.{topic}")
