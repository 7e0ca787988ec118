"""What a client asks for in Options: of Sync, of GetItemEstimate and of ItemOperations ([MS-ASCMD] 2.2.3.125)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from attrs import evolve

from gateway.eas.call import Refused, Version
from gateway.element import Element
from gateway.model import BodyPreference, SyncOptions

CLASSES = frozenset({"Email", "Calendar", "Contacts", "Tasks", "Notes", "SMS"})

FILTERS = {
    "Email": range(0, 6),
    "Calendar": (0, 4, 5, 6, 7),
    "Tasks": (0, 8),
}
"""The FilterTypes that a class of items has; classes that are not here have none, and any is ignored."""

LARGEST = 2**32 - 1
LARGEST_FILTER = 8
_UNSIGNED = re.compile(r"[0-9]{1,10}", re.ASCII)
_PREFERENCE = ("Type", "TruncationSize", "AllOrNone", "Preview")
_HTML_PART = 2
_WRONG_PART = 164


class Malformed(ValueError):
    """The request breaks the protocol: Status 4."""


class WrongFilter(Malformed):
    """A FilterType that there is, but not for this class of items."""


class WrongClasses(Malformed):
    """Options for classes that do not go together in one collection."""


def only(parent: Element, tag: str) -> Element | None:
    """The child with that tag, which may be there once.

    @raise Malformed: it is there more often.
    """
    found = parent.all(tag)
    if len(found) > 1:
        raise Malformed(f"{tag} is there {len(found)} times")
    return found[0] if found else None


def number(parent: Element, tag: str, most: int = LARGEST) -> int | None:
    """The value of the child with that tag, from 0 to C{most}, or C{None} if there is no such child.

    @raise Malformed: it is there more than once, or no such number.
    """
    return _number(only(parent, tag), tag, most)


def _option(parent: Element, tag: str, most: int = LARGEST) -> int | None:
    """The value of an option, the first if it is there more often, which is no error ([MS-ASCMD] 2.2.3.68.2).

    @raise Malformed: it is no such number.
    """
    return _number(parent.child(tag), tag, most)


def _number(found: Element | None, tag: str, most: int) -> int | None:
    if found is None:
        return None
    if not _UNSIGNED.fullmatch(found.text) or int(found.text) > most:
        raise Malformed(f"{tag} is no number up to {most}")
    return int(found.text)


def flag(parent: Element, tag: str) -> bool | None:
    """The value of a boolean child, of which the empty tag is true; C{None} if there is no such child.

    @raise Malformed: it is there more than once, or neither 0 nor 1.
    """
    found = only(parent, tag)
    if found is None:
        return None
    if found.text not in ("", "0", "1"):
        raise Malformed(f"{tag} is neither 0 nor 1")
    return found.text != "0"


def filter_type(parent: Element, item_class: str) -> int | None:
    """The FilterType in an element, or C{None}.

    @raise WrongFilter: it is not for that class of items.
    @raise Malformed: there is no such filter.
    """
    value = _option(parent, "AirSync:FilterType")
    if value is None or item_class not in FILTERS:
        return None if value is None else 0
    if value > LARGEST_FILTER:
        raise Malformed(f"there is no FilterType {value}")
    if value not in FILTERS[item_class]:
        raise WrongFilter(f"FilterType {value} does not go with {item_class}")
    return value


def options_of(collection: Element, item_class: str, version: Version) -> SyncOptions | None:
    """The options of a collection for the items of its folder, or C{None} if there are none.

    Options of SMS, which may stand beside those of mail, are not kept: there are no such items.

    @raise WrongClasses: the same class twice, or other classes side by side than Email and SMS.
    @raise Malformed: a value out of range, a wrong BodyPreference.
    @raise Refused: 164, a BodyPartPreference for another type than HTML.
    """
    given = collection.all("AirSync:Options")
    named = [(_class(element, item_class, version), element) for element in given]
    if len({name for name, _ in named}) != len(named):
        raise WrongClasses("two Options of the same Class")
    if len(named) > 1 and {name for name, _ in named} != {"Email", "SMS"}:
        raise WrongClasses("Options of classes that do not go together")
    found = next((element for name, element in named if name != "SMS"), None)
    return None if found is None else _options(found, item_class, version)


def _class(options: Element, item_class: str, version: Version) -> str:
    named = options.child("AirSync:Class") if version >= Version.V14_0 else None
    if named is None:
        return item_class
    if named.text not in CLASSES:
        raise Malformed("Options of an unknown Class")
    return named.text


def _options(element: Element, item_class: str, version: Version) -> SyncOptions:
    conflict = _option(element, "AirSync:Conflict", 1)
    options = SyncOptions(
        filter=filter_type(element, item_class) or 0,
        conflict=1 if conflict is None else conflict,
        mime_support=_option(element, "AirSync:MIMESupport", 2) or 0,
        mime_truncation=_option(element, "AirSync:MIMETruncation", 8),
    )
    if version < Version.V12_0:
        return evolve(options, truncation=_option(element, "AirSync:Truncation", 9))
    return evolve(options, bodies=_bodies(element, version), part=_part(element, version))


def view_options(element: Element | None, version: Version) -> SyncOptions:
    """How mails are to be shown that are asked for one by one: MIMESupport, BodyPreference, BodyPartPreference.

    Who asks for MIME and nothing else, without a word on MIMESupport, gets it.

    @raise Malformed: a value out of range, a wrong BodyPreference.
    @raise Refused: 164, a BodyPartPreference for another type than HTML.
    """
    if element is None:
        return SyncOptions()
    support, bodies = _option(element, "AirSync:MIMESupport", 2), _bodies(element, version)
    if support is None:
        support = 2 if [body.type for body in bodies] == [4] else 0
    return SyncOptions(mime_support=support, bodies=bodies, part=_part(element, version))


def _bodies(options: Element, version: Version) -> tuple[BodyPreference, ...]:
    bodies = tuple(_preference(each, version) for each in options.all("AirSyncBase:BodyPreference"))
    if len({body.type for body in bodies}) != len(bodies):
        raise Malformed("two BodyPreferences of the same Type")
    return bodies


def _part(options: Element, version: Version) -> BodyPreference | None:
    parts: Sequence[Element] = options.all("AirSyncBase:BodyPartPreference") if version >= Version.V14_1 else ()
    if not parts:
        return None
    if len(parts) > 1:
        raise Malformed("two BodyPartPreferences")
    part = _preference(parts[0], version)
    if part.type != _HTML_PART:
        raise Refused(_WRONG_PART, "a BodyPartPreference of another Type than HTML")
    return part


def _preference(element: Element, version: Version) -> BodyPreference:
    """Read a BodyPreference, whose children are in order and have none themselves ([MS-ASAIRS] 2.2.2.12)."""
    if any(child.children for child in element):
        raise Malformed(f"something in {element.name} has children")
    order = [_PREFERENCE.index(child.name) for child in element if child.name in _PREFERENCE]
    if order != sorted(order):
        raise Malformed(f"the children of {element.name} are out of order")
    kind = number(element, "AirSyncBase:Type", 4)
    if not kind:
        raise Malformed(f"{element.name} without a Type from 1 to 4")
    preview = number(element, "AirSyncBase:Preview", 255)
    return BodyPreference(
        type=kind,
        truncation=number(element, "AirSyncBase:TruncationSize"),
        all_or_none=bool(flag(element, "AirSyncBase:AllOrNone")),
        preview=preview if version >= Version.V14_0 else None,
    )
