"""Ping, the heart of Direct Push: park a request until a watched folder changes ([MS-ASCMD] 2.2.1.13)."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Mapping, Sequence
from types import MappingProxyType

from attrs import define, evolve, frozen
from twisted.logger import Logger

from gateway.core.autd import Parameters, merge
from gateway.eas.call import Answer, Call, Refused
from gateway.eas.parked import Held, Over, Parking, Why
from gateway.element import Element
from gateway.interfaces import BackendDown
from gateway.model import Device

EXPIRED, CHANGED, MISSING, MALFORMED, INTERVAL, FOLDERS, HIERARCHY, FAILED = range(1, 9)

CLASSES = frozenset({"Email", "Calendar", "Contacts", "Tasks", "Notes"})
LONGEST_ID = 64
# Some say 4294967295 for "as long as you can": that is a number, and too long.
_NUMBER = re.compile(r"-?[0-9]{1,20}", re.ASCII)
_ID = re.compile(r"[1-9][0-9]{0,17}", re.ASCII)

_STATUSES = MappingProxyType({Why.EXPIRED: EXPIRED, Why.CHANGED: CHANGED, Why.HIERARCHY: HIERARCHY, Why.FAILED: FAILED})
#: Why a Watch was recalled, to the Status that ends it; any other reason is answered with 7.
_RECALLED = MappingProxyType({"shutdown": EXPIRED, "account": FAILED})


class Malformed(ValueError):
    """The body is no Ping: Status 4."""


@frozen
class Asked:
    """What the body of a Ping brings; C{None} where it brings nothing. C{bare} tells an empty body."""

    interval: int | None = None
    folders: tuple[tuple[int, str], ...] | None = None
    bare: bool = True


def parse(body: Element | None) -> Asked:
    """Read the body of a Ping.

    @raise Malformed: Status 4: an unknown, misplaced or repeated element, a bad number, Id or Class.
    """
    if body is None:
        return Asked()
    if body.tag != "Ping:Ping" or body.value is not None:
        raise Malformed("the root is not Ping")
    if not body.children:
        raise Malformed("neither HeartbeatInterval nor Folders")
    interval = folders = None
    for child in body:
        if child.tag == "Ping:HeartbeatInterval" and interval is None:
            interval = _number(child)
        elif child.tag == "Ping:Folders" and folders is None:
            folders = tuple(_folder(folder) for folder in _no_text(child))
        else:
            raise Malformed(f"{child.tag} is out of place")
    names = [name for name, _ in folders or ()]
    if len(set(names)) != len(names):
        raise Malformed("two folders with the same Id")
    known = tuple((int(name) if _ID.fullmatch(name) else 0, word) for name, word in folders or ())
    return Asked(interval, known or None, bare=False)


def _number(element: Element) -> int:
    if element.children or not _NUMBER.fullmatch(element.text):
        raise Malformed("HeartbeatInterval is no number")
    return int(element.text)


def _no_text(element: Element) -> Sequence[Element]:
    if element.value is not None:
        raise Malformed(f"text in {element.tag}")
    return element.children


def _folder(element: Element) -> tuple[str, str]:
    children = {child.tag: child for child in _no_text(element)}
    if (
        element.tag != "Ping:Folder"
        or len(children) != len(element.children)
        or not children.keys() <= {"Ping:Id", "Ping:Class"}
        or any(child.children for child in children.values())
    ):
        raise Malformed("a Folder holds one Id and one Class")
    name = element.text_of("Ping:Id") or ""
    if not 0 < len(name) <= LONGEST_ID:
        raise Malformed("a folder Id has 1 to 64 characters")
    word = element.text_of("Ping:Class", "Email") or ""
    if word not in CLASSES:
        raise Malformed("the Class is unknown")
    return name, word


def status(code: int, *content: Element) -> Element:
    """A Ping response: the Status, then what belongs to it."""
    return Element("Ping:Ping", Element("Ping:Status", code), *content)


@define(eq=False)
class Ping:
    """The Ping command."""

    log = Logger()

    parking: Parking

    def __call__(self, call: Call) -> Awaitable[Answer]:
        """Answer a Ping; what waits afterwards holds nothing of the call but the names."""
        if call.body is None and call.raw:
            raise Refused(101, "a Ping with a body that is no WBXML")
        try:
            asked = parse(call.body)
        except Malformed as error:
            return _malformed(error)
        return self._hold(self.parking.take(call.device, call.address, call.command), asked)

    async def _hold(self, held: Held, asked: Asked) -> Answer:
        try:
            held.moor()
            key = held.claim.device
            device = await self.parking.partnerships.device(key) or Device(key, first_seen=self.parking.now())
            found = await self._begin(held, device, asked)
            # What waits is as little as possible: this, and one frame below.
            del key, device, asked
            return found if isinstance(found, Answer) else self._answer(held, await held.wait(found))
        finally:
            held.leave()

    async def _begin(self, held: Held, device: Device, asked: Asked) -> Answer | Mapping[int, int]:
        """Check in the documented order, and look: an answer, or the numbers to wait above."""
        limits = self.parking.limits
        if len(asked.folders or device.folders or ()) > limits.max_folders:
            return _say(held, FOLDERS, Element("Ping:MaxFolders", limits.max_folders))
        parameters = merge(asked.interval, asked.folders, device.heartbeat, device.folders)
        if parameters is None or (asked.interval is None and asked.folders is None and not asked.bare):
            return _say(held, MISSING)
        held.interval, held.folders = parameters.interval, tuple(folder for folder, _ in parameters.folders)
        bound = limits.heartbeat.violated(parameters.interval)
        if bound is not None:
            return _say(held, INTERVAL, Element("Ping:HeartbeatInterval", bound))
        if not self.parking.stands(device):
            return _say(held, HIERARCHY)
        return await self._look(held, device, parameters)

    async def _look(self, held: Held, device: Device, parameters: Parameters) -> Answer | Mapping[int, int]:
        """The look before parking; what it accepts goes into the AUTD state."""
        # A device without parameters is new, or was forgotten: what is known of it is from before.
        found = await held.begin(recall=device.folders is not None)
        if isinstance(found, Over) and found.why is not Why.CHANGED:
            return self._answer(held, found)
        await self._accept(device, parameters)
        if not isinstance(found, Over):
            self.parking.haste.parked(device.key)
            return found
        over = await held.pause(self.parking.haste.delay(device.key, found.told))
        return self._answer(held, found if over is None else over)

    async def _accept(self, device: Device, parameters: Parameters) -> None:
        self.parking.accepted(parameters.interval)
        current = await self.parking.partnerships.device(device.key) or device
        if (parameters.interval, parameters.folders) == (current.heartbeat, current.folders):
            return
        seen = evolve(current, heartbeat=parameters.interval, folders=parameters.folders)
        try:
            await self.parking.partnerships.keep(seen, durable=False)
        except BackendDown as error:
            # They hold as long as this process, which can park the device all the same; another try is made soon.
            self.log.warn("the parameters of {device} are not written yet: {why}", device=device.key, why=error)
            self.parking.partnerships.seen(seen)

    def _answer(self, held: Held, over: Over) -> Answer:
        if over.why is Why.RECALLED:
            return _say(held, _RECALLED.get(over.reason, HIERARCHY))
        if over.why is not Why.CHANGED:
            return _say(held, _STATUSES[over.why])
        answer = _say(
            held, CHANGED, Element("Ping:Folders", *(Element("Ping:Folder", folder) for folder, _ in over.told))
        )
        return evolve(answer, written=self.parking.told_of(held.claim.device, over))


async def _malformed(error: Malformed) -> Answer:
    return Answer(status(MALFORMED), log={"St": MALFORMED, "E": str(error)})


def _say(held: Held, code: int, *content: Element) -> Answer:
    log = {"Hb": held.interval, "Fc": len(held.folders), "St": code, "Pt": round(held.waited)}
    return Answer(status(code, *content), log=log)
