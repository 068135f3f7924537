"""What the retrieval service can be told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from recmesh.ops.settings import check_address, check_range
from services.common.start import ServiceSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(ServiceSettings):
    """The retrieval service's settings."""

    state: Path  # the folder that holds catalogue.sqlite
    shard: int = 0
    shards: int = 1
    peers: tuple[str, ...] = ()  # host:port of the shard's replicas; this one itself may be among them
    catch_up_poll_seconds: float = 5.0  # how often they are asked for what this replica missed
    catch_up_start_seconds: float = 3.0  # for how long the start waits for them: they may be down as well

    def __post_init__(self) -> None:
        ServiceSettings.__post_init__(self)
        check_range("shards", self.shards, 1, 1_000)
        check_range("shard", self.shard, 0, self.shards - 1)
        check_range("catch_up_poll_seconds", self.catch_up_poll_seconds, 0.01, 3_600.0)
        check_range("catch_up_start_seconds", self.catch_up_start_seconds, 0.0, 600.0)
        for address in self.peers:
            check_address("peers", address)

    @property
    def other_replicas(self) -> tuple[str, ...]:
        """The peers without this process, which is told by its address, or by its name as the host's first label.

        So all replicas can share one file, as the pods of a StatefulSet do.
        """
        return tuple(peer for peer in self.peers if peer != self.listen and peer.split(".")[0] != self.node_id)
