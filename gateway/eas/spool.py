"""What an answer is made of when it is large: kept in a file until it has been sent.

Mails are read and converted one at a time, and what comes of them goes into the file at once. So a client that takes
minutes for its answer costs a file and no memory.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from tempfile import SpooledTemporaryFile
from threading import Lock
from typing import IO

from attrs import define, field, frozen
from twisted.internet.defer import execute
from twisted.logger import Logger

from gateway.eas import wbxml
from gateway.eas.call import Answer, Stream, Unavailable
from gateway.eas.content import WBXML, gzip_pieces
from gateway.eas.places import Places
from gateway.eas.reading import Run
from gateway.element import Element

#: Bytes that are kept in memory rather than in a file, and sent at once; larger ones are sent piece by piece.
IN_MEMORY = 256 * 1024
#: Bytes that are read from the file at a time.
PIECE = 48 * 1024
#: When a client is to come again for whom there is no place, in seconds.
RETRY = 30
#: Characters of one text that are not put into a spool.
SHORT = 2**14
#: Characters of longer texts that an answer may hold before those that follow are put into a spool.
HELD = 2**20
#: Characters of a text that are made octets at a time.
SLICE = 2**16
#: Answers that are packed at a time.
PACKED_AT_ONCE = 2


@frozen
class Span:
    """A part of a spool."""

    start: int
    length: int


@define(eq=False)
class Spool:
    """The data of one answer, in the order in which it came. Adding to it may block.

    C{texts} are those parts of it that are the texts of elements, by their C{id}.
    """

    file: IO[bytes]
    closed: Callable[[], None]
    size: int = 0
    texts: dict[int, Span] = field(init=False, factory=dict)
    # They have to live for as long as they are known by their id.
    _shelved: list[Element] = field(init=False, factory=list)

    def add(self, pieces: Iterable[bytes]) -> Span:
        """Keep these bytes; if that fails, nothing of them."""
        start = end = self.size
        for piece in pieces:
            # The pieces may be made of what is here.
            self.file.seek(end)
            self.file.write(piece)
            end += len(piece)
        self.size = end
        return Span(start, end - start)

    def put(self, element: Element, pieces: Iterable[bytes]) -> None:
        """Keep these bytes as the text of an element, which has none itself from then on."""
        span = self.add(pieces)
        self._shelved.append(element)
        element.value = None
        if span.length:
            self.texts[id(element)] = span

    def shelve(self, element: Element) -> None:
        """Keep the text of an element."""
        self.put(element, octets(element.text))

    def document(self, root: Element) -> list[bytes | Span]:
        """A document, some of whose texts may be here."""
        return list(wbxml.segments(root, self.texts))

    def answer(self, segments: Sequence[bytes | Span], content_type: str) -> Answer:
        """The answer that consists of these bytes and parts of the spool, one after another.

        The spool is the answer's from then on.
        """
        length = sum(len(part) if isinstance(part, bytes) else part.length for part in segments)
        pieces = self._pieces(segments)
        if length > IN_MEMORY:
            return Answer(stream=Stream(length, pieces, self.close), content_type=content_type)
        raw = b"".join(pieces)
        self.close()
        return Answer(raw=raw, content_type=content_type)

    def _pieces(self, segments: Sequence[bytes | Span]) -> Iterator[bytes]:
        for part in segments:
            if isinstance(part, bytes):
                yield from (part[at : at + PIECE] for at in range(0, len(part), PIECE))
                continue
            at, end = part.start, part.start + part.length
            while at < end:
                self.file.seek(at)
                piece = self.file.read(min(PIECE, end - at))
                if not piece:
                    raise OSError("a spool is shorter than it was")
                at += len(piece)
                yield piece

    def packed(self, segments: Sequence[bytes | Span]) -> Stream:
        """What consists of these bytes and parts, as gzip; that takes its time."""
        span = self.add(gzip_pieces(self._pieces(segments)))
        return Stream(span.length, self._pieces([span]), self.close)

    def close(self) -> None:
        """Forget it, if that was not done before."""
        if not self.file.closed:
            self.file.close()
            self.closed()


@define(eq=False)
class Spools:
    """The spools that there are, of which each may be a file: so many in all and so many of a user.

    C{directory} is where the files are made, nameless ones that are gone with the process; C{run} takes the packing of
    answers away from the reactor's thread. A spool may be opened and closed in any thread.
    """

    directory: str | None = None
    total: int = 200
    of_user: int = 20
    run: Run = execute
    _users: Counter[str] = field(init=False, factory=Counter)
    _lock: Lock = field(init=False, factory=Lock)
    _packing: Places = field(init=False, factory=lambda: Places(PACKED_AT_ONCE))

    def open(self, user: str) -> Spool:
        """A new one; who asked for it closes it, or hands it on in an answer.

        @raise Unavailable: there are too many.
        """
        with self._lock:
            if self._users[user] >= self.of_user or self._users.total() >= self.total:
                raise Unavailable("too many large answers are under way", RETRY)
            self._users[user] += 1
        file = SpooledTemporaryFile(IN_MEMORY, dir=self.directory)  # noqa: SIM115 (closed with the spool)
        return Spool(file, partial(self._closed, user))

    async def packed(self, packing: Callable[[], Stream]) -> Stream:
        """Have an answer packed when its turn comes."""
        stream: Stream = await self._packing.take(partial(self.run, packing))
        return stream

    def _closed(self, user: str) -> None:
        with self._lock:
            self._users[user] -= 1
            if not self._users[user]:
                del self._users[user]

    def __len__(self) -> int:
        return self._users.total()


@define(eq=False)
class Shelf:
    """The long texts of one answer: the first ones stay where they are, C{room} characters of them, the others go into
    a spool.

    If there is no place for a spool, or no room on the disk, they stay too, and so they do without C{spools}.
    """

    log = Logger()

    spools: Spools | None
    user: str
    room: int = HELD
    _spool: Spool | None = field(init=False, default=None)
    _lock: Lock = field(init=False, factory=Lock)

    def keep(self, elements: Iterable[Element]) -> None:
        """Take the long texts of these elements; this may block."""
        for element in elements:
            self.keep(element)
            length = len(element.value) if isinstance(element.value, str) else 0
            if SHORT < length <= self.room:
                self.room -= length
            elif length > SHORT:
                self._shelve(element)

    def _shelve(self, element: Element) -> None:
        try:
            spool = self._opened()
            if spool is not None:
                spool.shelve(element)
        except (OSError, Unavailable) as error:
            self.log.warn("a large answer for {user} stays in memory: {error}", user=self.user, error=error)
            self.room = sys.maxsize

    def _opened(self) -> Spool | None:
        with self._lock:
            if self._spool is None and self.spools is not None:
                self._spool = self.spools.open(self.user)
            return self._spool

    def answer(self, root: Element) -> Answer:
        """The answer with that document, whose the spool is from then on."""
        spool = self._spool
        if spool is None:
            return Answer(element=root)
        segments = [self._laid(spool, part) for part in spool.document(root)]
        answer = spool.answer(segments, WBXML)
        if answer.stream is not None:
            answer.stream.packed = partial(spool.packed, segments)
        return answer

    def _laid(self, spool: Spool, part: bytes | Span) -> bytes | Span:
        """What stayed is in the spool too while it is sent."""
        try:
            return spool.add((part,)) if isinstance(part, bytes) and len(part) > PIECE else part
        except OSError:
            return part

    def close(self) -> None:
        """There will be no answer."""
        with self._lock:
            self.spools = None
            if self._spool is not None:
                self._spool.close()


def octets(text: str) -> Iterator[bytes]:
    """A text as it is sent, piece by piece."""
    return (wbxml.text_octets(text[at : at + SLICE]) for at in range(0, len(text), SLICE))
