"""People on a real gateway: finding them, and answers for those who are away."""

from __future__ import annotations

import json
import smtplib
import ssl
import time
from email import message_from_bytes
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from twisted.trial.unittest import SynchronousTestCase

from gateway.element import Element
from tests.functional.phones import Phone
from tests.functional.running import DOMAIN, PASSWORD, PATIENCE, Running, eventually, played, started
from tests.support import basic


def setting(name: str, *content: Element | str) -> Element:
    """An element of Settings."""
    return Element(f"Settings:{name}", *content)


def away(words: str) -> Element:
    """The body of a Settings that says of its user to be away."""
    reply = [setting("Enabled", "1"), setting("ReplyMessage", words), setting("BodyType", "Text")]
    message = setting("OofMessage", setting("AppliesToInternal"), *reply)
    return setting("Settings", setting("Oof", setting("Set", setting("OofState", "1"), message)))


def mails(place: Path) -> list[bytes]:
    """The mails of an Inbox."""
    return [path.read_bytes() for path in sorted((place / "new").iterdir())]


def send(gateway: Running, sender: str, recipient: str, more: str = "") -> None:
    """Deliver a mail by SMTP."""
    text = f"From: {sender}\r\nTo: {recipient}\r\nSubject: Lunch?\r\n{more}\r\nToday?\r\n"
    with smtplib.SMTP(*gateway.address("smtp"), timeout=PATIENCE) as server:
        server.sendmail(sender, recipient, text)


class PeopleTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.gateway = started(self, users=("ann", "bob", "cyd"))

    async def phone(self, user: str = "ann") -> Phone:
        phone = Phone(self.gateway, user)
        await phone.connect()
        return phone

    @played
    async def test_away(self) -> None:
        """Who writes to somebody who is away gets one answer, also after the gateway was killed; a list gets none."""
        phone = await self.phone()
        reply = await phone.ask("Settings", away("On leave."))
        self.assertEqual([child.text for child in reply.element if child.name == "Status"], ["1"])
        phone.close()
        ann, bob = (f"{user}@{DOMAIN}" for user in ("ann", "bob"))
        send(self.gateway, f"cyd@{DOMAIN}", ann, "List-Id: <all.example.org>\r\n")
        send(self.gateway, bob, ann)
        await eventually(lambda: mails(self.gateway.inbox("bob")), "the answer")
        self.gateway.kill()
        self.gateway.start()
        send(self.gateway, bob, ann)
        send(self.gateway, f"cyd@{DOMAIN}", ann)
        await eventually(lambda: mails(self.gateway.inbox("cyd")), "the other answer")
        (octets,) = mails(self.gateway.inbox("bob"))
        answer = message_from_bytes(octets)
        self.assertEqual(
            [answer[name] for name in ("Return-Path", "From", "To", "Subject", "Auto-Submitted")],
            ["<>", ann, bob, "Auto: Lunch?", "auto-replied"],
        )
        self.assertEqual(len(mails(self.gateway.inbox("cyd"))), 1)
        self.assertEqual(len(mails(self.gateway.inbox("ann"))), 4)

    @played
    async def test_found(self) -> None:
        """Accounts are found, and with an address file those in it, without a restart."""
        phone = await self.phone()
        query = Element("Search:Query", "bo")
        asked = Element("Search:Search", Element("Search:Store", Element("Search:Name", "GAL"), query))

        async def found() -> list[str]:
            answer = (await phone.ask("Search", asked)).element
            (store,) = answer.all("Search:Response")[0].children
            people = [result.children[0] for result in store.all("Search:Result")]
            return [person.text_of("Gal:DisplayName") or "" for person in people]

        self.assertEqual(await found(), ["bob"])
        (self.gateway.folder / "addresses.csv").write_text("email,name\nbo@example.net,Bo Derek\n")
        self.gateway.write_config(directory={"file": '"addresses.csv"'})
        self.gateway.ask("reload")
        deadline = time.monotonic() + PATIENCE
        while await found() != ["Bo Derek", "bob"]:
            self.assertLess(time.monotonic(), deadline)
        phone.close()

    def test_autodiscover(self) -> None:
        """What newer and older programs ask first, over TLS; the log names who asked."""
        self.gateway.write_config(https={"public_url": '"https://push.example.org"'})
        self.gateway.ask("reload")
        trust = ssl.create_default_context(cafile=str(self.gateway.folder / "certificate.pem"))
        base = f"https://localhost:{self.gateway.address('https')[1]}/autodiscover/autodiscover"
        question = f"{base}.json/v1.0/ann@{DOMAIN}?Protocol=ActiveSync"
        with urlopen(question, timeout=PATIENCE, context=trust) as answer:
            url = json.load(answer)["Url"]
        self.assertEqual(url, "https://push.example.org/Microsoft-Server-ActiveSync")
        asked = Request(f"{base}.xml", b"", {"Authorization": basic("ann", PASSWORD)})
        with urlopen(asked, timeout=PATIENCE, context=trust) as answer:
            self.assertIn(f"<Url>{url}</Url>".encode(), answer.read())
        with self.assertRaises(HTTPError) as caught:
            urlopen(f"{base}.xml", timeout=PATIENCE, context=trust)
        self.assertEqual(caught.exception.code, 401)
        caught.exception.close()
        self.assertIn("Autodiscover ann", self.gateway.log)
