"""From HTTP to a command and back: who, what, how often, with what body, and what becomes of failures."""

from __future__ import annotations

import gzip

from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred, fail

from gateway.core.rate import Rate
from gateway.eas import wbxml
from gateway.eas.call import Answer, Call, Refused, Unavailable, Version
from gateway.element import Element
from gateway.interfaces import BackendDown, Busy
from gateway.model import Device, DeviceKey
from tests.eas.lane import FIRST_PING, SYNC, LaneCase, Told, query, raw
from tests.support import PATH, Phone, basic

OLD = ("2.5", "12.0", "12.1")
NEW = ("14.0", "14.1", "16.0", "16.1")
FOLDERS = wbxml.encode(Element("FolderHierarchy:FolderSync", Element("FolderHierarchy:SyncKey", "0")))


class DispatchCase(LaneCase):
    def command(self, name: str, body: bytes = SYNC, **fields: str | None):
        """Send a command; its answer."""
        return self.ask("POST", f"{PATH}?{query(name)}", body=body, **fields)

    def check(self, answer, status: int | str, root: str = "AirSync:Sync") -> None:
        """The answer has this HTTP status, or, as text, this Status under the root of the command."""
        if isinstance(status, int):
            self.assertEqual((answer.status, answer.body), (status, b""))
        else:
            self.assertEqual((answer.status, answer.element.tag), (200, root))
            self.assertEqual([child.text for child in answer.element], [status])

    def last(self) -> dict:
        """What the newest access line says."""
        entry, http, _ = self.lines[-1]
        return {"http": http, "cmd": entry.command, "user": entry.user, "device": entry.device, **entry.fields}


class CallTests(DispatchCase):
    """What a command is called with."""

    def test_everything(self) -> None:
        """User, device, command, version, policy key, body, parameters, type, agent and address."""
        self.command(
            "Sync&CollectionId=7", X_MS_PolicyKey="3942919513", User_Agent="Phone/1.0", MS_ASProtocolVersion="12.1"
        )
        (call,) = self.sync.calls
        self.assertEqual(
            call,
            Call(
                DeviceKey("ann", "phone1"),
                "Sync",
                Version.V12_1,
                3942919513,
                wbxml.decode(SYNC),
                content_type="application/vnd.ms-sync.wbxml",
                parameters={"CollectionId": "7"},
                device_type="SP",
                agent="Phone/1.0",
                address="192.0.2.1",
            ),
        )

    def test_agentIsCleaned(self) -> None:
        """A User-Agent is kept without control characters and not longer than anybody needs."""
        self.post(User_Agent="a\x1b[2J\tb\x9b" + "x" * 1000)
        self.assertEqual(self.sync.calls[0].agent, ("a[2Jb" + "x" * 1000)[:256])

    def test_everyVersion(self) -> None:
        """Every version that OPTIONS lists is spoken."""
        for version in (*OLD, *NEW):
            self.assertEqual(self.post(MS_ASProtocolVersion=version).status, 200)
        self.assertEqual([str(call.version) for call in self.sync.calls], [*OLD, *NEW])

    def test_partnership(self) -> None:
        """A device is a partnership from its first request on, and is noted as seen by each further one."""
        self.post(User_Agent="one")
        self.world.clock.advance(50)
        self.post(MS_ASProtocolVersion="12.1")
        device = self.world.result(self.world.partnerships.device(DeviceKey("ann", "phone1")))
        self.assertEqual((device.last_seen - device.first_seen, device.agent, device.version), (50, "one", "12.1"))


