"""Who a request says it is from: the Authorization header and the User of the query ([MS-ASHTTP] 2.2.1.1.2)."""

from __future__ import annotations

import binascii
import re
import unicodedata

from attrs import field, frozen

from gateway.eas.request import text_of

_MAX_AUTHORIZATION = 2048
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@frozen
class Basic:
    """User name and password as the client sent them; the password stays out of every log."""

    user: str
    password: str = field(repr=False)


def parse_basic(header: bytes | None) -> Basic | None:
    """The credentials of an Authorization header (RFC 7617), UTF-8 or else Latin-1.

    C{None} if there is none, if it is of another scheme, or if it cannot be read: no user name, control characters.
    """
    scheme, _, value = (header or b"").strip().partition(b" ")
    if scheme.lower() != b"basic" or len(value) > _MAX_AUTHORIZATION:
        return None
    try:
        pair = text_of(binascii.a2b_base64(value.strip().rstrip(b"=") + b"==", strict_mode=False))
    except binascii.Error:
        return None
    user, colon, password = pair.partition(":")
    if not (user and colon) or _CONTROL.search(pair):
        return None
    return Basic(user, password)


def names_another(asked: str, authenticated: str) -> bool:
    """Whether the User of a query names somebody else than the authenticated user.

    Domains count only where both names have one of the same kind; no User at all names nobody else. A space is
    the plus sign that a device forgot to escape.
    """
    if not asked:
        return False
    name, realm, mail = _split(asked.replace(" ", "+"))
    other, other_realm, other_mail = _split(authenticated.replace(" ", "+"))
    return name != other or _differ(realm, other_realm) or _differ(mail, other_mail)


def _differ(one: str, other: str) -> bool:
    return bool(one and other and one != other)


def _split(name: str) -> tuple[str, str, str]:
    """The name, what stands before the backslash, what stands behind the at sign."""
    realm, _, rest = unicodedata.normalize("NFC", name.strip()).casefold().rpartition("\\")
    local, _, mail = rest.partition("@")
    return local, realm, mail
