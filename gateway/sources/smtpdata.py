"""The content of a mail as it comes in after DATA: where it ends, what must not be in it, and where it is kept."""

from __future__ import annotations

import re
from tempfile import SpooledTemporaryFile
from typing import IO

from attrs import define, field

_DOT = re.compile(rb"\r\n\.")
_FIELD = re.compile(rb"[!-9;-~]+[ \t]*:")
_END = b"\r\n"
IN_MEMORY = 256 * 1024
"""Larger mails go to a temporary file while they come in."""


@define(eq=False)
class DataReader:
    """Finds the end of the content and undoes the doubled dots (RFC 5321 4.1.1.4 and 4.5.2), block by block.

    Only CR LF dot CR LF ends it: whoever takes something else for the end can be made to take the rest of a mail for
    commands.
    """

    _held: bytes = field(init=False, default=_END)
    _begun: bool = field(init=False, default=False)

    def feed(self, data: bytes) -> tuple[bytes, bytes | None]:
        """The content in this block, and what follows its end, or C{None} if the end is still to come."""
        block = self._held + data
        parts: list[bytes] = []
        done = 0
        rest: bytes | None = None
        held = len(block)
        for found in _DOT.finditer(block):
            after = block[found.end() : found.end() + 2]
            if after == _END:
                held, rest = found.start() + 2, block[found.end() + 2 :]
                break
            if _END.startswith(after):
                held = found.start()
                break
            parts.append(block[done : found.start() + 2])
            done = found.end()
        else:
            held -= 2 if block.endswith(_END) else block.endswith(b"\r")
        parts.append(block[done:held])
        self._held = block[held:] if rest is None else b""
        return self._without_first(b"".join(parts)), rest

    def _without_first(self, content: bytes) -> bytes:
        """The content without the line end that was put before it, as a dot may come first of all."""
        if self._begun or not content:
            return content
        self._begun = True
        return content[2:]


@define(eq=False)
class Draft:
    """A mail that is coming in: kept until it is whole, and looked at for what makes it unfit.

    C{fault} is the first thing found, as (code, enhanced code, text) of the answer; from then on nothing is kept.
    """

    most: int
    longest_line: int
    size: int = 0
    fault: tuple[int, str, str] | None = None
    _line: int = field(init=False, default=0)
    _kept: IO[bytes] = field(init=False, factory=lambda: SpooledTemporaryFile(IN_MEMORY))  # noqa: SIM115 (closed by close)

    def add(self, content: bytes) -> None:
        """Take the next part of the content, as L{DataReader} gives it: a CR LF never falls apart."""
        self.size += len(content)
        if self.fault is None:
            self.fault = self._fault(content)
        if self.fault is not None:
            self.close()
            return
        try:
            self._kept.write(content)
        except OSError as error:
            self.fault = 452, "4.3.1", f"No room for the mail: {error.strerror}"
            self.close()

    def read(self) -> bytes:
        """The whole content, with an empty line before it if it does not begin with a header."""
        self._kept.seek(0)
        content = self._kept.read()
        return content if _FIELD.match(content) else _END + content

    def close(self) -> None:
        """Give up what is kept; may be called again."""
        self._kept.close()

    def _fault(self, content: bytes) -> tuple[int, str, str] | None:
        if self.size > self.most:
            return 552, "5.3.4", f"The mail is larger than {self.most} bytes"
        if not content.count(b"\r") == content.count(b"\n") == content.count(_END):
            return 554, "5.6.0", "A CR or LF stands alone: lines end with CR LF"
        if b"\0" in content:
            return 554, "5.6.0", "The mail has a NUL in it"
        lines = [len(line) for line in content.split(_END)]
        lines[0] += self._line
        self._line = lines[-1]
        if max(lines) > self.longest_line:
            return 554, "5.6.0", f"A line is longer than {self.longest_line} bytes"
        return None
