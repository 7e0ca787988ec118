"""The MeetingResponse command ([MS-ASCMD] 2.2.1.11)."""

from __future__ import annotations

from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default

from twisted.internet.defer import execute
from twisted.trial.unittest import SynchronousTestCase

from gateway.arrangement import Moved
from gateway.eas.call import Answer, Version
from gateway.eas.meetingresponse import MeetingResponse
from gateway.eas.moving import Moving
from gateway.eas.reading import Reading
from gateway.element import Element
from gateway.interfaces import BackendDown
from gateway.model import DeviceKey, FolderType, FoundFolder
from gateway.store import Store, postings
from gateway.testing import MemoryMailbox
from gateway.trigger import Letter
from tests.convert.test_meeting import mail
from tests.eas.support import NOW, Sources, call_of, decoded, refused, renamed, text
from tests.stores import result_of

TIME = "2024-05-06T08:00:00.000Z"


def part(name: str, *content: Element | str | int | None) -> Element:
    """An element of MeetingResponse."""
    return Element(f"MeetingResponse:{name}", *content)


def said(*content: Element) -> Element:
    """A SendResponse."""
    return part("SendResponse", *content)


def broken(*args: object) -> Moved:
    """What moves mails, when the database goes away."""
    raise OSError("away")


class MeetingResponseTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.sources = Sources()
        self.ids = self.sources.make()
        self.inbox = self.ids[""]
        self.sources.mail(self.inbox, "invited", mail(SUMMARY="Plans"))
        self.sources.mail(self.inbox, "weekly", mail(RRULE="FREQ=WEEKLY"))
        self.sources.mail(self.inbox, "own", mail(ORGANIZER="mailto:Ann@example.net"))
        self.sources.mail(self.inbox, "plain")
        self.sources.mail(self.inbox, "cancelled", mail(method="CANCEL"))
        self.sent: list[tuple[str, str, str, bytes]] = []
        self.failure: Exception | None = None
        self.kicked: list[str] = []
        self.relay = True
        self.command = self.make(self.sources.mailbox)

    def make(self, mailbox: MemoryMailbox) -> MeetingResponse:
        moving = Moving(self.sources.store, mailbox, self.sources.reports, lambda: NOW)
        own = ("ann@example.org", "ann@example.net")
        now = datetime.fromtimestamp(NOW, UTC)
        return MeetingResponse(
            moving,
            Reading(mailbox, execute),
            self.sources.store.postings,
            lambda user: own,
            self.letter,
            self.kicked.append,
            lambda: now,
            "mail.example.org",
        )

    def letter(self, user: str, sender: str, recipient: str, content: bytes) -> Letter | None:
        if self.failure is not None:
            raise self.failure
        self.sent.append((user, sender, recipient, content))
        if not self.relay:
            return None
        return Letter(DeviceKey(user, ""), "relay", content=content, sender=sender, recipients=(recipient,))

    def queued(self) -> int:
        return len(result_of(self.sources.store.outbox.letters("ann", None, 100)))

    def name(self, name: str) -> str:
        return f"{self.inbox}:{self.sources.named(name)}"

    def request(self, name: str, *more: Element, choice: str = "1") -> Element:
        return part(
            "Request",
            part("UserResponse", choice),
            part("CollectionId", self.inbox),
            part("RequestId", self.name(name)),
            *more,
        )

    def respond(self, *requests: Element, version: Version = Version.V16_1) -> Answer:
        asked = call_of("MeetingResponse", part("MeetingResponse", *requests), version)
        answer = result_of(self.command(asked))
        assert isinstance(answer, Answer)
        return answer

    def statuses(self, *requests: Element, version: Version = Version.V16_1) -> list[str | None]:
        element = self.respond(*requests, version=version).element
        assert element is not None
        return [result.text_of("MeetingResponse:Status") for result in element]

    def left(self, path: str = "") -> list[str]:
        return sorted(self.sources.mailbox.folder("ann", path))

    def test_status1(self) -> None:
        """Status 1, with the RequestId and no CalendarId, in every version and for every choice; the invitation goes to
        the deleted mails."""
        for number, version in enumerate(Version):
            name = f"m{number}"
            self.sources.mail(self.inbox, name, mail())
            element = self.respond(self.request(name, choice=str(number % 3 + 1)), version=version).element
            self.assertEqual(text(element), f"MeetingResponse(Result(RequestId={self.name(name)} Status=1))")
            self.assertNotIn(name, self.left())
            self.assertIn(name, self.left(".Trash"))

    def test_vector(self) -> None:
        """The documented request, once its ids are those of an invitation, is answered as documented, but for the
        CalendarId: there is no calendar yet. As it stands, what it names is not there."""
        request, response = decoded("meetingresponse-request"), decoded("meetingresponse-response")
        answer = result_of(self.command(call_of("MeetingResponse", request)))
        self.assertEqual(text(answer.element), "MeetingResponse(Result(RequestId=5:7 Status=2))")
        names = {"5": str(self.inbox), "5:7": self.name("invited")}
        answer = result_of(self.command(call_of("MeetingResponse", renamed(request, names))))
        (result,) = response
        result.children = [child for child in result if child.name != "CalendarId"]
        self.assertEqual(text(answer.element), text(renamed(response, names)))

    def test_longId(self) -> None:
        """An invitation that a search has found is answered by its LongId; the answer names no RequestId."""
        request = part("Request", part("UserResponse", 1), Element("Search:LongId", self.name("invited")))
        self.assertEqual(text(self.respond(request).element), "MeetingResponse(Result(Status=1))")
        self.assertNotIn("invited", self.left())

    def test_sent(self) -> None:
        """From 16.0 on the organizer is sent what was said, if the device says so."""
        body = Element("AirSyncBase:Body", Element("AirSyncBase:Type", 1), Element("AirSyncBase:Data", "I come."))
        self.respond(self.request("invited", said(body), choice="2"), version=Version.V16_0)
        ((user, sender, recipient, content),) = self.sent
        self.assertEqual((user, sender, recipient), ("ann", "ann@example.org", "jane@example.org"))
        self.assertEqual((self.queued(), self.kicked), (1, ["relay"]))
        message = message_from_bytes(content, policy=default)
        self.assertEqual(message["Subject"], "Tentative: Plans")
        self.assertIn("I come.", str(next(message.iter_parts()).get_content()))

    def test_emptyResponse(self) -> None:
        """An empty SendResponse sends a mail without a word; HTML goes out as text."""
        html = Element("AirSyncBase:Body", Element("AirSyncBase:Type", 2), Element("AirSyncBase:Data", "<b>Yes</b>"))
        for name, response, expected in (("invited", said(), ""), ("weekly", said(html), "Yes")):
            self.respond(self.request(name, response))
            message = message_from_bytes(self.sent.pop()[3], policy=default)
            self.assertEqual(next(message.iter_parts()).get_content().strip(), expected)

    def test_noWay(self) -> None:
        """Without a way to the organizer the invitation is answered as if nothing was to be sent."""
        self.relay = False
        self.assertEqual(self.statuses(self.request("invited", said())), ["1"])
        self.assertEqual((self.queued(), self.kicked, "invited" in self.left()), (0, [], False))

    def test_brokenOff(self) -> None:
        """What breaks off in the middle leaves nothing done: neither is the organizer told, nor is the mail moved."""
        patched = self.patch(postings, "move", broken)
        self.assertEqual(self.statuses(self.request("invited", said())), ["3"])
        patched.restore()
        self.assertEqual((self.queued(), self.kicked, "invited" in self.left()), (0, [], True))
        self.assertEqual(self.statuses(self.request("invited", said())), ["1"])
        self.assertEqual((self.queued(), "invited" in self.left()), (1, False))

    def test_again(self) -> None:
        """A device that has not got the answer, and asks again, is told of success; nobody is told twice, wherever the
        invitation is meanwhile. Another answer of it, to what is gone, is Status 2."""
        request = self.request("invited", said())
        self.assertEqual([self.statuses(request) for _ in range(3)], [["1"]] * 3)
        self.assertEqual(self.queued(), 1)
        self.assertEqual(self.statuses(self.request("invited", said(), choice="3")), ["2"])
        self.sources.make(found=(FoundFolder("", "Inbox", FolderType.INBOX),))
        request = self.request("weekly", said())
        self.assertEqual([self.statuses(request) for _ in range(3)], [["1"]] * 3)
        self.assertEqual(self.queued(), 2)
        self.assertEqual(self.statuses(self.request("weekly", said(), choice="3")), ["1"])
        self.assertEqual(self.queued(), 3)

    def test_notSent(self) -> None:
        """Without SendResponse nothing is sent, and before 16.0 never: the device does that itself."""
        self.respond(self.request("invited"))
        self.respond(self.request("weekly", said()), version=Version.V14_1)
        self.assertEqual(self.sent, [])

    def test_proposed(self) -> None:
        """Another time can be proposed since 16.1."""
        times = part("ProposedStartTime", "20240507T080000Z"), part("ProposedEndTime", "20240507T090000Z")
        self.respond(self.request("invited", said(*times)), version=Version.V16_0)
        self.assertIn(b"Subject: Accepted", self.sent[0][3])
        self.respond(self.request("weekly", said(*times)))
        self.assertIn(b"Subject: New Time Proposed", self.sent[1][3])

    def test_status2(self) -> None:
        """Status 2: no such mail or folder, no invitation, an own one, no UserResponse or another, ids that exclude
        each other or are none, something twice; times that make no sense. The mails stay, and nothing is sent."""
        named = [part("CollectionId", self.inbox), part("RequestId", self.name("invited"))]
        choice, long = part("UserResponse", 1), Element("Search:LongId", self.name("invited"))
        start, end = part("ProposedStartTime", "20240507T080000Z"), part("ProposedEndTime", "20240507T090000Z")
        for request in (
            self.request("plain"),
            self.request("cancelled"),
            self.request("own"),
            self.request("invited", choice="4"),
            self.request("invited", choice=""),
            part("Request", *named),
            part("Request", choice, choice, *named),
            part("Request", choice, named[0]),
            part("Request", choice, named[1]),
            part("Request", choice),
            part("Request", choice, *named, long),
            part("Request", choice, Element("Search:LongId", "x" * 257)),
            part("Request", choice, Element("Search:LongId", "none")),
            part("Request", choice, named[0], part("RequestId", "9:9")),
            part("Request", choice, named[0], part("RequestId", "x" * 65)),
            part("Request", choice, part("CollectionId", self.ids[".Sent"]), named[1]),
            part("Request", choice, part("CollectionId", "x"), named[1]),
            self.request("invited", said(start)),
            self.request("invited", said(end)),
            self.request("invited", said(part("ProposedStartTime", "now"), end)),
            self.request("invited", said(part("ProposedStartTime", "20240507T090000Z"), end)),
            part("Request"),
        ):
            self.assertEqual(self.statuses(request), ["2"], text(request))
        self.assertEqual((len(self.left()), self.sent), (5, []))

    def test_gone(self) -> None:
        """Status 2: the mail is gone, though the ledger does not know yet."""
        del self.sources.mailbox.folder("ann", "")["invited"]
        self.assertEqual(self.statuses(self.request("invited")), ["2"])

    def test_instances(self) -> None:
        """InstanceId: 104 if it is no time; 146 for an invitation that is not to a series; 2 for one in a mail that is,
        and in versions that do not know it."""
        for name, instance, version, status in (
            ("invited", "May", Version.V16_1, "104"),
            ("invited", "20240506T080000Z", Version.V14_1, "104"),
            ("invited", TIME, Version.V14_1, "146"),
            ("weekly", TIME, Version.V16_1, "2"),
            ("invited", TIME, Version.V14_0, "2"),
        ):
            request = self.request(name, part("InstanceId", instance))
            self.assertEqual(self.statuses(request, version=version), [status])
        self.assertIn("InstanceId=" + TIME, text(self.respond(request).element))
        odd = self.request("invited", part("InstanceId", "20240506T080000Z"))
        self.assertNotIn("InstanceId", text(self.respond(odd, version=Version.V14_1).element))

    def test_status3(self) -> None:
        """Status 3: mailbox or store do not answer. The mail stays; the other invitations are answered."""
        self.failure = BackendDown("away")
        requests = self.request("invited", said()), self.request("weekly")
        self.assertEqual(self.statuses(*requests), ["3", "1"])
        self.assertIn("invited", self.left())

    def test_notMoved(self) -> None:
        """Status 3: the mail cannot be moved now."""

        self.patch(postings, "move", broken)
        self.assertEqual(self.statuses(self.request("invited")), ["3"])

    def test_status4(self) -> None:
        """Status 4: a fault of ours, which is logged."""
        self.failure = ZeroDivisionError()
        self.assertEqual(self.statuses(self.request("invited", said())), ["4"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_deletedAlready(self) -> None:
        """An invitation among the deleted mails stays there, and so it does where there is no such folder."""
        self.sources.mail(self.ids[".Trash"], "old", mail(), path=".Trash")
        trash = self.ids[".Trash"]
        request = part(
            "Request",
            part("UserResponse", 1),
            part("CollectionId", trash),
            part("RequestId", f"{trash}:{self.sources.named('old')}"),
        )
        self.assertEqual(self.statuses(request), ["1"])
        self.assertIn("old", self.left(".Trash"))

    def test_withoutTrash(self) -> None:
        """Without a folder for deleted mails the invitation stays where it is."""
        self.sources.make(found=(FoundFolder("", "Inbox", FolderType.INBOX),))
        self.assertEqual(self.statuses(self.request("invited")), ["1"])
        self.assertIn("invited", self.left())

    def test_many(self) -> None:
        """Up to 100 invitations are answered in order, each with its Status, one that is named again as the first time;
        more are 103 in a Result, as there is no Status of the whole."""
        requests = [self.request("invited"), self.request("plain")] + [self.request("invited")] * 98
        self.assertEqual(self.statuses(*requests), ["1", "2", *["1"] * 98])
        asked = part("MeetingResponse", *requests, self.request("plain"))
        self.assertEqual(self.statuses(*asked), ["103"])
        before = call_of("MeetingResponse", asked, Version.V12_1)
        self.assertEqual(refused(self.command(before)).status, 103)

    def test_refused(self) -> None:
        """101 without a body; 103 without a Request, or with something else."""
        self.assertEqual(refused(self.command(call_of("MeetingResponse", None))).status, 101)
        for body in (
            part("MeetingResponse"),
            part("MeetingResponse", self.request("invited"), part("Result")),
            Element("Ping:Ping", self.request("invited")),
        ):
            self.assertEqual(refused(self.command(call_of("MeetingResponse", body))).status, 103)

    def test_lostAnswer(self) -> None:
        """The device is not woken for what it did itself, unless the answer was lost."""
        lost: list[object] = []
        self.patch(Store, "unaware", lambda store, device, spans: lost.append(spans))
        for name, live in (("invited", True), ("weekly", False)):
            answer = self.respond(self.request(name))
            assert answer.written is not None
            answer.written(live)
            self.assertEqual(bool(lost), not live)
