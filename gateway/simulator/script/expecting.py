"""What a step expects of its answer, what it remembers of it, and what is said when that is not there."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Any

from gateway.element import Element
from gateway.simulator.script.answer import Answer
from gateway.simulator.script.fields import FOLDER, Either, Flag, Plain, Seconds, Several, Table, Text, Whole, Wrong
from gateway.simulator.script.phone import Phone, Unsent
from gateway.simulator.script.tree import Tag, Tags, walk

_TEXTS = Several(Text())
_FOLDER = Table({"name": Either(Whole(1, 19)), "type": Whole(1, 255), "parent": FOLDER}, ("name",))
_COUNTS = {"adds": "Add", "changes": "Change", "deletes": "Delete", "results": "Result"}


class Source:
    """Where a value to be remembered comes from: an element, maybe of the item with a subject; or a folder."""

    _table = Table({"element": Tag(), "subject": Text(), "number": Whole(1, 1000), "folder": FOLDER})

    def check(self, value: object) -> dict[str, Any]:
        """See L{Field}."""
        if isinstance(value, str):
            return {"element": Tag().check(value)}
        found = self._table.check(value)
        if "folder" in found and len(found) > 1:
            raise Wrong("a folder needs no other key")
        if not found.keys() & {"folder", "element", "subject"}:
            raise Wrong('say what: an element as "AirSync:ServerId", { subject = "..." } or { folder = 2 }')
        return found


class Headers:
    """Headers by name, each with a text that it holds."""

    def check(self, value: object) -> dict[str, str]:
        """See L{Field}."""
        if not isinstance(value, dict):
            raise Wrong("a table of headers is expected")
        return {name.lower(): Text().check(text) for name, text in value.items()}


EXPECTATIONS = Table(
    {
        "http": Several(Whole(100, 599)),
        "status": Several(Whole(0, 999)),
        **{name: Whole() for name in _COUNTS},
        "more": Flag(),
        "empty": Flag(),
        "subject": _TEXTS,
        "no_subject": _TEXTS,
        "text": _TEXTS,
        "no_text": _TEXTS,
        "elements": Tags(Several(Plain())),
        "counts": Tags(Whole()),
        "headers": Headers(),
        "folder": _FOLDER,
        "no_folder": FOLDER,
        "changed": Several(FOLDER),
        "bytes": Whole(),
        "within": Seconds(),
        "after": Seconds(),
    }
)


def recall(source: Mapping[str, Any], phone: Phone, answer: Answer) -> str | None:
    """The value from there, opaque data in base64, or C{None} if it is not there."""
    if "folder" in source:
        try:
            return phone.folder(source["folder"]).id
        except Unsent:
            return None
    tag = source.get("element", "AirSync:ServerId")
    within = _chosen(source, answer)
    found = [one for top in within for one in walk(top) if one.tag == tag]
    number = source.get("number", 1)
    if len(found) < number:
        return None
    value = found[number - 1].value
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value or ""


def _chosen(source: Mapping[str, Any], answer: Answer) -> list[Element]:
    if "subject" in source:
        return [item for subject, item in answer.items() if subject == source["subject"]]
    return [] if answer.root is None else [answer.root]


def missed(expect: Mapping[str, Any], good: frozenset[str], phone: Phone, answer: Answer) -> list[str]:
    """What is not as expected, each in one line; without a word on them, HTTP 200 and a good Status are expected."""
    wrong = list(_verdicts(expect, good, answer))
    if wrong:
        return wrong
    counted, read, held = _counted(expect, answer), _read(expect, answer), _held(expect, answer)
    return [*counted, *read, *held, *_known(expect, phone, answer), *_timed(expect, answer)]


def _verdicts(expect: Mapping[str, Any], good: frozenset[str], answer: Answer) -> Iterator[str]:
    http = expect.get("http", [200])
    if answer.http not in http:
        yield f"http: {_either(http)} expected, {answer.http} found"
        return
    status = answer.status(good)
    if "status" in expect and status not in map(str, expect["status"]):
        yield f"status: {_either(expect['status'])} expected, {status or 'none'} found"
    elif "status" not in expect and answer.http == 200 and status not in good | {""}:
        yield f"status: {_either(sorted(good))} expected, {status} found"


def _either(values: list[Any]) -> str:
    return " or ".join(map(str, values))


def _counted(expect: Mapping[str, Any], answer: Answer) -> Iterator[str]:
    names = [one.tag for one in answer.elements()]
    found = {key: answer.count(name) for key, name in _COUNTS.items() if name != "Result"}
    found["results"] = sum(tag in ("Search:Result", "Find:Result") for tag in names)
    for key in _COUNTS:
        if key in expect and found[key] != expect[key]:
            yield f"{key}: {expect[key]} expected, {found[key]} found"
    for tag, number in expect.get("counts", {}).items():
        if names.count(tag) != number:
            yield f"counts: {number} of {tag} expected, {names.count(tag)} found"
    more = "AirSync:MoreAvailable" in names
    if expect.get("more", more) != more:
        yield f"more: MoreAvailable is {'there' if more else 'missing'}"
    empty = answer.root is None and not answer.body
    if expect.get("empty", empty) != empty:
        yield f"empty: the answer is {'empty' if empty else 'not empty'}"
    if expect.get("bytes", answer.size()) != answer.size():
        yield f"bytes: {expect['bytes']} expected, {answer.size()} found"


def _read(expect: Mapping[str, Any], answer: Answer) -> Iterator[str]:
    subjects = answer.subjects()
    for text in expect.get("subject", ()):
        if text not in subjects:
            yield f"subject: {text!r} expected, {_listed(subjects)} found"
    for text in expect.get("no_subject", ()):
        if text in subjects:
            yield f"no_subject: {text!r} is there"
    for text in expect.get("text", ()):
        if not any(text.encode() in one for one in answer.contents()):
            yield f"text: {text!r} is not in the answer"
    for text in expect.get("no_text", ()):
        if any(text.encode() in one for one in answer.contents()):
            yield f"no_text: {text!r} is in the answer"


def _held(expect: Mapping[str, Any], answer: Answer) -> Iterator[str]:
    for tag, wanted in expect.get("elements", {}).items():
        values = [one.text for one in answer.elements() if one.tag == tag]
        for text in wanted:
            if text not in values:
                yield f"elements: {tag} {text!r} expected, {_listed(values)} found"
    for name, text in expect.get("headers", {}).items():
        if text not in answer.headers.get(name, ""):
            yield f"headers: {text!r} expected in {name}, {answer.headers.get(name, 'no such header')!r} found"


def _listed(texts: list[str]) -> str:
    shown = ", ".join(repr(text if len(text) <= 60 else f"{text[:57]}...") for text in texts[:5])
    return f"{shown}{f' and {len(texts) - 5} more' if len(texts) > 5 else ''}" or "none"


def _known(expect: Mapping[str, Any], phone: Phone, answer: Answer) -> Iterator[str]:
    try:
        yield from _folder_wrong(expect["folder"], phone) if "folder" in expect else ()
        wanted = {phone.folder(one).id for one in expect.get("changed", ())}
    except Unsent as error:
        yield f"folder: {error}"
        return
    changed = {one.text for one in answer.elements() if one.tag == "Ping:Folder"}
    if "changed" in expect and changed != wanted:
        yield f"changed: {_listed(sorted(wanted))} expected, {_listed(sorted(changed))} found"
    if "no_folder" in expect:
        try:
            phone.folder(expect["no_folder"])
        except Unsent:
            return
        yield f"no_folder: {expect['no_folder']!r} is there"


def _folder_wrong(wanted: Mapping[str, Any], phone: Phone) -> Iterator[str]:
    folder = phone.folder(wanted["name"])
    if wanted.get("type", folder.type) != folder.type:
        yield f"folder: {folder.name!r} of type {wanted['type']} expected, {folder.type} found"
    if "parent" in wanted and phone.place(wanted["parent"]) != folder.parent:
        yield f"folder: {folder.name!r} below {wanted['parent']!r} expected, it is below {folder.parent!r}"


def _timed(expect: Mapping[str, Any], answer: Answer) -> Iterator[str]:
    if answer.seconds > expect.get("within", answer.seconds):
        yield f"within: {expect['within']:g} s expected, it took {answer.seconds:.1f} s"
    if answer.seconds < expect.get("after", answer.seconds):
        yield f"after: {expect['after']:g} s expected, it took {answer.seconds:.1f} s"
