"""More mails as they should not be: what the specifications of MIME allow and nobody expects, and mails by chance."""

from __future__ import annotations

import base64
import quopri
import random
from collections.abc import Callable, Iterator

from tests.convert.odd import B64, QP, TEXT
from tests.convert.samples import multipart, part, text

MARKS = "Content-Disposition: attachment; filename"
EVENT = "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nUID:a\r\nDTSTART:{0}\r\nRRULE:{1}\r\nEND:VEVENT\r\nEND:VCALENDAR"


def multiparts() -> Iterator[tuple[str, bytes]]:
    """RFC 2046: preambles, boundaries that begin alike, padding, parts of parts of messages."""
    head = b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=%b\r\n\r\n"
    yield "preamble and epilogue", head % b"b" + b"before\r\n--b\r\n\r\none\r\n--b--\r\nafter\r\n--b\r\n\r\nnot a part"
    yield "boundaries alike", head % b"b" + b"--bb\r\n--b\r\n\r\n--bb\r\n--b-\r\n--b--x\r\n--b--"
    yield "padding", head % b"b" + b"--b \t \r\n\r\none\r\n--b\t\r\n\r\ntwo\r\n--b-- \t"
    yield "quoted boundary", head % b'"b =?:/(),+_\'."' + b"--b =?:/(),+_'.\r\n\r\none\r\n--b =?:/(),+_'.--"
    yield "boundary with blanks", head % b'"b  "' + b"--b\r\n\r\none\r\n--b  \r\n\r\ntwo\r\n--b--"
    yield "boundary of hyphens", head % b"--------" + b"----------\r\n\r\none\r\n------------"
    yield "boundary in the text", head % b"b" + b"--b\r\n\r\nsee --b\r\n --b\r\n> --b\r\n--b--"
    yield "escaped boundary", head % b'"a\\b"' + b"--ab\r\n\r\none\r\n--a\\b\r\n\r\ntwo\r\n--ab--"
    yield "two boundaries", head % b"a; boundary=b" + b"--a\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b--"
    yield "LF inside CRLF", head % b"b" + b"--b\n\none\r\n--b\r\n\ntwo\n--b--\n"
    yield "CR inside CRLF", head % b"b" + b"--b\r\rone\r--b\r\n\r\ntwo\r--b--"
    yield "parts without headers", head % b"b" + b"--b\r\n\r\n\r\n--b\r\nno header: really\r\n--b--"
    yield (
        "encoded multipart",
        head % b"b\r\nContent-Transfer-Encoding: base64" + base64.encodebytes(b"--b\r\n\r\nx\r\n--b--"),
    )
    yield "parallel", multipart("parallel", TEXT, part("audio/basic", "x"))
    yield "digest of digests", multipart("digest", multipart("digest", b"\r\nSubject: a\r\n\r\nb"))
    yield "appledouble", multipart("appledouble", part("application/applefile", "x"), part("image/png", "y"))
    yield "form", multipart("form-data", part("text/plain", "x", 'Content-Disposition: form-data; name="a"'))
    yield "report of nothing", multipart("report", TEXT, part("message/rfc822-headers", "Subject: x"))
    yield "signed in related", multipart("related", multipart("signed", TEXT, part("application/pkcs7-signature", "x")))
    yield "partial", part('message/partial; id="a"; number=2; total=3', "middle of something")
    yield (
        "message in message",
        part("message/rfc822", part("message/rfc822", part("message/rfc822", text("Subject: x")))),
    )
    yield "tnef", part("application/ms-tnef; name=winmail.dat", base64.encodebytes(b"\x78\x9f\x3e\x22" * 100), B64)
    yield "alternative of alternatives", multipart("alternative", *[multipart("alternative", TEXT)] * 20)
    yield "delivery status", part("message/delivery-status", "Action: failed\r\n\r\nAction: delayed")


def parameters() -> Iterator[tuple[str, bytes]]:
    """RFC 2231: names in pieces, in charsets, in the wrong order."""
    for number, value in enumerate(
        (
            "*=utf-8''%e2%82%ac%20rates",
            "*=iso-8859-1'en'%A3%20rates",
            "*=x-unknown''%A3",
            "*=''%A3",
            "*='%A3",
            "*=%A3",
            "*=utf-8''%",
            "*=utf-8''%4",
            "*=utf-8''%ZZ%00%0d%0a",
            "*=utf-16''%ff%fe%41%00",
            "*0=a; filename*1=b; filename*2=c",
            "*2=c; filename*1=b; filename*0=a",
            "*0*=utf-8''%e2; filename*1*=%82; filename*2*=%ac",
            "*0*=utf-8''%e2%82%ac; filename*1=%41",
            "*0=a; filename*0=b; filename*1=c",
            "*1=b",
            "*0=a; filename*2=c",
            "*01=a; filename*00=b",
            "*=utf-8''a; filename=b; filename*0=c",
            "=\"a\"; filename*=utf-8''b",
            "*x=a",
            "**=a",
            "*0**=a",
            "*-1=a",
            '=a"b"c',
            '="a\\"b',
            "=(comment)a",
            "=a;;;;=;",
            "".join(f"*{n}=x;filename" for n in range(300)) + "=y",
        )
    ):
        file = part("application/x-y", "x", f"{MARKS}{value}")
        yield f"name {number}", multipart("mixed", TEXT, file)
        yield f"type {number}", part(f"text/plain; name{value.replace('filename', 'name')}", "x")
    yield "charset in pieces", part("text/plain; charset*0=ut; charset*1=f-8", "ä")
    yield "charset encoded", part("text/plain; charset*=us-ascii'en'utf-8", "ä")
    yield (
        "boundary in pieces",
        text("Content-Type: multipart/mixed; boundary*0=a; boundary*1=b", "--ab\r\n\r\nx\r\n--ab--"),
    )