class QueryTests(DispatchCase):
    """What is it: refusals by version."""

    def test_otherUser(self) -> None:
        """A User in the query that names another one than the credentials is 403 in every version."""
        for version in (*OLD, *NEW):
            self.check(self.post(target=f"{PATH}?{query(User='bob')}", MS_ASProtocolVersion=version), 403)
        self.assertEqual(self.last()["user"], "ann")
        self.assertEqual(self.sync.calls, [])

    def test_sameUser(self) -> None:
        """Other spellings of the same user, and none at all, are let in."""
        for user in ("ann", "ANN", "ann@example.org", "EXAMPLE%5Cann", "EXAMPLE%5CAnn%40example.org", ""):
            self.assertEqual(self.post(target=f"{PATH}?{query(User=user)}").status, 200, user)

    def test_noQuery(self) -> None:
        """No query, an empty one, nonsense and one that is too long are 400."""
        for text in ("", "?", "?x", "?%%%", "?User=ann", "?AAAA", "?Cmd=", "?Cmd=%00", "?Cmd=Sync&" + "x=y&" * 2000):
            self.check(self.post(target=PATH + text), 400)

    def test_unknownCommand(self) -> None:
        """A command that nobody knows is 501."""
        for version in (*OLD, *NEW):
            self.check(self.command("Telepathy", MS_ASProtocolVersion=version), 501)
        self.assertEqual((self.last()["cmd"], self.last()["St"]), ("-", 137))

    def test_commandNotBuilt(self) -> None:
        """A command that is not built is 501 before 14.0, and Status 137 under its own root after."""
        for version in OLD:
            self.check(self.command("MoveItems", MS_ASProtocolVersion=version), 501)
        for version in NEW:
            self.check(self.command("MoveItems", MS_ASProtocolVersion=version), "137", "Move:MoveItems")
        self.assertEqual(self.last()["St"], 137)

    def test_commandOfOtherVersions(self) -> None:
        """A command that the version does not have is 400 before 14.0, and Status 138 after."""
        self.world.commands.update(Settings=Told(), Find=Told(), GetAttachment=Told())
        self.check(self.command("Settings", MS_ASProtocolVersion="2.5"), 400)
        self.check(self.command("Find", MS_ASProtocolVersion="14.1"), "138", "Find:Find")
        self.check(self.command("GetAttachment", MS_ASProtocolVersion="14.0"), 400)

    def test_unknownVersion(self) -> None:
        """A version that is not spoken is 400, or 505 for 1.0."""
        for version, status in {"1.0": 505, "2.0": 400, "12.2": 400, "x": 400, "14.2": 400, "17.0": 400}.items():
            self.check(self.post(MS_ASProtocolVersion=version), status)

    def test_noVersion(self) -> None:
        """No version at all is 2.5, or 400 if that does not have the command."""
        self.world.commands["Settings"] = Told()
        self.assertEqual(self.post(MS_ASProtocolVersion=None).status, 200)
        self.assertEqual(self.sync.calls[0].version, Version.V2_5)
        self.check(self.command("Settings", MS_ASProtocolVersion=None), 400)

    def test_device(self) -> None:
        """A DeviceId that is missing or no id is 400 before 14.0, and Status 108 after; so is 109 the DeviceType."""
        for more, status in (({"DeviceId": ""}, "108"), ({"DeviceId": "a,b"}, "108"), ({"DeviceType": ""}, "109")):
            target = f"{PATH}?{query(**more)}"
            for version in NEW:
                self.check(self.post(target=target, MS_ASProtocolVersion=version), status)
            for version in OLD:
                self.check(self.post(target=target, MS_ASProtocolVersion=version), 400)

    def test_nothingIsKept(self) -> None:
        """A request that is refused for what it says makes no partnership."""
        self.post(target=f"{PATH}?{query(User='bob')}")
        self.command("Telepathy")
        self.command("MoveItems")
        self.assertEqual(self.world.result(self.world.store.devices(None)), [])


