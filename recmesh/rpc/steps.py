"""The rest of a coroutine whose first step was taken by hand.

Most handlers await nothing: one step by hand gives their result without a future. Those that do wait go on here.
"""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from contextvars import Context
from types import coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def finish(work: Coroutine[Any, Any, T], variables: Context, awaited: object) -> T:
    """The result of a coroutine whose first step was taken and waits for `awaited`."""
    return await _steps(work, variables, awaited)


@coroutine
def _steps(work: Coroutine[Any, Any, T], variables: Context, awaited: object) -> Generator[object, Any, T]:
    """Takes every step in the context of the first, so that the work sees the variables it has set."""
    try:
        while True:
            try:
                value = yield awaited
            except GeneratorExit:
                work.close()
                raise
            except BaseException as error:
                awaited = variables.run(work.throw, error)
            else:
                awaited = variables.run(work.send, value)
    except StopIteration as stop:
        result: T = stop.value
        return result
