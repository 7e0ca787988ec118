"""The options of a Sync, a Fetch or a Search: which form of the text, how much of it, and from when on."""

from __future__ import annotations

from typing import Any

from gateway.element import Element
from gateway.simulator.script.fields import Field, Flag, Several, Table, Whole
from gateway.simulator.script.phone import Given

FILTER = Whole(0, 8)
_BODY = Table({"type": Whole(0, 99), "size": Whole(), "whole": Flag(), "preview": Whole()}, ("type",))

#: Keys for what of a text is wanted.
BODY: dict[str, Field] = {"body": Several(_BODY, 8), "part": _BODY, "mime": Whole(0, 99)}
#: Keys for Options of a Sync.
OPTIONS: dict[str, Field] = {
    **BODY,
    "filter": FILTER,
    "conflict": Whole(0, 9),
    "truncation": Whole(0, 99),
    "mime_truncation": Whole(0, 99),
}
_NUMBERS = {
    "filter": "FilterType",
    "conflict": "Conflict",
    "truncation": "Truncation",
    "mime": "MIMESupport",
    "mime_truncation": "MIMETruncation",
}


def preferences(given: Given) -> list[Element]:
    """What the keys C{body} and C{part} say."""
    found = [_preference("BodyPreference", one) for one in given.get("body", ())]
    if "part" in given:
        found.append(_preference("BodyPartPreference", given["part"]))
    return found


def _preference(name: str, wanted: dict[str, Any]) -> Element:
    keys = {"Type": "type", "TruncationSize": "size", "AllOrNone": "whole", "Preview": "preview"}
    parts = [Element(f"AirSyncBase:{tag}", wanted[key]) for tag, key in keys.items() if key in wanted]
    return Element(f"AirSyncBase:{name}", *parts)


def sync_options(given: Given) -> Element | None:
    """Options of a Sync, or C{None} if a step has no key for them: those of the last time stay in force."""
    found = [Element(f"AirSync:{tag}", given[key]) for key, tag in _NUMBERS.items() if key in given]
    found += preferences(given)
    return Element("AirSync:Options", *found) if found else None
