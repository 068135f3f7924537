"""What all connections of a process hold together of frames and messages not finished, not read or not sent."""

from __future__ import annotations


class Pool:
    """Counts bytes. When it is full, calls that would need more are refused; those that need none go on."""

    __slots__ = ("held", "most")

    def __init__(self, most: int) -> None:
        self.most = most
        self.held = 0

    def takes(self, size: int) -> bool:
        return self.held + size <= self.most


# Bytes; four times what one connection may keep waiting, so that no single peer can fill it, and a quarter of what the
# smallest process of the mesh is given in a cluster.
PROCESS = Pool(256 << 20)
