"""What kind of message a mail is: its MessageClass, ContentClass and Importance ([MS-ASEMAIL] 2.2.2)."""

from __future__ import annotations

import re

from gateway.convert import voice
from gateway.convert.mime import Part
from gateway.convert.outline import Outline

NOTE = "IPM.Note"
SMIME = "IPM.Note.SMIME"
SMIME_SIGNED = "IPM.Note.SMIME.MultipartSigned"

_MESSAGE = "urn:content-classes:message"
_CALENDAR = "urn:content-classes:calendarmessage"

REQUEST = "IPM.Schedule.Meeting.Request"
CANCELLED = "IPM.Schedule.Meeting.Canceled"

_MEETINGS = {"REQUEST": REQUEST, "CANCEL": CANCELLED}
_REPLIES = {
    "ACCEPTED": "IPM.Schedule.Meeting.Resp.Pos",
    "TENTATIVE": "IPM.Schedule.Meeting.Resp.Tent",
    "DECLINED": "IPM.Schedule.Meeting.Resp.Neg",
}
_REPORTS = {
    "failed": "REPORT.IPM.Note.NDR",
    "delivered": "REPORT.IPM.Note.DR",
    "relayed": "REPORT.IPM.Note.DR",
    "expanded": "REPORT.IPM.Note.DR",
}
_PKCS7 = ("application/pkcs7-mime", "application/x-pkcs7-mime")
_READ = 2**16

_METHOD = re.compile(rb"^METHOD(?:;[^:\r\n]*)?:[ \t]*([A-Za-z]+)", re.MULTILINE | re.IGNORECASE)
_PARTSTAT = re.compile(rb"PARTSTAT=\"?([A-Za-z-]+)", re.IGNORECASE)
_ACTION = re.compile(rb"^Action[ \t]*:[ \t]*([A-Za-z]+)", re.MULTILINE | re.IGNORECASE)
_ICAL_FOLD = re.compile(rb"\r?\n[ \t]")


def message_class(outline: Outline) -> str:
    """The MessageClass of a mail; C{"IPM.Note"} for anything that is nothing special."""
    root = outline.root
    if root.type in _PKCS7 or (root.type == "application/octet-stream" and root.filename.lower().endswith(".p7m")):
        return SMIME
    if root.type == "multipart/signed":
        # OpenPGP signs in the same structure, but a device would check it as S/MIME.
        return NOTE if "pgp" in root.parameters().get("protocol", "").lower() else SMIME_SIGNED
    if root.type == "multipart/report":
        return _report_class(root)
    if outline.calendar is not None:
        return _meeting_class(outline.calendar)
    return voice.message_class(root) or NOTE


def content_class(kind: str) -> str:
    """The ContentClass that goes with a MessageClass."""
    return _CALENDAR if kind.startswith("IPM.Schedule.") else _MESSAGE


def is_smime(kind: str) -> bool:
    """Whether a MessageClass is one of S/MIME."""
    return kind.startswith(SMIME)


def importance(root: Part) -> int:
    """0 low, 1 normal, 2 high, from Importance or X-Priority."""
    named = {"low": 0, "normal": 1, "high": 2}.get(root.get("importance", "").lower())
    if named is not None:
        return named
    return {"1": 2, "2": 2, "4": 0, "5": 0}.get(root.get("x-priority", "")[:1], 1)


def _meeting_class(calendar: Part) -> str:
    content = b""
    method = calendar.parameters().get("method", "").upper()
    if not method or method == "REPLY":
        content = _ICAL_FOLD.sub(b"", calendar.content()[:_READ])
        found = _METHOD.search(content)
        method = method or (found[1].decode("ascii").upper() if found else "")
    if method == "REPLY":
        answer = _PARTSTAT.search(content)
        return _REPLIES.get(answer[1].decode("ascii").upper(), NOTE) if answer else NOTE
    return _MEETINGS.get(method, NOTE)


def _report_class(root: Part) -> str:
    """A report on delivery (RFC 3464) or on reading (RFC 8098); a delay is no final word and stays a note.

    Classes are compared without regard to case; in this form the class of a report holds that of what it is about.
    """
    for part in root.leaves():
        if part.type == "message/disposition-notification":
            return "REPORT.IPM.Note.IPNRN"
        if part.type in ("message/delivery-status", "message/global-delivery-status"):
            actions = {found[1].decode("ascii").lower() for found in _ACTION.finditer(part.content()[:_READ])}
            return next((kind for action, kind in _REPORTS.items() if action in actions), NOTE)
    return NOTE
