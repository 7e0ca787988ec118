"""What the doctor has to know, gathered."""

from __future__ import annotations

from typing import Any

from attrs import define, evolve, field, frozen
from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from gateway.admin.doctor import examine, first_broken
from gateway.admin.examination import Examination, ExaminationTerms, Live
from gateway.admin.facts import Bind, Facts
from gateway.admin.lines import Lines, LineTerms
from gateway.admin.operations import Operations
from gateway.core.policy import Policy
from gateway.core.switchboard import Switchboard
from gateway.interfaces import BackendDown
from gateway.model import Device, DeviceKey, FolderType, FoundFolder, Mode
from gateway.store import Store
from gateway.trigger import Hop, Letter, LetterState, Line, Outcome
from tests.admin.fixtures import Names
from tests.stores import new_store, result_of

NOW = 1_800_000_000
ROUTE = "smpp:acme"
PHONE = DeviceKey("ann", "phone1")
INBOX = FoundFolder("", "Inbox", FolderType.INBOX)
LINE = Line(PHONE, "+491701234567", "acme", since=NOW - 9, expires=NOW + 999)


@frozen
class Covered:
    """How a mailbox is watched."""

    missing: bool = False
    unwatched: int = 0
    limit: int = 100


@define(eq=False)
class Ill:
    """A store that takes no changes, or does not answer at all."""

    store: Store
    dead: bool = False
    triggers: Any = field(init=False)
    outbox: Any = field(init=False)
    trace: Any = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.triggers, self.outbox, self.trace = self.store.triggers, self.store.outbox, self.store.trace

    def folders(self, user: str) -> Deferred[Any]:
        return self.store.folders(user)

    def probe(self) -> Deferred[None]:
        return fail(BackendDown("the database: disk I/O error\n[SQL: INSERT]"))

    def newest(self) -> Deferred[float]:
        return fail(BackendDown("the database: gone")) if self.dead else self.store.newest()


class ExaminationTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.store = new_store(lambda: float(NOW))
        folders, _ = result_of(self.store.record_hierarchy("ann", [INBOX]))
        self.inbox = folders[0].id
        watched = ((self.inbox, "Email"),)
        self.phone = Device(PHONE, first_seen=1, last_seen=NOW, last_sync=NOW - 60, last_ping=NOW, folders=watched)
        self.keep(self.phone)
        self.policy = Policy(Mode.BOTH)
        self.live = Live(
            lambda user: 0.0, lambda user: Covered(), lambda: 0.0, lambda key: (), lambda: (Bind(ROUTE, True),)
        )

    def keep(self, *devices: Device) -> None:
        result_of(self.store.keep_all(devices))

    def facts(self, device: str = "", user: str = "ann", live: bool = True, store: Any = None) -> list[Facts]:
        """What is gathered."""
        accounts = Names(["ann"])
        lines = Lines(self.store.triggers, accounts, LineTerms({"acme"}, lambda number: "acme", False, 0), lambda: NOW)
        devices = Operations(self.store, self.policy, lambda: NOW, Switchboard(Clock()) if live else None, lines)
        terms = ExaminationTerms("mail.example", lambda line: ROUTE, 600.0, door=True)
        examination = Examination(
            store or self.store, devices, self.policy, accounts, terms, lambda: NOW, self.live if live else None
        )
        return result_of(examination.facts(user, device))

    def fact(self, **more: Any) -> Facts:
        """What is gathered of the only device."""
        (facts,) = self.facts(**more)
        return facts

    def letter(self, state: LetterState, result: str = "", age: float = 60.0) -> int:
        """A trigger of the phone that was made a while ago; what became of it."""
        (id,) = result_of(self.store.outbox.put([Letter(PHONE, ROUTE, LINE.number, created=NOW - age, due=NOW - age)]))
        if state is not LetterState.QUEUED:
            result_of(self.store.outbox.take(ROUTE, NOW, 9))
            result_of(self.store.outbox.settle([Outcome(id, state, NOW - age + 1, "1", result)]))
        return int(id)

    def test_well(self) -> None:
        """Of a device that is well, all is told, and the doctor finds nothing broken."""
        result_of(self.store.triggers.keep_line(LINE))
        facts = self.fact()
        self.assertEqual((facts.running, facts.account, facts.server_name), (True, True, "mail.example"))
        self.assertEqual((facts.mode, facts.mode_from), (Mode.BOTH, "policy.default_mode"))
        self.assertEqual((facts.store, facts.readable, facts.newest), ("", True, NOW))
        assert facts.device is not None and facts.line is not None
        self.assertEqual((facts.device["device"], facts.line["number"], facts.route), ("phone1", LINE.number, ROUTE))
        self.assertEqual((facts.missing, facts.watch_limit, facts.binds), ((), 100, (Bind(ROUTE, True),)))
        self.assertIsNone(first_broken(examine(facts)))

    def test_live(self) -> None:
        """What only a running gateway knows is asked there."""
        self.live = evolve(
            self.live,
            slowed={"ann": 7.0}.__getitem__,
            coverage={"ann": Covered(True, 3, 5)}.__getitem__,
            alarm=lambda: 300.0,
            cuts={PHONE: (9.0,)}.__getitem__,
        )
        facts = self.fact()
        self.assertEqual((facts.locked_out, facts.mailbox, facts.unwatched, facts.watch_limit), (7.0, False, 3, 5))
        self.assertEqual((facts.heartbeat_alarm, facts.cuts), (300.0, (9.0,)))
        facts = self.fact(live=False)
        self.assertEqual((facts.running, facts.locked_out, facts.mailbox, facts.binds), (False, 0.0, True, ()))

    def test_which(self) -> None:
        """One device or all of a user, in any case; one that is not there is told with those that are."""
        self.keep(Device(DeviceKey("ann", "phone2")))
        self.assertEqual([each.device and each.device["device"] for each in self.facts()], ["phone1", "phone2"])
        self.assertEqual([each.device and each.device["device"] for each in self.facts("PHONE2", "Ann")], ["phone2"])
        facts = self.fact(device="phone3")
        self.assertEqual((facts.device, facts.devices, facts.account), (None, ("phone1", "phone2"), True))
        facts = self.fact(user="nobody")
        self.assertEqual((facts.device, facts.devices, facts.account), (None, (), False))

    def test_mode(self) -> None:
        """The mode is that of the device, with where it comes from."""
        self.policy.devices = {PHONE: Mode.OFF}
        facts = self.fact()
        self.assertEqual((facts.mode, facts.mode_from), (Mode.OFF, "the configuration of the device"))
        self.policy.sms = False
        self.assertEqual((self.fact().push_enabled, self.fact().sms_enabled), (True, False))

    def test_missing(self) -> None:
        """Folders that the device watches and that are not there any more are told."""
        self.keep(evolve(self.phone, folders=((self.inbox, "Email"), (self.inbox + 7, "Email"))))
        self.assertEqual(self.fact().missing, (str(self.inbox + 7),))

    def test_waiting(self) -> None:
        """It is told how long the oldest letter of each route waits."""
        self.letter(LetterState.QUEUED, age=700.0)
        self.assertEqual(self.fact().waiting, {ROUTE: 700.0})

    def test_letters(self) -> None:
        """The last trigger that went out tells of refusal and receipt; one that is folded or waits tells nothing."""
        self.assertEqual((self.fact().refusal, self.fact().receipt), ("", ""))
        for state, result, told in (
            (LetterState.DELIVERED, "DELIVRD", ("", "DELIVRD", True)),
            (LetterState.UNDELIVERED, "UNDELIV", ("", "UNDELIV", False)),
            (LetterState.FAILED, "RINVDSTADR", ("RINVDSTADR", "", True)),
            (LetterState.FOLDED, "", ("RINVDSTADR", "", True)),
            (LetterState.QUEUED, "", ("RINVDSTADR", "", True)),
            (LetterState.SENT, "", ("", "", True)),
        ):
            self.letter(state, result)
            facts = self.fact()
            self.assertEqual((facts.refusal, facts.receipt, facts.delivered), told, state)

    def test_mail(self) -> None:
        """A user's own mail that was refused says nothing of triggers."""
        result_of(self.store.outbox.put([Letter(PHONE, "relay", recipients=("bob@example.net",), created=NOW - 9.0)]))
        result_of(self.store.outbox.take("relay", NOW, 1))
        result_of(self.store.outbox.settle([Outcome(1, LetterState.FAILED, NOW, result="550 no")]))
        self.assertEqual(self.fact().refusal, "")

    def test_late(self) -> None:
        """A trigger that was delivered long enough ago, and that no sync followed, is late; the receipt says when."""
        self.keep(evolve(self.phone, last_sync=NOW - 2000))
        id = self.letter(LetterState.DELIVERED, age=1000.0)
        self.assertEqual(self.fact().late, 1000.0)
        result_of(self.store.trace.note([Hop(NOW - 700.0, PHONE, "receipt", letter=id)]))
        self.assertEqual(self.fact().late, 700.0)
        result_of(self.store.trace.note([Hop(NOW - 500.0, PHONE, "receipt", letter=id + 1)]))
        self.keep(evolve(self.phone, last_sync=NOW - 900))
        self.assertEqual(self.fact().late, 0.0)
        self.keep(evolve(self.phone, last_sync=NOW - 2000))
        self.letter(LetterState.DELIVERED, age=500.0)
        self.assertEqual(self.fact().late, 0.0)

    def test_brought(self) -> None:
        """It is told when the last trigger of an older server came, which no sync has to follow, and whether any are
        taken at all."""
        facts = self.fact()
        self.assertEqual((facts.brought, facts.sent, facts.door), (0.0, False, True))
        self.keep(evolve(self.phone, last_sync=NOW - 2000))
        letters = [
            Letter(PHONE, ROUTE, content=b"AUTD x", created=NOW - 1000.0, due=NOW),
            Letter(PHONE, "relay", content=b"mail", recipients=("bob@example.net",), created=NOW - 5.0),
        ]
        id, _ = result_of(self.store.outbox.put(letters))
        self.assertEqual((self.fact().brought, self.fact().sent), (NOW - 1000.0, False))
        result_of(self.store.outbox.take(ROUTE, NOW, 1))
        result_of(self.store.outbox.settle([Outcome(id, LetterState.DELIVERED, NOW - 900.0, "1", "DELIVRD")]))
        facts = self.fact()
        self.assertEqual((facts.brought, facts.sent, facts.receipt, facts.late), (NOW - 1000.0, True, "DELIVRD", 0.0))

    def test_readOnly(self) -> None:
        """Of a store that takes no changes the reason is told in one line, and all the rest."""
        facts = self.fact(store=Ill(self.store))
        self.assertEqual((facts.store, facts.readable), ("disk I/O error", True))
        self.assertIsNotNone(facts.device)

    def test_dead(self) -> None:
        """A store that does not answer is told, and what is known without it."""
        facts = self.fact(store=Ill(self.store, dead=True))
        self.assertEqual((facts.store, facts.readable, facts.watch_limit), ("gone", False, 100))