def unicode() -> Iterator[tuple[str, bytes]]:
    """RFC 6532 and 6531: headers in UTF-8, addresses that are not ASCII, and what Unicode has in store."""
    for number, value in enumerate(
        (
            "grün",
            "e\u0301te\u0301",
            "\u202etxt.exe",
            "👩\u200d👩\u200d👧 family",
            "\ufeffmark",
            "\ufffe",
            "a\u2028b\u2029c",
            "\x85next",
            "日本語" * 200,
            "مرحبا بالعالم",
            "\U0010ffff",
            "\u0000",
            "=?utf-8?q?=C3=BC?= grün",
        )
    ):
        yield (
            f"subject {number}",
            text(f"Subject: {value}\nFrom: {value} <{value}@bücher.example>\nTo: {value}@例え.jp"),
        )
        file = part("image/png", "x", f'{MARKS}="{value}.png"', f"Content-ID: <{value}>")
        yield f"file {number}", multipart("related", part("text/html", f"<img src='cid:{value}'>"), file)
    yield "global", part("message/global", text("Subject: grün\nTo: jörg@例え.jp", "ä"))
    yield "global report", multipart("report", TEXT, part("message/global-delivery-status", "Action: failed"))
    yield "ids", text("Message-ID: <ä@ö>\nReferences: <ü@x> <y@ß>\nIn-Reply-To: <ä\n b@c>")
    yield "boundary", "Content-Type: multipart/mixed; boundary=grün\r\n\r\n--grün\r\n\r\nx\r\n--grün--".encode()
    yield "field names", "Sübject: x\r\n件名: y\r\nSubject: z\r\n\r\n".encode()
    yield "half a character", b"Subject: gr\xc3\r\n \xbcn\r\nFrom: \xe2\x82\r\n\r\n\xe2\x82"
    yield "overlong", b"Subject: \xc0\xaf\xed\xa0\x80\xf8\x88\x80\x80\x80\r\n\r\n\xc0\xaf"
    yield "two charsets", "Subject: grün ".encode() + "grün\r\n\r\n".encode("latin-1")


def invitations() -> Iterator[tuple[str, bytes]]:
    """Calendars that are none, or that ask for the impossible."""
    for start in ("20240506T080000Z", "00010101T000000", "99991231T235959Z", "20240230T080000", "x", "20240506", "P1D"):
        for rule in (
            "FREQ=SECONDLY",
            "FREQ=YEARLY;BYDAY=-53SU;BYMONTH=13",
            "FREQ=WEEKLY;UNTIL=99991231T235959Z",
            ";;=",
        ):
            yield f"event {start} {rule}", part("text/calendar; method=REQUEST", EVENT.format(start, rule))
    for kind in ("utf-7", "utf-16", "x-unknown", "us-ascii"):
        yield (
            f"event in {kind}",
            part(f"text/calendar; method=REQUEST; charset={kind}", EVENT.format("ä", "FREQ=DAILY").encode()),
        )
    yield "event in base64", part("text/calendar; method=REQUEST", base64.encodebytes(EVENT.encode()), B64)
    yield "no calendar", part("text/calendar; method=CANCEL", "<html>")
    yield (
        "calendar of zones",
        part("text/calendar; method=REQUEST", "BEGIN:VCALENDAR\r\n" + "BEGIN:VTIMEZONE\r\n" * 500),
    )


def mails() -> Iterator[tuple[str, bytes]]:
    """Every mail of this table with its name."""
    for kind in (multiparts, parameters, unicode, invitations):
        for name, raw in kind():
            yield f"{kind.__name__}: {name}", raw


# By chance.

_WORDS = (
    "Hello",
    "grün",
    "日本語",
    "=?utf-8?q?=C3?=",
    "\x00",
    "\x1b$B",
    "&#x1F600;",
    "<b>",
    "--",
    "\r\n",
    "\n.\n",
    "  ",
)
_CHARSETS = (
    "utf-8",
    "us-ascii",
    "iso-8859-1",
    "windows-1252",
    "koi8-r",
    "shift_jis",
    "iso-2022-jp",
    "utf-16",
    "gb2312",
    "x",
    "",
)
_TYPES = (
    "text/plain",
    "text/html",
    "text/calendar; method=REQUEST",
    "image/png",
    "application/pdf",
    "message/rfc822",
    "text/x",
    "x",
)
_KINDS = ("mixed", "alternative", "related", "signed", "report", "digest", "encrypted", "x")
_FIELDS = (
    "Subject",
    "From",
    "To",
    "Cc",
    "Reply-To",
    "Date",
    "Message-ID",
    "References",
    "Content-Type",
    "Thread-Index",
    "Sender",
)


