#!/usr/bin/env python3
"""protoc plugin: writes `<name>_rpc.py` for each .proto file that declares a service.

For a service `Retrieval` the module holds its methods as constants, `RetrievalBase` to implement and `RetrievalStub`
to call. Comments in the .proto become docstrings; `idempotency_level` becomes what retries may do.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

from google.protobuf.compiler.plugin_pb2 import CodeGeneratorRequest, CodeGeneratorResponse
from google.protobuf.descriptor_pb2 import (
    FileDescriptorProto,
    MethodDescriptorProto,
    MethodOptions,
    ServiceDescriptorProto,
)

SERVICE_FIELD, METHOD_FIELD = 6, 2  # the field numbers that lead to a comment in descriptor.proto

CALLS = {"UNARY": "call", "CLIENT_STREAM": "client_stream", "SERVER_STREAM": "server_stream", "BIDI": "bidi"}

Comments = dict[tuple[int, ...], str]


def snake_case(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def module_of(proto: str) -> str:
    return proto.removesuffix(".proto").replace("/", ".") + "_pb2"


def comments_of(file: FileDescriptorProto) -> Comments:
    return {tuple(each.path): each.leading_comments.strip() for each in file.source_code_info.location}


def docstring(comment: str, indent: str) -> Iterator[str]:
    if comment:
        text = f"\n{indent}".join(line.strip() for line in comment.splitlines())
        closing = f"\n{indent}" if "\n" in text else ""
        yield f'{indent}"""{text}{closing}"""'


def message_name(type_name: str) -> str:
    return "pb." + type_name.rsplit(".", 1)[-1]


def kind_of(method: MethodDescriptorProto) -> str:
    if method.client_streaming:
        return "BIDI" if method.server_streaming else "CLIENT_STREAM"
    return "SERVER_STREAM" if method.server_streaming else "UNARY"


def constant_name(service: ServiceDescriptorProto, method: MethodDescriptorProto) -> str:
    return f"{snake_case(service.name)}_{snake_case(method.name)}".upper()


def render_constants(package: str, service: ServiceDescriptorProto) -> Iterator[str]:
    for method in service.method:
        level = method.options.idempotency_level
        yield f"\n{constant_name(service, method)} = Method("
        yield f'    "/{package}.{service.name}/{method.name}",'
        yield f"    {message_name(method.input_type)},"
        yield f"    {message_name(method.output_type)},"
        yield f"    idempotent={level != MethodOptions.IDEMPOTENCY_UNKNOWN},"
        yield f"    read_only={level == MethodOptions.NO_SIDE_EFFECTS},"
        if kind_of(method) != "UNARY":
            yield f"    kind=Kind.{kind_of(method)},"
        yield ")"


def render_base(service: ServiceDescriptorProto, comments: Comments, place: int) -> Iterator[str]:
    yield f"\n\nclass {service.name}Base(abc.ABC):"
    yield from docstring(comments.get((SERVICE_FIELD, place), ""), "    ")
    for index, method in enumerate(service.method):
        yield "\n    @abc.abstractmethod"
        request, reply = message_name(method.input_type), message_name(method.output_type)
        taken = f"requests: AsyncIterator[{request}]" if method.client_streaming else f"request: {request}"
        # An async generator function is called, and only its iterator awaited.
        start, result = ("def", f"AsyncIterator[{reply}]") if method.server_streaming else ("async def", reply)
        yield f"    {start} {snake_case(method.name)}("
        yield f"        self, {taken}, context: Context"
        yield f"    ) -> {result}:"
        yield from docstring(comments.get((SERVICE_FIELD, place, METHOD_FIELD, index)) or "Answer one call.", " " * 8)
    yield "\n    def register(self, handlers: Handlers) -> None:"
    for method in service.method:
        yield f"        handlers.add({constant_name(service, method)}, self.{snake_case(method.name)})"


def render_stub(service: ServiceDescriptorProto, comments: Comments, place: int) -> Iterator[str]:
    yield f"\n\nclass {service.name}Stub:"
    yield from docstring(comments.get((SERVICE_FIELD, place), ""), "    ")
    yield "\n    def __init__(self, channel: Channel) -> None:\n        self._channel = channel"
    for index, method in enumerate(service.method):
        request, reply = message_name(method.input_type), message_name(method.output_type)
        name, taken = ("requests", f"Many[{request}]") if method.client_streaming else ("request", request)
        start, result = ("def", f"Stream[{reply}]") if method.server_streaming else ("async def", reply)
        yield f"\n    {start} {snake_case(method.name)}("
        yield f"        self, {name}: {taken}, context: Context | None = None"
        yield f"    ) -> {result}:"
        yield from docstring(comments.get((SERVICE_FIELD, place, METHOD_FIELD, index), ""), " " * 8)
        verb, waits = CALLS[kind_of(method)], "" if method.server_streaming else "await "
        yield f"        return {waits}self._channel.{verb}({constant_name(service, method)}, {name}, context)"


def render_imports(file: FileDescriptorProto) -> Iterator[str]:
    methods = [method for service in file.service for method in service.method]
    kinds = {kind_of(method) for method in methods}
    yield "\nimport abc"
    if kinds - {"UNARY"}:
        yield "from collections.abc import AsyncIterator"
    yield f"\nfrom recmesh.rpc.call import Context, Handlers, {'Kind, ' if kinds - {'UNARY'} else ''}Method"
    names = ["Channel"]
    names += ["Many"] if any(method.client_streaming for method in methods) else []
    names += ["Stream"] if any(method.server_streaming for method in methods) else []
    yield f"from recmesh.rpc.channel import {', '.join(names)}"


def render(file: FileDescriptorProto) -> str:
    comments = comments_of(file)
    package, _, module = module_of(file.name).rpartition(".")
    lines = [
        f"# Generated by proto/protoc_gen_rpc.py from {file.name}. Do not edit.",
        f'"""Typed stubs and service bases of {file.package}, from {file.name}."""',
        "\nfrom __future__ import annotations",
        *render_imports(file),
        f"from {package} import {module} as pb",
    ]
    for place, service in enumerate(file.service):
        lines += render_constants(file.package, service)
        lines += render_base(service, comments, place)
        lines += render_stub(service, comments, place)
    return "\n".join(lines) + "\n"


def main() -> None:
    request = CodeGeneratorRequest.FromString(sys.stdin.buffer.read())
    response = CodeGeneratorResponse(supported_features=CodeGeneratorResponse.FEATURE_PROTO3_OPTIONAL)
    for file in request.proto_file:
        if file.name in request.file_to_generate and file.service:
            response.file.add(name=file.name.removesuffix(".proto") + "_rpc.py", content=render(file))
    sys.stdout.buffer.write(response.SerializeToString())


if __name__ == "__main__":
    main()
