"""MeetingResponse: what a user says to invitations ([MS-ASCMD] 2.2.1.11).

There is no calendar yet, so nothing is put into one, and the answer names no CalendarId.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256

from attrs import define, evolve, frozen
from twisted.internet.defer import CancelledError
from twisted.logger import Logger

from gateway.arrangement import Moved, Shift
from gateway.convert.answering import MAX_COMMENT, Answered, Choice, Invitation, answer, invitation
from gateway.convert.html import to_text
from gateway.eas.call import Answer, Call, Refused, Unavailable, Version
from gateway.eas.collection import LONGEST_ID, folder_id, item_id
from gateway.eas.moving import Moving, Own
from gateway.eas.reading import Reading
from gateway.element import Element
from gateway.interfaces import BackendDown, IPostings, ItemGone
from gateway.model import Folder, FolderType, Item
from gateway.posting import Posted, Posting, Reception
from gateway.trigger import Letter

SUCCESS, INVALID, MAILBOX_TROUBLE, TROUBLE = 1, 2, 3, 4
NO_BODY, BAD_XML, BAD_TIME, NO_SERIES = 101, 103, 104, 146

MOST = 100
"""Requests at once ([MS-ASCMD] 3.1.5.10)."""

LONGEST_LONG_ID = 256

TIME = 24
"""Characters of an InstanceId; others are not repeated in the answer, whose schema has no place for them."""

_CHOICES = {"1": Choice.ACCEPTED, "2": Choice.TENTATIVE, "3": Choice.DECLINED}
_HTML = "2"

REPEATED = 600
"""For how many seconds the same answer to the same mail is one that comes again."""

Written = Callable[[str, str, str, bytes], Letter | None]
"""A mail of a user, from an address, to an address, as a letter; C{None}: there is no way to send it."""


class _Failed(Exception):
    """A request has that Status."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


@frozen
class Wanted:
    """A Request; C{name} is the RequestId as it was sent, C{None} with a LongId. C{answered} says what is to be sent,
    if C{sends}."""

    name: str | None
    folder: int
    item: int
    instance: str | None
    answered: Answered
    sends: bool


