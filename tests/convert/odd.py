"""Mails as they should not be, but are: a table of them, made when it is asked for, and what must hold for each."""

from __future__ import annotations

import base64
from collections.abc import Iterator

from twisted.trial.unittest import SynchronousTestCase

from gateway.convert.message import Mail, properties
from gateway.eas.wbxml import encode
from gateway.element import Element
from gateway.model import BodyPreference, SyncOptions
from tests.convert.samples import multipart, part, text

HEAD = b"From: a@b\r\nSubject: x\r\n"
TEXT = part("text/plain", "text")
QP = "Content-Transfer-Encoding: quoted-printable"
B64 = "Content-Transfer-Encoding: base64"
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


def headers() -> Iterator[tuple[str, bytes]]:
    """Odd headers, or none."""
    yield "empty", b""
    yield "one blank line", b"\r\n"
    yield "only line ends", b"\n" * 500
    yield "only CR", b"\r" * 500
    yield "no header", b"Just text.\nMore: of it.\n"
    yield "no body", b"Subject: x"
    yield "no blank line", b"Subject: x\nthen text"
    yield "only colons", b":\n::\n: :\n\n:"
    yield "mbox line", b"From a@b Wed May  1 08:00:00 2024\nSubject: x\n\ny"
    yield "NULs", b"\0" * 300
    yield "all octets", bytes(range(256)) * 4
    yield "UTF-16", "Subject: x\r\n\r\ny".encode("utf-16")
    yield "UTF-8 mark", b"\xef\xbb\xbfSubject: x\r\n\r\ny"
    yield "CR line ends", b"Subject: x\rTo: a@b\r\rtext\r"
    yield "NUL in header", b"Subject: a\0b\r\nTo: \0@\0\r\n\r\nx"
    yield "8-bit header", b"Subject: gr\xfcn\r\nFrom: J\xf6rg <j@x>\r\n\r\n\xfc"
    yield "8-bit field name", b"S\xfcbject: x\r\nTo: a@b\r\n\r\nx"
    yield "folds without end", b"Subject: a" + b"\r\n b" * 2000 + b"\r\n\r\nx"
    yield "fold first", b" folded\r\nSubject: x\r\n\r\nx"
    yield "many fields", b"".join(b"X-%d: y\r\n" % n for n in range(3000)) + b"\r\nx"
    yield "long field", b"Subject: " + b"a" * 100_000 + b"\r\n\r\nx"
    yield "same fields", b"Subject: a\r\nSubject: b\r\nFrom: a@b\r\nFrom: c@d\r\nTo: e@f\r\nTo: g@h\r\n\r\nx"
    yield "empty fields", b"Subject:\r\nFrom:\r\nTo:\r\nCc:\r\nReply-To:\r\nMessage-ID:\r\nContent-Type:\r\n\r\nx"
    yield "bad date", b"Date: yesterday\r\nSubject: x\r\n\r\nx"
    yield "impossible date", b"Date: Fri, 99 Feb 99999 99:99:99 +9999\r\n\r\nx"
    yield "bad ids", b"Message-ID: <<<>>>\r\nReferences: >< <a\r\nIn-Reply-To: <>\r\nThread-Index: ====\r\n\r\nx"


def values() -> Iterator[tuple[str, bytes]]:
    """Odd values of fields."""
    yield "bad word", text("Subject: =?utf-8?b?!!!?= =?x?q?=E4?= =?utf-8?z?a?= =?utf-8?q?=?=")
    yield "word of NULs", text("Subject: =?utf-8?b?AAAAAA==?=\nFrom: =?utf-16?b?2AA=?= <a@b>")
    yield "surrogates", text("Subject: =?utf-7?q?+2AA-?= =?utf-16-le?b?ANg=?=")
    yield "unending word", text("Subject: " + "=?utf-8?q?a" * 500)
    yield "many words", text("Subject: " + "=?utf-8?q?=C3?= =?utf-8?q?=A4?= " * 500)
    yield "odd codecs", text("Subject: =?punycode?q?a-b?= =?idna?q?xn--?= =?unicode_escape?q?=5Cud800?= =?zlib?q?x?=")
    yield "nested comments", text("To: " + "(" * 1000 + "a@b" + ")" * 1000)
    yield "open quote", text('To: "a <b@c>, d <e@f>')
    yield "only separators", text("To: ,,;;::<><>,\nFrom: ;\nReply-To: <")
    yield "groups", text("To: a: b: c@d;;, e: ;\nCc: undisclosed-recipients:;")
    yield "many addresses", text("To: " + ", ".join(f"n{n}@example.org" for n in range(400)))
    yield "no charset", part("text/plain; charset=", b"\xe4")
    yield "unknown charset", part("text/plain; charset=x-unknown", b"\xe4")
    yield "hostile charset", part("text/plain; charset=../../etc", b"\xe4")
    yield "wrong charset", part("text/plain; charset=utf-8", b"\xe4\xff")
    yield "utf-16 text", part("text/plain; charset=utf-16", b"\xff\xfea\0\0\xd8")
    yield "utf-7 text", part("text/plain; charset=utf-7", b"+2AA-+AAA-+")
    yield "2022 text", part("text/plain; charset=iso-2022-jp", b"\x1b$B\xff\x1b(B\x1b")
    yield "bad type", text("Content-Type: text\nContent-Transfer-Encoding: \x01")
    yield "type of slashes", text("Content-Type: ///;;;=;==;a=")
    yield "bad 2231", part("application/x; name*=a; name*0=b; name*1*=c'd; name*99999=e; *=f", "x")
    yield "many parameters", part("text/plain" + "; a=b" * 3000, "x")


