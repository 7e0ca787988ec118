"""Who is told of limits that keep triggers back."""

from __future__ import annotations

from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from attrs import evolve
from twisted.logger import LogEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from gateway.config import Config, Devices, ModePolicy, Relay, Sms, Smtp
from gateway.mail.undelivered import OWN_INBOX
from gateway.metrics import Metrics
from gateway.model import DeviceKey, Mode
from gateway.service.limits import MOST, LimitNotices
from gateway.service.posting import OurAddresses
from gateway.sources.smtpin import Recipients
from gateway.trigger import Cause, Decided, Letter, Line, Order, Verdict, Wake, WakeRule
from tests.sources.test_smtpin import Names
from tests.stores import new_store, result_of

PHONE = DeviceKey("ann", "phone1")
DAY = 86400
NOW = 1_700_000_000 // DAY * DAY + 3600
CONFIG = Config(
    policy=ModePolicy(time_zone="UTC"),
    smtp=Smtp(domains=("example.org",)),
    sms=Sms(limit_tells="root@example.org"),
    devices=Devices(contact="the help desk"),
)


class LimitTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.store, self.metrics, self.now = new_store(), Metrics(), NOW
        self.kicked: list[str] = []
        self.begin()
        self.events: list[LogEvent] = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)

    def begin(self, config: Config = CONFIG) -> None:
        """A gateway starts."""
        names = Names(["ann", "bob", "root"])
        ours = OurAddresses(Recipients(names, names.enabled))
        ours.apply(config)
        kick = self.kicked.append
        self.notices = LimitNotices(config, self.store.postings, self.metrics, kick, lambda: self.now, ours)

    def reach(self, limit: str = "device", key: DeviceKey = PHONE, route: str = "smpp:one") -> None:
        """A limit keeps a trigger back."""
        day = self.now // DAY * DAY
        order = Order(Line(key, "+49170"), Cause.CHANGE, WakeRule(Mode.SMS, day=day, tomorrow=day + DAY), (1,), False)
        decided = Decided(evolve(order, route=route), Verdict.LIMIT, Wake(key, "g"), limit=limit, reason="3 of 3 a day")
        self.notices.reached(decided)

    def letters(self, recipient: str) -> list[Letter]:
        found: list[Letter] = result_of(self.store.outbox.letters(None, None, 100))
        return [letter for letter in found if letter.recipients == (recipient,)]

    def mail(self, recipient: str) -> tuple[EmailMessage, str]:
        """The only mail for somebody, and its text without its lines."""
        (letter,) = result_of(self.store.outbox.take(self.letters(recipient)[0].route, self.now, 1))
        self.assertEqual(letter.recipients, (recipient,))
        message = message_from_bytes(letter.content, policy=default)
        assert isinstance(message, EmailMessage)
        return message, " ".join(message.get_content().split())

    def numbers(self) -> list[int]:
        return [event["event_id"] for event in self.events if "event_id" in event]

    def alarms(self) -> Any:
        return self.metrics.registry.get_sample_value("pushgw_trigger_alarms_total", {"kind": "limit"})

    def test_user(self) -> None:
        """The user finds a mail in the Inbox: which device waits, until when, that nothing is lost, and whom to
        ask."""
        self.begin(evolve(CONFIG, sms=Sms()))
        self.reach()
        (letter,) = self.letters(OWN_INBOX)
        self.assertEqual((letter.key.user, letter.route, letter.sender), ("ann", "local", ""))
        self.assertEqual(self.kicked, ["local"])
        message, text = self.mail(OWN_INBOX)
        self.assertEqual((message["To"], message["Auto-Submitted"]), ("ann@example.org", "auto-generated"))
        for word in ("phone1", "2023-11-15 at 00:00", "Nothing is lost", "the help desk"):
            self.assertIn(word, text)

    def test_administrator(self) -> None:
        """The administrator finds a mail that names the limit, its option, and who met it."""
        self.begin(evolve(CONFIG, sms=evolve(CONFIG.sms, limit_tells_user=False)))
        self.reach("budget")
        message, text = self.mail("root@example.org")
        self.assertIn("3 of 3 a day", message["Subject"])
        for word in ("phone1 of ann", "sms.budget_day", "2023-11-15 at 00:00", "pushgw trace ann"):
            self.assertIn(word, text)
        self.assertEqual(self.letters(OWN_INBOX), [])

    def test_once(self) -> None:
        """A limit that is met again is told of no second time on that day, by log, metric or mail, and on the next day
        it is."""
        for expected in (1, 2):
            for _ in range(3):
                self.reach()
            self.assertEqual((self.numbers(), self.alarms()), ([3103] * expected, expected))
            self.assertEqual([len(self.letters(one)) for one in (OWN_INBOX, "root@example.org")], [expected] * 2)
            self.now += DAY

    def test_restarted(self) -> None:
        """A restart writes no second mail."""
        self.reach()
        self.begin()
        self.reach()
        self.assertEqual([len(self.letters(one)) for one in (OWN_INBOX, "root@example.org")], [1, 1])

    def test_each(self) -> None:
        """Each user gets a mail for each own limit; the administrator gets one for each limit, whoever meets it, and
        one for each operator."""
        bob = DeviceKey("bob", "phone2")
        for limit in ("device", "user", "operator", "total", "budget"):
            for key in (PHONE, bob):
                self.reach(limit, key)
        self.reach("operator", route="smpp:two")
        self.assertEqual(sorted(letter.key.user for letter in self.letters(OWN_INBOX)), ["ann", "ann", "bob", "bob"])
        self.assertEqual(len(self.letters("root@example.org")), 6)
        self.assertEqual(len(self.numbers()), 8)

    def test_nobody(self) -> None:
        """Who wants no mails gets none; the log tells all the same."""
        self.begin(evolve(CONFIG, sms=Sms(limit_tells_user=False)))
        self.reach()
        self.reach("total")
        self.assertEqual((result_of(self.store.outbox.letters(None, None, 9)), self.numbers()), ([], [3103, 3103]))

    def test_relay(self) -> None:
        """An administrator elsewhere is told by the relay; without one the log says that nobody is."""
        for relay, routes in ((Relay(), []), (Relay(endpoint="tcp:localhost:25"), ["relay"])):
            sms = Sms(limit_tells="root@example.net", limit_tells_user=False)
            self.begin(evolve(CONFIG, sms=sms, relay=relay))
            self.reach("total")
            self.assertEqual(self.kicked, routes)
        self.assertEqual(sum("nobody at" in str(event.get("log_format")) for event in self.events), 1)

    def test_reloaded(self) -> None:
        """What is configured anew holds for the next limit."""
        self.notices.config = evolve(CONFIG, sms=Sms(limit_tells_user=False))
        self.reach()
        self.assertEqual(self.letters(OWN_INBOX), [])

    def test_storeDown(self) -> None:
        """A store that does not answer keeps nobody from being told of the limit by the log, and when it answers
        again the mails are written."""
        store = self.notices.postings

        class Down:
            def post(self, posting: object) -> object:
                raise RuntimeError("the disk is full")

        self.notices.postings = Down()  # type: ignore[assignment]
        self.reach()
        self.assertEqual((len(self.flushLoggedErrors(RuntimeError)), self.numbers()), (2, [3103]))
        self.notices.postings = store
        self.reach()
        self.assertEqual([len(self.letters(one)) for one in (OWN_INBOX, "root@example.org")], [1, 1])

    def test_bounded(self) -> None:
        """What is remembered as said does not grow without end."""
        self.begin(evolve(CONFIG, sms=Sms(limit_tells_user=False)))
        for number in range(MOST + 10):
            self.reach("user", DeviceKey(f"u{number}", "p"))
        self.assertLessEqual(len(self.notices._said), MOST)
