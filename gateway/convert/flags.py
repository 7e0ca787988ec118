"""Read mark and follow-up flag, between Maildir letters and EAS properties ([MS-ASEMAIL] 2.2.2.34, 2.2.2.58).

Maildir knows seen (S) and flagged (F). What a follow-up flag has beyond that (dates, reminder, that it is complete) is
kept in C{extra["flag"]}: the texts of the children of Flag by their local names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from gateway.convert.charset import clean
from gateway.element import Element

SEEN = "S"
FLAGGED = "F"
DRAFT = "D"
REPLIED = "R"
PASSED = "P"

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
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,6})?Z")
_DRAFT_CONTENT = ("Email:To", "Email:Cc", "Email2:Bcc", "Email:Subject", "AirSyncBase:Body", "AirSyncBase:Attachments")


class ConversionError(Exception):
    """What the client sent cannot be kept: Status 6 for the item ([MS-ASCMD] 2.2.3.177.17)."""


def elements(state: str, extra: Mapping[str, Any], version: int) -> list[Element]:
    """Read, Flag and LastVerbExecuted as far as the protocol version knows them."""
    found = [read_element(state)]
    if version >= 120:
        found.append(flag_element(state, extra))
    if version >= 140:
        found += verb_elements(state)
    return found


def read_element(state: str) -> Element:
    """Read: whether the mail is seen."""
    return Element("Email:Read", int(SEEN in state))


def verb_elements(state: str) -> list[Element]:
    """LastVerbExecuted of a mail that was answered (1) or forwarded (3); Maildir does not tell which came last."""
    if REPLIED in state:
        return [Element("Email2:LastVerbExecuted", 1)]
    return [Element("Email2:LastVerbExecuted", 3)] if PASSED in state else []


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


def amendment(
    application_data: Element, state: str, extra: Mapping[str, Any]
) -> tuple[str, str, dict[str, Any] | None]:
    """What a client's Change asks for: letters to set, letters to clear, and the new C{extra} (C{None}: as it was).

    The letters are those the client named, also where C{state} has them already, so that they are right even if the
    state changes meanwhile. Raises L{ConversionError} for values and combinations that the specification forbids, and
    for a change of a draft's content, which is not kept; elements that are no property of a mail are passed over.
    """
    if application_data.child("Email2:ConversationId") is not None:
        raise ConversionError("ConversationId cannot be changed")
    if DRAFT in state and any(application_data.child(tag) is not None for tag in _DRAFT_CONTENT):
        raise ConversionError("the content of a draft cannot be changed")
    add = remove = ""
    read = application_data.child("Email:Read")
    if read is not None:
        seen = _boolean("Read", read)
        add, remove = (SEEN, "") if seen else ("", SEEN)
    flag = application_data.child("Email:Flag")
    if flag is None:
        return add, remove, None
    details = flag_details(flag)
    if details.get("Status") == ACTIVE_STATUS:
        add += FLAGGED
    else:
        remove += FLAGGED
    return add, remove, _with_flag(extra, details)


def _with_flag(extra: Mapping[str, Any], details: dict[str, str]) -> dict[str, Any] | None:
    if extra.get("flag", {}) == details:
        return None
    rest = {key: value for key, value in extra.items() if key != "flag"}
    return {**rest, "flag": details} if details else rest


def flag_details(flag: Element) -> dict[str, str]:
    """The children of a Flag by their local names; empty if it clears the flag. Raises L{ConversionError}."""
    given: dict[str, str] = {}
    for child in flag.children:
        name = _TAGS.get(child.tag)
        if name in given:
            raise ConversionError(f"{name} stands twice")
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
    dates = [given[name] for name in _SPAN if name in given]
    if dates and len(dates) < len(_SPAN):
        raise ConversionError("StartDate, DueDate, UtcStartDate and UtcDueDate go together")
    if dates and (_moment(given["StartDate"]) > _moment(given["DueDate"]) or _moment(dates[2]) > _moment(dates[3])):
        raise ConversionError("the start is after the due date")
    if given.get("ReminderSet") == "1" and "ReminderTime" not in given:
        raise ConversionError("a reminder needs ReminderTime")
    return {name: text for name, text in given.items() if name not in _COMPLETION}


def _boolean(name: str, child: Element) -> bool:
    if child.text not in ("0", "1") or child.children:
        raise ConversionError(f"{name} is neither 0 nor 1")
    return child.text == "1"


def _bit(name: str, child: Element) -> str:
    return str(int(_boolean(name, child)))


def _status(name: str, child: Element) -> str:
    if child.text not in (CLEARED_STATUS, COMPLETE_STATUS, ACTIVE_STATUS):
        raise ConversionError(f"unknown {name} of a flag")
    return child.text


def _date(name: str, child: Element) -> str:
    """A date as it was sent; an empty element is as good as none."""
    if child.text:
        _moment(child.text, name)
    return child.text


def _text(name: str, child: Element) -> str:
    if child.children or len(child.text) > _MAX_TEXT:
        raise ConversionError(f"{name} is no short text")
    return clean(child.text)


def _moment(text: str, name: str = "a date") -> datetime:
    try:
        if _DATE.fullmatch(text):
            return datetime.fromisoformat(text)
    except ValueError:
        pass
    raise ConversionError(f"{name} is no dateTime")


_CHECKS: Mapping[str, Callable[[str, Element], str]] = {
    "Status": _status,
    "ReminderSet": _bit,
    **dict.fromkeys((*_COMPLETION, *_SPAN, "ReminderTime", "OrdinalDate"), _date),
}