@define(eq=False)
class MeetingResponse:
    """The MeetingResponse command.

    In one transaction it is written down that an invitation was answered, the mail to the organizer is queued, and the
    invitation goes to the deleted mails. So whatever breaks off, nobody is told twice, and no invitation is
    moved unanswered; and a device that asks again because the answer was lost is told of success.

    @param addresses: the mail addresses of a user, the primary one first.
    @param kick: told of each route for which something was queued.
    @param now: the time of day, with its zone. @param host: the name of this host.
    """

    log = Logger()

    moving: Moving
    reading: Reading
    postings: IPostings
    addresses: Callable[[str], Sequence[str]]
    letter: Written
    kick: Callable[[str], None]
    now: Callable[[], datetime]
    host: str

    async def __call__(self, call: Call) -> Answer:
        """Respond to each invitation: from 16.0 on the organizer is sent a mail, if that is wanted; earlier devices do
        so themselves. Then the invitation goes to the deleted mails.

        @raise Refused: 101 for a request without a body, 103 for one that is malformed, or, before 14.0, has too many
            invitations.
        @raise Unavailable: too many requests of the user are waiting.
        """
        if call.body is None:
            raise Refused(NO_BODY, "a MeetingResponse without a body")
        requests = _requests(call.body)
        if len(requests) > MOST:
            return _too_many(call.version)
        own = self.moving.own(call.device)
        results, statuses = [], []
        for request in requests:
            status = await self._one(call, own, request)
            statuses.append(status)
            results.append(_result(request, status))
        return Answer(
            Element("MeetingResponse:MeetingResponse", *results),
            log={"It": len(requests), "St": ",".join(map(str, sorted(set(statuses))))},
            written=own.written,
        )

    async def _one(self, call: Call, own: Own, request: Element) -> int:
        try:
            await self._respond(call, own, _wanted(request, call.version))
        except _Failed as failed:
            self.log.debug("MeetingResponse of {device}: {why}", device=call.device, why=str(failed))
            return failed.status
        except (CancelledError, Unavailable):
            raise
        except BackendDown as error:
            self.log.warn("MeetingResponse of {device}: {why}", device=call.device, why=str(error))
            return MAILBOX_TROUBLE
        except Exception:
            self.log.failure("MeetingResponse of {device} failed", device=call.device)
            return TROUBLE
        return SUCCESS

    async def _respond(self, call: Call, own: Own, wanted: Wanted) -> None:
        user = call.device.user
        folders = {folder.id: folder for folder in await self.moving.ledger.folders(user)}
        trash = next((one for one in folders.values() if one.type is FolderType.DELETED), None)
        posting = self._posting(call, wanted)
        try:
            folder, item = await self._located(user, folders, wanted)
            found = await self.reading.convert(folder, item, invitation)
        except (ItemGone, _Failed) as error:
            if await self.postings.known(posting):
                return
            raise _Failed(INVALID, "the mail is gone") from error
        self._check(found, wanted, self.addresses(user))
        assert found is not None
        letter = self._letter(user, found, wanted)
        shift = None if trash is None or trash.id == folder.id else Shift(item.id, folder.id, trash.id)
        letters = () if letter is None else (letter,)
        await self._hand_over(own, evolve(posting, letters=letters, recipients=len(letters), shift=shift))

    def _posting(self, call: Call, wanted: Wanted) -> Posting:
        """What tells this answer from all others."""
        now = self.now().timestamp()
        about = repr((wanted.folder, wanted.item, wanted.answered)).encode()
        name = f"r:{sha256(about).hexdigest()[:40]}"
        return Posting(key=call.device, name=name, now=now, since=now - REPEATED, letters=(), recipients=0)

    def _letter(self, user: str, found: Invitation, wanted: Wanted) -> Letter | None:
        if not (wanted.sends and found.organizer):
            return None
        mail = answer(found, wanted.answered, self.addresses(user), self.now(), self.host)
        return self.letter(user, self.addresses(user)[0], found.organizer, mail)

    async def _hand_over(self, own: Own, posting: Posting) -> None:
        async def post() -> tuple[Posted, Moved]:
            posted: Posted = await self.postings.post(posting)
            return posted, posted.moved

        posted = await self.moving.doing(own, post)
        if posted.reception is Reception.TAKEN:
            for letter in posting.letters:
                self.kick(letter.route)

    async def _located(self, user: str, folders: Mapping[int, Folder], wanted: Wanted) -> tuple[Folder, Item]:
        folder = folders.get(wanted.folder)
        found = await self.moving.ledger.items(user, [wanted.item])
        if folder is None or not found or found[0].folder != folder.id:
            raise _Failed(INVALID, "there is no such mail")
        return folder, found[0]

    def _check(self, found: Invitation | None, wanted: Wanted, own: Sequence[str]) -> None:
        if found is None:
            raise _Failed(INVALID, "the mail is no invitation")
        if not own or found.organizer.lower() in (address.lower() for address in own):
            raise _Failed(INVALID, "the user is the organizer")
        if wanted.instance is not None:
            # An instance is one of a calendar item; a mail is answered as a whole ([MS-ASCMD] 2.2.3.177.9).
            raise _Failed(INVALID if found.recurs else NO_SERIES, "an instance of an invitation in a mail")


def _requests(body: Element) -> list[Element]:
    """The Requests.

    @raise Refused: 103.
    """
    requests = body.all("MeetingResponse:Request")
    if body.tag != "MeetingResponse:MeetingResponse" or not requests or len(requests) != len(body.children):
        raise Refused(BAD_XML, "a MeetingResponse has Requests and nothing else")
    return requests


