"""Odd mails, all of them, in every version and in every form: nothing raises, and everything can be sent."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.convert.message import Mail, attachment, properties
from gateway.model import SyncOptions
from tests.convert import oddities
from tests.convert.odd import FORMS, OddCase, mails
from tests.convert.samples import VERSIONS

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


class OddTests(OddCase):
    def test_table(self) -> None:
        """Every mail of the table goes out in every version and in every form; tests/slow has all pairs of them."""
        table = list(mails())
        self.assertGreaterEqual(len({name for name, _ in table}), 60)
        self.assertGreaterEqual(len(FORMS), len(VERSIONS))
        for turn, (name, raw) in enumerate(table):
            for number, options in enumerate(FORMS):
                version = VERSIONS[(turn + number) % len(VERSIONS)]
                with self.subTest(name, version=version, form=number):
                    self.check(raw, version, options)

    def test_moreMails(self) -> None:
        """Every mail of the other table, and some that are made by chance, go out in one version and one form."""
        table = [*oddities.mails(), *oddities.generated(100)]
        self.assertGreaterEqual(len({name for name, _ in table}), 250)
        for turn, (name, raw) in enumerate(table):
            with self.subTest(name):
                self.check(raw, VERSIONS[turn % len(VERSIONS)], FORMS[turn % len(FORMS)], whole=turn % 2 == 0)

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
