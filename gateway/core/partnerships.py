"""The partnerships in memory, so that a Ping that asks what it asked before needs no store."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from sys import intern

from attrs import define, evolve, field
from twisted.internet.defer import Deferred, DeferredLock, succeed
from zope.interface import implementer

from gateway.interfaces import IDevices
from gateway.model import Device, DeviceKey


@implementer(IDevices)
@define(eq=False)
class Partnerships:
    """L{IDevices} in front of L{IDevices}: reads come from memory, writes go through.

    What only says when a device was seen last is collected and written by L{flush}. Writes are carried out in the
    order in which they were asked for: a row is written as a whole, and an older state must not come last.
    """

    store: IDevices
    size: int = 200_000
    _known: OrderedDict[DeviceKey, Device] = field(init=False, factory=OrderedDict)
    _unwritten: dict[DeviceKey, Device] = field(init=False, factory=dict)
    _order: DeferredLock = field(init=False, factory=DeferredLock)

    def device(self, key: DeviceKey) -> Deferred[Device | None]:
        """One partnership, or C{None}."""
        known = self._known.get(key)
        if known is not None:
            self._known.move_to_end(key)
            return succeed(known)
        return self.store.device(key).addCallback(self._learn)

    def _learn(self, device: Device | None) -> Device | None:
        # A request that was quicker may have written meanwhile; what is in memory is newer.
        if device is None or device.key in self._known:
            return device if device is None else self._known[device.key]
        self._remember(evolve(device, type=intern(device.type), agent=intern(device.agent)))
        return self._known[device.key]

    def _remember(self, device: Device) -> None:
        self._known[device.key] = device
        self._known.move_to_end(device.key)
        while len(self._known) > self.size:
            oldest = next((k for k in self._known if k not in self._unwritten), None)
            if oldest is None:
                break
            del self._known[oldest]

    def at_hand(self, key: DeviceKey) -> Device | None:
        """One partnership, if it is in memory."""
        return self._known.get(key)

    async def met(
        self,
        key: DeviceKey,
        now: int,
        kind: str,
        agent: str,
        version: str,
        pinged: bool = False,
        admitted: bool = False,
    ) -> Device:
        """Note a request of a device with what it says of itself; one that is new is written at once.

        @param now: seconds since the epoch. @param agent: empty if it did not say. @param pinged: it is a Ping.
        @param admitted: one that is new is let in for good.
        """
        known = await self.device(key)
        last_ping = now if pinged else known.last_ping if known is not None else 0
        if known is not None and (kind, agent or known.agent, version) == (known.type, known.agent, known.version):
            device = evolve(known, last_seen=now, last_ping=last_ping)
        else:
            # Thousands of phones say the same few words.
            device = evolve(
                known or Device(key, first_seen=now, admitted=admitted),
                last_seen=now,
                last_ping=last_ping,
                type=intern(kind),
                agent=intern(agent) if agent or known is None else known.agent,
                version=intern(version),
            )
        if known is None:
            await self.keep(device, durable=False)
        else:
            self.seen(device)
        return device

    def devices(self, user: str | None) -> Deferred[list[Device]]:
        """All partnerships, or those of one user, as of now."""
        return self.store.devices(user).addCallback(
            lambda stored: [self._unwritten.get(device.key, device) for device in stored]
        )

    def keep(self, device: Device, durable: bool) -> Deferred[None]:
        """Write a partnership through."""
        self._remember(device)
        self._unwritten.pop(device.key, None)
        return self._write(self.store.keep, device, durable)

    def seen(self, device: Device) -> None:
        """Note a partnership of which only the times changed; it is written by the next L{flush}."""
        self._remember(device)
        self._unwritten[device.key] = device

    def synced(self, key: DeviceKey, now: int) -> None:
        """Note when a device that is known synchronised last."""
        known = self._known.get(key)
        if known is not None:
            self.seen(evolve(known, last_sync=now))

    def parked(self, key: DeviceKey, now: int) -> None:
        """Note when a request of a device that is known was parked last, if that was no Ping."""
        known = self._known.get(key)
        if known is not None:
            self.seen(evolve(known, last_ping=now))

    def forget(self, key: DeviceKey) -> Deferred[None]:
        """End a partnership."""
        self._known.pop(key, None)
        self._unwritten.pop(key, None)
        return self._write(self.store.forget, key)

    async def flush(self) -> None:
        """Write what was only noted; what cannot be written stays noted."""
        unwritten, self._unwritten = self._unwritten, {}
        if not unwritten:
            return
        try:
            await self._write(self.store.keep_all, list(unwritten.values()))
        except BaseException:
            # What became of a device meanwhile counts more.
            again = {key: device for key, device in unwritten.items() if self._known.get(key) is device}
            self._unwritten = {**again, **self._unwritten}
            raise

    def keep_all(self, devices: Sequence[Device]) -> Deferred[None]:
        """Write many partnerships through."""
        for device in devices:
            self._remember(device)
            self._unwritten.pop(device.key, None)
        return self._write(self.store.keep_all, devices)

    def _write(self, write: Callable[..., Deferred[None]], *what: object) -> Deferred[None]:
        """Write when everything before is written, also if nobody waits for it any more."""
        asked: Deferred[None] = Deferred()
        self._order.run(write, *what).chainDeferred(asked)
        return asked
