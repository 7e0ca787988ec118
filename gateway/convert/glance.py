"""A mail as a list of results shows it: the properties that Find gives ([MS-ASCMD] 2.2.3.139.1)."""

from __future__ import annotations

from collections.abc import Iterator

from twisted.logger import Logger

from gateway.convert import classes, marks, mime
from gateway.convert.body import Body
from gateway.convert.headers import addresses, words
from gateway.convert.message import MAX_SUBJECT, Mail, fitting, listed
from gateway.convert.mime import Part
from gateway.convert.outline import Outline, Text, outline
from gateway.convert.times import date_time
from gateway.element import Element

PREVIEW = 255
"""Characters of a Preview ([MS-ASCMD] 2.2.3.137)."""

_log = Logger()


def glance(mail: Mail) -> list[Element]:
    """The children of Properties. No mail makes it fail: of one that cannot be read, the beginning is shown."""
    try:
        return list(_properties(mail, outline(mime.read(mail.raw))))
    except Exception:
        _log.failure("Mail {item} could not be read and is shown as plain text", item=mail.server_id)
    root = mime.unread(mail.raw)
    return list(_properties(mail, Outline(root, Text((root,), (root,)))))


def _properties(mail: Mail, seen: Outline) -> Iterator[Element]:
    root = seen.root
    told = (
        ("Email:Subject", words(root.get("subject", ""))[:MAX_SUBJECT]),
        ("Email:DateReceived", date_time(mail.received)),
        ("Email:DisplayTo", _names(root, "to")),
        ("Find:DisplayCc", _names(root, "cc")),
        ("Find:DisplayBcc", _names(root, "bcc")),
        ("Email:Importance", str(classes.importance(root))),
        ("Email:Read", marks.read_element(mail.state).text),
        ("Email2:IsDraft", "1" if marks.DRAFT in mail.state else "0"),
        ("Find:Preview", Body(mail.raw, seen).preview(PREVIEW)),
        ("Find:HasAttachments", "1" if seen.attachments else "0"),
        ("Email:From", listed(addresses(root.get_all("from", [])))),
    )
    return (Element(tag, text) for tag, text in told if text)


def _names(root: Part, name: str) -> str:
    """The names of people, separated by semicolons ([MS-ASCMD] 2.2.3.47)."""
    return fitting([address.name or address.spec for address in addresses(root.get_all(name, []))], ";")
