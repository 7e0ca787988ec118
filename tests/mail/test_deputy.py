"""Answering for those who are away."""

from __future__ import annotations

from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

from attrs import define, field
from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from gateway.absence import Absence, Audience, Away, Reply
from gateway.interfaces import BackendDown, IAbsences
from gateway.mail.deputy import Deputy, answer, read_head
from tests.stores import result_of

NOW = datetime(2024, 5, 1, 8, tzinfo=UTC)
MAIL = "From: Bob <bob@example.com>\r\nTo: {to}\r\nSubject: Lunch\r\nMessage-ID: <1@example.com>\r\n{more}\r\nHi.\r\n"
REPLIES = {
    Audience.INTERNAL: Reply(True, "On leave, ask Cyd.", "<p>On leave, ask <b>Cyd</b>.</p>"),
    Audience.KNOWN: Reply(True, "On leave."),
    Audience.UNKNOWN: Reply(False, "Away."),
}


@implementer(IAbsences)
@define(eq=False)
class OneAbsence:
    """One user who is away, and who was answered."""

    kept: Absence = field(factory=lambda: Absence(Away.ON, replies=REPLIES, period=3))
    answered: list[tuple[str, int, str]] = field(factory=list)
    failure: Exception | None = None

    def absence(self, user: str) -> Deferred[Absence]:
        """The absence."""
        return succeed(self.kept) if self.failure is None else fail(self.failure)

    def keep_absence(self, user: str, kept: Absence) -> Deferred[Absence]:
        """Another one."""
        self.kept = kept
        return succeed(kept)

    def first_answer(self, user: str, period: int, sender: str) -> Deferred[bool]:
        """Whether nobody was answered so before."""
        first = (user, period, sender) not in self.answered
        self.answered.append((user, period, sender))
        return succeed(first)


class DeputyTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.absences = OneAbsence()
        self.sent: list[tuple[str, str, bytes]] = []
        self.audience = {"bob@example.com": Audience.KNOWN, "cyd@example.org": Audience.INTERNAL}
        self.deputy = Deputy(
            self.absences,
            lambda user: ("ann@example.org", "ann@example.net"),
            lambda address: self.audience.get(address, Audience.UNKNOWN),
            self.send,
            lambda: NOW,
            "mail.example.org",
        )

    async def send(self, user: str, recipient: str, mail: bytes) -> None:
        self.sent.append((user, recipient, mail))

    def come(self, more: str = "", sender: str = "bob@example.com", to: str = "Ann <ann@example.org>") -> list[str]:
        """Have a mail come; to whom an answer went."""
        self.sent.clear()
        content = MAIL.format(to=to, more=more).encode("utf-8")
        result_of(self.deputy.delivered("ann", sender, content))
        return [recipient for _, recipient, _ in self.sent]

    def test_answered(self) -> None:
        """A mail is answered with what its audience is to be told, by one who says to be no person (RFC 3834 3.1)."""
        self.assertEqual(self.come(), ["bob@example.com"])
        ((user, _, octets),) = self.sent
        mail = message_from_bytes(octets, policy=default)
        assert isinstance(mail, EmailMessage)
        fields = ("From", "To", "Subject", "Date", "In-Reply-To", "References", "Auto-Submitted")
        self.assertEqual(
            [user, *(str(mail[name]) for name in fields)],
            [
                "ann",
                "ann@example.org",
                "bob@example.com",
                "Auto: Lunch",
                "Wed, 01 May 2024 08:00:00 +0000",
                "<1@example.com>",
                "<1@example.com>",
                "auto-replied",
            ],
        )
        self.assertEqual(mail.get_content().strip(), "On leave.")

    def test_html(self) -> None:
        """What was written as HTML goes out so, with its text beside it."""
        self.come(sender="cyd@example.org")
        mail = message_from_bytes(self.sent[0][2], policy=default)
        assert isinstance(mail, EmailMessage)
        kinds = [(part.get_content_type(), part.get_content().strip()) for part in mail.iter_parts()]
        self.assertEqual(
            kinds, [("text/plain", "On leave, ask Cyd."), ("text/html", "<p>On leave, ask <b>Cyd</b>.</p>")]
        )

    def test_audiences(self) -> None:
        """An audience without a reply, or whose reply is switched off, is not answered, and not noted as answered."""
        self.assertEqual(self.come(sender="eve@example.com"), [])
        self.absences.kept = Absence(Away.ON, replies={Audience.KNOWN: Reply(True, " ")})
        self.assertEqual(self.come(), [])
        self.assertEqual(self.absences.answered, [])

    def test_once(self) -> None:
        """Nobody is answered twice in a period; in another one, again."""
        self.assertEqual([len(self.come()) for _ in range(3)], [1, 0, 0])
        self.absences.kept = Absence(Away.ON, replies=REPLIES, period=4)
        self.assertEqual(len(self.come()), 1)

    def test_times(self) -> None:
        """Who is away between two times is so from the first on, and no longer at the second."""
        now = int(NOW.timestamp())
        for start, end, expected in ((now, now + 1, 1), (now + 1, now + 9, 0), (now - 9, now, 0)):
            self.absences.answered.clear()
            self.absences.kept = Absence(Away.TIMED, start, end, REPLIES)
            self.assertEqual(len(self.come()), expected)

    def test_here(self) -> None:
        """For who is not away nobody is answered."""
        self.absences.kept = Absence(Away.OFF, replies=REPLIES)
        self.assertEqual(self.come(), [])

    def test_machines(self) -> None:
        """Lists, machines, spam and who wants no answer get none (RFC 3834 2)."""
        for more in (
            "Auto-Submitted: auto-replied",
            "AUTO-SUBMITTED: Auto-Generated; owner=x",
            "Precedence: bulk",
            "Precedence: List",
            "Precedence: junk",
            "List-Id: <dev.example.com>",
            "List-Unsubscribe: <mailto:x@example.com>",
            "X-Auto-Response-Suppress: DR, OOF, AutoReply",
            "X-Auto-Response-Suppress: All",
            "X-Spam-Flag: YES",
            "X-Spam-Status: Yes, score=9",
            'Content-Type: multipart/report; boundary="x"',
        ):
            self.assertEqual(self.come(more + "\r\n"), [], more)
        self.assertEqual(self.come("Auto-Submitted: no\r\nX-Spam-Status: No\r\n"), ["bob@example.com"])

    def test_senders(self) -> None:
        """Nobody, the user and addresses that machines have are not answered."""
        for name in ("", "<>", "nobody", "ANN@example.org", "ann@example.net"):
            self.assertEqual(self.come(sender=name), [], name)
        for local in (
            *("MAILER-DAEMON", "postmaster", "owner-dev", "dev-owner", "dev-request", "dev-bounces"),
            *("bounce+x=y", "noreply", "no-reply", "do.not.reply", "donotreply-1", "no_reply+x"),
        ):
            self.audience[f"{local}@example.com"] = Audience.KNOWN
            self.assertEqual(self.come(sender=f"{local}@example.com"), [], local)
        for local in ("note", "norep", "reply", "rooty"):
            self.audience[f"{local}@example.com"] = Audience.KNOWN
            self.assertEqual(self.come(sender=f"{local}@example.com"), [f"{local}@example.com"])

    def test_addressed(self) -> None:
        """Only who is written to is answered for: by any of the addresses, also with a tag, and among others."""
        for to in (
            *("ANN@example.org", "x@example.com, ann@example.net", '"Ann, E." <ann+shop@example.org>'),
            *("ann@example.org, other@example.com", "group: ann@example.org;"),
        ):
            self.absences.answered.clear()
            self.assertEqual(len(self.come(to=to)), 1, to)
        self.absences.answered.clear()
        for to in ("dev@example.com", "joann@example.org", "ann@example.org.example.com", "ann.x@example.org", ""):
            self.assertEqual(self.come(to=to), [], to)
        for field_ in ("Cc", "Resent-To", "Resent-Cc"):
            self.absences.answered.clear()
            self.assertEqual(len(self.come(f"{field_}: ann@example.org\r\n", to="x@example.com")), 1, field_)

    def test_route(self) -> None:
        """Of a sender with a source route only the address is taken."""
        self.assertEqual(self.come(sender="@relay.example.com:bob@example.com"), ["bob@example.com"])

    def test_subjects(self) -> None:
        """Any subject is repeated as it can be, in one line of bounded length; there may be none."""
        for given, expected in {
            "=?utf-8?q?Gr=C3=BC=C3=9Fe?=": "Auto: Grüße",
            "=?nonsense?q?A?=": "Auto: A",
            "x" * 5000: f"Auto: {'x' * 194}",
            "": "Auto: (no subject)",
        }.items():
            head = read_head(f"Subject: {given}\r\n\r\n".encode())
            mail = message_from_bytes(
                answer(head, REPLIES[Audience.KNOWN], "a@x.org", "b@x.org", NOW, "h"), policy=default
            )
            self.assertEqual(str(mail["Subject"]), expected)

    def test_oddMails(self) -> None:
        """No mail makes trouble, whatever is in it: one without a header, without an end, with octets of any kind."""
        for content in (
            b"",
            b"\r\n",
            b"no header",
            b"\xff\xfe\x00: \x00\r\nTo: ann@example.org\r\nSubject: \xff=?utf-8?b?\x00?=\r\n\r\n",
            b"To: ann@example.org\r\n" * 5000,
            b"To: ann@example.org\r\nMessage-ID: <" + b"x" * 100_000 + b">\r\nSubject: a\rb\r\n\r\n",
        ):
            self.absences.answered.clear()
            result_of(self.deputy.delivered("ann", "bob@example.com", content))
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_trouble(self) -> None:
        """Trouble of the store is logged, and the mail is there all the same."""
        self.absences.failure = BackendDown("away")
        self.assertEqual(self.come(), [])
        self.assertEqual(len(self.flushLoggedErrors(BackendDown)), 1)
