"""Header fields: values as Unicode text, encoded words and addresses, by the standard library.

What is here of our own is what C{email} leaves open or gets wrong for mail of strangers; each place says what. Values
are cut at L{MAX_VALUE} before they are read, because the library's parsers take quadratic time on odd ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from email import utils
from email.errors import HeaderParseError
from email.header import decode_header
from email.policy import Compat32

from attrs import frozen
from twisted.logger import Logger

from gateway.convert.charset import clean, decoded

MAX_VALUE = 32768
"""Octets of one field that are read; To is at most 32768 characters ([MS-ASEMAIL] 2.2.2.80)."""

MAX_CONTENT = 8192
"""Octets of one Content-* field; a name of 255 characters takes 3000 when each is percent-encoded."""

MAX_WORDS = 8192
"""Characters of one text in which encoded words are looked for."""

MAX_REPEATS = 16
"""Fields of one name whose addresses are put together."""

MAX_ADDRESSES = 3000
"""Addresses of one kind that are read: more than fit into L{MAX_VALUE}, but for lists made to be slow."""

_FOLD = re.compile(r"[\r\n]+[ \t]*|\t")
_BARE = re.compile(
    r'"(?:[^"\\]|\\.)*+"?'
    r'|(?<![^,;:>])((?:[^"<>(),;:@]++,)?[^"<>(),;:]++(?=<)|[^"<>(),;:@]++(?=[,;]|\Z))',
    re.DOTALL,
)

# Since 2024 the library drops a whole list with one odd address in it, unless it is told not to.
_ANYHOW = {"strict": False} if getattr(utils, "supports_strict_parsing", False) else {}

_log = Logger()


class Readable(Compat32):
    """Parse as C{compat32} does, which never fails, but give each value as one line of text.

    C{compat32} itself gives a C{Header} object of unknown charset for octets outside ASCII; here they are read as
    UTF-8 or windows-1252.
    """

    def header_fetch_parse(self, name: str, value: str) -> str:
        """The unfolded value, encoded words as they are."""
        limit = MAX_CONTENT if name.lower().startswith("content-") else MAX_VALUE
        octets = value[:limit].encode("utf-8", "surrogateescape")
        return clean(_FOLD.sub(" ", decoded(octets, "")[0])).strip()


READABLE = Readable()


@frozen
class Address:
    """A name (possibly empty) and an addr-spec."""

    name: str
    spec: str

    def __str__(self) -> str:
        """The form C{"Name" <a@b>}; an address without a name stands as its own name."""
        name = utils.quote(self.name or self.spec)
        return f'"{name}" <{self.spec}>' if self.spec else f'"{name}"'


def words(value: str) -> str:
    """The text with its encoded words decoded (RFC 2047); a text with a broken word stays as it is."""
    if "=?" not in value:
        return value
    # As octets in Latin-1: the library puts what stands between the words through a codec that changes all else.
    octets = value[:MAX_WORDS].encode("utf-8", "replace").decode("latin-1")
    try:
        pieces = decode_header(octets)
    except HeaderParseError:
        return value
    # Not by make_header: it raises for charsets that are unknown or do not fit.
    text = "".join(_word(octets, charset) for octets, charset in pieces)
    return clean(_FOLD.sub(" ", text)) + value[MAX_WORDS:]


def _word(octets: bytes | str, charset: str | None) -> str:
    if isinstance(octets, str):
        octets = octets.encode("latin-1")
    return decoded(octets, (charset or "utf-8").partition("*")[0])[0]


def addresses(values: Iterable[str]) -> list[Address]:
    """The addresses in these field values; groups are taken apart, what has no @ is a name."""
    fields = list(values)[:MAX_REPEATS]
    text = "@".join(", ".join(fields)[:MAX_VALUE].split("@", MAX_ADDRESSES)[:MAX_ADDRESSES])
    try:
        found = [each for each in _addresses(text) if each.name or each.spec]
    except RecursionError:
        # The library's parser recurses for comments in comments and for groups in groups.
        _log.warn("A list of addresses nested too deeply goes out as it is written")
        found = []
    return found or ([Address(_name(text), "")] if "@" in text else [])


def _addresses(text: str) -> Iterator[Address]:
    for name, spec in utils.getaddresses([_BARE.sub(_quoted, text)], **_ANYHOW):
        if name or (spec.find("@") > 0 and "<" not in spec):
            yield Address(_name(name), words(spec))
        elif spec:
            yield Address(_name(spec), "")


def _quoted(found: re.Match[str]) -> str:
    """A name without quotes in quotes: of C{Doe, Jane <j@x>} and C{A [B] <j@x>} the library makes several addresses."""
    name = (found[1] or "").strip()
    return f' "{utils.quote(name)}" ' if name else found[0]


def _name(text: str) -> str:
    return " ".join(words(text).split())
