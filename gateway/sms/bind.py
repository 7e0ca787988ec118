"""What a bind says, how far a session has come with it, and how it ends."""

from __future__ import annotations

from enum import Enum

from attrs import field, frozen

from gateway.sms.pdu import Value


class State(Enum):
    """Where a session is. LEAVING: one side has taken its leave, nothing is submitted any more."""

    OPEN = "open"
    BOUND = "bound"
    LEAVING = "leaving"
    CLOSED = "closed"


class Parting(Enum):
    """Why a session is over."""

    LOST = "the connection was lost"
    UNBOUND = "the SMSC has unbound"
    LEFT = "unbound"
    REFUSED = "the SMSC refused the bind"
    MUTE = "the SMSC did not answer"
    DEAD = "the SMSC gave no sign"
    GARBLED = "the SMSC sent what is no PDU"
    UNFIT = "the SMSC took the bind for none"


@frozen
class Bind:
    """What a bind says. C{command} is C{bind_transceiver}, C{bind_transmitter} or C{bind_receiver}."""

    command: str
    system_id: str
    password: str = field(repr=False)
    system_type: str = ""
    interface_version: int = 0x34
    address_range: str = ""

    @property
    def transmits(self) -> bool:
        """Whether messages can be submitted."""
        return self.command != "bind_receiver"

    def fields(self) -> dict[str, Value]:
        """The fields of the PDU."""
        return {
            "system_id": self.system_id,
            "password": self.password,
            "system_type": self.system_type,
            "interface_version": self.interface_version,
            "address_range": self.address_range,
        }
