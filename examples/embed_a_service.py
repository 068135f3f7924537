"""A service of one's own on recmesh.rpc alone: a proto, a server and a client in one process, under asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format

from recmesh.rpc import Channel, Context, Handlers, Kind, Method, RpcError, Status
from recmesh.rpc.aio import Endpoint, listen

# `message Order { string tea = 1; uint32 cups = 2; }` without protoc; with it, `make proto` writes typed stubs as well.
FILE = """
name: "teahouse.proto" package: "teahouse" syntax: "proto3"
message_type {
  name: "Order"
  field { name: "tea" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL }
  field { name: "cups" number: 2 type: TYPE_UINT32 label: LABEL_OPTIONAL }
}
"""
pool = descriptor_pool.DescriptorPool()
pool.Add(text_format.Parse(FILE, descriptor_pb2.FileDescriptorProto()))
Order: Any = message_factory.GetMessageClass(pool.FindMessageTypeByName("teahouse.Order"))
BREW = Method("/teahouse.Teahouse/Brew", Order, Order, idempotent=True)
POUR = Method("/teahouse.Teahouse/Pour", Order, Order, kind=Kind.SERVER_STREAM)


async def brew(order: Any, context: Context) -> Any:
    if order.tea == "coffee":
        raise RpcError(Status.NOT_FOUND, "this is a teahouse")
    return Order(tea=f"a pot of {order.tea}", cups=order.cups)


async def pour(order: Any, context: Context) -> AsyncIterator[Any]:
    for cup in range(order.cups):  # waits where the caller does not read
        yield Order(tea=order.tea, cups=cup + 1)


async def main() -> None:
    handlers = Handlers()
    handlers.add(BREW, brew)
    handlers.add(POUR, pour)
    server = await listen("127.0.0.1:0", handlers)
    endpoint = Endpoint(server.address)
    teahouse = Channel(endpoint)
    print("brewed:", (await teahouse.call(BREW, Order(tea="oolong", cups=3))).tea)
    async for cup in teahouse.server_stream(POUR, Order(tea="oolong", cups=3)):
        print("poured: cup", cup.cups)
    try:
        await teahouse.call(BREW, Order(tea="coffee"))
    except RpcError as error:
        print("refused:", error)
    await endpoint.close()
    await server.drain(1.0)


asyncio.run(main())