class AuthenticationTests(DispatchCase):
    """Our trouble is never a 401, and what is wrong with the user is nothing else."""

    def test_wrong(self) -> None:
        """Wrong credentials are 401."""
        self.world.dispatcher.authenticator = Failing(UnauthorizedLogin("no"))
        self.failing(401, None)

    def test_busy(self) -> None:
        """Too many who want in at once are put off with 503 and the seconds that the authenticator names."""
        self.world.dispatcher.authenticator = Failing(Busy("too many", 7))
        self.failing(503, "7")

    def test_backendDown(self) -> None:
        """An authenticator that does not answer is 503."""
        self.world.dispatcher.authenticator = Failing(BackendDown("LDAP is down"))
        self.failing(503, "60")

    def test_broken(self) -> None:
        """An authenticator that fails is 503, and the failure is in the log."""
        self.world.dispatcher.authenticator = Failing(RuntimeError("oops"))
        self.failing(503, "60")
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 3)

    def failing(self, status: int, retry: str | None) -> None:
        for data in (raw("OPTIONS"), raw(body=SYNC), raw(body=SYNC, MS_ASProtocolVersion="2.5")):
            (answer,) = self.send(data)
            self.assertEqual((answer.status, answer.headers.get("retry-after")), (status, retry))
            self.assertEqual("www-authenticate" in answer.headers, status == 401)

    def test_address(self) -> None:
        """The authenticator is told from where the client comes."""
        self.world.dispatcher.authenticator = failing = Failing(UnauthorizedLogin("no"))
        self.post(Authorization=basic("EXAMPLE\\ann", "a:b"))
        self.assertEqual(failing.asked, [("EXAMPLE\\ann", "a:b", "192.0.2.1")])

    def test_realm(self) -> None:
        """The realm is the configured one."""
        self.world.dispatcher.realm = "mail of ACME"
        answer = self.post(Authorization=None)
        self.assertEqual(answer.headers["www-authenticate"], 'Basic realm="mail of ACME"')

    def test_commandThatSaysUnauthorized(self) -> None:
        """Only the credentials of a request can make a 401, not what happens in a command."""
        self.sync.answer = UnauthorizedLogin("the mail server says so")
        self.check(self.post(), "111")
        self.assertEqual(len(self.flushLoggedErrors(UnauthorizedLogin)), 1)

    def test_closing(self) -> None:
        """A gateway that is being stopped puts everybody off for a moment, before it looks at passwords."""
        self.world.dispatcher.authenticator = failing = Failing(UnauthorizedLogin("no"))
        self.world.dispatcher.closing = True
        self.failing(503, "5")
        self.assertEqual(failing.asked, [])


