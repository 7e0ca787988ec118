"""Attachments: how they are listed for a device, and how one is read.

A FileReference is C{"5:17:2"}: the ServerId of the mail and the number of the part among its leaves. The octets of a
stored mail never change, so the number stays the same.
"""

from __future__ import annotations

import re

from gateway.convert import mime
from gateway.convert.charset import clean
from gateway.convert.headers import words
from gateway.convert.mime import Part
from gateway.convert.outline import Attached
from gateway.element import Element

MAX_LISTED = 300
"""Attachments of one mail that are listed."""

MAX_NAME = 255
MAX_REFERENCE = 64

NORMAL = 1
EMBEDDED = 5

_UNFIT = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|\ufffd]+')
_SUFFIXES = {
    "application/pdf": ".pdf",
    "application/pgp-signature": ".asc",
    "application/pgp-encrypted": ".asc",
    "application/pkcs7-mime": ".p7m",
    "application/x-pkcs7-mime": ".p7m",
    "application/pkcs7-signature": ".p7s",
    "application/x-pkcs7-signature": ".p7s",
    "application/ms-tnef": ".dat",
    "application/json": ".json",
    "application/xml": ".xml",
    "application/zip": ".zip",
    "application/ics": ".ics",
    "audio/mpeg": ".mp3",
    "image/jpeg": ".jpg",
    "image/svg+xml": ".svg",
    "text/plain": ".txt",
    "text/calendar": ".ics",
    "text/html": ".html",
    "text/rfc822-headers": ".txt",
    "text/vcard": ".vcf",
    "text/x-vcard": ".vcf",
}
_SAFE_SUBTYPE = re.compile(r"(?:image|audio|video|text)/(?:x-)?([a-z0-9]{2,5})")


def elements(attached: tuple[Attached, ...], server_id: str, version: int) -> Element | None:
    """The Attachments element for a protocol version, or C{None} for a mail without attachments."""
    listed = [item for item in attached[:MAX_LISTED] if len(reference(server_id, item.part)) <= MAX_REFERENCE]
    if not listed:
        return None
    if version < 120:
        return Element("Email:Attachments", *(_old(item.part, server_id) for item in listed))
    return Element("AirSyncBase:Attachments", *(_new(item, server_id) for item in listed))


def reference(server_id: str, part: Part) -> str:
    """The FileReference of a part."""
    return f"{server_id}:{part.number}"


def find(raw: bytes, index: int) -> Part:
    """The part with that number; raises C{LookupError} if there is none."""
    for part in mime.read(raw).leaves():
        if part.number == index:
            return part
    raise LookupError(f"no part {index}")


def attachment(raw: bytes, index: int) -> tuple[str, bytes, str]:
    """Content type, octets and name of the part with that number; raises C{LookupError} if there is none."""
    part = find(raw, index)
    return part.type, part.content(), name(part)


def name(part: Part) -> str:
    """The name to show for a part: what the sender gave, fit for a file name, else one made of its type."""
    given = _fit(part.filename)
    if method(part) == EMBEDDED:
        return _mail_name(given or _fit(embedded_subject(part)) or "message")
    return given or f"attachment-{part.number}{_suffix(part.type)}"


def _mail_name(given: str) -> str:
    """The name with the suffix that a message in a message must have ([MS-ASAIRS] 2.2.2.31.2)."""
    if given.lower().endswith(".eml"):
        return given
    return f"{given[: MAX_NAME - len('.eml')]}.eml"


def embedded_subject(part: Part) -> str:
    """The subject of a message in a message."""
    return words(mime.read_head(part.content()).get("subject", ""))


def method(part: Part) -> int:
    """Method: 5 for a message in a message, else 1."""
    return EMBEDDED if part.type in ("message/rfc822", "message/global") else NORMAL


def _fit(text: str) -> str:
    """The text as a file name that no device stumbles over."""
    return _UNFIT.sub("_", clean(text)).strip(" .")[:MAX_NAME]


def _suffix(kind: str) -> str:
    known = _SUFFIXES.get(kind)
    if known is not None:
        return known
    if kind.startswith("message/"):
        return ".txt"
    found = _SAFE_SUBTYPE.fullmatch(kind)
    return f".{found[1]}" if found else ".bin"


def _old(part: Part, server_id: str) -> Element:
    return Element(
        "Email:Attachment",
        Element("Email:AttName", reference(server_id, part)),
        Element("Email:AttSize", part.size()),
        Element("Email:AttMethod", method(part)),
        Element("Email:DisplayName", name(part)),
    )


def _new(item: Attached, server_id: str) -> Element:
    part = item.part
    content_id = part.get("content-id", "").strip("<> ")[:1000]
    location = part.get("content-location", "")[:1000]
    # Some programs call the pictures of their HTML attachments, so what they are related to counts more.
    inline = bool(content_id or location) and (item.related or part.get_content_disposition() == "inline")
    return Element(
        "AirSyncBase:Attachment",
        Element("AirSyncBase:DisplayName", name(part)),
        Element("AirSyncBase:FileReference", reference(server_id, part)),
        Element("AirSyncBase:Method", method(part)),
        Element("AirSyncBase:EstimatedDataSize", part.size()),
        Element("AirSyncBase:ContentId", content_id) if content_id else None,
        Element("AirSyncBase:ContentLocation", location) if location else None,
        Element("AirSyncBase:IsInline", 1) if inline else None,
    )
