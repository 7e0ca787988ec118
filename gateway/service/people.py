"""People: the directory of a gateway, the commands that look into it, and answers for those who are away."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from attrs import define
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from gateway.absence import Audience
from gateway.config import Config
from gateway.cred.accounts import Accounts
from gateway.cred.addresses import AddressBook, read_pictures
from gateway.eas import find, searching
from gateway.eas.autodiscover import Autodiscover
from gateway.eas.call import Command
from gateway.eas.dispatch import Dispatcher
from gateway.eas.finding import Searcher
from gateway.eas.gal import GalSearcher, Pictures
from gateway.eas.meetingresponse import MeetingResponse
from gateway.eas.moving import Moving
from gateway.eas.reading import Reading
from gateway.eas.resolving import ResolveRecipients
from gateway.interfaces import IAbsences, IOutbox, IPostings
from gateway.mail.deputy import Deputy
from gateway.mail.undelivered import LOCAL
from gateway.model import DeviceKey
from gateway.service.mail import host_name
from gateway.service.mailout import RELAY
from gateway.service.posting import OurAddresses
from gateway.trigger import Letter


def public_url(config: Config) -> str:
    """Where the gateway is reached, or nothing if that is not said."""
    name = config.https.server_name
    return config.https.public_url or (f"https://{name}" if "." in name else "")


def make_autodiscover(
    config: Config, dispatcher: Dispatcher, addresses: AddressBook, accounts: Accounts, ours: OurAddresses
) -> Autodiscover:
    """What tells devices where to go."""

    def serves(address: str) -> bool:
        # Who has not said which domains are ours is believed to be right where the DNS has sent the device.
        return set(addresses.domains) <= {"localhost"} or ours.ours(address)

    return Autodiscover(dispatcher, addresses.directory, accounts.resolve, serves, ours.primary, public_url(config))


def make_addresses(config: Config, accounts: Accounts, reactor: Any, run: Any) -> AddressBook:
    """Who can be found: those with an account, and those in the address file."""
    return AddressBook(accounts, config.smtp.domains, config.directory.file, reactor, run)


def apply_addresses(addresses: AddressBook, config: Config) -> None:
    """Put changed settings in force."""
    addresses.path, addresses.domains = config.directory.file, config.smtp.domains
    addresses.refresh()


def search_commands(
    addresses: AddressBook, run: Any, mails: Mapping[str, Searcher], found: Mapping[str, Searcher]
) -> dict[str, Command]:
    """Search and Find; C{mails} and C{found} are their searchers besides that of people."""
    pictures: Pictures = partial(run, read_pictures)
    people = {page: GalSearcher(page, addresses.directory, pictures) for page in ("Search", "Find")}
    return {
        "Search": searching.Search({searching.GAL: people["Search"], **mails}),
        "Find": find.Find({find.GAL: people["Find"], **found}),
    }


def make_resolving(addresses: AddressBook, run: Any) -> ResolveRecipients:
    """ResolveRecipients."""
    pictures: Pictures = partial(run, read_pictures)
    return ResolveRecipients(addresses.directory, pictures)


def make_meetings(
    config: Config, moving: Moving, reading: Reading, postings: IPostings, addresses: AddressBook, notes: Notes
) -> MeetingResponse:
    """MeetingResponse."""
    return MeetingResponse(moving, reading, postings, addresses.of, notes.letter, notes.kick, _now, host_name(config))


def _now() -> datetime:
    return datetime.now().astimezone()


@define(eq=False)
class Notes:
    """Sends what is written for users: to our own mailboxes, or by the relay.

    @param kick: told of each route for which something was queued.
    """

    log = Logger()

    outbox: IOutbox
    ours: OurAddresses
    kick: Callable[[str], None]

    async def send(self, user: str, sender: str, recipient: str, mail: bytes) -> None:
        """Queue a mail of a user to somebody; with an empty envelope sender nobody is told what cannot be
        delivered."""
        letter = self.letter(user, sender, recipient, mail)
        if letter is not None:
            await self.outbox.put([letter])
            self.kick(letter.route)

    def letter(self, user: str, sender: str, recipient: str, mail: bytes) -> Letter | None:
        """The same as a letter that is still to be queued; C{None} if there is no way to the recipient."""
        here = self.ours.account(recipient) is not None and not self.ours.all_by_relay
        if not (here or self.ours.relay):
            self.log.info("There is no relay, so no mail of {user} goes to {recipient}", user=user, recipient=recipient)
            return None
        route, now = LOCAL if here else RELAY, time.time()
        key = DeviceKey(user, "")
        return Letter(key, route, content=mail, sender=sender, recipients=(recipient,), created=now, due=now)


def make_deputy(absences: IAbsences, addresses: AddressBook, notes: Notes, host: str) -> Deputy:
    """What answers for those who are away."""

    def audience(address: str) -> Audience:
        if notes.ours.ours(address):
            return Audience.INTERNAL
        return Audience.UNKNOWN if addresses.directory.at(address) is None else Audience.KNOWN

    async def send(user: str, recipient: str, mail: bytes) -> None:
        await notes.send(user, "", recipient, mail)

    return Deputy(absences, addresses.of, audience, send, _now, host)


def told(deputy: Deputy, user: str, sender: str, content: bytes) -> None:
    """Have a mail that was delivered answered, whenever that is done."""
    Deferred.fromCoroutine(deputy.delivered(user, sender, content))