def _too_many(version: Version) -> Answer:
    """103 in a Result: the schema has no Status of the whole.

    @raise Refused: 103, before 14.0.
    """
    why = f"more than {MOST} invitations"
    if version < Version.V14_0:
        raise Refused(BAD_XML, why)
    result = Element("MeetingResponse:Result", Element("MeetingResponse:Status", BAD_XML))
    return Answer(Element("MeetingResponse:MeetingResponse", result), log={"St": BAD_XML, "E": why})


def _wanted(request: Element, version: Version) -> Wanted:
    """What a Request asks for, whatever order its children come in.

    @raise _Failed: it makes no sense.
    """
    tags = [child.tag for child in request]
    choice = _CHOICES.get(request.text_of("MeetingResponse:UserResponse") or "")
    if choice is None or len(set(tags)) != len(tags):
        raise _Failed(INVALID, "there is no UserResponse, or something is there twice")
    name, folder, item = _named(request)
    instance = request.text_of("MeetingResponse:InstanceId")
    if instance is not None:
        if version < Version.V14_1:
            raise _Failed(INVALID, f"{version} has no InstanceId")
        _check_time(instance)
    said = request.child("MeetingResponse:SendResponse") if version >= Version.V16_0 else None
    answered = Answered(choice) if said is None else _answered(choice, said, version)
    return Wanted(name, folder, item, instance, answered, said is not None)


def _named(request: Element) -> tuple[str | None, int, int]:
    """RequestId, folder and item."""
    long = request.text_of("Search:LongId")
    name = request.text_of("MeetingResponse:RequestId")
    folder = request.text_of("MeetingResponse:CollectionId")
    if long is not None:
        if name is not None or folder is not None or len(long) > LONGEST_LONG_ID:
            raise _Failed(INVALID, "a LongId with other ids, or too long")
        number = folder_id(long.partition(":")[0])
        return None, number, item_id(long, number) or 0
    if name is None or folder is None or not 0 < len(name) <= LONGEST_ID:
        raise _Failed(INVALID, "there is no RequestId with a CollectionId, and no LongId")
    number = folder_id(folder)
    return name, number, item_id(name, number) or 0


def _check_time(text: str) -> None:
    try:
        datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ")
    except ValueError:
        raise _Failed(BAD_TIME, "the InstanceId is no time") from None


def _answered(choice: Choice, said: Element, version: Version) -> Answered:
    """What the organizer is told ([MS-ASCMD] 2.2.3.163); other times can be proposed since 16.1."""
    start, end = (said.text_of(f"MeetingResponse:Proposed{which}Time") for which in ("Start", "End"))
    proposed = None
    if version >= Version.V16_1 and (start is not None or end is not None):
        proposed = _compact(start), _compact(end)
        if not proposed[0] < proposed[1]:
            raise _Failed(INVALID, "the proposed time ends before it begins")
    body = said.child("AirSyncBase:Body")
    text = "" if body is None else (body.text_of("AirSyncBase:Data") or "")[:MAX_COMMENT]
    if body is not None and body.text_of("AirSyncBase:Type") == _HTML:
        text = to_text(text)[0]
    return Answered(choice, text.strip(), proposed)


def _compact(text: str | None) -> datetime:
    """A Compact DateTime ([MS-ASDTYPE] 2.7.2): C{20240501T080000Z}."""
    try:
        return datetime.strptime(text or "", "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise _Failed(INVALID, "a proposed time is none") from None


def _result(request: Element, status: int) -> Element:
    name = request.text_of("MeetingResponse:RequestId")
    instance = request.text_of("MeetingResponse:InstanceId")
    return Element(
        "MeetingResponse:Result",
        None if name is None else Element("MeetingResponse:RequestId", name[:LONGEST_ID]),
        Element("MeetingResponse:Status", status),
        None if instance is None or len(instance) != TIME else Element("MeetingResponse:InstanceId", instance),
    )
