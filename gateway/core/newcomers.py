"""Devices that come: who is new, whether there is room for them, and whether they may stay."""

from __future__ import annotations

from collections.abc import Callable
from weakref import WeakValueDictionary

from attrs import define, evolve, field
from twisted.internet.defer import DeferredLock

from gateway.core.admission import Admission, Ground, Verdict
from gateway.core.partnerships import Partnerships
from gateway.model import Device, DeviceKey


class Full(Exception):
    """The user has as many devices as one may have, and none of them makes room."""


@define(eq=False)
class Newcomers:
    """Meets devices as L{Partnerships.met} does, and judges them.

    C{kept_out} is told of a device that may not synchronise as often as it comes, until its user was told; C{full} of
    one that found no room, with how many the user has; C{recycled} of one that made room for another.
    """

    partnerships: Partnerships
    admission: Admission
    kept_out: Callable[[Device, Verdict], None]
    full: Callable[[DeviceKey, int], None]
    recycled: Callable[[Device], None]
    _locks: WeakValueDictionary[str, DeferredLock] = field(init=False, factory=WeakValueDictionary)

    async def met(self, key: DeviceKey, now: int, kind: str, agent: str, version: str, pinged: bool = False) -> Device:
        """Note a request of a device with what it says of itself.

        @raise Full: it is new, and there is no room for it; nothing is kept of it.
        """
        if await self.partnerships.device(key) is None:
            lock = self._locks.setdefault(key.user, DeferredLock())
            await lock.acquire()
            try:
                device = await self._new(key, now, kind, agent, version, pinged)
            finally:
                lock.release()
        else:
            device = await self.partnerships.met(key, now, kind, agent, version, pinged)
        return self._judged(device)

    async def _new(self, key: DeviceKey, now: int, kind: str, agent: str, version: str, pinged: bool) -> Device:
        # While it waited, another request of the same device may have been met.
        if await self.partnerships.device(key) is None:
            await self._make_room(key, now)
        verdict = self.admission.verdict(Device(key, kind, agent))
        admitted = verdict.admits and verdict.ground is Ground.NEW
        return await self.partnerships.met(key, now, kind, agent, version, pinged, admitted)

    async def _make_room(self, key: DeviceKey, now: int) -> None:
        terms = self.admission.terms
        if not terms.most:
            return
        there = await self.partnerships.devices(key.user)
        over = len(there) - terms.most + 1
        if over <= 0:
            return
        idle = [device for device in there if terms.idle and self._unused(device, now - terms.idle)]
        if len(idle) < over:
            self.full(key, len(there))
            raise Full(f"the user has {len(there)} devices")
        for device in sorted(idle, key=lambda device: device.last_seen)[:over]:
            await self.partnerships.forget(device.key)
            self.recycled(device)

    def _unused(self, device: Device, since: int) -> bool:
        """A device that is to be wiped has to be found as such when it comes."""
        return device.last_seen < since and device.wipe is None

    def _judged(self, device: Device) -> Device:
        verdict = self.admission.verdict(device)
        if not verdict.admits:
            if device.told != verdict.access.value and device.wipe is None:
                self.kept_out(device, verdict)
            return device
        admitted = device.admitted or verdict.ground is Ground.NEW
        if admitted is device.admitted and not device.told:
            return device
        device = evolve(device, admitted=admitted, told="")
        self.partnerships.seen(device)
        return device
