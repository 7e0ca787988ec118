"""What is to be known of an operator to send by SMPP."""

from __future__ import annotations

from enum import Enum

from attrs import field, frozen


class Binding(Enum):
    """How a bind is made: one connection for both ways, or one for each."""

    TRANSCEIVER = "transceiver"
    PAIR = "transmitter-receiver"


class IdForm(Enum):
    """How receipts write a message id, beside the answer to the submit: in the same way, in hexadecimal or decimal
    digits of the same number, or in one of these that is found out."""

    AUTO = "auto"
    AS_IS = "as-is"
    HEX = "hex"
    DECIMAL = "decimal"


@frozen
class Timing:
    """Seconds.

    C{bind}: from the connection to the answer of the bind; C{response}: for any other answer; C{silence}: after so
    long without a PDU the SMSC is asked for a sign, and has as long again to give one; C{partial}: for a PDU from its
    first octet to its last; C{unbind}: for the end of a session; C{linger}: for answers that come after the SMSC has
    taken its leave.
    """

    bind: float = 30.0
    response: float = 60.0
    silence: float = 30.0
    partial: float = 10.0
    unbind: float = 5.0
    linger: float = 2.0


@frozen
class Patience:
    """Seconds to wait.

    C{first} and C{longest}: between attempts to connect; C{account}: after the SMSC has refused the account;
    C{failover}: until the next SMSC is used in place of one that does not answer; C{failback}: until the better one,
    when it is back, counts as back; C{suspect}: how long one that answered no submits is only the last choice;
    C{retire}: how long one that is not needed any more stays bound, as receipts come there; C{drain}: for answers at
    the end.
    """

    first: float = 1.0
    longest: float = 60.0
    account: float = 900.0
    failover: float = 10.0
    failback: float = 30.0
    suspect: float = 300.0
    retire: float = 900.0
    drain: float = 10.0


@frozen
class OperatorSettings:
    """One operator.

    C{rate}: submits a second, 0: any number; C{source_ton} and C{source_npi}: C{None} for those that fit the form of
    C{source}; C{number_strip}: digits taken away from the front of a number (which has no plus sign any more),
    C{number_add}: digits put in their place, or in front of every number if there is nothing to strip; C{validity}:
    seconds that the SMSC may try, 0: as it likes, C{None}: until the letter expires; C{receipts}: the value of
    C{registered_delivery}; C{retries} of a submit that was refused for the time being, the first after
    C{retry_seconds}.
    """

    name: str
    system_id: str
    password: str = field(repr=False)
    system_type: str = ""
    interface_version: int = 0x34
    address_range: str = ""
    binding: Binding = Binding.TRANSCEIVER
    binds: int = 1
    window: int = 10
    rate: float = 0.0
    service_type: str = ""
    source: str = ""
    source_ton: int | None = None
    source_npi: int | None = None
    destination_ton: int = 1
    destination_npi: int = 1
    number_strip: str = ""
    number_add: str = ""
    validity: int | None = None
    replace_if_present: bool = False
    protocol_id: int = 0
    receipts: int = 1
    id_form: IdForm = IdForm.AUTO
    retries: int = 20
    retry_seconds: float = 30.0
    timing: Timing = field(factory=Timing)
    patience: Patience = field(factory=Patience)

    @property
    def route(self) -> str:
        """The route of the letters that go out by it."""
        return f"smpp:{self.name}"
