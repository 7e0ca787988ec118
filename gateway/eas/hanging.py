"""The hanging Sync: one with nothing to say waits until there is something ([MS-ASCMD] 2.2.3.88.2, 2.2.3.198).

It is a Watch like that of a Ping, but it answers with the new items themselves: when a Change ends the Watch, the
request is executed again. Until then its keys stay as they are, so a connection that breaks meanwhile loses nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from attrs import evolve

from gateway.core.autd import Parameters
from gateway.core.retrying import backoff
from gateway.eas.call import Answer
from gateway.eas.parked import Held, Over, Parking, Why
from gateway.eas.syncanswer import NO_FOLDER, RETRY, whole
from gateway.eas.syncbody import Asked
from gateway.model import DeviceKey, Ending

COMMAND = "Sync"
#: Why a Watch was recalled whose device has sent another Sync that says more.
NEWER = "sync"
#: A parked request may be executed so often in a row without anything to say; after that each time comes later.
FRUITLESS_FREE = 3


class Overtaken(Exception):
    """The request is not to be executed any more: it would be with keys that a newer one has left behind."""


def overtake(parking: Parking, device: DeviceKey) -> None:
    """A Sync has come that does not wait, or that changes something: one that is parked waits no longer.

    It is not counted as replaced, which is what a phone does whose connection was cut: this one is in use.
    """
    claim = parking.board.claim_of(device)
    if claim is not None and claim.command == COMMAND:
        claim.end(Ending.RECALLED, NEWER)


async def hang(held: Held, asked: Asked, again: Callable[[], Awaitable[Answer]]) -> Answer:
    """Wait for what is to be said to a request that had nothing to be said to; C{again} executes it once more.

    @param asked: what is kept of the request.
    @raise Unavailable: too many requests are parked. @raise CancelledError: the client is gone.
    """
    _park(held, asked)
    fruitless = 0
    while True:
        found = await held.begin()
        over = found if isinstance(found, Over) else await held.wait(found)
        if over.why is not Why.CHANGED:
            return _ended(held, over)
        try:
            answer = await again()
        except Overtaken:
            return _ended(held, Over(Why.EXPIRED))
        if not answer.empty:
            log = {**answer.log, "Pt": round(held.waited)}
            return evolve(answer, log=log, written=held.parking.told_of(held.claim.device, over, answer.written))
        discard(answer)
        fruitless += 1
        stopped = await held.pause(_pause(fruitless))
        if stopped is not None:
            return _ended(held, stopped)


def _park(held: Held, asked: Asked) -> None:
    """Take a place, and have it be seen by whom and for what."""
    watched = [collection for collection in asked.collections if collection.get_changes]
    held.interval, held.folders = asked.wait or 0, tuple(collection.folder for collection in watched)
    named = tuple((collection.folder, collection.item_class or "Email") for collection in watched)
    held.claim.parameters = Parameters(held.interval, named)
    held.moor()
    held.parking.accepted(held.interval)
    held.parking.partnerships.parked(held.claim.device, held.parking.now())


def discard(answer: Answer) -> None:
    """An answer without anything in it is not sent; nothing was given with it, and the device needs no telling."""
    if answer.written is not None:
        answer.written(True)


def _pause(fruitless: int) -> float:
    """A ledger that tells of news and then has none must not be asked all the time."""
    return 0.0 if fruitless <= FRUITLESS_FREE else backoff(fruitless - FRUITLESS_FREE)


def _ended(held: Held, over: Over) -> Answer:
    """The answer without items: empty, unless something has to be done about it.

    A wipe, another policy, another mode: the next request meets them, and it comes at once.
    """
    status = {Why.HIERARCHY: NO_FOLDER, Why.FAILED: RETRY}.get(over.why)
    log: dict[str, str | int] = {"Hb": held.interval, "Fc": len(held.folders), "Pt": round(held.waited)}
    if status is None:
        return Answer(log={**log, "St": "S"})
    return Answer(whole(status), log={**log, "St": status})
