"""WAP Push: Service Indication (WAP-167) and OMA E-Mail Notification 1.0 (OMA-Push-EMN), from the WSP header on.

A phone takes both at port 2948. Each is a WSP Push PDU (WAP-230 8.2.4.1) around a WBXML document.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType

from attrs import frozen

from gateway.sms.udh import Ports

PORTS = Ports(2948, 9200)

_TRANSACTION, _PUSH = 0x01, 0x06
_UTF8 = 0x6A
_CONTENT, _ATTRIBUTES = 0x40, 0x80
_END, _STRING, _OPAQUE = 0x01, 0x03, 0xC3
_SHORT = 0x80

# Content type application/vnd.wap.sic with its charset; application/vnd.wap.emn+wbxml (0x030A) and the header
# X-Wap-Application-Id x-wap-application:emn.ua (9).
_SI_HEADERS = bytes((3, 0x2E | _SHORT, 0x01 | _SHORT, _UTF8 | _SHORT))
_EMN_HEADERS = bytes((3, 2, 0x03, 0x0A, 0x2F | _SHORT, 0x09 | _SHORT))

_SI_DOCUMENT = bytes((0x02, 0x05, _UTF8, 0x00))
_SI, _INDICATION = 0x05, 0x06
_CREATED, _EXPIRES, _ID = 0x0A, 0x10, 0x11
_HREF: Mapping[str, int] = MappingProxyType(
    {"https://www.": 0x0F, "https://": 0x0E, "http://www.": 0x0D, "http://": 0x0C, "": 0x0B}
)
_ACTIONS: Mapping[str, int] = MappingProxyType(
    {"signal-none": 0x05, "signal-low": 0x06, "signal-medium": 0x07, "signal-high": 0x08, "delete": 0x09}
)

_EMN_DOCUMENT = bytes((0x02, 0x0D, _UTF8, 0x00))
_EMN, _TIMESTAMP = 0x05, 0x05
_MAILBOX: Mapping[str, int] = MappingProxyType(
    {
        "mailat:": 0x07,
        "pop://": 0x08,
        "imap://": 0x09,
        "http://www.": 0x0B,
        "http://": 0x0A,
        "https://www.": 0x0D,
        "https://": 0x0C,
        "": 0x06,
    }
)

_VALUES: Mapping[str, int] = MappingProxyType({".com/": 0x85, ".edu/": 0x86, ".net/": 0x87, ".org/": 0x88})
_SPLIT = re.compile("(" + "|".join(re.escape(value) for value in _VALUES) + ")")


@frozen
class Indication:
    """A Service Indication: C{created} and C{expires} in seconds since the epoch, 0 and empty texts are left out.

    C{action} is how loudly the phone tells of it: C{signal-none}, C{signal-low}, C{signal-medium}, C{signal-high},
    or C{delete}. What tells one from another is C{id}, or C{href} without it.
    """

    href: str = ""
    id: str = ""
    action: str = "signal-none"
    created: float = 0
    expires: float = 0
    text: str = ""

    def encode(self) -> bytes:
        """The octets after the user data header.

        @raise ValueError: no such action, or a NUL in a text.
        """
        if self.action not in _ACTIONS:
            raise ValueError(f"there is no action {self.action!r}: it is one of {', '.join(_ACTIONS)}")
        attributes = [
            _address(self.href) if self.href else b"",
            bytes((_ID,)) + _string(self.id) if self.id else b"",
            bytes((_ACTIONS[self.action],)),
            bytes((_CREATED,)) + _time(self.created) if self.created else b"",
            bytes((_EXPIRES,)) + _time(self.expires) if self.expires else b"",
        ]
        tag = _INDICATION | _ATTRIBUTES | (_CONTENT if self.text else 0)
        content = _string(self.text) + bytes((_END,)) if self.text else b""
        body = bytes((_SI | _CONTENT, tag, *b"".join(attributes), _END, *content, _END))
        return _push(_SI_HEADERS, _SI_DOCUMENT + body)


@frozen
class MailNotification:
    """An E-Mail Notification: C{mailbox} is a URI such as C{mailat:ann@example.org}, C{timestamp} in seconds since
    the epoch."""

    mailbox: str
    timestamp: float

    def encode(self) -> bytes:
        """The octets after the user data header.

        @raise ValueError: there is a NUL in the URI.
        """
        token, rest = _beginning(self.mailbox, _MAILBOX)
        # Tokens for the ends of domains there are too, but readers disagree on whether a slash belongs to them.
        attributes = token + (_string(rest) if rest else b"") + bytes((_TIMESTAMP,)) + _time(self.timestamp)
        return _push(_EMN_HEADERS, _EMN_DOCUMENT + bytes((_EMN | _ATTRIBUTES, *attributes, _END)))


def document(push: bytes) -> bytes:
    """The WBXML document of a push.

    @raise ValueError: it is none.
    """
    if len(push) < 3 or push[1] != _PUSH or push[2] > 0x7F or len(push) <= 3 + push[2]:
        raise ValueError("this is no WSP Push")
    return push[3 + push[2] :]


def _push(headers: bytes, body: bytes) -> bytes:
    return bytes((_TRANSACTION, _PUSH, len(headers))) + headers + body


def _address(href: str) -> bytes:
    """An attribute C{href}, with the ends of domains in it as tokens."""
    token, rest = _beginning(href, _HREF)
    pieces = [piece for piece in _SPLIT.split(rest) if piece]
    return token + b"".join(bytes((_VALUES[piece],)) if piece in _VALUES else _string(piece) for piece in pieces)


def _beginning(value: str, tokens: Mapping[str, int]) -> tuple[bytes, str]:
    """The token of an attribute with the beginning of its value, and the rest; longer beginnings stand first."""
    start = next(start for start in tokens if value.startswith(start))
    return bytes((tokens[start],)), value[len(start) :]


def _string(text: str) -> bytes:
    if "\0" in text:
        raise ValueError("a text has a NUL")
    return bytes((_STRING,)) + text.encode() + b"\0"


def _time(seconds: float) -> bytes:
    """A time as opaque octets, two digits in each, without zeros at its end (WAP-167 8.2.2)."""
    digits = bytes.fromhex(datetime.fromtimestamp(seconds, UTC).strftime("%Y%m%d%H%M%S")).rstrip(b"\0")
    return bytes((_OPAQUE, len(digits))) + digits
