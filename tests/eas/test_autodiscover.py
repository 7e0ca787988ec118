"""Autodiscover over HTTP: XML with a password, JSON without one ([MS-ASCMD] 2.2.1.1)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from lxml import etree
from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import ISSLTransport
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import directlyProvides

from gateway.core.directory import Directory, Index, Person
from gateway.eas.autodiscover import FRAME, REQUEST, RESPONSE, Autodiscover
from gateway.eas.http import ActiveSync, Root, TrustedProxies, make_site
from gateway.interfaces import BackendDown, Busy
from tests.support import Connection, HTTPAnswer, World, basic, request

XML = "/autodiscover/autodiscover.xml"
JSON = "/autodiscover/autodiscover.json"
ASKED = '<?xml version="1.0" encoding="utf-8"?><Autodiscover xmlns="{0}">{1}</Autodiscover>'
REQUESTED = (
    "<Request><EMailAddress>{0}</EMailAddress><AcceptableResponseSchema>{1}</AcceptableResponseSchema></Request>"
)


def asked(address: str = "ann@example.org", schema: str = RESPONSE, times: int = 1) -> bytes:
    """A request in XML."""
    return ASKED.format(REQUEST, REQUESTED.format(address, schema) * times).encode()


class AutodiscoverCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.world = World()
        self.people = Directory(Index.of([Person(("ann@example.org",), "Ann Example")]))
        self.autodiscover = Autodiscover(
            self.world.dispatcher,
            self.people,
            lambda address: address.partition("@")[0].lower() if "nobody" not in address else None,
            lambda address: address.lower().endswith("@example.org"),
            lambda user: f"{user}@example.org",
            "https://push.example.org",
        )
        root = Root(ActiveSync(self.world.dispatcher, TrustedProxies()), self.autodiscover)
        self.world.site = make_site(root, self.world.clock, self.world.channel, 120)

    def tearDown(self) -> None:
        self.assertEqual(self.flushLoggedErrors(), [])

    def ask(
        self, line: str, body: bytes = b"", fields: Mapping[str, str | None] | None = None, *, secure: bool = True
    ) -> HTTPAnswer:
        connection = Connection(self.world)
        if secure:
            directlyProvides(connection.transport, ISSLTransport)
        none = {"MS-ASProtocolVersion": None, "Content-Type": "text/xml" if body else None}
        connection.send(request(f"{line} HTTP/1.1", body, {**none, **(fields or {})}))
        (answer,) = connection.answers()
        connection.lose()
        return answer

    def post(self, body: bytes = b"", user: str = "ann", **more: Any) -> HTTPAnswer:
        return self.ask(f"POST {XML}", body, {"Authorization": basic(user), **more})

    def get(self, target: str, **fields: str) -> tuple[int, dict[str, str]]:
        answer = self.ask(f"GET {target}", b"", fields)
        self.assertEqual(answer.headers["content-type"], "application/json; charset=utf-8")
        said = json.loads(answer.body)
        assert isinstance(said, dict)
        return answer.status, said


def texts(answer: HTTPAnswer, schema: str) -> dict[str, str]:
    """The texts in the Response of a schema, by their local names."""
    response = etree.fromstring(answer.body).find(f"{{{schema}}}Response")
    assert response is not None, answer.body
    return {etree.QName(each).localname: each.text or "" for each in response.iter() if not len(each)}


class XMLTests(AutodiscoverCase):
    """The mobilesync schema."""

    def test_found(self) -> None:
        """Who asks for the own address is told the server, in the schema that was asked for."""
        answer = self.post(asked())
        self.assertEqual((answer.status, answer.headers["content-type"]), (200, "text/xml; charset=utf-8"))
        url = "https://push.example.org/Microsoft-Server-ActiveSync"
        self.assertEqual(
            texts(answer, RESPONSE),
            {
                "Culture": "en:us",
                "DisplayName": "Ann Example",
                "EMailAddress": "ann@example.org",
                "Type": "MobileSync",
                "Url": url,
                "Name": url,
            },
        )
        root = etree.fromstring(answer.body)
        self.assertEqual(root.tag, f"{{{FRAME}}}Autodiscover")
        path = ("Action", "Settings", "Server", "Url")
        self.assertEqual(root[0].findtext("/".join(f"{{{RESPONSE}}}{name}" for name in path)), url)

    def test_anyCase(self) -> None:
        """The path may be written in any case of letters; the content type and namespaces do not matter."""
        for target in ("/AutoDiscover/AutoDiscover.XML", "/autodiscover/autodiscover.xml/"):
            answer = self.ask(f"POST {target}", asked(), {"Authorization": basic(), "Content-Type": "text/html"})
            self.assertEqual(texts(answer, RESPONSE)["Type"], "MobileSync")

    def test_unlisted(self) -> None:
        """Who is in no directory has the account name for a name."""
        self.people.index = Index()
        self.assertEqual(texts(self.post(asked()), RESPONSE)["DisplayName"], "ann")

    def test_noXML(self) -> None:
        """A phone that posts nothing is answered for who it is."""
        for body in (b"", b"  \r\n"):
            self.assertEqual(texts(self.post(body), RESPONSE)["EMailAddress"], "ann@example.org")

    def test_another(self) -> None:
        """Status 2 of the mobilesync answer, with the address that was asked about: it is another one's, or nobody's,
        which is not said."""
        names = "bob@example.org", "nobody@example.org"
        answers = [self.post(asked(address)) for address in names]
        self.assertEqual(
            *(answer.body.replace(name.encode(), b"") for answer, name in zip(answers, names, strict=True))
        )
        found = texts(answers[0], RESPONSE)
        self.assertEqual(list(found), ["Culture", "EMailAddress", "Status", "Message", "DebugData"])
        self.assertEqual((found["EMailAddress"], found["Status"], found["DebugData"]), (names[0], "2", "MailUser"))

    def test_600(self) -> None:
        """600: nothing well-formed, another document, no Request or two, no address, too large."""
        for body in (
            b"nonsense",
            b"<Autodiscover>",
            b"<Other/>",
            ASKED.format(REQUEST, "").encode(),
            asked(times=2),
            asked("no address"),
            asked(f"{'a' * 64}@{'b' * 300}"),
            asked("ann@example.org" + " " * 70_000),
        ):
            found = texts(self.post(body), FRAME)
            self.assertEqual((found["ErrorCode"], found["Message"]), ("600", "Invalid Request"), body[:80])

    def test_errorFields(self) -> None:
        """An error of the framework has Time and Id, and an empty DebugData."""
        error = etree.fromstring(self.post(b"x").body)[0][0]
        self.assertRegex(error.get("Time", ""), r"^\d\d:\d\d:\d\d\.\d{7}$")
        self.assertTrue(error.get("Id", "").isdecimal())
        self.assertEqual(error.findtext(f"{{{FRAME}}}DebugData"), "")

    def test_601(self) -> None:
        """601: an answer in another schema is wanted, as of Outlook."""
        found = texts(self.post(asked(schema=RESPONSE.replace("mobilesync", "outlook"))), FRAME)
        self.assertEqual(found["ErrorCode"], "601")

    def test_hostile(self) -> None:
        """Entities, document types and references to files and networks are refused, and nothing is read for them."""
        bomb = "".join(f'<!ENTITY e{n} "&e{n - 1};&e{n - 1};">' for n in range(1, 40))
        for declared in (
            '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
            '<!DOCTYPE a SYSTEM "http://192.0.2.1/x.dtd">',
            f'<!DOCTYPE a [<!ENTITY e0 "x">{bomb}]>',
            "<!DOCTYPE a>",
        ):
            for entity in ("&x;", "&e39;", ""):
                body = declared + ASKED.format(REQUEST, REQUESTED.format(f"ann{entity}@example.org", RESPONSE))[38:]
                answer = self.post(body.encode())
                self.assertEqual(texts(answer, FRAME)["ErrorCode"], "600", declared)
                self.assertNotIn(b"root:", answer.body)
        deep = "<a>" * 20_000
        self.assertEqual(texts(self.post(ASKED.format(REQUEST, deep).encode()), FRAME)["ErrorCode"], "600")

    def test_odd(self) -> None:
        """Comments and instructions are passed over; UTF-16 is read; an address may have any letters."""
        body = ASKED.format(REQUEST, "<!-- x --><?y z?>" + REQUESTED.format("ann@example.org", RESPONSE))
        self.assertEqual(texts(self.post(body.encode()), RESPONSE)["Type"], "MobileSync")
        wide = body.replace('encoding="utf-8"', 'encoding="utf-16"').encode("utf-16")
        self.assertEqual(texts(self.post(wide), RESPONSE)["Type"], "MobileSync")
        self.assertEqual(texts(self.post(asked("änn@example.org")), RESPONSE)["Status"], "2")

    def test_401(self) -> None:
        """Without a password or with a wrong one: 401, and the realm."""
        for fields in ({}, {"Authorization": basic("ann", "wrong")}, {"Authorization": "Bearer x"}):
            for line in (f"POST {XML}", f"GET {XML}"):
                answer = self.ask(line, asked() if line[0] == "P" else b"", fields)
                self.assertEqual((answer.status, answer.body), (401, b""))
                self.assertEqual(answer.headers["www-authenticate"], 'Basic realm="pushgw"')

    def test_503(self) -> None:
        """503 when passwords cannot be checked, too many wait, or the gateway is being stopped."""

        def failing(error: Exception) -> Any:
            def check(*args: object) -> Deferred[str]:
                return fail(error)

            return check

        for error, later in ((BackendDown("away"), "60"), (Busy("full", 7), "7")):
            self.patch(type(self.world.dispatcher.authenticator), "check", failing(error))
            answer = self.post(asked())
            self.assertEqual((answer.status, answer.headers["retry-after"]), (503, later))
        self.world.dispatcher.closing = True
        self.assertEqual(self.post(asked()).status, 503)

    def test_get(self) -> None:
        """A GET by who is known is no request."""
        answer = self.ask(f"GET {XML}", b"", {"Authorization": basic()})
        self.assertEqual(texts(answer, FRAME)["ErrorCode"], "600")

    def test_redirect(self) -> None:
        """302: a GET without TLS is sent to where there is some, without a question; so are those whose proxy says so."""
        where = "https://push.example.org/autodiscover/autodiscover.xml"
        for secure, fields in ((False, {}), (True, {"X-Forwarded-Proto": "http"}), (False, {"Authorization": basic()})):
            answer = self.ask(f"GET {XML}", b"", fields, secure=secure)
            self.assertEqual((answer.status, answer.headers["location"], answer.body), (302, where, b""))
        self.assertEqual(self.ask(f"GET {XML}", b"", {"X-Forwarded-Proto": "https"}, secure=False).status, 401)

    def test_methods(self) -> None:
        """Other methods: 405 for those that there are, 501 for others."""
        for method, status in (("HEAD", 405), ("OPTIONS", 405), ("PUT", 405), ("BREW", 501)):
            answer = self.ask(f"{method} {XML}")
            self.assertEqual((answer.status, answer.headers["allow"]), (status, "GET,POST"))
        self.assertEqual(self.ask(f"POST {JSON}/v1.0/a@example.org").headers["allow"], "GET")

    def test_otherPaths(self) -> None:
        """Other paths of Autodiscover are not here."""
        for path in ("/autodiscover/autodiscover.svc", "/autodiscover", "/autodiscover/autodiscover.jsonx"):
            self.assertEqual(self.ask(f"GET {path}").status, 404)


class AddressTests(AutodiscoverCase):
    """What devices are told of where to go."""

    def url(self, **fields: str) -> str:
        return texts(self.post(asked(), **fields), RESPONSE)["Url"]

    def test_underTheNameAsked(self) -> None:
        """Without a public address it is the name that was asked for, with its port."""
        self.autodiscover.public_url = ""
        for host in ("mail.example.org", "mail.example.org:8443", "192.0.2.1", "[2001:db8::1]:8443"):
            self.assertEqual(self.url(Host=host), f"https://{host}/Microsoft-Server-ActiveSync")

    def test_oddNames(self) -> None:
        """A name that is none is not repeated."""
        self.autodiscover.public_url = ""
        for host in ("", "a b", 'x"y', "evil.example/path", "a@b", "-x", "x" * 300):
            self.assertEqual(self.url(Host=host), "https://localhost/Microsoft-Server-ActiveSync")


class JSONTests(AutodiscoverCase):
    """What today's programs ask first."""

    def test_found(self) -> None:
        """Both forms of the question are answered, without a password, in any case of letters."""
        expected = {"Protocol": "ActiveSync", "Url": "https://push.example.org/Microsoft-Server-ActiveSync"}
        for target in (
            f"{JSON}/v1.0/ann@example.org?Protocol=ActiveSync",
            f"{JSON}/v1.0/ann%40example.org?Protocol=activesync&RedirectCount=1",
            "/Autodiscover/Autodiscover.json/V1.0/Ann@Example.org?protocol=ActiveSync",
            f"{JSON}?Email=ann@example.org&Protocol=ActiveSync",
            f"{JSON}?Email=ann%40example.org&Protocol=ActiveSync&RedirectCount=1",
        ):
            self.assertEqual(self.get(target), (200, expected), target)

    def test_first(self) -> None:
        """AutodiscoverV1 is where the XML is."""
        url = "https://push.example.org/autodiscover/autodiscover.xml"
        self.assertEqual(
            self.get(f"{JSON}/v1.0/ann@example.org?Protocol=AutodiscoverV1"),
            (200, {"Protocol": "AutodiscoverV1", "Url": url}),
        )

    def test_nobodyIsTold(self) -> None:
        """Who has an account and who has none is answered alike."""
        one, other = (self.get(f"{JSON}/v1.0/{name}@example.org?Protocol=ActiveSync") for name in ("ann", "nobody"))
        self.assertEqual(one, other)

    def test_faults(self) -> None:
        """400 with MandatoryParameterMissing, InvalidProtocol or InvalidUserId; 404 with UserNotFound for another
        domain."""
        for target, status, code in (
            (f"{JSON}/v1.0/ann@example.org", 400, "MandatoryParameterMissing"),
            (f"{JSON}?Protocol=ActiveSync", 400, "MandatoryParameterMissing"),
            (f"{JSON}/v1.0?Protocol=ActiveSync", 400, "MandatoryParameterMissing"),
            (f"{JSON}/v9/ann@example.org?Protocol=ActiveSync", 400, "MandatoryParameterMissing"),
            (f"{JSON}/v1.0/ann@example.org?Protocol=EWS", 400, "InvalidProtocol"),
            (f"{JSON}/v1.0/ann?Protocol=ActiveSync", 400, "InvalidUserId"),
            (f"{JSON}/v1.0/ann@{'x' * 400}?Protocol=ActiveSync", 400, "InvalidUserId"),
            (f"{JSON}/v1.0/ann@example.com?Protocol=ActiveSync", 404, "UserNotFound"),
            (f"{JSON}?{'&'.join('a=b' for _ in range(30))}", 400, "MandatoryParameterMissing"),
            (f"{JSON}/v1.0/%ff%00@example.org?Protocol=%ff", 400, "InvalidProtocol"),
        ):
            found, said = self.get(target)
            self.assertEqual((found, said["ErrorCode"]), (status, code), target)
            self.assertTrue(said["ErrorMessage"])
            self.assertLess(len(said["ErrorMessage"]), 200)
