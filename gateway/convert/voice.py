"""Voice mail: what telephone systems say of recordings in the header of a mail ([MS-OXOUM] 2.2.3, 2.2.5)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from gateway.convert import attachments
from gateway.convert.charset import clean
from gateway.convert.headers import words
from gateway.convert.mime import Part
from gateway.convert.outline import Outline
from gateway.element import Element

MAX_CALLER = 256
"""Characters of a telephone number, or of a SIP address."""

_CLASSES = MappingProxyType(
    {
        "voice": "IPM.Note.Microsoft.Voicemail.UM",
        "voice-ca": "IPM.Note.Microsoft.Voicemail.UM.CA",
        "missedcall": "IPM.Note.Microsoft.Missed.Voice",
    }
)


def message_class(root: Part) -> str:
    """The MessageClass of a voice mail, or of the note of a call that was missed; empty for other mails."""
    return _CLASSES.get(root.get("content-class", "").strip().lower(), "")


def caller(root: Part) -> Iterator[Element]:
    """UmCallerID, if the number of who called is known ([MS-ASEMAIL] 2.2.2.83)."""
    number = clean(words(root.get("x-callingtelephonenumber", ""))).strip()[:MAX_CALLER]
    if number:
        yield Element("Email2:UmCallerID", number)


def mark(listed: Element, seen: Outline, server_id: str) -> None:
    """Number the recordings among the Attachments of a voice mail, and tell how long the newest is in seconds.

    The newest has number 1 ([MS-ASEMAIL] 2.2.2.81, 2.2.2.82).
    """
    numbers = _numbers(seen, server_id)
    duration = seen.root.get("x-voicemessageduration", "").strip()
    for element in listed:
        number = numbers.get(element.text_of("AirSyncBase:FileReference") or "")
        if number == 1 and duration.isascii() and duration.isdigit():
            element.children.append(Element("Email2:UmAttDuration", int(duration[:9])))
        if number is not None:
            element.children.append(Element("Email2:UmAttOrder", number))


def _numbers(seen: Outline, server_id: str) -> Mapping[str, int]:
    """The numbers by FileReference. X-AttachmentOrder names the recordings from the oldest to the newest; without it
    they are in the order of the mail."""
    given = [name.strip() for name in words(seen.root.get("x-attachmentorder", "")).split(";")]
    named = {attachments.name(attached.part): attached.part for attached in seen.attachments}
    recordings = [part for name, part in named.items() if part.type.startswith("audio/") or name in given]
    places = {name: place for place, name in enumerate(given)}
    recordings.sort(key=lambda part: places.get(attachments.name(part), -1))
    return {attachments.reference(server_id, part): place for place, part in enumerate(reversed(recordings), 1)}
