"""The marks of a mail, which are all of it that ever changes: what a Change tells, and what a client's Change asks for.

A mail is read or not, has a flag and categories, and was answered or forwarded ([MS-ASEMAIL] 3.2.5.4.1). What Maildir
has no letter for is kept in C{extra}: C{"flag"}, the details of the flag (see L{gateway.convert.flags}),
C{"categories"}, a list of texts, and C{"verb"}, the last verb executed and when that was, in seconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from gateway.convert.charset import clean
from gateway.convert.flags import ACTIVE_STATUS, FLAGGED, ConversionError, flag_details, flag_element
from gateway.convert.times import date_time
from gateway.element import Element

SEEN = "S"
DRAFT = "D"
REPLIED = "R"
PASSED = "P"

_VERBS = {1: REPLIED, 2: REPLIED, 3: PASSED}

MAX_CATEGORIES = 300
"""Categories of one mail ([MS-ASEMAIL] 2.2.2.13)."""

_MAX_NAME = 255

DRAFT_CONTENT = (
    *("Email:To", "Email:Cc", "Email2:Bcc", "Email:ReplyTo", "Email:Subject", "Email:Importance"),
    *("AirSyncBase:Body", "AirSyncBase:Attachments"),
)
"""What only drafts can be given by a client, from 16.0 on."""
_OF_THE_SERVER = ("ConversationId", "Sender", "ReceivedAsBcc", "UmCallerID", "UmUserNotes")


def changes(state: str, extra: Mapping[str, Any], version: int, fields: Collection[str] | None = None) -> list[Element]:
    """The marks that the protocol version knows, of those that have changed.

    C{fields} are letters of the state and keys of C{extra}; with C{None} any may have changed, and all are told.
    """
    found: list[Element] = []
    if _any(fields, SEEN):
        found.append(read_element(state))
    if version >= 120 and _any(fields, FLAGGED, "flag"):
        found.append(flag_element(state, extra))
    if version >= 140 and _any(fields, "categories"):
        found.append(categories_element(extra))
    if version >= 140 and _any(fields, REPLIED, PASSED, "verb"):
        found += verb_elements(state, extra)
    return found


def _any(fields: Collection[str] | None, *names: str) -> bool:
    return fields is None or any(name in fields for name in names)


def read_element(state: str) -> Element:
    """Read: whether the mail is seen."""
    return Element("Email:Read", int(SEEN in state))


def verb_elements(state: str, extra: Mapping[str, Any]) -> list[Element]:
    """LastVerbExecuted and LastVerbExecutionTime of a mail that was answered (1, or 2 to all) or forwarded (3).

    What was done here is kept with its time; of what another program did Maildir does not tell when, nor which came
    last.
    """
    kept = extra.get("verb")
    verb, at = kept if isinstance(kept, list) and len(kept) == 2 else (0, 0)
    if verb in _VERBS and _VERBS[verb] in state:
        return [Element("Email2:LastVerbExecuted", verb), Element("Email2:LastVerbExecutionTime", date_time(at))]
    if REPLIED in state:
        return [Element("Email2:LastVerbExecuted", 1)]
    return [Element("Email2:LastVerbExecuted", 3)] if PASSED in state else []


def categories_element(extra: Mapping[str, Any]) -> Element:
    """Categories; empty for a mail that has none."""
    kept = extra.get("categories")
    names = kept if isinstance(kept, list) else []
    return Element("Email:Categories", *(Element("Email:Category", clean(str(name))) for name in names))


def amendment(
    application_data: Element, state: str, extra: Mapping[str, Any]
) -> tuple[str, str, dict[str, Any] | None]:
    """What a client's Change asks for: letters to set, letters to clear, and the new C{extra} (C{None}: as it was).

    The letters are those the client named, also where C{state} has them already, so that they are right even if the
    state changes meanwhile. Raises L{ConversionError} for values and combinations that the specification forbids, for
    properties that only the server sets, and for a change of a draft's content, which is not kept; elements that are
    no property of a mail are passed over.
    """
    if of_the_server(application_data):
        raise ConversionError("a property that only the server sets")
    if DRAFT in state and any(application_data.child(tag) is not None for tag in DRAFT_CONTENT):
        raise ConversionError("the content of a draft cannot be changed")
    add, remove = _letters(application_data)
    kept = dict(extra)
    flag = application_data.child("Email:Flag")
    if flag is not None:
        details = flag_details(flag)
        _keep(kept, "flag", details)
        active = details.get("Status") == ACTIVE_STATUS
        add, remove = (add + FLAGGED, remove) if active else (add, remove + FLAGGED)
    categories = application_data.child("Email:Categories")
    if categories is not None:
        _keep(kept, "categories", category_names(categories))
    return add, remove, kept if kept != extra else None


def of_the_server(application_data: Element) -> bool:
    """Whether a Change names what only the server sets ([MS-ASEMAIL] 2.2.2.17, 2.2.2.60, 2.2.2.69, 2.2.2.83)."""
    return any(application_data.child(f"Email2:{name}") is not None for name in _OF_THE_SERVER)


def _letters(application_data: Element) -> tuple[str, str]:
    read = application_data.child("Email:Read")
    if read is None:
        return "", ""
    if read.text not in ("0", "1") or read.children:
        raise ConversionError("Read is neither 0 nor 1")
    return (SEEN, "") if read.text == "1" else ("", SEEN)


def _keep(kept: dict[str, Any], key: str, value: Any) -> None:
    if value:
        kept[key] = value
    else:
        kept.pop(key, None)


def category_names(categories: Element) -> list[str]:
    """The names in a Categories, each once; none if it takes all away. Raises L{ConversionError}."""
    found = categories.all("Email:Category")
    if len(found) > MAX_CATEGORIES:
        raise ConversionError(f"more than {MAX_CATEGORIES} categories")
    if any(child.children or len(child.text) > _MAX_NAME for child in found):
        raise ConversionError("a category is no short text")
    return [name for name in dict.fromkeys(clean(child.text) for child in found) if name]
