"""The body of a Sync request, and the requests that are kept for when it comes without one ([MS-ASCMD] 2.2.1.21)."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence

from attrs import define, evolve, field, frozen

from gateway.core.heartbeat import CAP, HeartbeatLimits
from gateway.eas.call import Version
from gateway.eas.collection import LARGEST_WINDOW, Collection, Verb, parse_collection, window_size
from gateway.eas.foldercommands import CACHE
from gateway.eas.options import Malformed, only
from gateway.element import Element
from gateway.model import DeviceKey

PROTOCOL, NO_CACHE, WAIT, TOO_MANY = 4, 13, 14, 15
_NUMBER = re.compile(r"-?[0-9]{1,9}", re.ASCII)


@frozen
class _Wait:
    """An element that says how long to wait: the seconds of its unit, the version that brought it."""

    tag: str
    unit: int
    since: Version

    def bounds(self, limits: HeartbeatLimits) -> tuple[int, int]:
        """The least and the most, in its unit; of whole minutes there is always one that is allowed."""
        least = -(-limits.minimum // self.unit)
        return least, max(least, limits.maximum // self.unit)


_WAITS = (
    _Wait("AirSync:Wait", 60, Version.V12_1),
    _Wait("AirSync:HeartbeatInterval", 1, Version.V14_0),
)


class Refusal(Exception):
    """The whole request is answered with this Sync Status, and with a Limit if there is one."""

    def __init__(self, status: int, why: str, limit: int | None = None) -> None:
        super().__init__(why)
        self.status = status
        self.limit = limit


@frozen
class SyncLimits:
    """What one request may ask for: collections, client commands, changes and bytes of items in the answer, and how
    long to wait for changes ([MS-ASCMD] 2.2.3.88.2, 2.2.3.198)."""

    collections: int = 300
    commands: int = 200
    answer_bytes: int = 16 * 1024 * 1024
    window: int = LARGEST_WINDOW
    heartbeat: HeartbeatLimits = field(factory=lambda: HeartbeatLimits(maximum=CAP))


@frozen
class Asked:
    """A Sync request; C{window} is the largest number of changes over all collections, C{wait} is in seconds.

    C{partial}: collections that are not named are those of the request before.
    """

    collections: tuple[Collection, ...] = ()
    wait: int | None = None
    window: int | None = None
    partial: bool = False

    @property
    def changes(self) -> bool:
        """Whether the client wants anything changed, so that the request must not be executed twice."""
        verbs = {command.verb for collection in self.collections for command in collection.commands}
        return bool(verbs - {Verb.FETCH})


def parse(body: Element, version: Version, limits: SyncLimits) -> Asked:
    """Read the body of a Sync.

    @raise Refusal: Status 4, 14 or 15.
    """
    try:
        return _parse(body, version, limits)
    except Malformed as error:
        raise Refusal(PROTOCOL, str(error)) from error


def _parse(body: Element, version: Version, limits: SyncLimits) -> Asked:
    if body.tag != "AirSync:Sync":
        raise Malformed("the root is not Sync")
    wait = _wait(body, version, limits.heartbeat)
    cached = version >= Version.V12_1
    partial = cached and only(body, "AirSync:Partial") is not None
    window = window_size(body) if cached else None
    elements = _collections(body)
    if not elements and (not partial or (wait is None and window is None)):
        raise Malformed("neither Collections nor something else to go by")
    _within(len(elements), limits, told=cached)
    asked = Asked(tuple(parse_collection(element, version) for element in elements), wait, window, partial)
    _check(asked.collections, limits)
    return asked


def _check(collections: Sequence[Collection], limits: SyncLimits) -> None:
    if len({collection.id for collection in collections}) != len(collections):
        raise Malformed("two collections with the same CollectionId")
    if sum(len(collection.commands) for collection in collections) > limits.commands:
        raise Malformed(f"more than {limits.commands} commands")
    for collection in collections:
        if collection.id == CACHE and any(command.verb is Verb.ADD for command in collection.commands):
            raise Malformed("an Add to the recipient information cache ([MS-ASCMD] 2.2.3.7.2)")


def _collections(body: Element) -> Sequence[Element]:
    collections = only(body, "AirSync:Collections")
    if collections is None:
        return ()
    if not collections.children or any(child.tag != "AirSync:Collection" for child in collections):
        raise Malformed("Collections holds one Collection or more, and nothing else")
    return collections.children


def _within(count: int, limits: SyncLimits, *, told: bool = True) -> None:
    """Bound the collections; with C{told} the client knows Limit, which is of 12.1 and later."""
    if count > limits.collections:
        raise Refusal(TOO_MANY, f"{count} collections", limits.collections if told else None)


def _wait(body: Element, version: Version, limits: HeartbeatLimits) -> int | None:
    """How long the client would wait for an answer, in seconds."""
    given = [(kind, only(body, kind.tag)) for kind in _WAITS if version >= kind.since]
    found = [(kind, element.text) for kind, element in given if element is not None]
    if len(found) > 1:
        raise Malformed("both Wait and HeartbeatInterval")
    for kind, text in found:
        if not _NUMBER.fullmatch(text):
            raise Malformed("Wait or HeartbeatInterval is no number")
        value, (least, most) = int(text), kind.bounds(limits)
        if not least <= value <= most:
            raise Refusal(WAIT, f"{kind.tag} {value}", least if value < least else most)
        return value * kind.unit
    return None


@frozen
class _Kept:
    """A request that was executed; C{repeatable} if an empty request may stand for it."""

    asked: Asked
    repeatable: bool
    unsure: frozenset[str] = frozenset()


@define(eq=False)
class Requests:
    """The last request of each device, for requests that are empty or partial (12.1 and later).

    An empty request can only stand for one that was answered with nothing: the client shows no key, so an answer
    that advanced one and got lost would be taken for received. The same goes for the collections that a partial
    request leaves out. Then Status 13 makes the client send everything, its keys included.

    They are kept in memory, as many as have C{size} collections together; one that is lost costs its client one more
    request. Beside them stands the GUID that a device was told last.
    """

    size: int = 200_000
    _kept: OrderedDict[DeviceKey, _Kept] = field(init=False, factory=OrderedDict)
    _guids: OrderedDict[DeviceKey, str] = field(init=False, factory=OrderedDict)
    _collections: int = field(init=False, default=0)

    def completed(self, device: DeviceKey, asked: Asked | None, limits: SyncLimits) -> Asked:
        """The request that is meant by an empty body (C{None}) or by a partial one.

        @raise Refusal: Status 13 if nothing fit is kept; 15.
        """
        if asked is not None and not asked.partial:
            return asked
        kept = self._kept.get(device)
        if kept is None or (asked is None and not kept.repeatable):
            raise Refusal(NO_CACHE, "no request to go on from")
        named = {collection.id for collection in asked.collections} if asked else set()
        if kept.unsure - named:
            raise Refusal(NO_CACHE, "it is not certain which keys the client has")
        if asked is None:
            if kept.asked.wait is not None and limits.heartbeat.violated(kept.asked.wait):
                raise Refusal(NO_CACHE, "it is not to wait so long any more")
            return kept.asked
        others = tuple(collection for collection in kept.asked.collections if collection.id not in named)
        _within(len(others) + len(asked.collections), limits)
        return Asked(
            others + asked.collections,
            asked.wait,
            kept.asked.window if asked.window is None else asked.window,
        )

    def keep(self, device: DeviceKey, asked: Asked, keys: Mapping[str, str]) -> None:
        """Keep a request that was executed; C{keys} by CollectionId are those that were answered.

        Collections that were not answered, because nothing was to be said of them, keep the key they came with.
        """
        collections = tuple(
            evolve(collection.quiet(), key=keys.get(collection.id, collection.key)) for collection in asked.collections
        )
        unsure = frozenset(c.id for c in asked.collections if keys.get(c.id, c.key) != c.key)
        self.drop(device)
        self._kept[device] = _Kept(evolve(asked, collections=collections, partial=False), not asked.changes, unsure)
        self._collections += len(collections)
        while self._collections > self.size:
            self.drop(next(iter(self._kept)))

    def last(self, device: DeviceKey) -> Asked | None:
        """The request that is kept of a device."""
        kept = self._kept.get(device)
        return None if kept is None else kept.asked

    def drop(self, device: DeviceKey) -> None:
        """The client has to begin anew."""
        dropped = self._kept.pop(device, None)
        if dropped is not None:
            self._collections -= len(dropped.asked.collections)

    def told(self, device: DeviceKey, guid: str) -> None:
        """The device was told its GUID."""
        self._guids[device] = guid
        self._guids.move_to_end(device)
        if len(self._guids) > self.size:
            self._guids.popitem(last=False)

    def knows(self, device: DeviceKey, guid: str) -> bool:
        """Whether that is what the device was told last."""
        return self._guids.get(device) == guid

    def __len__(self) -> int:
        return len(self._kept)
