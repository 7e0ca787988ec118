"""The text of a mail in the format, and of the length, that a device asked for."""

from __future__ import annotations

import re
from collections.abc import Sequence

from attrs import evolve, frozen

from gateway.convert import html, verbatim
from gateway.convert.charset import ASCII, crlf
from gateway.convert.mime import Part
from gateway.convert.outline import HTML, Outline
from gateway.element import Element
from gateway.model import BodyPreference, SyncOptions

PLAIN_TYPE = 1
HTML_TYPE = 2
MIME_TYPE = 4

MAX_UNASKED = 2**20
"""Bytes of text for a device that named no format and no size ([MS-ASAIRS] leaves that case open). Such a device has
no way to say that it has little room, so it gets what people write and not a log file of 20 MB."""

_TRUNCATION = (0, 512, 1024, 2048, 5120, 10240, 20480, 51200, 102400, None)
_MIME_TRUNCATION = (0, 4096, 5120, 7168, 10240, 20480, 51200, 102400, None)
_MAX_PREVIEW = 255
_GLIMPSE = 2**17
_LINE_END = re.compile(r"\r\n|\r|\n")


@frozen
class Rendered:
    """A text in one format: its beginning, and how many bytes of UTF-8 the whole has (estimated if cut)."""

    text: str
    size: int
    truncated: bool = False


@frozen
class Body:
    """The texts that a mail can be sent as."""

    raw: bytes
    outline: Outline
    smime: bool = False

    @property
    def native(self) -> int:
        """The format the text was written in, as NativeBodyType tells it."""
        return HTML_TYPE if self.outline.is_html else PLAIN_TYPE

    @property
    def code_page(self) -> int:
        """The Windows code page of the charset the text was written in."""
        parts = self.outline.text.rich
        return parts[0].decoded[1] if parts else ASCII

    def rendered(self, kind: int, limit: int | None) -> Rendered:
        """The text in a format, at most C{limit} bytes of it."""
        if kind == MIME_TYPE:
            return _message(self.raw, self.outline.root, limit)
        parts = self.outline.text.plain if kind == PLAIN_TYPE else self.outline.text.rich
        text, missing = joined(parts, kind, limit)
        return shortened(text, limit, missing)

    def preview(self, length: int) -> str:
        """The first characters of the text, on one line."""
        wanted = min(length, _MAX_PREVIEW)
        seen = " ".join(_glimpse(part) for part in self.outline.text.plain[:4])
        return " ".join(seen.split())[:wanted].rstrip()

    def mime_allowed(self, options: SyncOptions) -> bool:
        """Whether MIMESupport lets this mail go out as MIME: 1 for S/MIME only, 2 for all ([MS-ASCMD] 2.2.3.110.4)."""
        return options.mime_support == 2 or (options.mime_support == 1 and self.smime)


def elements(body: Body, version: int, options: SyncOptions, whole: bool) -> list[Element]:
    """The body elements for a protocol version; C{whole} sends it uncut.

    A device of 14.1 that asked for BodyPart alone gets no Body.
    """
    if version < 120:
        return _old(body, options, whole)
    if version >= 141 and options.part is not None and not options.bodies:
        return []
    return [_body(body, version, options, whole)]


def part_element(body: Body, preference: BodyPreference, whole: bool) -> Element:
    """BodyPart: the HTML of this message alone ([MS-ASAIRS] 2.2.2.11)."""
    if whole:
        preference = evolve(preference, truncation=None, all_or_none=False)
    rendered = body.rendered(HTML_TYPE, preference.truncation)
    if rendered.truncated and preference.all_or_none:
        rendered = evolve(rendered, text="")
    return Element(
        "AirSyncBase:BodyPart",
        Element("AirSyncBase:Status", 1),
        *_content(HTML_TYPE, rendered),
        _preview(body, preference),
    )


def _body(body: Body, version: int, options: SyncOptions, whole: bool) -> Element:
    preference, rendered = _chosen(body, _ranked(body, options), whole)
    unseen = version >= 140 and not (preference.type == PLAIN_TYPE and rendered.text)
    return Element(
        "AirSyncBase:Body",
        *_content(preference.type, rendered),
        _preview(body, preference) if unseen else None,
    )


def _content(kind: int, rendered: Rendered) -> list[Element]:
    found = [Element("AirSyncBase:Type", kind), Element("AirSyncBase:EstimatedDataSize", rendered.size)]
    if rendered.truncated:
        found.append(Element("AirSyncBase:Truncated", 1))
    if rendered.text:
        found.append(Element("AirSyncBase:Data", rendered.text))
    return found


def _preview(body: Body, preference: BodyPreference) -> Element | None:
    text = body.preview(preference.preview) if preference.preview else ""
    return Element("AirSyncBase:Preview", text) if text else None


