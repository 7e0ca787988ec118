"""What of a mail can be searched: the texts that a person reads, as the index takes them."""

from __future__ import annotations

from collections.abc import Iterator

from twisted.logger import Logger

from gateway.convert import html, mime
from gateway.convert.charset import clean, decoded
from gateway.convert.conversation import CONVERSATION_BYTES, conversation_id
from gateway.convert.headers import addresses, words
from gateway.convert.message import listed
from gateway.convert.mime import Part
from gateway.convert.outline import HTML, outline
from gateway.index import Document
from gateway.model import Item

MAX_TEXT = 2**16
"""Characters of the text of a mail that can be searched, and of the names of what is attached."""

_MAX_OCTETS = 2**19
_MAX_PARTS = 50
_FALLBACK = 2**16

_log = Logger()


def document(raw: bytes, item: Item) -> Document:
    """A mail for the index. None makes it fail: what cannot be read is taken as plain text."""
    try:
        return _document(raw, item)
    except Exception:
        _log.failure(
            "Mail {folder}:{item} could not be read and is searched as plain text", folder=item.folder, item=item.id
        )
    return Document(item.id, item.received, text=clean(decoded(raw[:_FALLBACK], "")[0]))


def _document(raw: bytes, item: Item) -> Document:
    seen = outline(mime.read(raw))
    root = seen.root
    names = (attached.part.filename for attached in seen.attachments[:_MAX_PARTS])
    return Document(
        item=item.id,
        received=item.received,
        subject=words(root.get("subject", "")),
        sender=_listed(root, "from", "sender"),
        recipients=_listed(root, "to", "cc", "bcc"),
        text="\n".join((*_texts(seen.text.plain[:_MAX_PARTS]), *names)),
        conversation=conversation_id(root, raw[:CONVERSATION_BYTES]),
    )


def _listed(root: Part, *names: str) -> str:
    return ", ".join(listed(addresses(root.get_all(name, []))) for name in names)


def _texts(parts: tuple[Part, ...]) -> Iterator[str]:
    """The beginning of the text; of a part no more is decoded than that can need."""
    left = MAX_TEXT
    for part in parts:
        if left <= 0:
            return
        source = clean(decoded(_beginning(part), part.parameters().get("charset", ""))[0])
        text = html.to_text(source, left)[0] if part.type == HTML else source
        yield text[:left]
        left -= len(text)


def _beginning(part: Part) -> bytes:
    """The first octets of a part, up to the end of a line so that no character is cut."""
    found = bytearray()
    for chunk in part.chunks():
        found += chunk
        if len(found) > _MAX_OCTETS:
            end = found.rfind(b"\n", 0, _MAX_OCTETS) + 1
            return bytes(found[: end or _MAX_OCTETS])
    return bytes(found)