class Failing:
    """An authenticator that fails."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.asked: list[tuple[str, str, str]] = []

    def check(self, user: str, password: str, address: str) -> Deferred[str]:
        """Fail."""
        self.asked.append((user, password, address))
        return fail(self.error)


class RateTests(DispatchCase):
    """How often."""

    def setUp(self) -> None:
        super().setUp()
        self.world.dispatcher.rate = Rate(1, 3)

    def test_tooOften(self) -> None:
        """A device that comes too often is put off with 503 and the seconds to wait, whatever it wants."""
        self.assertEqual([self.post().status for _ in range(4)], [200, 200, 200, 503])
        answer = self.command("MoveItems")
        self.assertEqual((answer.status, answer.headers["retry-after"]), (503, "1"))
        self.assertEqual(len(self.sync.calls), 3)

    def test_welcomeAgain(self) -> None:
        """After the seconds named it is welcome."""
        for _ in range(4):
            self.post()
        self.world.clock.advance(1)
        self.assertEqual([self.post().status for _ in range(2)], [200, 503])

    def test_others(self) -> None:
        """Other devices, and other users on the same one, are not put off."""
        for _ in range(4):
            self.post()
        self.assertEqual(self.post(target=f"{PATH}?{query(DeviceId='other')}").status, 200)
        bob = {"target": f"{PATH}?{query(User='bob')}", "Authorization": basic("bob", "geheim")}
        self.assertEqual(self.post(**bob).status, 200)

    def test_inEveryVersion(self) -> None:
        """It is HTTP 503 in every version."""
        for _ in range(3):
            self.post()
        for version in (*OLD, *NEW):
            self.check(self.post(MS_ASProtocolVersion=version), 503)


class GateTests(DispatchCase):
    """Provisioning comes before the body."""

    def test_order(self) -> None:
        """A device that must provision is told so although its body is nonsense; the gate sees call and device."""
        seen: list[tuple[str, str]] = []

        def gate(call: Call, device: Device) -> None:
            seen.append((call.command, device.type))
            raise Refused(142, "provision first")

        self.world.dispatcher.gate = gate
        self.check(self.post(b"nonsense"), "142")
        self.check(self.post(b"nonsense", MS_ASProtocolVersion="12.0"), 449)
        self.assertEqual(seen, [("Sync", "SP")] * 2)


class BodyTests(DispatchCase):
    """The body."""

    def test_types(self) -> None:
        """WBXML may come under both of its names, with parameters, in any case, and without a name."""
        for name in (
            "application/vnd.ms-sync.wbxml",
            "application/vnd.ms-sync",
            "Application/VND.MS-Sync.WBXML; charset=utf-8",
            "",
            None,
        ):
            self.assertEqual(self.post(Content_Type=name).status, 200, name)
            self.assertEqual(self.sync.calls[-1].body, wbxml.decode(SYNC))

    def test_otherTypes(self) -> None:
        """Any other type is 400 before 14.0, and Status 101 after."""
        for name in (
            "text/xml",
            "text/plain",
            "message/rfc822",
            "application/x-www-form-urlencoded",
            "multipart/form-data",
        ):
            for version in OLD:
                self.check(self.post(Content_Type=name, MS_ASProtocolVersion=version), 400)
            for version in NEW:
                self.check(self.post(Content_Type=name, MS_ASProtocolVersion=version), "101")

    def test_ping(self) -> None:
        """So it is for Ping; a Ping whose WBXML is broken is Status 4 in every version."""
        for version in (*OLD, *NEW):
            fields = {"MS_ASProtocolVersion": version}
            plain = self.command("Ping", FIRST_PING, Content_Type="text/plain", **fields)
            self.check(plain, 400 if version in OLD else "101", "Ping:Ping")
            self.check(self.command("Ping", b"nonsense", **fields), "4", "Ping:Ping")

    def test_message(self) -> None:
        """The commands that send mail take a message in every version, and WBXML from 14.0 on only."""
        send = self.world.commands["SendMail"] = Told(Answer())
        mail, mime = b"From: a\r\n\r\nb", "message/rfc822"
        document = wbxml.encode(Element("ComposeMail:SendMail"))
        for version in OLD:
            answer = self.command("SendMail&SaveInSent=T", mail, Content_Type=mime, MS_ASProtocolVersion=version)
            self.assertEqual(
                (answer.status, answer.body, send.calls[-1].raw, send.calls[-1].body), (200, b"", mail, None)
            )
            self.check(self.command("SendMail", document, MS_ASProtocolVersion=version), 400)
        for version in NEW:
            self.assertEqual(self.command("SendMail", document, MS_ASProtocolVersion=version).status, 200)
            answer = self.command("SendMail", mail, Content_Type=mime, MS_ASProtocolVersion=version)
            self.assertEqual((answer.status, send.calls[-1].raw, send.calls[-1].body), (200, mail, None))
            answer = self.command("SendMail", mail, Content_Type="text/plain", MS_ASProtocolVersion=version)
            self.check(answer, "101", "ComposeMail:SendMail")

    def test_messageWithoutType(self) -> None:
        """A message without a type is one where a message is expected."""
        send = self.world.commands["SendMail"] = Told(Answer())
        self.command("SendMail", b"From: a\r\n\r\nb", Content_Type=None, MS_ASProtocolVersion="12.1")
        self.assertEqual(send.calls[0].raw, b"From: a\r\n\r\nb")

    def test_noWBXML(self) -> None:
        """What is no WBXML is 400 before 14.0, and Status 102 after; nothing is logged as a failure."""
        for body in (b"x", b"<?xml version='1.0'?><Sync/>", SYNC[:3], b"\x03\x01\x6a\x00" + b"\x45" * 50):
            for version in OLD:
                self.check(self.post(body, MS_ASProtocolVersion=version), 400)
            for version in NEW:
                self.check(self.post(body, MS_ASProtocolVersion=version), "102")

    def test_emptyAllowed(self) -> None:
        """Sync (from 12.1 on), Ping, GetAttachment and GetHierarchy may have no body."""
        self.world.commands.update(GetAttachment=Told(Answer()), GetHierarchy=Told(Answer()))
        for version in ("12.1", *NEW):
            self.assertEqual(self.post(b"", MS_ASProtocolVersion=version).status, 200)
        for version in (*OLD, *NEW):
            self.check(self.command("Ping", b"", MS_ASProtocolVersion=version), "3", "Ping:Ping")
        for command in ("GetAttachment", "GetHierarchy"):
            for version in OLD:
                self.assertEqual(self.command(command, b"", MS_ASProtocolVersion=version).status, 200)

    def test_emptyRefused(self) -> None:
        """Any other empty body is 400 before 14.0, and Status 101 after, for Sync before 12.1 too."""
        self.world.commands.update(FolderSync=Told(), SendMail=Told())
        for version in OLD:
            self.check(self.command("FolderSync", b"", MS_ASProtocolVersion=version), 400)
            mail = self.command("SendMail", b"", Content_Type="message/rfc822", MS_ASProtocolVersion=version)
            self.check(mail, 400)
        for version in NEW:
            self.check(
                self.command("FolderSync", b"", MS_ASProtocolVersion=version), "101", "FolderHierarchy:FolderSync"
            )
        for version in ("2.5", "12.0"):
            self.check(self.post(b"", MS_ASProtocolVersion=version), 400)

    def test_typeOfNothing(self) -> None:
        """The type of an empty body does not matter."""
        self.check(self.command("Ping", b"", Content_Type="text/html"), "3", "Ping:Ping")

    def test_gzip(self) -> None:
        """A body may be packed."""
        for name in ("gzip", "GZIP", " x-gzip"):
            self.assertEqual(self.post(gzip.compress(SYNC), Content_Encoding=name).status, 200)
            self.assertEqual(self.sync.calls[-1].body, wbxml.decode(SYNC))
        self.assertEqual(self.post(SYNC, Content_Encoding="identity").status, 200)

    def test_packedNothing(self) -> None:
        """An empty body that says it is packed is an empty body, as is one that unpacks to nothing."""
        for body in (b"", gzip.compress(b"")):
            self.assertEqual(self.post(body, Content_Encoding="gzip").status, 200)
            self.assertIsNone(self.sync.calls[-1].body)

    def test_brokenGzip(self) -> None:
        """What is not packed as it says is Status 101, HTTP 400."""
        packed = gzip.compress(SYNC)
        for body in (SYNC, packed[:-1], packed[:10], packed + packed, packed + b"x", packed[:-5] + b"xxxxx"):
            self.check(self.post(body, Content_Encoding="gzip"), "101")
            self.check(self.post(body, Content_Encoding="gzip", MS_ASProtocolVersion="12.1"), 400)

    def test_otherEncodings(self) -> None:
        """Other encodings than gzip are Status 101, HTTP 400."""
        for name in ("deflate", "br", "gzip, gzip", "x"):
            self.check(self.post(Content_Encoding=name), "101")

    def test_cookies(self) -> None:
        """Cookies are welcome, and nobody reads them."""
        self.assertEqual(self.post(Cookie="a=b; c; =; " + "d=e;" * 500).status, 200)


class CompressionTests(DispatchCase):
    """Answers are packed if that is worth it and the client asked."""

    def answer(self, size: int, **fields: str | None):
        self.sync.answer = Answer(element=Element("AirSync:Sync", b"x" * size))
        return self.post(**fields)

    def test_large(self) -> None:
        """An answer that is not small is packed for who accepts gzip, and its length is the packed one."""
        for accepted in ("gzip", "gzip, deflate", "deflate, GZIP;q=0.5", "x-gzip", "gzip;q=1"):
            answer = self.answer(2000, Accept_Encoding=accepted)
            self.assertEqual(answer.headers["content-encoding"], "gzip", accepted)
            self.assertEqual(int(answer.headers["content-length"]), len(answer.body))
            self.assertLess(len(answer.body), 200)
            self.assertEqual(wbxml.decode(gzip.decompress(answer.body)).value, b"x" * 2000)

    def test_notAsked(self) -> None:
        """Nobody gets gzip who did not ask for it, or forbade it."""
        for accepted in (None, "", "deflate", "identity", "gzip;q=0", "gzip; q=0.000", "notgzip", "gzipx"):
            answer = self.answer(2000, Accept_Encoding=accepted)
            self.assertNotIn("content-encoding", answer.headers, accepted)
            self.assertEqual(wbxml.decode(answer.body).value, b"x" * 2000)

    def test_small(self) -> None:
        """A small answer is not packed, that is one of less than 100 bytes."""
        document = len(wbxml.encode(Element("AirSync:Sync", b"x" * 90)))
        self.assertNotIn("content-encoding", self.answer(99 - document + 90, Accept_Encoding="gzip").headers)
        self.assertIn("content-encoding", self.answer(100 - document + 90, Accept_Encoding="gzip").headers)

    def test_ping(self) -> None:
        """The answer to a Ping is not packed."""
        answer = self.command("Ping", b"", Accept_Encoding="gzip")
        self.assertNotIn("content-encoding", answer.headers)


class FailureTests(DispatchCase):
    """Whatever goes wrong in a command becomes a documented answer, never 500."""

    def test_unexpected(self) -> None:
        """A failure is HTTP 503 with Retry-After before 14.0, and Status 111 after, with a traceback in the log."""
        self.sync.answer = RuntimeError("oops")
        for version in OLD:
            answer = self.post(MS_ASProtocolVersion=version)
            self.check(answer, 503)
            self.assertEqual(answer.headers["retry-after"], "60")
        for version in NEW:
            self.check(self.post(MS_ASProtocolVersion=version), "111")
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 7)
        self.assertEqual(
            self.last(), {"http": 200, "cmd": "Sync", "user": "ann", "device": "phone1", "St": 111, "E": "RuntimeError"}
        )

    def test_late(self) -> None:
        """So it is for a command that fails after a while."""
        self.sync.answer = None
        connection = self.connect()
        connection.send(raw(body=SYNC))
        self.sync.say(RuntimeError("oops"))
        (answer,) = connection.answers()
        self.check(answer, "111")
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_ping(self) -> None:
        """A Ping that fails is Status 8 in every version."""
        self.world.commands["Ping"] = Told(RuntimeError("oops"))
        for version in (*OLD, *NEW):
            self.check(self.command("Ping", FIRST_PING, MS_ASProtocolVersion=version), "8", "Ping:Ping")
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 7)

    def test_withoutRoot(self) -> None:
        """A command without a document of its own is 503 in every version that has it."""
        self.world.commands["GetAttachment"] = Told(RuntimeError("oops"))
        self.check(self.command("GetAttachment", b"", MS_ASProtocolVersion="12.1"), 503)
        self.flushLoggedErrors(RuntimeError)

    def test_backendDown(self) -> None:
        """A part that is down for a while is answered the same, and no traceback is logged."""
        self.sync.answer = BackendDown("database")
        self.check(self.post(MS_ASProtocolVersion="12.1"), 503)
        self.check(self.post(), "111")

    def test_unavailable(self) -> None:
        """A command that cannot take the call now is HTTP 503 in every version, with its own seconds."""
        for error in (Unavailable("full", 33), Busy("full", 33)):
            self.sync.answer = error
            for version in (*OLD, *NEW):
                answer = self.post(MS_ASProtocolVersion=version)
                self.check(answer, 503)
                self.assertEqual(answer.headers["retry-after"], "33")
        self.assertEqual(self.last()["E"], "full")

    def test_refused(self) -> None:
        """A refusal is the HTTP status of the table before 14.0, and the Status after."""
        self.sync.answer = Refused(113, "full", retry_after=5)
        for version in OLD:
            answer = self.post(MS_ASProtocolVersion=version)
            self.check(answer, 507)
            self.assertEqual(answer.headers["retry-after"], "5")
        for version in NEW:
            self.check(self.post(MS_ASProtocolVersion=version), "113")

    def test_store(self) -> None:
        """A store that fails when the device is looked up is a failure like any other."""
        self.world.partnerships.store = self
        self.check(self.post(), "111")
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)

    def device(self, key: DeviceKey) -> Deferred[Device | None]:
        """As a store that has failed."""
        return fail(OSError("disk full"))


class LevelsTests(DispatchCase):
    """Up to where a device lacks nothing is known again only when an answer that says so was written."""

    PHONE = DeviceKey("ann", "phone1")

    def setUp(self) -> None:
        super().setUp()
        self.world.commands["FolderSync"] = self.sync
        self.levels = self.world.dispatcher.levels
        self.levels.note(self.PHONE, {1: 10, 2: 20})

    def known(self) -> object:
        return self.levels.recall(self.PHONE, [2])

    def test_parked(self) -> None:
        """A Ping gives nothing and changes nothing; what a Sync gives it tells itself."""
        self.sync.answer = Answer(levels={2: 21})
        for command in ("Ping", "Sync"):
            self.command(command, b"" if command == "Ping" else SYNC)
            self.assertEqual(self.known(), {1: 10, 2: 20})

    def test_written(self) -> None:
        """The levels of an answer hold once it is written; its command is still told of that itself."""
        self.sync.answer = Answer(levels={2: 21, 3: 30}, written=self.sync.heard.append)
        self.command("FolderSync", FOLDERS)
        self.assertEqual((self.known(), self.sync.heard), ({1: 10, 2: 21}, [True]))

    def test_notSaid(self) -> None:
        """After an answer without levels, a refusal or a failure only a look can tell."""
        for answer in (Answer(), Refused(113), RuntimeError("oops")):
            self.levels.note(self.PHONE, {1: 10, 2: 20})
            self.sync.answer = answer
            self.command("FolderSync", FOLDERS)
            self.assertIsNone(self.known())
        self.flushLoggedErrors(RuntimeError)

    def waiting(self):
        self.sync.answer = None
        connection = self.connect()
        connection.send(raw("POST", f"{PATH}?{query('FolderSync')}", FOLDERS))
        return connection

    def test_clientLeft(self) -> None:
        """The levels of an answer that was not written do not hold."""
        connection = self.waiting()
        self.sync.levels, self.sync.stubborn = {2: 21}, True
        connection.lose()
        self.assertEqual((self.known(), self.sync.heard), (None, [False]))

    def test_lookMeanwhile(self) -> None:
        """What a look found while the command was at work does not hold, however that ended."""
        for end in (Answer(), RuntimeError("oops"), None):
            connection = self.waiting()
            self.levels.note(self.PHONE, {1: 10, 2: 20})
            if end is None:
                connection.lose()
            else:
                self.sync.say(end)
            self.assertIsNone(self.known())
        self.flushLoggedErrors(RuntimeError)


class LineTests(DispatchCase):
    """One access line for each request, and what is counted."""

    def test_fields(self) -> None:
        """User, device, type, command, version, bytes, seconds, and what the command said."""
        self.sync.answer = None
        connection = self.connect()
        connection.send(raw(body=SYNC))
        self.world.clock.advance(2.5)
        self.sync.say(Answer(log={"Fc": 3}))
        ((entry, http, seconds),) = self.lines
        self.assertEqual((entry.user, entry.device, entry.type, entry.command), ("ann", "phone1", "SP", "Sync"))
        self.assertEqual((entry.version, entry.received, entry.address), (141, len(SYNC), "192.0.2.1"))
        self.assertEqual((http, seconds, entry.fields), (200, 2.5, {"Fc": 3}))

    def test_everyRequest(self) -> None:
        """Each request has one line, however it ended."""
        self.post()
        self.post(Authorization=None)
        self.post(target=f"{PATH}?x")
        self.command("Telepathy")
        self.post(b"nonsense")
        self.assertEqual(self.http(), [200, 401, 400, 501, 200])
        self.assertEqual([entry.user for entry, _, _ in self.lines], ["ann", "-", "ann", "ann", "ann"])

    def test_ping(self) -> None:
        """A Ping that ran out has its heartbeat, its folders and its Status."""
        phone = Phone(self.world)
        self.connections.append(phone.connection)
        inbox = self.world.mailbox()[""]
        phone.synchronise(inbox)
        phone.ping(60, inbox)
        self.world.clock.advance(61)
        self.assertEqual(
            self.last(),
            {"http": 200, "cmd": "Ping", "user": "ann", "device": "phone1", "Hb": 60, "Fc": 1, "St": 1, "Pt": 61},
        )

    def test_unknownCommandIsNotCounted(self) -> None:
        """What a client calls its command cannot fill the metrics."""
        for name in ("Aaa", "Bbb"):
            self.command(name)
        self.assertEqual({entry.command for entry, _, _ in self.lines}, {"-"})
