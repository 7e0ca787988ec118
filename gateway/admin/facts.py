"""What the doctor has to know: values, gathered in the gateway and completed by who asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from attrs import asdict, field, frozen

from gateway.model import Mode


@frozen
class Certificate:
    """What a listener shows: its names, and from when until when it holds (seconds since the epoch)."""

    names: tuple[str, ...]
    begins: float
    ends: float


@frozen
class Bind:
    """How an operator's connection stands: C{route}, whether it is up, and the last trouble in words.

    C{refused}: the SMSC or relay does not let us in; C{throttled}: it took less than we wanted lately.
    """

    route: str
    up: bool
    trouble: str = ""
    refused: bool = False
    throttled: bool = False


@frozen
class Facts:
    """What is known when the doctor is called; times in seconds since the epoch, spans in seconds.

    C{probe} is why the HTTPS door could not be reached from this host (empty: it was), C{server_name} the name that
    phones connect to, empty if that is not known. C{store} is why the database takes no changes, C{readable} whether
    it could be asked the rest. C{cuts}: after how many seconds the last parks of the device lost their connection,
    newest first, up to the last one that was answered. C{mailbox}: whether the user has a mail directory;
    C{unwatched}: folders that the kernel does not watch, of all directories at most C{watch_limit}, 0: it watches none;
    C{missing}: folders that the device wants watched and that are not there. C{waiting}: per route the seconds that
    the oldest letter waits. C{refusal}: what the other side said of the last letter of this device, if it was refused
    for good; C{sent}: whether one was sent; C{receipt} of the last letter, which says that it was C{delivered} or that
    it was not; C{late}: since when it was delivered, if the device should have come meanwhile. C{door}: whether
    triggers of older servers are taken for some operator; C{intake}: whether something listens for them; C{brought}:
    when the last trigger that went out for this device was brought by such a server, 0: none was.
    """

    user: str
    now: float
    running: bool = True
    account: bool = True
    locked_out: float = 0.0
    listening: bool = True
    probe: str = ""
    server_name: str = ""
    certificate: Certificate | None = None
    device: Mapping[str, Any] | None = None
    devices: Sequence[str] = ()
    mode: Mode = Mode.DIRECT_PUSH
    mode_from: str = "the default"
    push_enabled: bool = True
    sms_enabled: bool = True
    store: str = ""
    readable: bool = True
    newest: float = 0.0
    mailbox: bool = True
    watch_limit: int = 0
    unwatched: int = 0
    missing: Sequence[str] = ()
    cuts: Sequence[float] = ()
    heartbeat_alarm: float = 0.0
    line: Mapping[str, Any] | None = None
    route: str = ""
    binds: Sequence[Bind] = ()
    waiting: Mapping[str, float] = field(factory=lambda: MappingProxyType({}))
    refusal: str = ""
    sent: bool = False
    receipt: str = ""
    delivered: bool = True
    late: float = 0.0
    door: bool = False
    intake: bool = True
    brought: float = 0.0

    def row(self) -> dict[str, Any]:
        """As JSON has it, for the way from the gateway to who asks; without the certificate, which is seen there."""
        row = {**asdict(self, recurse=False), "mode": self.mode.value, "binds": [asdict(bind) for bind in self.binds]}
        del row["certificate"]
        return {**row, "waiting": dict(self.waiting)}

    @classmethod
    def read(cls, row: Mapping[str, Any]) -> Facts:
        """The facts of such a row."""
        return cls(**{**row, "mode": Mode(row["mode"]), "binds": tuple(Bind(**bind) for bind in row["binds"])})

    @property
    def pushes(self) -> bool:
        """Whether Direct Push is to tell the device."""
        return self.push_enabled and self.mode in (Mode.DIRECT_PUSH, Mode.BOTH, Mode.AUTO)

    @property
    def knocks(self) -> bool:
        """Whether SMS are to wake the device; in mode C{auto} only one that has a line."""
        wanted = self.mode in (Mode.SMS, Mode.BOTH) or (self.mode is Mode.AUTO and self.line is not None)
        return self.sms_enabled and wanted

    @property
    def elsewhere(self) -> bool:
        """Whether an older server alone has to do with the device: it is registered here and has never come, and
        triggers for it were brought, or there is no mailbox that it could come for."""
        known = self.device is not None and self.line is not None and not self.device.get("first_seen")
        return self.door and known and (self.brought > 0 or not self.mailbox)

    @property
    def falls_back(self) -> bool:
        """Whether SMS take over by themselves where Direct Push does not get through."""
        return self.mode is Mode.AUTO and self.knocks
