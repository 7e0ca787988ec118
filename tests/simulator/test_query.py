"""Tests of addresses and queries."""

from __future__ import annotations

import base64

from twisted.trial.unittest import SynchronousTestCase

from gateway.simulator.line import Account, Post
from gateway.simulator.query import base64_query, endpoint_url, plain_query


class AddressTests(SynchronousTestCase):
    def test_forms(self) -> None:
        """A host, host:port and a URL are taken; the path of the protocol is added where none is given."""
        forms = {
            "mail.example.org": "https://mail.example.org/Microsoft-Server-ActiveSync",
            "127.0.0.1:8443": "https://127.0.0.1:8443/Microsoft-Server-ActiveSync",
            "[::1]:8443": "https://[::1]:8443/Microsoft-Server-ActiveSync",
            "http://localhost:20000/": "http://localhost:20000/Microsoft-Server-ActiveSync",
            "https://h/SOGo/Microsoft-Server-ActiveSync": "https://h/SOGo/Microsoft-Server-ActiveSync",
            "https://h/a b": "https://h/a%20b",
        }
        self.assertEqual({text: endpoint_url(text) for text in forms}, forms)

    def test_refused(self) -> None:
        """What is no address of a server is refused."""
        for text in (
            "",
            "ftp://h",
            "https://",
            "h:0",
            "h:99999",
            "h:x",
            "https://ann:pw@h/",
            "h/?Cmd=Ping",
            "bücher.de",
        ):
            with self.assertRaises(ValueError, msg=text):
                endpoint_url(text)


class QueryTests(SynchronousTestCase):
    def test_plain(self) -> None:
        """The plain form carries command, user, device and type, encoded."""
        account = Account("DOM\\ann&co", "x", "ABC1", "SP")
        self.assertEqual(plain_query(account, "Ping"), "Cmd=Ping&User=DOM%5Cann%26co&DeviceId=ABC1&DeviceType=SP")

    def test_base64(self) -> None:
        """The compact form is laid out as the specification's example, with the user added."""
        query = base64_query(Account("a", "x", "v140Device", "SmartPhone"), Post("Sync", "14.0"))
        assert query is not None
        raw = base64.b64decode(query)
        self.assertEqual(raw[:-3], base64.b64decode("jAAJBAp2MTQwRGV2aWNlAApTbWFydFBob25l"))
        self.assertEqual(raw[-3:], b"\x08\x01a")

    def test_base64Key(self) -> None:
        """The policy key is four bytes, the lowest first."""
        query = base64_query(Account("a", "x", "D", "T"), Post("FolderSync", "12.1", policy_key=0x01020304))
        assert query is not None
        self.assertEqual(base64.b64decode(query), b"\x79\x09\x09\x04\x01D\x04\x04\x03\x02\x01\x01T\x08\x01a")

    def test_noCompactForm(self) -> None:
        """Versions below 12.1 and commands without a code have no compact form; a long user is left out."""
        account = Account("u" * 300, "x", "D", "T")
        self.assertIsNone(base64_query(account, Post("Ping", "12.0")))
        self.assertIsNone(base64_query(account, Post("GetHierarchy", "12.1")))
        query = base64_query(account, Post("Ping", "16.1"))
        assert query is not None
        self.assertEqual(base64.b64decode(query), b"\xa1\x12\x09\x04\x01D\x00\x01T")


class ParameterTests(SynchronousTestCase):
    def test_plain(self) -> None:
        """What a command has besides stands behind what every command has."""
        query = plain_query(Account("ann", "x", "ID", "T"), "SmartReply", (("ItemId", "5:1"), ("SaveInSent", "T")))
        self.assertEqual(query, "Cmd=SmartReply&User=ann&DeviceId=ID&DeviceType=T&ItemId=5%3A1&SaveInSent=T")

    def test_base64(self) -> None:
        """In the compact form each has a tag, and what is yes or no a bit."""
        account = Account("ann", "x", "ID", "T")
        given = (("ItemId", "5:1"), ("CollectionId", "5"), ("SaveInSent", "T"))
        query = base64.b64decode(
            base64_query(account, Post("SmartReply", "12.1", parameters=given, multipart=True)) or ""
        )
        self.assertTrue(query.endswith(b"\x08\x03ann\x07\x01\x03\x03\x035:1\x01\x015"), query)
        query = base64.b64decode(
            base64_query(account, Post("SendMail", "12.1", parameters=(("SaveInSent", "F"),))) or ""
        )
        self.assertTrue(query.endswith(b"\x08\x03ann"), query)

    def test_noPlace(self) -> None:
        """What is too long for the compact form, or has no tag in it, makes it the plain one."""
        for parameter in (("LongId", "x" * 256), ("Unheard", "x")):
            self.assertIsNone(base64_query(Account("ann", "x"), Post("SmartReply", "12.1", parameters=(parameter,))))
