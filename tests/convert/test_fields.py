"""Headers that clients wrote, taken apart and put together."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from gateway.convert.fields import (
    MAX_FIELDS,
    BadMessage,
    Field,
    TooMany,
    address_field,
    author,
    fitting,
    is_address,
    listed,
    taken_apart,
    text_field,
)
from gateway.convert.headers import Address

RAW = b"To: bob@example.org,\r\n carol@example.org\r\nX-Odd :  as it is\r\nSubject: Hi\r\n\r\nHello.\r\n"


def owns(address: str) -> bool:
    return address.lower() in ("ann@example.org", "ann@example.net")


class ApartTests(SynchronousTestCase):
    def test_asItIs(self) -> None:
        """What is not touched is put together to the same octets."""
        message = taken_apart(RAW)
        self.assertEqual([field.name for field in message.fields], ["to", "x-odd", "subject"])
        self.assertEqual((message.value("subject"), message.value("cc")), ("Hi", ""))
        self.assertEqual(message.octets(), RAW)

    def test_lineEnds(self) -> None:
        """Lines that end otherwise end with CRLF afterwards, in the body too."""
        for end in (b"\n", b"\r"):
            self.assertEqual(taken_apart(RAW.replace(b"\r\n", end)).octets(), RAW)

    def test_without(self) -> None:
        """Fields are taken out with all their lines, wherever they are."""
        self.assertEqual(
            taken_apart(b"To: x\r\n" + RAW).without("to", "x-odd").octets(), b"Subject: Hi\r\n\r\nHello.\r\n"
        )

    def test_having(self) -> None:
        """A field takes the place of all of its name; a new one stands before those of MIME."""
        message = taken_apart(b"A: 1\r\nB: 2\r\nA: 3\r\nMIME-Version: 1.0\r\nContent-Type: x/y\r\n\r\n")
        names = [field.octets for field in message.having(Field("a", b"A: 4\r\n")).fields]
        self.assertEqual(names, [b"B: 2\r\n", b"A: 4\r\n", b"MIME-Version: 1.0\r\n", b"Content-Type: x/y\r\n"])

    def test_noBody(self) -> None:
        """A header may be all there is; what mbox files put before it, and empty lines there, are left out."""
        for raw in (b"Subject: x", b"Subject: x\r\n", b"\r\n\nSubject: x\r\n\r\n", b"From bob Mon 1\nSubject: x\n\n"):
            self.assertEqual(taken_apart(raw).octets(), b"Subject: x\r\n\r\n")

    def test_bad(self) -> None:
        """What has no header, or one that is none, or too much of it, cannot be sent."""
        many = b"".join(b"X: %d\r\n" % n for n in range(MAX_FIELDS + 1))
        for raw in (
            *(b"", b"\r\n\r\n", b"Just text", b"Subject: x\r\nno field\r\n\r\ny", b" fold\r\nSubject: x\r\n\r\n"),
            *(b"Subject: \0\r\n\r\n", b"Subject: x\r\n\r\n\0", many + b"\r\n", b"S: " + b"a" * 2**21),
        ):
            self.assertRaises(BadMessage, taken_apart, raw)


class WritingTests(SynchronousTestCase):
    def test_text(self) -> None:
        """A text is folded where there is white space, and encoded if it is not ASCII."""
        self.assertEqual(text_field("Subject", "a  b\r\nc").octets, b"Subject: a b c\r\n")
        self.assertEqual(text_field("Subject", "Gr\xfc\xdfe").octets, b"Subject: =?utf-8?b?R3LDvMOfZQ==?=\r\n")
        long = text_field("References", " ".join(f"<{n}@example.org>" for n in range(40)))
        self.assertTrue(all(len(line) < 78 for line in long.octets.split(b"\r\n")))
        self.assertEqual(long.value.count("@"), 40)
        folded = text_field("Subject", "\xfc" * 200)
        self.assertTrue(folded.fit)
        self.assertTrue(all(len(line) < 78 for line in folded.octets.split(b"\r\n")))

    def test_addresses(self) -> None:
        """Names are quoted or encoded where they have to be; many addresses stand on many lines."""
        for address, expected in (
            (Address("", "a@b"), b"a@b"),
            (Address("Ann Bee", "a@b"), b"Ann Bee <a@b>"),
            (Address('Bee, "Ann"', "a@b"), b'"Bee, \\"Ann\\"" <a@b>'),
            (Address("J\xf6rg", "j@x"), b"=?utf-8?b?SsO2cmc=?= <j@x>"),
        ):
            self.assertEqual(address_field("To", [address]).octets, b"To: " + expected + b"\r\n")
        many = address_field("Cc", [Address(f"Person {n}", f"p{n}@example.org") for n in range(100)])
        self.assertEqual((many.octets.count(b"\r\n "), many.fit), (99, True))

    def test_fitting(self) -> None:
        """Octets that are not ASCII are encoded, lines that are too long folded; anything else stays as it is."""
        for raw, expected in (
            (b"Subject:  odd   but =?utf-8?q?fine?=\r\n", b"Subject:  odd   but =?utf-8?q?fine?=\r\n"),
            (b"Subject: gr\xc3\xbcn\r\n", b"Subject: =?utf-8?b?Z3LDvG4=?=\r\n"),
            (b"Subject: gr\xfcn =?utf-8?q?=C3=BC?=\r\n", b"Subject: =?utf-8?b?Z3LDvG4gw7w=?=\r\n"),
            (b"To: J\xf6rg <j@x>\r\n", b"To: =?utf-8?b?SsO2cmc=?= <j@x>\r\n"),
            (b"To: b@b\xfccher.example\r\n", b"To: b@xn--bcher-kva.example\r\n"),
            (
                b'Content-Type: application/pdf; name="\xc3\xbc.pdf"\r\n',
                b'Content-Type: application/pdf; name="=?utf-8?b?w7wucGRm?="\r\n',
            ),
        ):
            name = raw.partition(b":")[0].decode().lower()
            self.assertEqual(fitting(Field(name, raw)).octets, expected)
        line = b"To: " + b", ".join(b"p%d@example.org" % n for n in range(100)) + b"\r\n"
        self.assertTrue(fitting(Field("to", line)).fit)

    def test_injection(self) -> None:
        """No text of others makes a field of its own."""
        for field in (text_field("Subject", "a\r\nBcc: x@y"), address_field("To", [Address("a\r\nBcc: x", "a@b")])):
            self.assertEqual(len(taken_apart(field.octets + b"\r\n").fields), 1)


class AddressTests(SynchronousTestCase):
    def test_isAddress(self) -> None:
        """What SMTP can take."""
        for good in ("a@b", "ann+x@example.org", "a.b@[192.0.2.1]"):
            self.assertTrue(is_address(good), good)
        for bad in ("", "ann", "@b", "a@", ".Sent", ".x@y", "a b@c", "a@b>", "\xfc@x", "a@" + "b" * 320):
            self.assertFalse(is_address(bad), bad)

    def test_listed(self) -> None:
        """All addresses of all fields of these names are found, those of groups too."""
        raw = b"To: a@x, Team: b@x, c@x;\r\nTo: D <d@x>\r\nCc: e@x\r\n\r\n"
        self.assertEqual([a.spec for a in listed(taken_apart(raw), "to", "cc")], ["a@x", "b@x", "c@x", "d@x", "e@x"])

    def test_tooMany(self) -> None:
        """A list that is longer than is read is refused; nobody is left out in silence."""
        raw = b"To: " + b", ".join(b"p%d@example.org" % n for n in range(3000)) + b"\r\n\r\n"
        self.assertRaises(TooMany, listed, taken_apart(raw), "to")

    def test_author(self) -> None:
        """From is an address of the sender: else it is the primary one, under the name that was given."""
        for given, expected in (
            (b"From: Ann <ann@example.net>\r\n", b"From: Ann <ann@example.net>\r\n"),
            (b"", b"From: ann@example.org\r\n"),
            (b'From: "Bob" <bob@example.org>\r\n', b"From: Bob <ann@example.org>\r\n"),
            (b"From: bob@x, Ann <Ann@example.net>\r\n", b"From: Ann <Ann@example.net>\r\n"),
            (b"From: ann@example.net\r\nFrom: bob@x\r\n", b"From: ann@example.net\r\n"),
            (b"From: \r\n", b"From: ann@example.org\r\n"),
            (b"From: ann@example.net\r\nSender: bob@x\r\n", b"From: ann@example.net\r\n"),
        ):
            message = author(taken_apart(b"To: x@y\r\n" + given + b"\r\n"), owns, "ann@example.org")
            self.assertEqual(message.without("to").octets(), expected + b"\r\n")
        kept = b"From: ann@example.net\r\nSender: ann@example.org\r\n\r\n"
        self.assertEqual(author(taken_apart(kept), owns, "ann@example.org").octets(), kept)
