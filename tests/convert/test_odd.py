"""Odd mails, all of them, in every version and every form: nothing raises, and everything can be sent."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gateway.convert.message import Mail, attachment, properties
from gateway.eas.wbxml import encode
from gateway.element import Element
from gateway.model import BodyPreference, SyncOptions
from tests.convert.odd import mails
from tests.convert.samples import VERSIONS

FORMS = (
    SyncOptions(),
    SyncOptions(truncation=1, mime_support=2, mime_truncation=1),
    SyncOptions(bodies=(BodyPreference(1, 50),)),
    SyncOptions(bodies=(BodyPreference(2, 50, all_or_none=True, preview=20), BodyPreference(1, preview=9))),
    SyncOptions(bodies=(BodyPreference(2),), part=BodyPreference(2, 100, preview=50)),
    SyncOptions(bodies=(BodyPreference(4, 200),), mime_support=2),
    SyncOptions(bodies=(BodyPreference(4),), mime_support=2),
    SyncOptions(bodies=(BodyPreference(3), BodyPreference(4)), mime_support=1),
)
FRAMES = (
    b"",
    b"Subject: ",
    b"To: ",
    b"Content-Type: ",
    b"Content-Type: text/html\n\n",
    b"Content-Type: text/plain\nContent-Transfer-Encoding: base64\n\n",
    b"Content-Type: multipart/mixed; boundary=-\n\n---\n",
    b"Content-Type: multipart/alternative; boundary=-\n\n---\nContent-Type: text/html\n\n<p>\n---\n",
    b"Content-Type: multipart/mixed; boundary=-\n\n---\nContent-Disposition: attachment; filename",
    b"Content-Type: message/rfc822\n\n",
)


def texts(element: Element) -> Iterator[str]:
    """Every text in a tree."""
    if isinstance(element.value, str):
        yield element.value
    for child in element:
        yield from texts(child)


class OddTests(SynchronousTestCase):
    def check(self, raw: bytes, version: int, options: SyncOptions, whole: bool = False) -> None:
        """Fail if the mail cannot be converted, or not be sent; a fault would be logged, which fails a test too."""
        mail = Mail(raw, "FRS", {}, 1714550400, "5:17")
        tree = Element("AirSync:Sync", *properties(mail, version, options, whole=whole))
        self.assertTrue(encode(tree))
        for found in texts(tree):
            self.assertNotRegex(found, "[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")

    def test_table(self) -> None:
        """Every mail of the table goes out in every version and form."""
        table = list(mails())
        self.assertGreaterEqual(len({name for name, _ in table}), 60)
        for name, raw in table:
            for version in VERSIONS:
                for number, options in enumerate(FORMS):
                    with self.subTest(name, version=version, form=number):
                        self.check(raw, version, options)

    def test_wholeTable(self) -> None:
        """Every mail of the table can be fetched whole, stored with LF as well."""
        for name, raw in mails():
            for stored in (raw, raw.replace(b"\r\n", b"\n")):
                with self.subTest(name):
                    self.check(stored, 161, FORMS[4], whole=True)
                    self.check(stored, 161, FORMS[6], whole=True)

    def test_attachments(self) -> None:
        """Every attachment that an odd mail lists can be read."""
        for name, raw in mails():
            with self.subTest(name):
                listed = next(
                    (each for each in properties(Mail(raw), 161, FORMS[0]) if each.tag == "AirSyncBase:Attachments"), ()
                )
                for item in listed:
                    reference = item.text_of("AirSyncBase:FileReference") or ""
                    kind, octets, shown = attachment(raw, int(reference.rpartition(":")[2]))
                    self.assertRegex(kind, r"^[!-~]+/[!-~]+$")
                    self.assertIsInstance(octets, bytes)
                    self.assertTrue(shown)

    @given(st.sampled_from(FRAMES), st.binary(max_size=300), st.sampled_from(VERSIONS), st.sampled_from(FORMS))
    @settings(max_examples=400, deadline=None)
    def test_anyOctets(self, frame: bytes, octets: bytes, version: int, options: SyncOptions) -> None:
        """Any octets at any place of a mail go out."""
        self.check(frame + octets, version, options)
