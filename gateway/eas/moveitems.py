"""MoveItems: mails go to another folder ([MS-ASCMD] 2.2.1.12)."""

from __future__ import annotations

from attrs import define, frozen
from twisted.internet.defer import CancelledError
from twisted.logger import Logger

from gateway.arrangement import Shift
from gateway.eas.call import Answer, Call, Refused, Unavailable, Version
from gateway.eas.collection import LONGEST_ID, folder_id, item_id, server_id
from gateway.eas.foldercommands import CACHE
from gateway.eas.moving import Moving, Own
from gateway.element import Element
from gateway.interfaces import BackendDown

NO_SOURCE, NO_TARGET, SUCCESS, SAME, FAILED, LOCKED = 1, 2, 3, 4, 5, 7
NO_BODY, INVALID, INVALID_IDS = 101, 103, 105
MOST = 1000


@frozen
class Wanted:
    """A Move: the SrcMsgId as it was sent, and what it means; C{None} if it cannot be done, for which C{refused} is
    the Status."""

    name: str
    shift: Shift | None
    refused: int = FAILED


@define(eq=False)
class MoveItems:
    """The MoveItems command; C{most} is how many moves it takes at once."""

    log = Logger()

    moving: Moving
    most: int = MOST

    async def __call__(self, call: Call) -> Answer:
        """Move what can be moved; each move has a Status of its own.

        @raise Refused: 101 for a request without a body, 103 for one that is malformed or moves too much.
        @raise Unavailable: too many requests of the user are waiting.
        """
        if call.body is None:
            raise Refused(NO_BODY, "a MoveItems without a body")
        wanted = parse(call.body, self.most, call.version)
        own = self.moving.own(call.device)
        results = await self._move(own, wanted)
        responses = [_response(one, *result) for one, result in zip(wanted, results, strict=True)]
        statuses = sorted({status for status, _ in results})
        return Answer(
            Element("Move:MoveItems", *responses),
            log={"It": len(wanted), "St": ",".join(map(str, statuses))},
            written=own.written,
        )

    async def _move(self, own: Own, wanted: list[Wanted]) -> list[tuple[int, int]]:
        """Status and new id of each."""
        shifts = [one.shift for one in wanted if one.shift is not None]
        try:
            results = iter((await self.moving.shift(own, shifts)).results)
        except (CancelledError, Unavailable):
            raise
        except BackendDown as error:
            self.log.warn("MoveItems of {device}: {error}", device=own.device, error=error)
            return [(LOCKED, 0)] * len(wanted)
        except Exception:
            self.log.failure("MoveItems of {device} failed", device=own.device)
            return [(FAILED, 0)] * len(wanted)
        return [(one.refused, 0) if one.shift is None else next(results) for one in wanted]


def parse(body: Element, most: int, version: Version) -> list[Wanted]:
    """Read the body, whatever order the children of a Move come in.

    @raise Refused: 103.
    """
    if body.tag != "Move:MoveItems" or not body.children or any(child.tag != "Move:Move" for child in body):
        raise Refused(INVALID, "a MoveItems without a Move, or with something else")
    if len(body.children) > most:
        raise Refused(INVALID, f"more than {most} moves")
    return [_wanted(element, version) for element in body]


def _wanted(element: Element, version: Version) -> Wanted:
    names, sources, targets = (element.all(f"Move:{name}") for name in ("SrcMsgId", "SrcFldId", "DstFldId"))
    if len(names) != 1 or len(sources) != 1 or not targets:
        raise Refused(INVALID, "a Move needs SrcMsgId, SrcFldId and DstFldId")
    if not all(0 < len(one.text) <= LONGEST_ID for one in (*names, *sources, *targets)):
        raise Refused(INVALID, f"the ids of a Move have 1 to {LONGEST_ID} characters")
    name, source = names[0].text, folder_id(sources[0].text)
    if len(targets) > 1:
        return Wanted(name, None)
    if targets[0].text == CACHE and version >= Version.V14_0:
        return Wanted(name, None, INVALID_IDS)
    return Wanted(name, Shift(item_id(name, source) or 0, source, folder_id(targets[0].text)))


def _response(wanted: Wanted, status: int, id: int) -> Element:
    target = wanted.shift.target if wanted.shift is not None else 0
    return Element(
        "Move:Response",
        Element("Move:SrcMsgId", wanted.name),
        Element("Move:Status", status),
        Element("Move:DstMsgId", server_id(target, id)) if status == SUCCESS else None,
    )
