"""What the gateway gives as Deferreds is there at once in a rehearsal: nothing waits for a thread or a socket."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, execute
from twisted.python.failure import Failure

T = TypeVar("T")


def at_once(work: Callable[..., Any], *args: Any, **kwargs: Any) -> Deferred[Any]:
    """Run work of the store here and now."""
    return execute(work, *args, **kwargs)


def result(done: Deferred[T]) -> T:
    """The result of a Deferred that has fired, raising what it failed with."""
    found: list[Any] = []
    done.addBoth(found.append)
    if not found:
        raise RuntimeError("something in a rehearsal waits for what cannot come")
    if isinstance(found[0], Failure):
        found[0].raiseException()
    value: T = found[0]
    return value