def bodies() -> Iterator[tuple[str, bytes]]:
    """Odd contents."""
    yield "bad base64", part("text/plain", "!!!SGk\r\n=a=b", B64)
    yield "one letter of base64", part("text/html", "A", B64)
    yield "bad quoted-printable", part("text/plain", "=\r\n==\r\n=GG=4\r\n=", QP)
    yield "unknown encoding", part("text/plain", "x", "Content-Transfer-Encoding: x-yenc")
    yield "uuencoded", part("text/plain", "begin 644 a\n#86)C\n`\nend", "Content-Transfer-Encoding: x-uuencode")
    yield "controls", part("text/plain", bytes(range(32)) * 10)
    yield "long line", part("text/plain", b"a" * 100_000)
    yield "deep HTML", part("text/html", "<div>" * 1000 + "deep")
    yield "broken HTML", part("text/html", "<p <<b>>a</i></p><!--<![x<?php &#xFFFFFFFF; &#0; &bogus")
    yield "empty HTML", part("text/html", "")
    yield "binary HTML", part("text/html", bytes(range(256)) * 10)
    yield "calendar", part("text/calendar; method=REPLY", b"PARTSTAT=\xff\nMETHOD:")
    yield "bad calendar", part("text/calendar", "METHOD;;;:\r\n :\r\nMETHOD:R\r\n EQUEST")
    yield "not S/MIME", part("application/pkcs7-mime", "")
    yield "only a file", part("application/octet-stream; name=a.bin", base64.encodebytes(b"x" * 1000), B64)
    yield "message", part("message/rfc822", text("Subject: inner"))
    yield "message in base64", part("message/rfc822", base64.encodebytes(text("Subject: inner")), B64)
    yield "bodiless message", part("message/rfc822", "")
    yield "partial", part("message/partial; id=x; number=1", "x")
    yield "external", part("message/external-body; access-type=URL", "x")


def structures() -> Iterator[tuple[str, bytes]]:
    """Odd multiparts."""
    yield "no boundary", text("Content-Type: multipart/mixed", "x")
    yield "empty boundary", text('Content-Type: multipart/mixed; boundary=""', "--\r\n\r\nx\r\n----")
    yield "absent boundary", text("Content-Type: multipart/mixed; boundary=b", "x")
    yield (
        "long boundary",
        text("Content-Type: multipart/mixed; boundary=" + "b" * 3000, "--" + "b" * 3000 + "\r\n\r\nx"),
    )
    yield "unended", HEAD + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx"
    yield "only delimiter", HEAD + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b"
    yield "only end", HEAD + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b--"
    yield "empty parts", HEAD + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n" * 200
    yield "many parts", HEAD + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 300
    yield (
        "same boundary",
        HEAD
        + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
        + (b"--b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" * 50),
    )
    yield "deep", b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(300))
    yield "empty alternative", multipart("alternative")
    yield "alternative of files", multipart("alternative", part("image/png", "x"), part("application/x", "y"))
    yield "related without root", multipart("related", part("image/png", "x"), parameters="; start=nowhere")
    yield "signed in signed", multipart("signed", multipart("signed", TEXT, TEXT), TEXT)
    yield "signed alone", multipart("signed", TEXT)
    yield (
        "encrypted",
        multipart("encrypted", part("application/pgp-encrypted", "Version: 1"), part("application/x", "x")),
    )
    yield "report", multipart("report", TEXT, part("message/delivery-status", b"Action: \xff\nAction:"))
    yield "empty report", multipart("report", parameters="; report-type=delivery-status")
    yield "digest", multipart("digest", b"\r\nSubject: a\r\n\r\nx", b"", TEXT)
    yield "unknown multipart", multipart("x-unknown", TEXT, TEXT)
    yield "8-bit parts", multipart("mixed", part("text/plain", b"\xe4"), part("image/png", b"\x89PNG\0\r\n\x1a\n"))
    yield (
        "names",
        multipart("mixed", TEXT, *(part("image/png", "x", f"Content-Disposition: {value}") for value in NAMES)),
    )


NAMES = (
    "",
    ";",
    "attachment; filename=",
    "inline; filename*=''%",
    'attachment; filename="../\0"',
    "x; filename*0*=%FF",
)


def mails() -> Iterator[tuple[str, bytes]]:
    """Every odd mail with its name."""
    for kind in (headers, values, bodies, structures):
        yield from kind()


def texts(element: Element) -> Iterator[str]:
    """Every text in a tree."""
    if isinstance(element.value, str):
        yield element.value
    for child in element:
        yield from texts(child)


class OddCase(SynchronousTestCase):
    """Converts mails and looks at what comes of it."""

    def check(self, raw: bytes, version: int, options: SyncOptions, whole: bool = False) -> None:
        """Fail if the mail cannot be converted, or not be sent; a fault would be logged, which fails a test too."""
        mail = Mail(raw, "FRS", {}, 1714550400, "5:17")
        tree = Element("AirSync:Sync", *properties(mail, version, options, whole=whole))
        self.assertTrue(encode(tree))
        for found in texts(tree):
            self.assertNotRegex(found, "[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
