"""ItemOperations: fetching items and attachments, and what else is done to many at once ([MS-ASCMD] 2.2.1.10)."""

from __future__ import annotations

import struct
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType

from attrs import define, evolve, field, frozen

from gateway.eas import wbxml
from gateway.eas.call import Answer, Call, Refused, Version
from gateway.eas.content import WBXML
from gateway.eas.fetchbody import Fetch, parse_fetch
from gateway.eas.fetching import SUCCESS, TOO_LARGE, Fetching
from gateway.eas.gate import Rules
from gateway.eas.moving import Own
from gateway.eas.options import Malformed
from gateway.eas.reading import Reading
from gateway.eas.spool import Span, Spools
from gateway.element import Element
from gateway.interfaces import ILedger
from gateway.model import DeviceKey

MULTIPART = "application/vnd.ms-sync.multipart"
PROTOCOL = 2

#: Operations, and the version that brought them.
SINCE = MappingProxyType(
    {
        "ItemOperations:Fetch": Version.V12_0,
        "ItemOperations:EmptyFolderContents": Version.V12_0,
        "ItemOperations:Move": Version.V14_0,
    }
)

Operation = Callable[[Call, Element, Own], Awaitable[Element]]
"""Does an operation other than Fetch for a request; what it gives is the child of Response."""


class TooMany(Malformed):
    """More operations than a request may have."""


@frozen
class FetchLimits:
    """What one request may ask for: operations, and bytes of an answer after which nothing more is fetched."""

    operations: int = 100
    answer_bytes: int = 64 * 1024 * 1024


@define(eq=False)
class ItemOperations:
    """The ItemOperations command.

    C{others} are the operations beside Fetch, by their tags; C{own} is L{gateway.eas.moving.Moving.own}.
    """

    ledger: ILedger
    reading: Reading
    spools: Spools
    rules: Rules = field(factory=Rules)
    others: Mapping[str, Operation] = field(factory=dict)
    own: Callable[[DeviceKey], Own] | None = None
    limits: FetchLimits = field(factory=FetchLimits)

    async def __call__(self, call: Call) -> Answer:
        """Execute the operations in their order.

        @raise Refused: 101 for a request without a body.
        @raise Unavailable: too much is under way.
        """
        if call.body is None:
            raise Refused(101, "an ItemOperations without a body")
        try:
            operations = self._operations(call.body, call.version)
        except Malformed as error:
            return _refused(call, TOO_LARGE if isinstance(error, TooMany) else PROTOCOL, str(error))
        own = self.own(call.device) if self.own is not None else None
        try:
            answer = await self._executed(call, operations, own)
        except BaseException:
            if own is not None:
                own.written(False)
            raise
        return answer if own is None else evolve(answer, written=own.written)

    async def _executed(self, call: Call, operations: Sequence[Element | Fetch], own: Own | None) -> Answer:
        spool = self.spools.open(call.device.user)
        policy = self.rules.policy_for(call.device.user)
        fetching = Fetching(self.ledger, self.reading, policy, call, spool, self.limits.answer_bytes)
        try:
            done = [await self._done(call, fetching, operation, own) for operation in operations]
            root = Element(
                "ItemOperations:ItemOperations",
                Element("ItemOperations:Status", SUCCESS),
                Element("ItemOperations:Response", *done),
            )
            answer = spool.answer(*packed(call, spool.document(root), fetching.parts))
        except BaseException:
            spool.close()
            raise
        statuses = ",".join(element.text_of("ItemOperations:Status") or "" for element in done[:10])
        return evolve(answer, log={"Fc": len(done), "St": statuses})

    def _operations(self, body: Element, version: Version) -> list[Element | Fetch]:
        """What is to be done: a Fetch, or the element of something else.

        @raise Malformed: nothing of it is done.
        """
        if body.tag != "ItemOperations:ItemOperations" or not body.children:
            raise Malformed("no operations")
        if len(body.children) > self.limits.operations:
            raise TooMany(f"{len(body.children)} operations")
        found: list[Element | Fetch] = []
        for element in body:
            if element.tag not in SINCE or version < SINCE[element.tag]:
                raise Malformed(f"{element.tag} is no operation of {version}")
            if element.tag == "ItemOperations:Fetch":
                found.append(parse_fetch(element, version))
            elif element.tag in self.others and self.own is not None:
                found.append(element)
            else:
                raise Malformed(f"{element.tag} is not built")
        return found

    async def _done(self, call: Call, fetching: Fetching, operation: Element | Fetch, own: Own | None) -> Element:
        if isinstance(operation, Fetch):
            return await fetching.answer(operation)
        assert own is not None
        return await self.others[operation.tag](call, operation, own)


def _refused(call: Call, status: int, why: str) -> Answer:
    root = Element("ItemOperations:ItemOperations", Element("ItemOperations:Status", status))
    segments, content_type = packed(call, [wbxml.encode(root)], [])
    raw = b"".join(part for part in segments if isinstance(part, bytes))
    return Answer(raw=raw, content_type=content_type, log={"St": status, "E": why})


def packed(call: Call, document: Sequence[bytes | Span], parts: Sequence[Span]) -> tuple[list[bytes | Span], str]:
    """The body of an answer, and its Content-Type: the document alone, or with the parts after it."""
    if not call.multipart:
        return list(document), WBXML
    length = sum(len(piece) if isinstance(piece, bytes) else piece.length for piece in document)
    return [multipart_head([length, *(part.length for part in parts)]), *document, *parts], MULTIPART


def multipart_head(lengths: Sequence[int]) -> bytes:
    """How many parts there are, and where each begins and how long it is ([MS-ASCMD] 2.2.1.10.1.1)."""
    numbers = [len(lengths)]
    offset = 4 + 8 * len(lengths)
    for length in lengths:
        numbers += (offset, length)
        offset += length
    return struct.pack(f"<{len(numbers)}i", *numbers)
