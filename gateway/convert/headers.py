"""Header fields: from the octets of a mail to Unicode values, addresses and parameters.

The scanners here are single regular expressions with linear time on any input, because the standard library's are
not safe for mail of strangers: C{email.utils.getaddresses} recurses for nested comments, the parameter parser raises
C{TypeError} for mixed RFC 2231 segments, C{decode_header} raises for bad base64, and the header objects of
C{policy.SMTP} cost 0.2 ms per field. Values are cut at L{MAX_VALUE} before they are read.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

from attrs import frozen

from gateway.convert.charset import clean, decoded

MAX_VALUE = 65536
"""Octets of one field that are read; To is at most 32768 characters ([MS-ASEMAIL] 2.2.2.80)."""

MAX_FIELDS = 1000
"""Fields of one header that are read; a mail through many hands has about 100."""

MAX_REPEATS = 16
"""Fields of one name whose addresses are put together."""

MAX_LOST = 100
"""Characters up to which words with commas between them may be one name."""

MAX_PARAMETERS = 200
"""Parameters of one field that are read."""

_FIELD = re.compile(rb"([!-9;-~]{1,200})[ \t]*:((?:[^\n]*+\n[ \t])*+[^\n]*+)\n?")
_ENVELOPE_LINE = re.compile(rb">?From [^\n]*\n")
_BLANK = re.compile(rb"\r?\n")
_BLANK_LINE = re.compile(rb"\n\r?\n")
_FOLD = re.compile(r"[\r\n]+[ \t]*|\t")
_WORD = re.compile(r"=\?([^?\s]{1,64})\?([bBqQ])\?([^?]*)\?=")
_TOKEN = re.compile(
    r'"(?P<quoted>(?:[^"\\]|\\.)*)"'
    r"|<(?P<angle>[^<>]*)>"
    r"|\((?P<comment>[^()]*)\)"
    r"|(?P<mark>[,;:])"
    r"|(?P<text>=\?[^?\s]+\?[bBqQ]\?[^?]*\?=|[^\"<>(),;:\\=]+|\\.|[^,;:])",
    re.DOTALL,
)
_PAIR = re.compile(r"\\(.)", re.DOTALL)
_PARAMETER = re.compile(r';\s*([^\s=;"]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;]*))', re.DOTALL)
_SEGMENT = re.compile(r"([^*]+)(?:\*(\d{1,3}))?(\*)?")


@frozen
class Address:
    """A name (possibly empty) and an addr-spec."""

    name: str
    spec: str

    def __str__(self) -> str:
        """The form C{"Name" <a@b>}; an address without a name stands as its own name."""
        name = (self.name or self.spec).replace("\\", "\\\\").replace('"', '\\"')
        return f'"{name}" <{self.spec}>' if self.spec else f'"{name}"'


@frozen
class Fields:
    """The fields of one header, by lower-cased name, each as it stands in the mail."""

    values: dict[str, list[bytes]]

    def raw(self, name: str) -> str:
        """The unfolded value of the first field of that name, encoded words as they are; empty if there is none."""
        found = self.values.get(name)
        return unfolded(found[0]) if found else ""

    def text(self, name: str) -> str:
        """The value of the first field of that name as Unicode; empty if there is none."""
        return words(self.raw(name))

    def addresses(self, name: str) -> list[Address]:
        """The addresses of all fields of that name, in order."""
        found = self.values.get(name)
        if not found:
            return []
        return list(addresses(", ".join(map(unfolded, found[:MAX_REPEATS]))[:MAX_VALUE]))


def read_fields(raw: bytes, start: int, end: int) -> tuple[Fields, int]:
    """The fields that begin at C{start}, and where the body begins.

    The header ends at the first blank line, or before the first line that is no field (as in a mail that has none).
    """
    values: dict[str, list[bytes]] = {}
    position = start
    envelope = _ENVELOPE_LINE.match(raw, position, end)
    if envelope:
        position = envelope.end()
    for _ in range(MAX_FIELDS):
        found = _FIELD.match(raw, position, end)
        if found is None:
            break
        position = found.end()
        values.setdefault(found[1].decode("ascii").lower(), []).append(_bounded(found))
    else:
        beyond = _BLANK_LINE.search(raw, position - 1, end)
        return Fields(values), beyond.end() if beyond else end
    blank = _BLANK.match(raw, position, end)
    return Fields(values), blank.end() if blank else position


def _bounded(found: re.Match[bytes]) -> bytes:
    begin, end = found.span(2)
    return found.string[begin : min(end, begin + MAX_VALUE)]


def unfolded(value: bytes) -> str:
    """One line of text; octets outside ASCII are read as UTF-8 or windows-1252."""
    return clean(_FOLD.sub(" ", decoded(value, "")[0])).strip()


def words(value: str) -> str:
    """The text with its encoded words decoded (RFC 2047); a broken word stays as it is."""
    if "=?" not in value:
        return value
    pieces: list[str] = []
    pending: tuple[str, bytes] | None = None
    last = 0
    for found in _WORD.finditer(value):
        between = value[last : found.start()]
        octets = _word_octets(found[2], found[3])
        if octets is None:
            continue
        charset = found[1].partition("*")[0]
        if pending and not between.strip() and pending[0] == charset:
            # A character may be split between two words of one charset.
            pending = (charset, pending[1] + octets)
        else:
            adjacent = pending is not None and not between.strip()
            pieces += _flushed(pending)
            pieces += () if adjacent else (between,)
            pending = (charset, octets)
        last = found.end()
    return clean("".join((*pieces, *_flushed(pending), value[last:])))


def _flushed(pending: tuple[str, bytes] | None) -> tuple[str, ...]:
    return () if pending is None else (_FOLD.sub(" ", decoded(pending[1], pending[0])[0]),)


def _word_octets(encoding: str, text: str) -> bytes | None:
    if not text.isascii():
        return None
    if encoding in "qQ":
        return binascii.a2b_qp(text.encode("ascii"), header=True)
    return unbase64(text.encode("ascii"))


_NOT_BASE64 = bytes(set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"))


def unbase64(data: bytes | memoryview) -> bytes:
    """Decode base64 as far as it goes: foreign octets and missing padding do no harm."""
    try:
        return binascii.a2b_base64(data)
    except binascii.Error:
        letters = bytes(data).translate(None, _NOT_BASE64)
        whole = len(letters) - (1 if len(letters) % 4 == 1 else 0)
        return binascii.a2b_base64(letters[:whole] + b"=" * (-whole % 4))


def addresses(value: str) -> Iterator[Address]:
    """The addresses of a list (RFC 5322 3.4), leniently; groups are taken apart, what has no @ may be a name."""
    name: list[str] = []
    comments: list[str] = []
    angle: str | None = None
    lost = ""
    for kind, text in _tokens(value):
        if kind != "mark":
            if kind == "angle":
                angle = text
            else:
                (comments if kind == "comment" else name).append(text)
            continue
        if text == ":" and angle is None:
            name, comments, lost = [], [], ""
            continue
        made = _taken(lost, name, comments, angle)
        lost = ""
        # "Doe, Jane <j@example.org>" without quotes: the comma belongs to the name.
        if text == "," and len(made) == 1 and not made[0].spec and len(made[0].name) < MAX_LOST:
            lost = made[0].name + ", "
        else:
            yield from made
        name, comments, angle = [], [], None


def _tokens(value: str) -> Iterator[tuple[str, str]]:
    for found in _TOKEN.finditer(value):
        kind = str(found.lastgroup)
        text = found[kind]
        if kind == "quoted":
            text = _PAIR.sub(r"\1", text)
        yield kind, text
    yield "mark", ";"


def _taken(lost: str, name: list[str], comments: list[str], angle: str | None) -> list[Address]:
    """What the tokens of one address give; C{lost} is a name that stood before it, with its comma."""
    text = "".join(name).strip()
    if angle is not None and (angle.strip() or text):
        return [Address(_name(lost + text) or _name(" ".join(comments)), _spec(angle))]
    alone = [Address(_name(lost).rstrip(","), "")] if lost else []
    if "@" in text:
        return [*alone, Address(_name(" ".join(comments)), _spec(text))]
    return [Address(_name(lost + text), "")] if text else alone


def _name(text: str) -> str:
    return " ".join(words(text).split())


def _spec(text: str) -> str:
    return words(text.strip())


def parameters(value: str) -> tuple[str, dict[str, str]]:
    """The value before the first semicolon, lower-cased, and the parameters by lower-cased name (RFC 2045, 2231)."""
    head, semicolon, _ = value.partition(";")
    found: dict[str, str] = {}
    segments: dict[str, dict[int, tuple[str, bool]]] = {}
    if semicolon:
        for count, match in enumerate(_PARAMETER.finditer(value)):
            if count == MAX_PARAMETERS:
                break
            text = _PAIR.sub(r"\1", match[2]) if match[2] is not None else match[3].strip().strip('"')
            key = match[1].lower()
            if "*" not in key:
                found.setdefault(key, text)
            elif (parts := _SEGMENT.fullmatch(key)) is not None:
                number = int(parts[2] or 0)
                segments.setdefault(parts[1], {}).setdefault(number, (text, parts[3] is not None))
    found.update((key, _joined(pieces)) for key, pieces in segments.items())
    return head.strip().lower(), found


def _joined(pieces: dict[int, tuple[str, bool]]) -> str:
    """The value of RFC 2231 segments: percent-encoded ones in the charset that the first one names."""
    charset = ""
    octets = b""
    for number, (text, encoded) in sorted(pieces.items()):
        if number == min(pieces) and encoded and text.count("'") >= 2:
            charset, _, text = text.split("'", 2)
        octets += unquote_to_bytes(text) if encoded else text.encode("utf-8", "replace")
    return clean(decoded(octets, charset or "utf-8")[0])
