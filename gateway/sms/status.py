"""What the status of a response says, and what is to be done (SMPP 3.4 5.1.3, 5.0 4.7.6)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final

from attrs import frozen
from smpplib import consts

RINVCMDLEN: Final[int] = consts.SMPP_ESME_RINVCMDLEN
RINVCMDID: Final[int] = consts.SMPP_ESME_RINVCMDID
RINVBNDSTS: Final[int] = consts.SMPP_ESME_RINVBNDSTS
RTHROTTLED: Final[int] = consts.SMPP_ESME_RTHROTTLED
RX_T_APPN: Final[int] = consts.SMPP_ESME_RX_T_APPN


class Remedy(Enum):
    """What helps.

    TAKEN: nothing is wrong; LATER: the same again, later; REBIND: a new bind, then the same again; REFUSED: nothing,
    for this message or number; ACCOUNT: somebody has to set the account right, until then nothing goes out; ASK:
    nothing that a program could know: the message has failed, and the operator has to be asked why.
    """

    TAKEN = "taken"
    LATER = "later"
    REBIND = "rebind"
    REFUSED = "refused"
    ACCOUNT = "account"
    ASK = "ask"


@frozen
class Action:
    """What to do; C{name} as in the specification, C{patience}: how much longer than usual to wait before the same
    is tried again."""

    remedy: Remedy
    name: str
    patience: float = 1.0


_SPECIFIED: Final[Mapping[int, str]] = {
    value: name.removeprefix("SMPP_ESME_") for name, value in vars(consts).items() if name.startswith("SMPP_ESME_")
}
_NEWER: Final[Mapping[int, str]] = {
    0x100: "RSERTYPUNAUTH",
    0x101: "RPROHIBITED",
    0x102: "RSERTYPUNAVAIL",
    0x103: "RSERTYPDENIED",
    0x104: "RINVDCS",
    0x105: "RINVSRCADDRSUBUNIT",
    0x106: "RINVDSTADDRSUBUNIT",
    0x107: "RINVBCASTFREQINT",
    0x108: "RINVBCASTALIAS_NAME",
    0x109: "RINVBCASTAREAFMT",
    0x10A: "RINVNUMBCAST_AREAS",
    0x10B: "RINVBCASTCNTTYPE",
    0x10C: "RINVBCASTMSGCLASS",
    0x10D: "RBCASTFAIL",
    0x10E: "RBCASTQUERYFAIL",
    0x10F: "RBCASTCANCELFAIL",
    0x110: "RINVBCAST_REP",
    0x111: "RINVBCASTSRVGRP",
    0x112: "RINVBCASTCHANIND",
}
NAMES: Final[Mapping[int, str]] = {**_SPECIFIED, **_NEWER}

_PATIENCE: Final[Mapping[int, float]] = {
    consts.SMPP_ESME_RSYSERR: 1.0,
    consts.SMPP_ESME_RMSGQFUL: 6.0,
    consts.SMPP_ESME_RTHROTTLED: 0.1,
    consts.SMPP_ESME_RX_T_APPN: 1.0,
    consts.SMPP_ESME_RINVSCHED: 10.0,
}
"""What passes by itself. Throttling passes soonest, as fewer submits go out from then on."""

_REMEDIES: Final[Mapping[int, Remedy]] = {
    consts.SMPP_ESME_ROK: Remedy.TAKEN,
    **dict.fromkeys(_PATIENCE, Remedy.LATER),
    consts.SMPP_ESME_RINVBNDSTS: Remedy.REBIND,
    consts.SMPP_ESME_RBINDFAIL: Remedy.REBIND,
    consts.SMPP_ESME_RALYBND: Remedy.REBIND,
    consts.SMPP_ESME_RINVPASWD: Remedy.ACCOUNT,
    consts.SMPP_ESME_RINVSYSID: Remedy.ACCOUNT,
    consts.SMPP_ESME_RINVSYSTYP: Remedy.ACCOUNT,
    consts.SMPP_ESME_RINVSERTYP: Remedy.ACCOUNT,
    **dict.fromkeys(range(0x100, 0x104), Remedy.ACCOUNT),
    consts.SMPP_ESME_RSUBMITFAIL: Remedy.ASK,
    consts.SMPP_ESME_RUNKNOWNERR: Remedy.ASK,
}


def action(status: int) -> Action:
    """What to do about a C{command_status}.

    Whatever the specification names and is not in the tables above is final for the message: it would be refused
    again. What it does not name (as the codes of vendors, 0x400 to 0x4FF) has to be asked about.
    """
    name = NAMES.get(status)
    remedy = _REMEDIES.get(status) or (Remedy.REFUSED if name else Remedy.ASK)
    return Action(remedy, name or f"{status:#x}", _PATIENCE.get(status, 1.0))
