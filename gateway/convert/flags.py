"""The follow-up flag of a mail, between a Maildir letter and EAS properties ([MS-ASEMAIL] 2.2.2.34).

Maildir knows flagged (F). What a follow-up flag has beyond that (dates, reminder, that it is complete) is kept in
C{extra["flag"]}: the texts of the children of Flag by their local names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from gateway.convert.charset import clean
from gateway.element import Element

FLAGGED = "F"

CLEARED_STATUS = "0"
COMPLETE_STATUS = "1"
ACTIVE_STATUS = "2"

_DEFAULT_TYPE = "Flag for follow up"
_MAX_TEXT = 1024

_EMAIL_NAMES = ("Status", "FlagType", "CompleteTime")
_TASK_NAMES = (
    "DateCompleted",
    "Subject",
    "StartDate",
    "DueDate",
    "UtcStartDate",
    "UtcDueDate",
    "ReminderSet",
    "ReminderTime",
    "OrdinalDate",
    "SubOrdinalDate",
)
_TAGS = {f"Email:{name}": name for name in _EMAIL_NAMES} | {f"Tasks:{name}": name for name in _TASK_NAMES}
_COMPLETION = ("CompleteTime", "DateCompleted")
_SPAN = ("StartDate", "DueDate", "UtcStartDate", "UtcDueDate")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:Z|[+-]\d{2}:\d{2})")


class ConversionError(Exception):
    """What the client sent cannot be kept: Status 6 for the item ([MS-ASCMD] 2.2.3.177.17)."""


def flag_element(state: str, extra: Mapping[str, Any]) -> Element:
    """Flag; empty for a mail that has none. The letter F wins over what is kept beside it."""
    kept = extra.get("flag")
    details = kept if isinstance(kept, Mapping) else {}
    unwanted: tuple[str, ...]
    if FLAGGED in state:
        kept_status, unwanted = ACTIVE_STATUS, _COMPLETION
    elif details.get("Status") == COMPLETE_STATUS:
        kept_status, unwanted = COMPLETE_STATUS, ()
    else:
        return Element("Email:Flag")
    values = {"FlagType": _DEFAULT_TYPE, **details, "Status": kept_status}
    return Element(
        "Email:Flag",
        *(
            Element(tag, clean(str(values[name])))
            for tag, name in _TAGS.items()
            if values.get(name) and name not in unwanted
        ),
    )


def flag_details(flag: Element) -> dict[str, str]:
    """The children of a Flag by their local names; empty if it clears the flag. Raises L{ConversionError}.

    Of a child that stands several times the last one counts.
    """
    given: dict[str, str] = {}
    for child in flag.children:
        name = _TAGS.get(child.tag)
        if name is not None:
            given[name] = _CHECKS.get(name, _text)(name, child)
    if not given or given.get("Status") == CLEARED_STATUS:
        return {}
    if "Status" not in given:
        raise ConversionError("a flag without Status")
    given = {name: text for name, text in given.items() if text}
    return _complete(given) if given["Status"] == COMPLETE_STATUS else _active(given)


def _complete(given: dict[str, str]) -> dict[str, str]:
    if not all(name in given for name in _COMPLETION):
        raise ConversionError("a complete flag needs CompleteTime and DateCompleted")
    return given


def _active(given: dict[str, str]) -> dict[str, str]:
    if "FlagType" not in given:
        raise ConversionError("an active flag needs FlagType")
    dates = [given[name] for name in _SPAN if name in given]
    if dates and len(dates) < len(_SPAN):
        raise ConversionError("StartDate, DueDate, UtcStartDate and UtcDueDate go together")
    if dates and (given["StartDate"] > given["DueDate"] or given["UtcStartDate"] > given["UtcDueDate"]):
        raise ConversionError("the start is after the due date")
    if given.get("ReminderSet") == "1" and "ReminderTime" not in given:
        raise ConversionError("a reminder needs ReminderTime")
    return {name: text for name, text in given.items() if name not in _COMPLETION}


def _bit(name: str, child: Element) -> str:
    if child.text not in ("0", "1") or child.children:
        raise ConversionError(f"{name} is neither 0 nor 1")
    return child.text


def _status(name: str, child: Element) -> str:
    if child.text not in (CLEARED_STATUS, COMPLETE_STATUS, ACTIVE_STATUS):
        raise ConversionError(f"unknown {name} of a flag")
    return child.text


def _date(name: str, child: Element) -> str:
    """The date in UTC and with milliseconds, so that dates compare as texts; an empty element is as good as none."""
    try:
        if _DATE.fullmatch(child.text):
            moment = datetime.fromisoformat(child.text).astimezone(UTC)
            return f"{moment.replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"
    except (ValueError, OverflowError):
        pass
    if child.text:
        raise ConversionError(f"{name} is no dateTime")
    return ""


def _text(name: str, child: Element) -> str:
    if child.children or len(child.text) > _MAX_TEXT:
        raise ConversionError(f"{name} is no short text")
    return clean(child.text)


_CHECKS: Mapping[str, Callable[[str, Element], str]] = {
    "Status": _status,
    "ReminderSet": _bit,
    **dict.fromkeys((*_COMPLETION, *_SPAN, "ReminderTime", "OrdinalDate"), _date),
}
