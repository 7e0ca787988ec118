"""SendMail, SmartReply and SmartForward: a mail is handed over ([MS-ASCMD] 2.2.1.17, 2.2.1.19, 2.2.1.20).

When a device is answered everything that follows is written down in one transaction: that its mail came, so that it
is not sent again when the device repeats it; the letters for other servers and for our own mailboxes; and the mark of
the mail that was answered.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Protocol, TypeVar

from attrs import define, evolve, field, frozen
from twisted.internet.defer import CancelledError
from twisted.logger import Logger

from gateway.arrangement import Moved
from gateway.convert.compose import FORWARD, Composed, Original, Sender, composed
from gateway.convert.fields import BadMessage, TooMany
from gateway.eas.call import Answer, Call, Refused, Unavailable
from gateway.eas.moving import Moving, Own
from gateway.eas.places import Places
from gateway.eas.reading import Run
from gateway.eas.sendbody import BY_CLIENT_ID, Source, Wanted, read
from gateway.eas.turns import shielded
from gateway.interfaces import IPostings, ItemGone
from gateway.model import DeviceKey, FolderType, Item
from gateway.posting import Mark, Posted, Posting, Reception
from gateway.trigger import Letter

BAD_MIME, QUOTA, UNRESOLVED, REPEATED, NOBODY, NO_WAY, NO_REPLY = 107, 115, 116, 118, 119, 120, 121
TOO_LARGE, NOT_FOUND = 122, 150
SENT, BAD_DRAFT, NO_DRAFT, NO_RECIPIENTS = 1, 6, 8, 183
_OF_DRAFTS = {BAD_MIME: BAD_DRAFT, UNRESOLVED: NO_RECIPIENTS, NOBODY: NO_RECIPIENTS}

T = TypeVar("T")

RELAY, LOCAL = "relay", "local"
COMMANDS = ("SendMail", "SmartReply", "SmartForward")
HOUR = 3600
#: Bytes of a mail that is composed alone: while that is done it takes twelve times as much memory, if its lines are too
#: long. And how many such mails may wait for each other, in memory.
LARGE, LARGE_WAITING = 2**22, 10


class Addresses(Protocol):
    """Whose addresses are whose.

    C{relay}: there is a server that takes mail for others; C{all_by_relay}: it takes the mail for our own too.
    """

    @property
    def relay(self) -> bool: ...

    @property
    def all_by_relay(self) -> bool: ...

    def account(self, address: str) -> str | None:
        """The account of an address, C{None} if it has none."""

    def ours(self, address: str) -> bool:
        """Whether an address is in a domain of ours."""

    def primary(self, user: str) -> str:
        """The address that stands for a user."""


@frozen
class SendingLimits:
    """What may be sent: bytes of a mail, its recipients, and those of all mails of a user in an hour (0: any)."""

    message: int = 26_214_400
    recipients: int = 500
    per_hour: int = 1000


@define(eq=False)
class Sending:
    """The three commands.

    C{now} is the time of day with its zone; C{kick} is told the routes that letters were queued for; C{run} takes the
    work on messages away from the reactor's thread, for C{at_once} of them at a time.
    """

    log = Logger()

    moving: Moving
    postings: IPostings
    addresses: Addresses
    now: Callable[[], datetime]
    run: Run
    kick: Callable[[str], None]
    limits: SendingLimits = field(factory=SendingLimits)
    at_once: int = 4
    waiting: int = 100
    _turns: Places = field(init=False)
    _large: Places = field(init=False)
    _originals: Places = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._turns, self._large, self._originals = Places(self.at_once), Places(1), Places(self.at_once)

    async def __call__(self, call: Call) -> Answer:
        """Take a mail.

        @raise Refused: for what is wrong with the request, with the mail, or with its recipients.
        @raise Unavailable: too many mails wait.
        """
        wanted = read(call)
        if len(wanted.mime) > self.limits.message:
            raise Refused(TOO_LARGE, f"a mail of {len(wanted.mime)} bytes")
        # Before anything else: the original may be gone by now, and the device must not take that for a failure.
        if await self.postings.known(self._blank(call.device, wanted)):
            raise Refused(REPEATED, "it was sent before")
        mail, original = await self._made(call.device.user, wanted)
        letters = await self._letters(call.device, wanted, mail)
        own = self.moving.own(call.device)
        posting = self._posting(call.device, wanted, mail, letters, original)
        try:
            posted = await shielded(self._handed_over(own, posting))
        except CancelledError:
            own.written(False)
            raise
        if posted.reception is Reception.REPEATED:
            raise Refused(REPEATED, "it was sent before")
        if posted.reception is Reception.TOO_MUCH:
            raise Refused(QUOTA, f"more than {self.limits.per_hour} recipients in an hour")
        return Answer(log={"Rc": len(mail.recipients), "Sz": len(mail.message)}, written=own.written)

    async def draft(self, device: DeviceKey, message: bytes, name: str, item: int) -> int:
        """Send a draft, which goes with it (C{item}, 0: there is none); the Status for the answer of a Sync.

        C{message} is empty if it is not known any more: then only one that was sent before is a success.
        """
        wanted = Wanted(message, f"d:{name}", BY_CLIENT_ID, save=True)
        if await self.postings.known(self._blank(device, wanted)):
            return SENT
        if not message:
            return NO_DRAFT
        try:
            mail = await self._composed(device.user, wanted, None)
            letters = await self._letters(device, wanted, mail)
        except Refused as refused:
            self.log.info("a draft of {user} is not sent: {why}", user=device.user, why=str(refused))
            return _OF_DRAFTS.get(refused.status, refused.status)
        posting = evolve(self._posting(device, wanted, mail, letters, None), gone=item)
        posted = await self._handed_over(self.moving.own(device), posting)
        return QUOTA if posted.reception is Reception.TOO_MUCH else SENT

    # The mail.

    def sender(self, user: str, token: str) -> Sender:
        """Who sends; C{token} is what tells the mail from all others."""
        addresses = self.addresses
        return Sender(
            owns=lambda address: addresses.account(address) == user,
            primary=addresses.primary(user),
            now=self.now(),
            token=token,
        )

    async def _made(self, user: str, wanted: Wanted) -> tuple[Composed, Item | None]:
        """What is to be sent, and the mail that it answers or passes on; few of those are in memory at a time."""
        if wanted.source is None:
            return await self._composed(user, wanted, None), None
        self._originals.admit(self.waiting, "too many mails wait to be answered")
        return await self._originals.take(partial(self._answering, user, wanted, wanted.source))

    async def _answering(self, user: str, wanted: Wanted, source: Source) -> tuple[Composed, Item]:
        original = await self._original(user, source)
        return await self._composed(user, wanted, original), original[0]

    async def _original(self, user: str, source: Source) -> tuple[Item, bytes]:
        """The mail that is answered or passed on."""
        folders = {folder.id: folder for folder in await self.moving.ledger.folders(user)}
        folder = folders.get(source.folder)
        found = [] if folder is None else await self.moving.ledger.items(user, [source.item])
        item = next((item for item in found if item.folder == source.folder), None)
        if folder is None or item is None:
            raise Refused(NOT_FOUND, "the mail is not there")
        try:
            return item, await self.moving.mailbox.read(user, folder.path, item.name, item.state)
        except ItemGone:
            raise Refused(NOT_FOUND, "the mail is there no more") from None

    async def _composed(self, user: str, wanted: Wanted, original: tuple[Item, bytes] | None) -> Composed:
        """What is to be sent."""
        sender = self.sender(user, secrets.token_hex(12))
        seen = None if original is None else Original(original[1], wanted.forward, wanted.replace, original[0].received)
        try:
            size = len(wanted.mime) + (len(original[1]) if original is not None else 0)
            mail: Composed = await self.worked(partial(composed, wanted.mime, sender, seen), size)
        except BadMessage as error:
            raise Refused(BAD_MIME, str(error)) from error
        except TooMany as error:
            raise Refused(QUOTA, str(error)) from error
        except (CancelledError, Unavailable):
            raise
        except Exception:
            self.log.failure("a mail of {user} could not be composed", user=user)
            raise Refused(BAD_MIME if original is None else NO_REPLY, "it could not be composed") from None
        if len(mail.message) > self.limits.message:
            raise Refused(TOO_LARGE, f"{len(mail.message)} bytes with the original")
        return mail

    async def worked(self, work: Callable[[], T], size: int) -> T:
        """Have work on a message of that size done when its turn comes; large ones have theirs one after another.

        @raise Unavailable: too many wait.
        """
        why = "too many mails wait to be composed"
        self._turns.admit(self.waiting, why)
        turn: Callable[[], Awaitable[T]] = partial(self._turns.take, partial(self.run, work))
        if size <= LARGE:
            return await turn()
        self._large.admit(LARGE_WAITING, why)
        return await self._large.take(turn)

    # Where it goes.

    async def _letters(self, device: DeviceKey, wanted: Wanted, mail: Composed) -> list[Letter]:
        """What has to go out, and what is kept."""
        here, there = self._sorted(mail)
        sent = await self._sent_folder(device.user) if wanted.save else None
        content = mail.message if sent is None else mail.copy
        kept = [*here, *([] if sent is None else [sent])]
        now = self.now().timestamp()
        letter = partial(Letter, device, sender=mail.sender, created=now, due=now)
        found = [letter(LOCAL, content=content, recipients=tuple(kept))] if kept else []
        return [letter(RELAY, content=mail.message, recipients=tuple(there)), *found] if there else found

    def _sorted(self, mail: Composed) -> tuple[list[str], list[str]]:
        """The recipients here, one address for each account, and those elsewhere."""
        if mail.strangers:
            raise Refused(UNRESOLVED, f"{mail.strangers[0]!r} is no address")
        if not mail.recipients:
            raise Refused(NOBODY, "a mail without recipients")
        if len(mail.recipients) > self.limits.recipients:
            raise Refused(QUOTA, f"{len(mail.recipients)} recipients")
        here: dict[str, str] = {}
        there: list[str] = []
        for address in mail.recipients:
            account = None if self.addresses.all_by_relay else self.addresses.account(address)
            if account is not None:
                here.setdefault(account, address)
            else:
                there.append(address)
        if there and not self.addresses.relay:
            unknown = self.addresses.ours(there[0])
            raise Refused(UNRESOLVED if unknown else NO_WAY, f"there is no {'mailbox' if unknown else 'relay'} for it")
        return [*here.values()], there

    async def _sent_folder(self, user: str) -> str | None:
        folders = await self.moving.ledger.folders(user)
        path = next((folder.path for folder in folders if folder.type is FolderType.SENT), None)
        if path is None:
            self.log.warn("{user} has no folder for sent mails: no copy is kept", user=user)
        return path

    # What is written down.

    def _blank(self, device: DeviceKey, wanted: Wanted) -> Posting:
        """What tells a mail from others, without the mail."""
        now = self.now().timestamp()
        return Posting(key=device, name=wanted.name, now=now, since=now - wanted.seconds, letters=(), recipients=0)

    def _posting(
        self,
        device: DeviceKey,
        wanted: Wanted,
        mail: Composed,
        letters: Sequence[Letter],
        original: Item | None,
    ) -> Posting:
        blank = self._blank(device, wanted)
        letter = "P" if mail.verb == FORWARD else "R"
        return evolve(
            blank,
            letters=tuple(letters),
            recipients=len(mail.recipients),
            quota=self.limits.per_hour,
            counted=blank.now - HOUR,
            mark=None if original is None else Mark(original.id, letter, mail.verb),
        )

    async def _handed_over(self, own: Own, posting: Posting) -> Posted:
        """Write it down; the turns of a user are for what changes mails."""

        async def post() -> tuple[Posted, Moved]:
            posted: Posted = await self.postings.post(posting)
            return posted, posted.moved

        changes = posting.mark is not None or posting.gone
        posted = await self.moving.doing(own, post) if changes else (await post())[0]
        if posted.reception is Reception.TAKEN:
            for letter in posting.letters:
                self.kick(letter.route)
            self._log_taken(posting)
        return posted

    def _log_taken(self, posting: Posting) -> None:
        self.log.info(
            "A mail of {size} bytes from {user} ({device}) to {count} recipients goes out by {routes}",
            size=max(len(letter.content) for letter in posting.letters),
            user=posting.key.user,
            device=posting.key.device,
            count=posting.recipients,
            routes=" and ".join(letter.route for letter in posting.letters),
        )
