"""Delivery receipts: what a deliver_sm or data_sm says of a message, and which message it means.

The facts are in optional parameters, or in a text that every vendor writes in another way, or in both; what the
parameters say counts first (SMPP 3.4 5.3.2.12, 5.3.2.35, Appendix B).
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Final

from attrs import define, field, frozen

from gateway.sms.pdu import MESSAGE_STATE, NETWORK_ERROR_CODE, RECEIPTED_MESSAGE_ID, Pdu
from gateway.sms.settings import IdForm
from gateway.sms.submit import UDHI
from gateway.trigger import LetterState

RECEIPT, INTERMEDIATE = 0x04, 0x20
_TYPE = 0x3C
_UCS2 = 8
_DELIVERED = b"\x02"
LONGEST_ID: Final = 65
RECENT: Final = 10_000
"""So many of the last message ids are remembered until it is known how receipts write them."""
SURE: Final = 10
"""After so many receipts of one form it is known."""
DOUBTFUL: Final = 100
"""After so many in a row that match nothing it is not known any more."""

STATES: Final[Mapping[int, str]] = {
    0: "SCHEDULED",
    1: "ENROUTE",
    2: "DELIVRD",
    3: "EXPIRED",
    4: "DELETED",
    5: "UNDELIV",
    6: "ACCEPTD",
    7: "UNKNOWN",
    8: "REJECTD",
    9: "SKIPPED",
}
_BEGINNINGS: Final[Mapping[str, str]] = {**{word[:5]: word for word in STATES.values()}, "FAILE": "UNDELIV"}
_ENDINGS: Final[Mapping[str, LetterState]] = {
    "DELIVRD": LetterState.DELIVERED,
    **dict.fromkeys(("EXPIRED", "DELETED", "UNDELIV", "REJECTD", "SKIPPED"), LetterState.UNDELIVERED),
}

_FIELD = re.compile(
    r"(?<![a-z0-9])(?P<name>id|sub|dlvrd|stat|err|submit[ _]?date|done[ _]?date)\s*:[ \t]*(?P<value>[^\s;,]*)",
    re.IGNORECASE,
)
_HEXADECIMAL = re.compile(r"[0-9a-fA-F]+")


@frozen
class Report:
    """What was said of a message: its id as it was written, the state in the word of the specification, and the
    error, empty if none was given. C{state} is SENT where the message is still on its way, or nobody knows."""

    message_id: str
    word: str
    error: str = ""
    intermediate: bool = False

    @property
    def state(self) -> LetterState:
        """What that makes of the letter."""
        return LetterState.SENT if self.intermediate else _ENDINGS.get(self.word, LetterState.SENT)

    @property
    def result(self) -> str:
        """In words for the trace."""
        return f"{self.word} err {self.error}" if self.error else self.word


def read_report(pdu: Pdu) -> Report | None:
    """What a deliver_sm or data_sm reports, or C{None} if it is a message from somebody.

    A text alone does not make a receipt: anybody may send one that looks like it.
    """
    kind = pdu.number("esm_class") & _TYPE
    by_parameter = pdu.tlv_text(RECEIPTED_MESSAGE_ID)
    if kind not in (RECEIPT, INTERMEDIATE) and not by_parameter:
        return None
    told = by_parameter and pdu.tlv(MESSAGE_STATE) == _DELIVERED
    said = {} if told else _fields(_text(pdu))
    return Report(
        (by_parameter or said.get("id", "")).strip()[:LONGEST_ID],
        _word(pdu, said),
        _error(pdu, said),
        kind == INTERMEDIATE,
    )


def _text(pdu: Pdu) -> str:
    message = pdu.message
    if pdu.number("esm_class") & UDHI and message:
        message = message[1 + message[0] :]
    if pdu.number("data_coding") == _UCS2:
        return message.decode("utf-16-be", "replace")
    return message.decode("latin-1")


def _fields(text: str) -> dict[str, str]:
    """The fields of a receipt by their names in lower case; of several the first."""
    found: dict[str, str] = {}
    for match in _FIELD.finditer(text):
        found.setdefault(match["name"].lower(), match["value"])
    return found


def _word(pdu: Pdu, said: Mapping[str, str]) -> str:
    number = pdu.tlv_number(MESSAGE_STATE)
    if number is not None:
        return STATES.get(number, "UNKNOWN")
    stat = said.get("stat", "")
    if stat:
        by_number = STATES.get(int(stat)) if re.fullmatch("[0-9]", stat) else None
        return by_number or _BEGINNINGS.get(stat[:5].upper(), "UNKNOWN")
    return "DELIVRD" if said.get("dlvrd", "").strip("0").isdigit() else "UNKNOWN"


def _error(pdu: Pdu, said: Mapping[str, str]) -> str:
    code = pdu.tlv(NETWORK_ERROR_CODE)
    if code and len(code) == 3 and any(code[1:]):
        return f"{code[0]}/{int.from_bytes(code[1:], 'big')}"
    text = said.get("err", "")
    return text[:16] if text.strip("0") else ""


def canonical(message_id: str) -> str:
    """A message id in the form in which ids are compared: of digits neither the case nor leading zeros count."""
    given = message_id.strip()[:LONGEST_ID]
    if _HEXADECIMAL.fullmatch(given):
        return given.lower().lstrip("0") or "0"
    return given


def in_form(message_id: str, form: IdForm) -> str | None:
    """The id that the answer to the submit had if receipts write it in a certain form; C{None} if this is none."""
    given = canonical(message_id)
    if form is IdForm.HEX:
        return str(int(given, 16)) if _HEXADECIMAL.fullmatch(given) else None
    if form is IdForm.DECIMAL:
        return f"{int(given):x}" if given.isascii() and given.isdigit() else None
    return given


@define(eq=False)
class MessageIds:
    """Which message ids a receipt may mean; where that is not set, how receipts write them is found out.

    What decides until then are the ids that the last submits got, as a number may well be the hexadecimal form of one
    message's id and the decimal form of another's.
    """

    _form: IdForm
    known: IdForm | None = field(init=False)
    _recent: OrderedDict[str, None] = field(factory=OrderedDict, init=False)
    _seen: dict[IdForm, int] = field(factory=dict, init=False)
    _missed: int = field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        self.known = None if self._form is IdForm.AUTO else self._form

    def given(self, message_id: str) -> str:
        """The SMSC gave a message this id; the form that is to be kept."""
        kept = canonical(message_id)
        if self.known is None and kept:
            self._recent[kept] = None
            if len(self._recent) > RECENT:
                self._recent.popitem(last=False)
        return kept

    def candidates(self, message_id: str) -> tuple[str, ...]:
        """The ids that the message of a receipt may have, most likely first."""
        if self.known is not None:
            one = in_form(message_id, self.known)
            return (canonical(message_id) if one is None else one,)
        every = dict.fromkeys(one for _, one in self._forms(message_id))
        recent = [one for one in every if one in self._recent]
        return (recent[0],) if len(recent) == 1 else (*recent, *(one for one in every if one not in self._recent))

    def matched(self, message_id: str, kept: str) -> bool:
        """A receipt was that of the message whose id is kept as that; whether that told how receipts write ids."""
        self._missed = 0
        self._recent.pop(kept, None)
        if self.known is not None:
            return False
        forms = [form for form, one in self._forms(message_id) if one == kept]
        if len(forms) != 1:
            return False
        self._seen = {forms[0]: self._seen.get(forms[0], 0) + 1}
        if self._seen[forms[0]] < SURE:
            return False
        self.known = forms[0]
        self._recent.clear()
        return True

    def missed(self) -> None:
        """A receipt matched nothing."""
        self._missed += 1
        if self._form is IdForm.AUTO and self._missed >= DOUBTFUL:
            self.known = None
            self._missed = 0
            self._seen.clear()

    def _forms(self, message_id: str) -> Iterator[tuple[IdForm, str]]:
        for form in (IdForm.AS_IS, IdForm.DECIMAL, IdForm.HEX):
            one = in_form(message_id, form)
            if one is not None:
                yield form, one
