"""People in the running gateway: where mails of users go, who is told what, and where devices are sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.defer import execute
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from gateway.absence import Absence, Audience, Away, Reply
from gateway.config import Config, Https, Relay, Smtp
from gateway.cred.accounts import Accounts
from gateway.cred.addresses import AddressBook
from gateway.service.people import Notes, make_autodiscover, make_deputy, public_url, told
from gateway.service.posting import our_addresses
from gateway.trigger import Letter
from tests.cred.fixtures import line, write_accounts
from tests.stores import new_store, result_of
from tests.support import World

RELAY = Relay(endpoint="tcp:192.0.2.1:587")


class PeopleCase(SynchronousTestCase):
    def setUp(self) -> None:
        path = Path(self.mktemp())
        write_accounts(path, line("ann", "a") + line("bob", "b"))
        self.accounts = Accounts(path, Clock())
        self.store = new_store()
        self.kicked: list[str] = []

    def notes(self, relay: Relay = RELAY) -> Notes:
        config = Config(smtp=Smtp(domains=("example.org",)), relay=relay)
        return Notes(self.store.outbox, our_addresses(config, self.accounts), self.kicked.append)

    def letters(self) -> list[Letter]:
        return [*result_of(self.store.outbox.letters(None, None, 9))]

    def book(self, file: str = "") -> AddressBook:
        path = Path(self.mktemp())
        path.write_text(file or "email\n")
        return AddressBook(self.accounts, ("example.org",), path, Clock(), execute)


class NotesTests(PeopleCase):
    """Mail that is written for users."""

    def send(self, notes: Notes, recipient: str) -> list[tuple[str, str, tuple[str, ...]]]:
        result_of(notes.send("ann", "ann@example.org", recipient, b"Hi.\r\n"))
        return [(letter.route, letter.sender, letter.recipients) for letter in self.letters()]

    def test_here(self) -> None:
        """Mail for an account goes to its mailbox, with a relay and without one."""
        sent = ("local", "ann@example.org", ("bob@example.org",))
        self.assertEqual(self.send(self.notes(), "bob@example.org"), [sent])
        self.assertEqual(self.send(self.notes(Relay()), "bob@example.org"), [sent, sent])
        self.assertEqual(self.kicked, ["local", "local"])

    def test_elsewhere(self) -> None:
        """Mail for others goes by the relay, and so does all mail if it is to take that."""
        self.assertEqual([route for route, _, _ in self.send(self.notes(), "eve@example.com")], ["relay"])
        everything = Relay(endpoint="tcp:192.0.2.1:587", all_mail=True)
        self.assertEqual([route for route, _, _ in self.send(self.notes(everything), "bob@example.org")], ["relay"] * 2)
        self.assertEqual(self.letters()[0].key.user, "ann")

    def test_noRelay(self) -> None:
        """Without a relay mail for others is not sent."""
        self.assertEqual(self.send(self.notes(Relay()), "eve@example.com"), [])
        self.assertEqual(self.kicked, [])


class DeputyTests(PeopleCase):
    """Answers for those who are away."""

    def test_audiences(self) -> None:
        """People of our domains are internal, those in the address file known, all others not; answers have no
        sender."""
        replies = {audience: Reply(True, audience.value) for audience in Audience}
        result_of(self.store.absences.keep_absence("ann", Absence(Away.ON, replies=replies)))
        book = self.book("email\nkim@example.net\n")
        deputy = make_deputy(self.store.absences, book, self.notes(), "mail.example.org")
        senders = {"bob@example.org": "internal", "kim@example.net": "known", "eve@example.com": "unknown"}
        for sender in senders:
            told(deputy, "ann", sender, b"To: ann@example.org\r\nSubject: x\r\n\r\n")
        for letter in self.letters():
            (recipient,) = letter.recipients
            self.assertEqual(letter.sender, "")
            self.assertEqual(deputy.audience(recipient).value, senders.pop(recipient))
        self.assertEqual(senders, {})


class AutodiscoverTests(PeopleCase):
    """Where devices are sent."""

    def test_publicUrl(self) -> None:
        """The address that is configured, or else the name of the server if it has a domain."""
        for https, expected in (
            (Https(public_url="https://push.example.org:8443"), "https://push.example.org:8443"),
            (Https(server_name="push.example.org"), "https://push.example.org"),
            (Https(), ""),
        ):
            self.assertEqual(public_url(Config(https=https)), expected)

    def served(self, address: str, *domains: str) -> bool:
        config = Config(smtp=Smtp(domains=domains))
        book, ours = self.book(), our_addresses(config, self.accounts)
        book.domains = domains
        world: Any = World()
        return make_autodiscover(config, world.dispatcher, book, self.accounts, ours).serves(address)

    def test_domains(self) -> None:
        """Addresses of our domains are answered for, whoever has them; where none is configured, all are."""
        self.assertTrue(self.served("nobody@Example.org", "example.org"))
        self.assertFalse(self.served("ann@example.com", "example.org"))
        self.assertTrue(self.served("ann@example.com", "localhost"))
