"""What a simulated SMSC does: by its terms, and where it misbehaves on purpose."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from attrs import field, frozen

from gateway.simulator.shortmessage import ShortMessage

OK, RINVCMDLEN, RINVCMDID, RINVBNDSTS, RALYBND = 0x00, 0x02, 0x03, 0x04, 0x05
RINVDSTADR, RINVPASWD, RINVSYSID, RMSGQFUL, RTHROTTLED = 0x0B, 0x0E, 0x0F, 0x14, 0x58
RINVESMCLASS, RX_T_APPN = 0x43, 0x64

#: What a receipt says; the names in braces are filled in.
RECEIPT = (
    "id:{id} sub:001 dlvrd:{delivered} submit date:{submitted:%y%m%d%H%M} done date:{done:%y%m%d%H%M} "
    "stat:{state} err:{error} text:"
)


class Ids(Enum):
    """How message ids are written: in answers, and in receipts."""

    HEX = ("{:08X}", "{:08X}")
    DECIMAL = ("{:d}", "{:d}")
    HEX_THEN_DECIMAL = ("{:X}", "{:010d}")
    DECIMAL_THEN_HEX = ("{:010d}", "{:X}")
    LOWER_THEN_UPPER = ("{:x}", "{:X}")

    def answered(self, id: int) -> str:
        """As C{submit_sm_resp} has it."""
        return self.value[0].format(id)

    def received(self, id: int) -> str:
        """As receipts have it."""
        return self.value[1].format(id)


class Carrier(Enum):
    """What holds the facts of a receipt."""

    BOTH = "both"
    TLVS = "tlvs"
    TEXT = "text"


@frozen
class Terms:
    """A well-behaved SMSC.

    C{accounts}: passwords by system id, any of both if empty; C{binds} of one account at once, 0: any number;
    C{delay}: seconds until a phone has a message and its receipt goes out; C{rate}: submits a second of a session
    above which it says RTHROTTLED, 0: none; C{errors}: the status for numbers with that ending;
    C{undelivered}: endings of numbers whose phones are never reached; C{enquiry}: seconds between its own
    C{enquire_link}, 0: none; C{receipt}: the text of receipts.
    """

    accounts: Mapping[str, str] = field(factory=lambda: {"test": "secret"}, repr=False)
    system_id: str = "SIM"
    binds: int = 0
    ids: Ids = Ids.HEX
    delay: float = 1.0
    rate: int = 0
    errors: Mapping[str, int] = field(factory=lambda: {"58": RTHROTTLED, "14": RMSGQFUL, "11": RINVDSTADR})
    undelivered: tuple[str, ...] = ("05",)
    enquiry: float = 0.0
    carrier: Carrier = Carrier.BOTH
    receipt: str = RECEIPT

    def refusal(self, number: str) -> int:
        """The status for a submit to that number."""
        return next((status for ending, status in self.errors.items() if number.endswith(ending)), OK)

    def reaches(self, message: ShortMessage) -> bool:
        """Whether the phone gets it."""
        return not message.destination.endswith(self.undelivered)

    def bind(self, system_id: str, password: str) -> int:
        """The status for a bind."""
        if not self.accounts:
            return OK
        if system_id not in self.accounts:
            return RINVSYSID
        return OK if self.accounts[system_id] == password else RINVPASWD


@frozen
class Misbehaviour:
    """What an SMSC does wrong; by default nothing. What is counted is counted for each session alone.

    In what it sends: C{pieces}: so many octets at once, C{pause} seconds apart, 0: whole; C{odd_tlvs}: parameters
    that belong nowhere, that nobody knows, and of lengths that are not theirs.

    Answers to submits, for every so many-th of them, 0: none: C{throttled}: RTHROTTLED; C{missing}: taken and never
    answered; C{lost}: neither taken nor answered; C{wrong_sequence}: answered under a number that was never asked.
    C{shuffled}: so many answers are held back and then sent the last one first, after C{held} seconds at the latest.

    Receipts: C{early}: before the answer to the submit; C{twice}; C{elsewhere}: on another bind of the account, if
    there is one.

    After so many submits, C{None}: never: C{silent_after}: it reads, and says nothing any more; C{half_after}: one
    half of an answer, and nothing any more; C{drop_after}: the connection is closed instead of an answer;
    C{unbind_after}: it unbinds, unasked; C{length_after}: a PDU begins that says to be C{length} octets long.

    On binding: C{bind_status}: the answer to a bind; C{bind_silent}: no answer; C{enquires_first}: C{enquire_link}
    comes before the answer.
    """

    pieces: int = 0
    pause: float = 0.0
    odd_tlvs: bool = False
    throttled: int = 0
    missing: int = 0
    lost: int = 0
    wrong_sequence: int = 0
    shuffled: int = 0
    held: float = 1.0
    early: bool = False
    twice: bool = False
    elsewhere: bool = False
    silent_after: int | None = None
    half_after: int | None = None
    drop_after: int | None = None
    unbind_after: int | None = None
    length: int = 3
    length_after: int | None = None
    bind_status: int = OK
    bind_silent: bool = False
    enquires_first: bool = False
