"""Out of office: what a device says and asks of its user's absence ([MS-ASCMD] 2.2.3.122)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from attrs import evolve

from gateway.absence import Absence, Audience, Away, Reply
from gateway.convert.charset import clean
from gateway.convert.html import from_text, to_text
from gateway.convert.times import date_time
from gateway.element import Element

MALFORMED, INVALID, CONFLICT = 2, 5, 6

LONGEST_REPLY = 65_536
"""Characters of a reply."""

_AUDIENCES = {
    "Settings:AppliesToInternal": Audience.INTERNAL,
    "Settings:AppliesToExternalKnown": Audience.KNOWN,
    "Settings:AppliesToExternalUnknown": Audience.UNKNOWN,
}
_TAGS = {audience: tag for tag, audience in _AUDIENCES.items()}
_FORMS = ("text", "html")
_TIMES = ("%Y-%m-%dT%H:%M:%S.%fZ", "%Y-%m-%dT%H:%M:%SZ")


class Wrong(Exception):
    """The property is answered with that Status."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


def asked_form(get: Element) -> str:
    """The BodyType of a Get as it is answered: Text or HTML, and TEXT to a device that writes it so.

    @raise Wrong: 2 if it is missing, 5 if it is neither Text nor HTML.
    """
    form = get.text_of("Settings:BodyType")
    if form is None:
        raise Wrong(MALFORMED, "Get without BodyType")
    return form if form == "TEXT" else {"text": "Text", "html": "HTML"}[_form(form)]


def _form(text: str) -> str:
    if text.lower() not in _FORMS:
        raise Wrong(INVALID, "BodyType is neither Text nor HTML")
    return text.lower()


def oof_element(absence: Absence, form: str) -> Element:
    """A Get as it is answered, with all audiences, and the replies in that form."""
    timed = absence.away is Away.TIMED and absence.end > 0
    return Element(
        "Settings:Get",
        Element("Settings:OofState", int(absence.away)),
        Element("Settings:StartTime", date_time(absence.start)) if timed else None,
        Element("Settings:EndTime", date_time(absence.end)) if timed else None,
        *(_message(audience, absence.reply(audience), form) for audience in Audience),
    )


def _message(audience: Audience, reply: Reply, form: str) -> Element:
    said: tuple[Element, ...] = ()
    if reply.text or reply.html:
        text = (reply.html or from_text(reply.text)) if form == "HTML" else reply.text
        said = (Element("Settings:ReplyMessage", text), Element("Settings:BodyType", form))
    return Element(
        "Settings:OofMessage", Element(_TAGS[audience]), Element("Settings:Enabled", int(reply.enabled)), *said
    )


def changed(set_: Element, before: Absence) -> Absence:
    """The absence that a Set makes of the one before; what it does not name stays as it is.

    Times are optional with every state ([MS-ASCMD] 2.2.3.176.2); an absence between times that nobody has given yet
    has not begun.

    @raise Wrong: 2 for one of two times, or a reply without BodyType; 5 for a value that cannot be, 6 for an audience
        that is named twice, and for two different replies to those outside.
    """
    away = _away(set_.text_of("Settings:OofState"), before.away)
    start, end = _times(set_)
    if away is not Away.TIMED:
        start, end = 0, 0
    elif start is None or end is None:
        start, end = before.start, before.end
    if (start or end) and not start < end:
        raise Wrong(INVALID, "the absence ends before it begins")
    replies = {**before.replies, **_replies(set_)}
    return evolve(before, away=away, start=start, end=end, replies=replies)


def _away(text: str | None, before: Away) -> Away:
    if text is None:
        return before
    if text not in ("0", "1", "2"):
        raise Wrong(INVALID, "OofState is none of 0, 1 and 2")
    return Away(int(text))


def _times(set_: Element) -> tuple[int | None, int | None]:
    start, end = set_.text_of("Settings:StartTime"), set_.text_of("Settings:EndTime")
    if (start is None) != (end is None):
        raise Wrong(MALFORMED, "StartTime and EndTime go together")
    return (None, None) if start is None or end is None else (_time(start), _time(end))


def _time(text: str) -> int:
    for form in _TIMES:
        try:
            return int(datetime.strptime(text, form).replace(tzinfo=UTC).timestamp())
        except ValueError:
            continue
    raise Wrong(INVALID, "a time is none")


def _replies(set_: Element) -> Mapping[Audience, Reply]:
    found: dict[Audience, Reply] = {}
    for message in set_.all("Settings:OofMessage"):
        audiences = [_AUDIENCES[child.tag] for child in message if child.tag in _AUDIENCES]
        if not audiences:
            raise Wrong(MALFORMED, "an OofMessage is for an audience")
        if len(found.keys() | audiences) < len(found) + len(audiences):
            raise Wrong(CONFLICT, "an audience is there twice")
        found |= dict.fromkeys(audiences, _reply(message))
    outside = {found[one].text for one in (Audience.KNOWN, Audience.UNKNOWN) if one in found and found[one].enabled}
    if len(outside - {""}) > 1:
        raise Wrong(CONFLICT, "two replies to those outside")
    return found


def _reply(message: Element) -> Reply:
    enabled = message.text_of("Settings:Enabled", "0")
    if enabled not in ("0", "1"):
        raise Wrong(INVALID, "Enabled is neither 0 nor 1")
    said, form = message.text_of("Settings:ReplyMessage", "") or "", message.text_of("Settings:BodyType")
    if said and form is None:
        raise Wrong(MALFORMED, "a ReplyMessage without BodyType")
    if len(said) > LONGEST_REPLY:
        raise Wrong(INVALID, "the ReplyMessage is too long")
    said = clean(said)
    html = form is not None and _form(form) == "html"
    # Without anything to say no message is sent ([MS-ASCMD] 2.2.3.60).
    sent = enabled == "1" and bool(said)
    return Reply(sent, to_text(said)[0].strip(), said) if html else Reply(sent, said)