def _chosen(body: Body, ranked: Sequence[BodyPreference], whole: bool) -> tuple[BodyPreference, Rendered]:
    """The first preference that can be kept; when none can, the first one without data."""
    left_out: tuple[BodyPreference, Rendered] | None = None
    for preference in ranked:
        rendered = body.rendered(preference.type, None if whole else preference.truncation)
        if whole or not (rendered.truncated and preference.all_or_none):
            return preference, rendered
        left_out = left_out or (preference, evolve(rendered, text=""))
    assert left_out is not None
    return left_out


def _ranked(body: Body, options: SyncOptions) -> list[BodyPreference]:
    """What the device takes, the best first: MIME where it wants it, then the format of the mail, then the other."""
    asked = {preference.type: preference for preference in options.bodies}
    order = [body.native, HTML_TYPE if body.native == PLAIN_TYPE else PLAIN_TYPE]
    if body.mime_allowed(options):
        order.insert(0, MIME_TYPE)
    ranked = [asked[kind] for kind in order if kind in asked]
    if ranked and ranked[0].type == MIME_TYPE and ranked[0].truncation is None:
        ranked[0] = evolve(ranked[0], truncation=_scale(_MIME_TRUNCATION, options.mime_truncation))
    if ranked:
        return ranked
    # No format at all, or only such as this mail cannot be sent in: plain text, which every device shows.
    first = options.bodies[0] if options.bodies else BodyPreference(PLAIN_TYPE, truncation=MAX_UNASKED)
    return [evolve(first, type=PLAIN_TYPE)]


def _scale(scale: Sequence[int | None], step: int | None) -> int | None:
    return scale[step] if step is not None and 0 <= step < len(scale) else None


def _old(body: Body, options: SyncOptions, whole: bool) -> list[Element]:
    """The elements of protocol 2.5, which knows plain text and MIME only."""
    mime = body.mime_allowed(options)
    limit = _scale(_MIME_TRUNCATION, options.mime_truncation) if mime else _scale(_TRUNCATION, options.truncation)
    rendered = body.rendered(MIME_TYPE if mime else PLAIN_TYPE, None if whole else limit)
    data, size, cut = ("MIMEData", "MIMESize", "MIMETruncated") if mime else ("Body", "BodySize", "BodyTruncated")
    found = [Element(f"Email:{data}", rendered.text)] if rendered.text else []
    found.append(Element(f"Email:{size}", rendered.size))
    found.append(Element(f"Email:{cut}", int(rendered.truncated)))
    return found


def joined(parts: Sequence[Part], kind: int, limit: int | None) -> tuple[str, int]:
    """The text of all the parts in one format with line ends CRLF, and an estimate of the bytes left unread.

    No more is converted than C{limit} bytes of the result can need.
    """
    texts: list[str] = []
    missing = length = 0
    for part in parts:
        if limit is not None and length > limit:
            missing += part.size()
            continue
        text, left = _part_text(part, kind, limit)
        texts.append(text)
        length += len(text)
        missing += left
    return ("<br>\r\n" if kind == HTML_TYPE else "\r\n").join(texts), missing


def _glimpse(part: Part) -> str:
    """Enough of the text of a part for the longest preview."""
    source = part.decoded[0][:_GLIMPSE]
    return html.to_text(source, 8 * _MAX_PREVIEW)[0] if part.type == HTML else source[: 8 * _MAX_PREVIEW]


def _part_text(part: Part, kind: int, limit: int | None) -> tuple[str, int]:
    whole = part.decoded[0]
    if part.type == HTML and kind == PLAIN_TYPE:
        text, complete = html.to_text(whole)
        return _LINE_END.sub("\r\n", text), 0 if complete else len(whole) - html.MAX_SOURCE
    read = len(whole) if limit is None else max(2**16, limit)
    text = crlf(whole[:read])
    if kind == HTML_TYPE:
        text = html.declared_utf8(text) if part.type == HTML else html.from_text(text)
    return text, byte_length(whole[read:])


def shortened(text: str, limit: int | None, missing: int = 0) -> Rendered:
    """At most C{limit} bytes of UTF-8, whole characters and line ends; C{missing} bytes more were not read."""
    if limit is None and not missing:
        return Rendered(text, byte_length(text))
    octets = text if text.isascii() else text.encode("utf-8", "replace")
    size = len(octets)
    if limit is None or size <= limit:
        return Rendered(text, size + missing, missing > 0)
    kept = octets[:limit] if isinstance(octets, str) else octets[:limit].decode("utf-8", "ignore")
    return Rendered(kept.removesuffix("\r"), size + missing, True)


def byte_length(text: str) -> int:
    """How many bytes the text has in UTF-8."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))


def _message(raw: bytes, root: Part, limit: int | None) -> Rendered:
    text, missing = verbatim.message(raw, root, limit)
    rendered = shortened(text, limit, missing)
    return evolve(rendered, text=verbatim.whole_lines(rendered.text)) if rendered.truncated else rendered
