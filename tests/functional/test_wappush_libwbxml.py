"""Our WAP Push documents as libwbxml reads them: Debian's C{wbxml2xml}."""

from __future__ import annotations

import shutil
import subprocess
from xml.etree import ElementTree

from twisted.trial.unittest import SynchronousTestCase

from gateway.sms.wappush import Indication, MailNotification, document
from tests.sms.test_wappush import INDICATION, NOTIFICATION, at


class LibwbxmlPushTests(SynchronousTestCase):
    if not shutil.which("wbxml2xml"):
        skip = "needs wbxml2xml (Debian package libwbxml2-utils)"

    def read(self, push: bytes) -> ElementTree.Element:
        """The root of what libwbxml decodes."""
        done = subprocess.run(["wbxml2xml", "-o", "-", "-"], input=document(push), capture_output=True, timeout=30)
        self.assertEqual(done.returncode, 0, done.stderr)
        return ElementTree.fromstring(done.stdout)

    def test_indication(self) -> None:
        """The whole example."""
        si = self.read(INDICATION.encode())
        self.assertEqual((si.tag, si[0].tag, si[0].text), ("si", "indication", "New mail"))
        self.assertEqual(
            si[0].attrib,
            {
                "href": "https://mail.example.org/s?g=1f3a",
                "si-id": "autd-1f3a",
                "action": "signal-none",
                "created": "2006-04-03T08:18:00Z",
                "si-expires": "2006-04-03T08:33:00Z",
            },
        )

    def test_addresses(self) -> None:
        """Every beginning and every end that has a token."""
        for href in (
            "http://a",
            "http://www.a.com/",
            "https://a.edu/b.net/c",
            "https://www.a.org/",
            "ftp://a",
            ".org/",
        ):
            self.assertEqual(self.read(Indication(href).encode())[0].attrib["href"], href)

    def test_actions(self) -> None:
        """Every action."""
        for action in ("signal-none", "signal-low", "signal-medium", "signal-high", "delete"):
            self.assertEqual(self.read(Indication(id="x", action=action).encode())[0].attrib["action"], action)

    def test_times(self) -> None:
        """Times with and without zeros at the end."""
        for text in ("2006-04-03T08:18:59", "2006-04-10T00:00:00", "2026-12-31T23:59:00", "2020-10-10T10:00:00"):
            read = self.read(Indication("x", created=at(text)).encode())
            self.assertEqual(read[0].attrib["created"], f"{text}Z")

    def test_notification(self) -> None:
        """The example, and every scheme that has a token."""
        emn = self.read(NOTIFICATION.encode())
        self.assertEqual(emn.attrib, {"mailbox": "mailat:alice@example.org", "timestamp": "2006-04-03T08:18:00Z"})
        for start in ("pop://", "imap://", "http://", "http://www.", "https://", "https://www.", "sip:"):
            mailbox = f"{start}ann@mail.example.net/box"
            self.assertEqual(self.read(MailNotification(mailbox, 1.0e9).encode()).attrib["mailbox"], mailbox)
