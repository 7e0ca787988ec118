"""What an answer is made of when it is large: kept in a file until it has been sent.

Mails are read and converted one at a time, and what comes of them goes into the file at once. So a client that takes
minutes for its answer costs a file and no memory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from tempfile import SpooledTemporaryFile
from typing import IO

from attrs import define, field, frozen

from gateway.eas.call import Answer, Stream, Unavailable

#: Bytes that are kept in memory rather than in a file, and sent at once; larger ones are sent piece by piece.
IN_MEMORY = 256 * 1024
#: Bytes that are read from the file at a time.
PIECE = 48 * 1024
#: When a client is to come again for whom there is no place, in seconds.
RETRY = 30


@frozen
class Span:
    """A part of a spool."""

    start: int
    length: int


@define(eq=False)
class Spool:
    """The data of one answer, in the order in which it came. Adding to it may block."""

    file: IO[bytes]
    closed: Callable[[], None]
    size: int = 0

    def add(self, pieces: Iterable[bytes]) -> Span:
        """Keep these bytes; if that fails, nothing of them."""
        start = end = self.size
        self.file.seek(start)
        for piece in pieces:
            self.file.write(piece)
            end += len(piece)
        self.size = end
        return Span(start, end - start)

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
            self.file.seek(part.start)
            left = part.length
            while left:
                piece = self.file.read(min(PIECE, left))
                if not piece:
                    raise OSError("a spool is shorter than it was")
                left -= len(piece)
                yield piece

    def close(self) -> None:
        """Forget it, if that was not done before."""
        if not self.file.closed:
            self.file.close()
            self.closed()


@define(eq=False)
class Spools:
    """The spools that there are, of which each may be a file: so many in all and so many of a user.

    C{directory} is where the files are made, nameless ones that are gone with the process.
    """

    directory: str | None = None
    total: int = 200
    of_user: int = 20
    _users: Counter[str] = field(init=False, factory=Counter)

    def open(self, user: str) -> Spool:
        """A new one; who asked for it closes it, or hands it on in an answer.

        @raise Unavailable: there are too many.
        """
        if self._users[user] >= self.of_user or self._users.total() >= self.total:
            raise Unavailable("too many large answers are under way", RETRY)
        self._users[user] += 1
        file = SpooledTemporaryFile(IN_MEMORY, dir=self.directory)  # noqa: SIM115 (closed with the spool)
        return Spool(file, partial(self._closed, user))

    def _closed(self, user: str) -> None:
        self._users[user] -= 1
        if not self._users[user]:
            del self._users[user]

    def __len__(self) -> int:
        return self._users.total()
