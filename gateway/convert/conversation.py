"""Which conversation a mail belongs to ([MS-ASEMAIL] 2.2.2.17, 2.2.2.18; [MS-ASCON] 2.2.2)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from email.message import Message

from gateway.convert.headers import words

_ID = re.compile(r"<[^<>\s]{1,998}>")
_PREFIX = re.compile(r"\A(?:(?:re|fwd?|aw|wg|sv|vs|tr|antw|rv|res|enc)(?:\[\d{1,3}\])?\s*:\s*)+", re.IGNORECASE)
_HEADER_BYTES = 22
_REPLY_BYTES = 5
_MAX_INDEX = 4096

CONVERSATION_BYTES = 2**16
"""What is read of a mail that has no name, to tell its conversation."""

_MOST_LEVELS = 100
_FILETIME_EPOCH = 11644473600


def thread_topic(header: Message, subject: str) -> str:
    """Thread-Topic, else the subject without what replying and forwarding put before it."""
    return words(header.get("thread-topic", "")) or _PREFIX.sub("", subject)


def conversation_id(header: Message, fallback: bytes) -> bytes:
    """16 bytes that are equal for all messages of a thread.

    They are made of the Message-ID of the first message: what References begins with, else In-Reply-To, else the
    own one; C{fallback} stands in for a mail that has none of them.
    """
    for name in ("references", "in-reply-to", "message-id"):
        found = _ID.search(header.get(name, ""))
        if found:
            return hashlib.sha256(found[0].encode("utf-8", "replace")).digest()[:16]
    return hashlib.sha256(fallback).digest()[:16]


def conversation_index(header: Message, received: int) -> bytes:
    """Five bytes of the time when the thread began, and five for each reply since ([MS-ASCON] 2.2.2.4).

    Thread-Index has them behind a byte 0x01, and before the replies 16 that name the thread, which ConversationId
    does here. Without it the mail begins a thread with its delivery.
    """
    index = _index(header)
    return index[1:6] + index[_HEADER_BYTES:] if index else _ticks(received).to_bytes(8, "big")[1:6]


def thread_index(header: Message, received: int, fallback: bytes, now: float) -> str:
    """Thread-Index for what answers a mail or passes it on ([MS-OXOMSG] 2.2.1.3).

    Behind what the mail has, or what ConversationIndex and ConversationId make of it, stand five bytes more: the time
    since the thread began, and how manieth mail after the first one it is. A thread that is too long gets no more.
    """
    index = _index(header) or _first(header, received, fallback)
    levels = (len(index) - _HEADER_BYTES) // _REPLY_BYTES
    if levels < _MOST_LEVELS:
        passed = max(_ticks(now) - int.from_bytes(index[:6] + b"\0\0", "big"), 0)
        # In 31 bits: up to 1.7 years in steps of 26 ms, which the bit before them is 0 for, else in steps of 0.8 s.
        time = passed >> 18 if passed < 2**49 else 2**31 | (passed >> 23) % 2**31
        index += time.to_bytes(4, "big") + bytes([(levels + 1) % 16])
    return base64.b64encode(index).decode("ascii")


def first_thread_index(header: Message, now: float, fallback: bytes) -> str:
    """Thread-Index for a mail that is written now, and says nothing of that itself."""
    return base64.b64encode(_first(header, now, fallback)).decode("ascii")


def _first(header: Message, begun: float, fallback: bytes) -> bytes:
    """What ConversationIndex and ConversationId make of a mail without Thread-Index."""
    return b"\x01" + _ticks(begun).to_bytes(8, "big")[1:6] + conversation_id(header, fallback)


def _ticks(moment: float) -> int:
    """A time in seconds since the epoch, as it is counted there."""
    return (int(moment) + _FILETIME_EPOCH) * 10_000_000


def _index(header: Message) -> bytes:
    """What Thread-Index says, or nothing."""
    given = header.get("thread-index", "")
    index = _decoded(given) if len(given) <= _MAX_INDEX else b""
    fits = len(index) >= _HEADER_BYTES and (len(index) - _HEADER_BYTES) % _REPLY_BYTES == 0
    return index if fits else b""


def _decoded(given: str) -> bytes:
    try:
        return base64.b64decode(given)
    except (binascii.Error, ValueError):
        return b""
