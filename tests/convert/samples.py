"""Mails and questions that the tests of the conversions share."""

from __future__ import annotations

from typing import Any

from gateway.convert.message import Mail, properties
from gateway.element import Element
from gateway.model import BodyPreference, SyncOptions

VERSIONS = (25, 120, 121, 140, 141, 160, 161)
RECEIVED = 1714550400  # 2024-05-01T08:00:00Z

PLAIN = SyncOptions(bodies=(BodyPreference(1),))
HTML = SyncOptions(bodies=(BodyPreference(2),))
MIME = SyncOptions(bodies=(BodyPreference(4),), mime_support=2)


def text(headers: str, body: str | bytes = "Hi.") -> bytes:
    """A mail of these header lines and this body, with CRLF line ends in the header and before the body."""
    head = "".join(f"{line}\r\n" for line in headers.strip().split("\n")) if headers else ""
    return head.encode("utf-8") + b"\r\n" + (body.encode("utf-8") if isinstance(body, str) else body)


def multipart(kind: str, *parts: bytes, headers: str = "", parameters: str = "") -> bytes:
    """A multipart of these parts; the boundary is made of the kind and the number of octets, so nesting works."""
    boundary = f"={kind}{sum(map(len, parts))}"
    lines = f'Content-Type: multipart/{kind}; boundary="{boundary}"{parameters}'
    delimiter = f"--{boundary}".encode()
    body = b"".join(delimiter + b"\r\n" + part + b"\r\n" for part in parts)
    return text(f"{headers}\n{lines}" if headers else lines, body + delimiter + b"--\r\n")


def part(kind: str, body: str | bytes, *headers: str) -> bytes:
    """One part of that Content-Type."""
    return text("\n".join((f"Content-Type: {kind}", *headers)), body)


def made(raw: bytes, version: int = 141, options: SyncOptions = PLAIN, **other: Any) -> Element:
    """ApplicationData of a mail."""
    whole = other.pop("whole", False)
    mail = Mail(raw, **{"received": RECEIVED, "server_id": "5:17", **other})
    return Element("AirSync:ApplicationData", *properties(mail, version, options, whole=whole))


def data(raw: bytes, options: SyncOptions = PLAIN, version: int = 141) -> str:
    """The text of the Body that is sent."""
    body = made(raw, version, options).child("AirSyncBase:Body")
    assert body is not None
    return body.text_of("AirSyncBase:Data", "") or ""


def shown(element: Element) -> dict[str, str]:
    """Local names and texts of the children of an element, in order."""
    return {child.name: child.text for child in element.children}
