"""Which conversation a mail belongs to ([MS-ASEMAIL] 2.2.2.17, 2.2.2.18; [MS-ASCON] 2.2.2)."""

from __future__ import annotations

import hashlib
import re

from gateway.convert.headers import Fields, unbase64, unfolded

_ID = re.compile(r"<[^<>\s]{1,998}>")
_PREFIX = re.compile(r"(?:(?:re|fwd?|aw|wg|sv|vs|tr|antw|rv|res|enc)(?:\[\d{1,3}\])?\s*:\s*)+", re.IGNORECASE)
_HEADER_BYTES = 22
_REPLY_BYTES = 5
_MAX_INDEX = 4096
_FILETIME_EPOCH = 11644473600


def thread_topic(fields: Fields, subject: str) -> str:
    """Thread-Topic, else the subject without what replying and forwarding put before it."""
    return fields.text("thread-topic") or (subject[found.end() :] if (found := _PREFIX.match(subject)) else subject)


def conversation_id(fields: Fields, fallback: bytes) -> bytes:
    """16 bytes that are equal for all messages of a thread.

    They are made of the Message-ID of the first message: what References begins with, else In-Reply-To, else the
    own one; C{fallback} stands in for a mail that has none of them.
    """
    for name in ("references", "in-reply-to", "message-id"):
        found = fields.values.get(name)
        match = _ID.search(unfolded(found[0][:8192])) if found else None
        if match:
            return hashlib.sha256(match[0].encode("utf-8", "replace")).digest()[:16]
    return hashlib.sha256(fallback).digest()[:16]


def conversation_index(fields: Fields, conversation: bytes, received: int) -> bytes:
    """Thread-Index, else one made of the time of delivery and the conversation.

    The first 22 bytes are 0x01, five bytes of the FILETIME and the 16 of the conversation.
    """
    given = fields.raw("thread-index")
    if given and len(given) <= _MAX_INDEX:
        index = unbase64(given.encode("ascii", "replace"))
        if len(index) >= _HEADER_BYTES and (len(index) - _HEADER_BYTES) % _REPLY_BYTES == 0:
            return index
    ticks = (received + _FILETIME_EPOCH) * 10_000_000
    return b"\x01" + ticks.to_bytes(8, "big")[1:6] + conversation
