"""Tests of WAP Push: the known vectors byte for byte."""

from __future__ import annotations

from datetime import UTC, datetime

from twisted.trial.unittest import SynchronousTestCase

from gateway.sms.alphabet import BINARY
from gateway.sms.udh import in_parts
from gateway.sms.wappush import PORTS, Indication, MailNotification, document

SI = bytes.fromhex(
    "0605040b8423f0 010604 03ae81ea 02056a00 45c6 0e03 6d61696c2e6578616d706c65 00 8803 733f673d31663361 00"
    "1103 617574642d31663361 00 05 0ac306200604030818 10c306200604030833 01 03 4e6577206d61696c 00 01 01"
)
EMN = bytes.fromhex(
    "0605040b8423f0 010606 0302030aaf89 020d6a00 85 0703 616c696365406578616d706c652e6f7267 00 05c306200604030818 01"
)


def at(text: str) -> float:
    """The seconds since the epoch of a time in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


INDICATION = Indication(
    href="https://mail.example.org/s?g=1f3a",
    id="autd-1f3a",
    created=at("2006-04-03T08:18"),
    expires=at("2006-04-03T08:33"),
    text="New mail",
)
NOTIFICATION = MailNotification("mailat:alice@example.org", at("2006-04-03T08:18"))


def sent(push: bytes) -> bytes:
    """The user data of the one message that it is sent in."""
    [part] = in_parts(push.decode("latin-1"), BINARY, ports=PORTS)
    assert part.udhi and part.data_coding == 4
    return part.short_message


class IndicationTests(SynchronousTestCase):
    def test_vector(self) -> None:
        """The example with everything in it, 90 octets."""
        self.assertEqual(sent(INDICATION.encode()).hex(), SI.hex())
        self.assertEqual(len(SI), 90)

    def test_least(self) -> None:
        """What is not said is left out; an indication without text has no content."""
        self.assertEqual(document(Indication(id="x").encode()).hex(), "02056a004586110378000501 01".replace(" ", ""))

    def test_beginnings(self) -> None:
        """The longest beginning of an address that has a token is one."""
        for href, octets in {
            "http://a": "0c036100",
            "http://www.a": "0d036100",
            "https://a": "0e036100",
            "https://www.a": "0f036100",
            "ftp://a": "0b036674703a2f2f6100",
            "http://a.com/.net/b.org": "0c036100858703622e6f726700",
        }.items():
            self.assertIn(f"4586{octets}05", Indication(href).encode().hex())

    def test_times(self) -> None:
        """Zeros at the end of a time are left out, in whole octets."""
        for text, octets in {
            "2006-04-03T08:18:59": "0ac30720060403081859",
            "2006-04-10T00:00": "0ac30420060410",
            "2006-04-03T10:00": "0ac3052006040310",
        }.items():
            self.assertIn(octets, Indication("x", created=at(text)).encode().hex())

    def test_actions(self) -> None:
        """Every action has its token, and another one is an error."""
        for number, action in enumerate(("none", "low", "medium", "high"), 5):
            self.assertEqual(Indication(id="x", action=f"signal-{action}").encode()[-3], number)
        self.assertEqual(Indication(id="x", action="delete").encode()[-3], 9)
        self.assertRaises(ValueError, Indication(action="loud").encode)

    def test_nul(self) -> None:
        """A text that would end before its end is an error."""
        for indication in (Indication("a\0b"), Indication(id="\0"), Indication(text="\0")):
            self.assertRaises(ValueError, indication.encode)


class MailNotificationTests(SynchronousTestCase):
    def test_vector(self) -> None:
        """The example, 51 octets."""
        self.assertEqual(sent(NOTIFICATION.encode()).hex(), EMN.hex())
        self.assertEqual(len(EMN), 51)

    def test_schemes(self) -> None:
        """The token of every scheme, and none for another one."""
        for mailbox, octets in {
            "pop://a": "8508036100",
            "imap://a": "8509036100",
            "http://a": "850a036100",
            "http://www.a": "850b036100",
            "https://a": "850c036100",
            "https://www.a": "850d036100",
            "imap://a.org/b": "850903612e6f72672f6200",
            "sip:a": "8506037369703a6100",
        }.items():
            self.assertIn(octets, MailNotification(mailbox, 0).encode().hex())


class DocumentTests(SynchronousTestCase):
    def test_noPush(self) -> None:
        """What is no push has no document."""
        for data in (b"", b"\x01\x06", b"\x01\x07\x00\x02", b"\x01\x06\x04\xae", b"\x01\x06\xff" + b"a" * 300):
            self.assertRaises(ValueError, document, data)
