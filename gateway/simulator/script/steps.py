"""Every kind of step there is; those that are not one command and its answer are the phone's own."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from gateway.simulator.script import findsteps, foldersteps, mailsteps, syncsteps
from gateway.simulator.script.fields import Field, Seconds, Several, Table, Text, Whole
from gateway.simulator.script.mailsteps import MESSAGE
from gateway.simulator.script.phone import Given, Kind, Phone, Request, one_of

OPTIONS, PROVISION, AWAIT, WAIT, DELIVER = "OPTIONS", "Provision", "Await", "Wait", "Deliver"


def _none(_phone: Phone, _given: Given) -> Request:
    """Nothing is sent in the ordinary way."""
    return Request("")


_INFORMATION: dict[str, Field] = {name: Text(0, 1024) for name in ("Model", "OS", "FriendlyName", "UserAgent")}

KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        OPTIONS: Kind(_none),
        PROVISION: Kind(
            _none,
            {"acknowledge": Whole(1, 4), "phases": Whole(1, 2), "information": Table(_INFORMATION)},
            good=frozenset({"1", "2"}),
        ),
        **foldersteps.STEPS,
        **syncsteps.STEPS,
        **mailsteps.STEPS,
        **findsteps.STEPS,
        AWAIT: Kind(_none, {"of": Text(1, 32)}, ("of",)),
        WAIT: Kind(_none, {"seconds": Seconds()}, ("seconds",)),
        DELIVER: Kind(
            _none,
            {**MESSAGE, "smtp": Text(), "from": Text(), "to": Several(Text())},
            ("smtp", "from", "to"),
            check=one_of("message", "file"),
        ),
    }
)
