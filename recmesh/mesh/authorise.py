"""Authorise: who may call what. Whoever no rule lets in is refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from google.protobuf.message import Message

from recmesh.rpc import Call, Filter, Origin, Processed, RpcError, Service, Status

HEALTH: Final = "/grpc.health.v1.Health/"
"""What every caller may ask: a balancer must see whether a process lives before it is let in."""

MOST_KNOWN: Final = 4_096  # answers kept; more pairs than that come from a caller that makes them up


@dataclass(frozen=True, slots=True)
class Rule:
    """Lets callers in. A pattern is a whole text, or its beginning and a star: "spiffe://mesh/gateway", "/a.B/*"."""

    principal: str
    methods: tuple[str, ...]

    def __post_init__(self) -> None:
        for each in (self.principal, *self.methods):
            if "*" in each[:-1] or not each:
                raise ValueError(f"{each!r} is no pattern; a star stands at its end, if anywhere")
        if not self.methods:
            raise ValueError(
                f"the rule for {self.principal!r} names no method; write /package.Service/Method or a star"
            )

    def allows(self, principal: str, path: str) -> bool:
        return matches(self.principal, principal) and any(matches(each, path) for each in self.methods)


def authorised(rules: Sequence[Sequence[str]]) -> Sequence[Filter]:
    """The filter for rules as settings have them, a principal and then methods; none for no rules."""
    return (Authorise([Rule(principal, tuple(methods)) for principal, *methods in rules]),) if rules else ()


def matches(pattern: str, text: str) -> bool:
    return text.startswith(pattern[:-1]) if pattern.endswith("*") else text == pattern


class Authorise:
    """Is a Filter. The principal is that of the caller's certificate; a caller without one has none, and no rights."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = tuple(rules)
        self._known: dict[tuple[str, str], bool] = {}

    async def __call__(self, call: Call, service: Service) -> Message:
        principal, path = call.context.principal, call.method.path
        if not (self._known.get((principal, path)) or self._allows(principal, path)):
            raise _refusal(principal, path)
        return await service(call)

    def _allows(self, principal: str, path: str) -> bool:
        allowed = path.startswith(HEALTH) or (
            bool(principal) and any(each.allows(principal, path) for each in self._rules)
        )
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        self._known[principal, path] = allowed
        return allowed


def _refusal(principal: str, path: str) -> RpcError:
    if principal:
        status, message = Status.PERMISSION_DENIED, f"{principal} may not call {path}"
    else:
        status, message = Status.UNAUTHENTICATED, f"who calls {path} must show a certificate"
    return RpcError(status, message, processed=Processed.REFUSED, origin=Origin.SERVER)
