"""The Recommender service: each method checks its request and hands it to what answers it."""

from __future__ import annotations

import random
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from google.protobuf.message import Message

from gateway import catalogue, feedback, recommend, search, similar
from gateway.catalogue import Catalogue
from gateway.feedback import Feedback
from gateway.quality import Quality
from gateway.recommend import Recommend
from gateway.run import Run
from gateway.search import Search
from gateway.settings import Settings
from gateway.similar import Similar
from gateway.status import MeshStatus
from gateway.upstreams import Upstreams
from gateway.validate import check_tenant, invalid
from gateway.versions import Versions
from gateway.watch import Watches
from recmesh.mesh.criticality import Criticality
from recmesh.rpc import Call, Clock, Context, Filter, RpcError, Service, Status
from recmesh.v1 import recommender_pb2 as pb
from recmesh.v1.recommender_rpc import RECOMMENDER_RECOMMEND, RecommenderBase

Q = TypeVar("Q")
R = TypeVar("R")


async def anybody(call: Call, service: Service) -> Message:
    return await service(call)


@dataclass(frozen=True, slots=True)
class Environment:
    """What the service is given from outside."""

    clock: Clock
    wall_time: Callable[[], float]  # Unix seconds, for events and changes
    rng: random.Random  # of ids that nobody may guess
    on_away: Callable[[str, RpcError], None]  # told of every stage an answer had to do without
    quality: Quality
    admit: Filter = anybody  # counts the pages of those who watch among the calls of this process

    def new_id(self) -> str:
        return str(uuid.UUID(int=self.rng.getrandbits(128), version=4))


class Recommender(RecommenderBase):
    """What applications ask of recmesh."""

    def __init__(self, settings: Settings, upstreams: Upstreams, versions: Versions, given: Environment) -> None:
        each = settings.candidates_per_source
        self._upstreams = upstreams
        self._versions = versions
        self._given = given
        self._recommend = Recommend(each, settings.fresh_share, given.wall_time, given.new_id)
        self._similar = Similar(each, given.new_id)
        self._search = Search(each, given.new_id)
        self._catalogue = Catalogue(given.wall_time)
        self._feedback = Feedback(given.wall_time, given.new_id)
        self.watches = Watches(upstreams.feedback, given.clock, settings.usual_seconds)
        self._status = MeshStatus(upstreams, versions, given.quality, given.clock, given.clock.seconds())

    def _run(self, context: Context, version: str) -> Run:
        given = self._given
        return Run(self._upstreams, given.clock, context, version, given.on_away, given.quality.factor)

    async def _answer(self, work: Callable[[Run, Q], Awaitable[R]], request: Q, context: Context, requested: str) -> R:
        """The answer from a version that all processes have, also where one has lost it since they were asked."""
        version = self._versions.choose(requested)
        try:
            return await work(self._run(context, version), request)
        except RpcError as error:
            if requested or error.status is not Status.FAILED_PRECONDITION:
                raise
            await self._versions.refresh()
            common = self._versions.choose("")
            if common == version:
                raise
        return await work(self._run(context, common), request)

    async def _page(self, work: Callable[[Run, Q], Awaitable[R]], request: Q, context: Context, requested: str) -> R:
        begin = self._given.clock.seconds()
        page = await self._answer(work, request, context, requested)
        self._given.quality.page_took(self._given.clock.seconds() - begin)
        return page

    async def recommend(self, request: pb.RecommendRequest, context: Context) -> pb.RecommendResponse:
        check_tenant(request.tenant)
        recommend.check(request)
        return await self._page(self._recommend, request, context, request.bundle_version)

    async def similar_items(self, request: pb.SimilarItemsRequest, context: Context) -> pb.SimilarItemsResponse:
        check_tenant(request.tenant)
        similar.check(request)
        return await self._page(self._similar, request, context, request.bundle_version)

    async def search_items(self, request: pb.SearchItemsRequest, context: Context) -> pb.SearchItemsResponse:
        check_tenant(request.tenant)
        search.check(request)
        return await self._page(self._search, request, context, request.bundle_version)

    async def put_items(self, request: pb.PutItemsRequest, context: Context) -> pb.PutItemsResponse:
        check_tenant(request.tenant)
        catalogue.check_put(request)
        return await self._answer(self._catalogue.put, request, context, "")

    async def delete_items(self, request: pb.DeleteItemsRequest, context: Context) -> pb.DeleteItemsResponse:
        check_tenant(request.tenant)
        catalogue.check_delete(request)
        return await self._catalogue.delete(self._run(context, ""), request)

    async def record_feedback(self, request: pb.RecordFeedbackRequest, context: Context) -> pb.RecordFeedbackResponse:
        check_tenant(request.tenant)
        feedback.check_record(request)
        return await self._feedback.record(self._run(context, ""), request)

    async def delete_user(self, request: pb.DeleteUserRequest, context: Context) -> pb.DeleteUserResponse:
        check_tenant(request.tenant)
        feedback.check_delete(request)
        deleted = await self._feedback.delete(self._run(context, ""), request)
        self.watches.happened(request.user_id)
        return deleted

    async def get_history(self, request: pb.GetHistoryRequest, context: Context) -> pb.GetHistoryResponse:
        check_tenant(request.tenant)
        feedback.check_history(request)
        return await self._answer(self._feedback.history, request, context, "")

    def watch(self, request: pb.WatchRequest, context: Context) -> AsyncIterator[pb.RecommendResponse]:
        check_tenant(request.request.tenant)
        recommend.check(request.request)
        if not request.request.user_id:
            raise invalid("request.user_id is empty; say whom to watch")
        return self.watches.pages(request.request, context, self._watched)

    async def _watched(self, request: pb.RecommendRequest, context: Context) -> pb.RecommendResponse:
        """A page of a watch takes a place like a call: a thousand that change at once must not all be made at once."""
        context = replace(context, criticality=max(context.criticality, Criticality.SHEDDABLE_PLUS))

        async def answer(call: Call) -> Message:
            return await self.recommend(request, call.context)

        page = await self._given.admit(Call(RECOMMENDER_RECOMMEND, request, context), answer)
        assert isinstance(page, pb.RecommendResponse)
        return page

    async def status(self, request: pb.StatusRequest, context: Context) -> pb.StatusResponse:
        return self._status()