def generated(count: int, seed: int = 0) -> Iterator[tuple[str, bytes]]:
    """So many mails that differ; the same seed gives the same ones."""
    for number in range(count):
        chance = random.Random(f"{seed}/{number}")
        yield f"generated {seed}/{number}", _mutated(chance, _mail(chance))


def _mail(chance: random.Random) -> bytes:
    fields = [f"{chance.choice(_FIELDS)}: {_words(chance, 6)}" for _ in range(chance.randrange(8))]
    head = "".join(f"{field}\r\n" for field in fields if "\n" not in field)
    return head.encode("utf-8", "replace") + _entity(chance, 0)


def _entity(chance: random.Random, depth: int) -> bytes:
    if depth < 4 and chance.random() < 0.5 - 0.1 * depth:
        inner = [_entity(chance, depth + 1) for _ in range(chance.randrange(4))]
        return multipart(
            chance.choice(_KINDS), *inner, parameters=chance.choice(("", '; type="text/html"', "; start=<a>"))
        )
    charset = chance.choice(_CHARSETS)
    body = _words(chance, chance.choice((0, 3, 50, 400))).encode(_codec(charset), "replace")
    encoding, encode = chance.choice(_ENCODINGS)
    headers = [f"Content-Transfer-Encoding: {encoding}"] if encoding else []
    if chance.random() < 0.4:
        headers.append(
            f"Content-Disposition: {chance.choice(('inline', 'attachment', 'x'))}; filename={chance.choice(_WORDS[:4])}"
        )
    if chance.random() < 0.3:
        headers.append(f"Content-ID: <{chance.randrange(9)}@x>")
    return part(f"{chance.choice(_TYPES)}; charset={charset}", encode(body), *headers)


def _codec(charset: str) -> str:
    return charset if charset not in ("", "x") else "latin-1"


_ENCODINGS: tuple[tuple[str, Callable[[bytes], bytes]], ...] = (
    ("", bytes),
    ("8bit", bytes),
    ("base64", base64.encodebytes),
    ("base64", bytes),
    ("quoted-printable", quopri.encodestring),
    ("quoted-printable", bytes),
    ("x-uuencode", bytes),
)


def _words(chance: random.Random, most: int) -> str:
    return " ".join(chance.choice(_WORDS) for _ in range(chance.randrange(most + 1)))


def _mutated(chance: random.Random, raw: bytes) -> bytes:
    """The same, cut, with other line ends, with octets that are others or there twice."""
    data = bytearray(raw)
    for _ in range(chance.choice((0, 0, 1, 3, 20))):
        if not data:
            break
        at = chance.randrange(len(data))
        data[at : at + 1] = chance.choice(
            (b"", b"\0", b"\r", b"\n", b"--", bytes((chance.randrange(256),)), data[at : at + 30])
        )
    found = bytes(data)
    if chance.random() < 0.3:
        found = found.replace(b"\r\n", chance.choice((b"\n", b"\r", b"\n\r", b"\r\r\n")))
    return found[: chance.randrange(len(found) + 1)] if chance.random() < 0.1 else found


def large() -> Iterator[tuple[str, bytes]]:
    """Mails that are large in some way."""
    yield "text of 5 MB", part("text/plain", b"A line of text, as people write it.\r\n" * 140_000)
    yield "HTML of 5 MB", part("text/html", b"<p>A <b>line</b> of text</p>\r\n" * 180_000)
    yield "one line of 5 MB", part("text/plain; charset=utf-8", "ä".encode() * 2_600_000)
    yield "tags without end", part("text/html", b"<" * 1_000_000)
    yield "quoted-printable of 5 MB", part("text/html; charset=utf-8", b"=C3=A4=\r\n" * 500_000, QP)
    yield "attachment of 10 MB", multipart("mixed", TEXT, part("application/x", base64.encodebytes(bytes(10**7)), B64))
    yield "binary of 5 MB", multipart("mixed", TEXT, part("image/png", bytes(range(256)) * 20_000))
    yield "1900 parts", multipart("mixed", *[part("image/png", b"x" * 100)] * 1900)
    yield "a million lines", part("text/plain", b"x\n" * 1_000_000)
    yield "a million hyphens", multipart("mixed", part("text/plain", b"--\n" * 1_000_000))
    yield "header of 3 MB", b"".join(b"X-%d: %b\r\n" % (n, b"y" * 1000) for n in range(3000)) + b"\r\nx"
    yield "addresses of 3 MB", text("To: " + ", ".join(f"Name {n} <n{n}@example.org>" for n in range(90_000)))
