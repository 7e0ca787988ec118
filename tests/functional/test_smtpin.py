"""The SMTP intake as the clients of the standard library see it, over real sockets."""

from __future__ import annotations

import smtplib
import socket
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from gateway.sources.smtpin import Post, Recipients, SmtpFactory
from gateway.tls import ServerContext, utc_now
from tests.sources.test_smtpin import MAIL, Names, Shelf
from tests.test_tls import write_pair

T = TypeVar("T")


class SocketTests(TestCase):
    timeout = 30

    def setUp(self) -> None:
        names = Names(["ann", "bob"])
        self.shelf = Shelf()
        tls = ServerContext([write_pair(Path(self.mktemp()), "localhost", now=utc_now())])
        self.post = Post(
            Recipients(names, names.enabled),
            self.shelf,
            reactor,  # type: ignore[arg-type]
            lambda: datetime.now(UTC),
            tls=tls,
        )
        self.port = reactor.listenTCP(0, SmtpFactory(self.post), interface="127.0.0.1")  # type: ignore[attr-defined]
        self.addCleanup(self.port.stopListening)

    def session(self, talk: Callable[[smtplib.SMTP], T]) -> Deferred[T]:
        def run() -> T:
            with smtplib.SMTP("127.0.0.1", self.port.getHost().port, "me.example", timeout=10) as client:
                return talk(client)

        return deferToThread(run)

    async def test_send(self) -> None:
        """A mail to two accounts arrives at both, and several can come in one session."""
        content = MAIL + b".\r\n..\r\n" * 50_000
        refused = await self.session(
            lambda client: [client.sendmail("a@b.example", ["ann@localhost", "bob@localhost"], content) for _ in "12"]
        )
        self.assertEqual(refused, [{}, {}])
        self.assertEqual([user for user, _ in self.shelf.mails], ["ann", "bob"] * 2)
        self.assertTrue(all(mail.endswith(content) for _, mail in self.shelf.mails))

    async def test_startTLS(self) -> None:
        """A client that begins TLS sends its mail in it, a large one too."""

        def talk(client: smtplib.SMTP) -> dict[str, tuple[int, bytes]]:
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            client.starttls(context=context)
            return client.sendmail("a@b.example", ["ann@localhost"], MAIL + b"x" * 70 + b"\r\n" + b"y\r\n" * 300_000)

        self.assertEqual(await self.session(talk), {})
        self.assertIn(b"with ESMTPS id", self.shelf.mails[0][1])
        self.assertTrue(self.shelf.mails[0][1].endswith(b"y\r\n" * 300_000))

    async def test_refused(self) -> None:
        """A client learns which recipients were refused, and that a mail is too large before it sends it."""

        def talk(client: smtplib.SMTP) -> list[int]:
            codes = []
            for recipient in ("eve@localhost", "eve@other.example"):
                with self.assertRaises(smtplib.SMTPRecipientsRefused) as caught:
                    client.sendmail("a@b.example", [recipient], MAIL)
                codes.append(caught.exception.recipients[recipient][0])
            client.ehlo()
            codes.append(client.mail("a@b.example", ["size=999999999"])[0])
            return codes

        self.assertEqual(await self.session(talk), [550, 554, 552])

    async def test_vanishes(self) -> None:
        """A client that is cut off in the middle of a mail leaves no mail and no session."""

        def talk(client: smtplib.SMTP) -> None:
            client.ehlo()
            client.mail("a@b.example")
            client.rcpt("ann@localhost")
            client.docmd("DATA")
            client.send(MAIL)
            assert client.sock is not None
            client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            client.close()

        await self.session(talk)
        self.assertEqual(await self.session(lambda client: client.noop()[0]), 250)
        self.assertEqual(self.shelf.mails, [])
