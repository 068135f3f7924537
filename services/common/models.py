"""The Models service: which bundle versions a process has loaded, and how to change that."""

from __future__ import annotations

from typing import Any

from recmesh.rpc.call import Context
from recmesh.v1 import models_pb2 as pb
from recmesh.v1.models_rpc import ModelsBase
from services.common.versions import Loaded, Versions


class Models(ModelsBase):
    """Tells and changes the versions of one process."""

    def __init__(self, versions: Versions[Any], shard: int = 0, shards: int = 0) -> None:
        self._versions = versions
        self._shard = shard
        self._shards = shards

    async def list(self, request: pb.ListModelsRequest, context: Context) -> pb.ListModelsResponse:
        models = [_message(each) for each in self._versions]
        return pb.ListModelsResponse(models=models, shard=self._shard, shards=self._shards)

    async def load(self, request: pb.LoadModelRequest, context: Context) -> pb.LoadModelResponse:
        loaded = await self._versions.load(request.version)
        return pb.LoadModelResponse(model=_message(loaded))

    async def unload(self, request: pb.UnloadModelRequest, context: Context) -> pb.UnloadModelResponse:
        self._versions.unload(request.version)
        return pb.UnloadModelResponse()


def _message(loaded: Loaded[Any]) -> pb.Model:
    return pb.Model(name=loaded.name, version=loaded.version, created=loaded.created)
