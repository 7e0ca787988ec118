"""From Changes to letters in the outbox, with the real store and the real rule."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from gateway.core.parks import Parks
from gateway.core.switchboard import Switchboard
from gateway.core.tracer import Tracer
from gateway.core.waker import Settings, Waker
from gateway.interfaces import BackendDown, IReporter
from gateway.model import Change, DeviceKey, Ending, Folder, FolderType, Found, FoundFolder, Mode, SyncRequest
from gateway.store.store import Store
from gateway.store.triggers import Triggers
from gateway.trigger import Cause, Line, Verdict, WakeRule, Way
from tests.stores import new_store, result_of

EPOCH = 1_700_000_000
PHONE = DeviceKey("ann", "phone")
TABLET = DeviceKey("ann", "tablet")
OTHER = DeviceKey("bob", "phone")
ROUTE = "smpp:acme"
FOLDERS = [FoundFolder("", "Inbox", FolderType.INBOX), FoundFolder(".Junk", "Junk", FolderType.USER_MAIL)]


class Town:
    """A store with a user's Inbox that devices have synchronised, and a Waker."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.store: Store = new_store(self.time)
        self.mode = Mode.SMS
        self.rule: dict[str, Any] = {}
        self.route = ROUTE
        self.kicked: list[str] = []
        self.decided: list[tuple[Cause, Verdict]] = []
        self.mails = 0
        self.folders: dict[str, list[Folder]] = {}
        self.board = Switchboard(self.clock, lambda claim, ended: self.parked(claim, ended.ending))
        self.parks = Parks(lambda key: key in self.waker.keys, self.now)
        self.tracer = Tracer(self.store.trace, self.time)
        self.waker = self.new_waker()

    def new_waker(self) -> Waker:
        """A Waker as after a start of the process."""
        waker = Waker(
            triggers=self.store.triggers,
            board=self.board,
            parks=self.parks,
            clock=self.clock,
            now=self.now,
            settings=Settings(self.rule_for, lambda user, folder: folder.path != ".Junk", lambda line: self.route),
            tracer=self.tracer,
            kick=self.kicked.append,
            counted=lambda decided: self.decided.append((decided.order.cause, decided.verdict)),
        )
        self.waker = waker
        return waker

    def time(self) -> float:
        """Wall clock."""
        return EPOCH + self.clock.seconds()

    def now(self) -> int:
        """Wall clock in whole seconds."""
        return int(self.time())

    def rule_for(self, line: Line) -> WakeRule:
        """What holds for every line here."""
        day = EPOCH - EPOCH % 86400
        return evolve(WakeRule(self.mode, day=day, tomorrow=day + 86400), **self.rule)

    def parked(self, claim: Any, ending: Ending) -> None:
        """A Watch is over."""
        self.parks.ended(claim.device, ending, claim.since, self.clock.seconds())

    def enrol(self, key: DeviceKey, line: bool = True) -> None:
        """A device synchronises its Inbox and has a line."""
        if key.user not in self.folders:
            self.folders[key.user], _ = result_of(self.store.record_hierarchy(key.user, FOLDERS))
        self.sync(key)
        self.sync(key)
        if line:
            result_of(self.store.triggers.keep_line(Line(key, "+491701234567", "acme")))
            self.waker.registered(key)

    def sync(self, key: DeviceKey) -> None:
        """The device fetches what there is."""
        for folder in self.folders[key.user]:
            held = getattr(self, "held", {})
            request = SyncRequest(held.get((key, folder.id), "0"), b"", self.now())
            outcome = result_of(self.store.sync(key, folder.id, request))
            assert outcome.status == 1, outcome
            held[key, folder.id] = outcome.key
            self.held = held
            self.store.given(key, folder.id, outcome.key)
        told = self.waker.synced(key)
        if told is not None:
            result_of(told)

    def mail(self, user: str = "ann", path: str = "") -> None:
        """A mail comes: first the Waker is told, then the Switchboard."""
        self.mails += 1
        folder = next(one for one in self.folders[user] if one.path == path)
        found = Found(f"{self.mails}.mail", "", self.now())
        changes: list[Change] = result_of(self.store.record({folder.id: ([found], [])}))
        self.waker.changed(*changes)
        self.board.changed(*changes)
        self.clock.advance(0)

    def letters(self, user: str = "ann") -> list[str]:
        """What the devices of a user are sent, oldest first, with its state."""
        found = result_of(self.store.outbox.letters(user, None, 100))
        return [f"{letter.key.device} {letter.state.value}" for letter in reversed(found)]

    def hops(self, kind: str) -> list[str]:
        """The texts of the hops of a kind."""
        result_of(self.tracer.flush())
        return [hop.text for hop in result_of(self.store.trace.read("ann", None, 0, 1000)) if hop.kind == kind]


class WakerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.town = Town()
        result_of(self.town.waker.start())

    def tearDown(self) -> None:
        """No timer is left after a stop."""
        result_of(self.town.waker.stop())
        self.assertEqual(self.town.clock.getDelayedCalls(), [])

    def test_interface(self) -> None:
        """The Waker is told of Changes as the Switchboard is."""
        self.assertTrue(verifyObject(IReporter, self.town.waker))

    def test_change(self) -> None:
        """A new mail queues one trigger, and who sends it is woken up."""
        self.town.enrol(PHONE)
        self.town.mail()
        self.assertEqual(self.town.letters(), ["phone queued"])
        self.assertEqual(self.town.kicked, [ROUTE])
        self.assertEqual(len(self.town.hops("noticed")), 1)
        self.assertEqual(self.town.hops("decided"), ["sms"])
        self.assertEqual(self.town.hops("queued"), [ROUTE])

    def test_batched(self) -> None:
        """While a trigger is outstanding, further mails queue none."""
        self.town.enrol(PHONE)
        for _ in range(3):
            self.town.mail()
        self.assertEqual(self.town.letters(), ["phone queued"])

    def test_noLine(self) -> None:
        """A change that concerns nobody with a line asks the store no second time."""
        self.town.enrol(PHONE)
        self.town.enrol(OTHER, line=False)
        self.town.mail("bob")
        asked: list[Any] = []
        concerned = self.town.store.triggers.concerned
        self.patch(Triggers, "concerned", lambda store, folders: asked.append(folders) or concerned(folders))
        self.town.mail("bob")
        self.assertEqual(asked, [])
        self.town.enrol(OTHER)
        self.town.mail("bob")
        self.assertEqual(len(asked), 1)
        self.assertEqual(self.town.letters("bob"), ["phone queued"])

    def test_nobodyAtAll(self) -> None:
        """Without any line nothing is gathered."""
        self.town.enrol(PHONE, line=False)
        self.town.mail()
        self.assertEqual(self.town.decided, [])

    def test_wakeRules(self) -> None:
        """A folder that may wake nobody queues nothing."""
        self.town.enrol(PHONE)
        self.town.mail(path=".Junk")
        self.assertEqual(self.town.letters(), [])

    def test_directPush(self) -> None:
        """In mode direct-push a line is not used."""
        self.town.mode = Mode.DIRECT_PUSH
        self.town.enrol(PHONE)
        self.town.mail()
        self.assertEqual(self.town.letters(), [])

    def test_both(self) -> None:
        """In mode both a parked device gets a trigger too."""
        self.town.mode = Mode.BOTH
        self.town.enrol(PHONE)
        self.park(PHONE)
        self.town.mail()
        self.assertEqual(self.town.letters(), ["phone queued"])

    def park(self, key: DeviceKey, seconds: float = 480) -> Deferred[Any]:
        """Park a Ping of a device on its Inbox."""
        folder = self.town.folders[key.user][0].id
        claim = self.town.board.claim(key)
        looked = result_of(self.town.store.look(key, [folder], False))
        return claim.watch({folder: looked.folders[folder].number}, seconds).addBoth(lambda ended: claim.release())

    def test_autoParked(self) -> None:
        """In mode auto a device that the change ended a Watch of gets no trigger."""
        self.town.mode = Mode.AUTO
        self.town.enrol(PHONE)
        done = self.park(PHONE)
        self.town.mail()
        self.successResultOf(done)
        self.assertEqual(self.town.letters(), [])
        self.assertEqual(self.town.decided, [(Cause.CHANGE, Verdict.PUSH)])

    def test_autoAnswerLost(self) -> None:
        """If the device does not come for what the answer told of, a trigger follows when it has been absent."""
        self.town.mode = Mode.AUTO
        self.town.enrol(PHONE)
        self.park(PHONE)
        self.town.mail()
        result_of(self.town.waker.write_parks())
        self.town.clock.advance(901)
        self.assertEqual(self.town.letters(), ["phone queued"])

    def test_autoFetched(self) -> None:
        """If it does come, none follows."""
        self.town.mode = Mode.AUTO
        self.town.enrol(PHONE)
        self.park(PHONE)
        self.town.mail()
        self.town.sync(PHONE)
        self.town.clock.advance(2000)
        self.assertEqual(self.town.letters(), [])

    def test_autoAbsent(self) -> None:
        """A device whose park is some minutes ago is waited for, then knocked; the switch has its reason."""
        self.town.mode = Mode.AUTO
        self.town.enrol(PHONE)
        done = self.park(PHONE, 60)
        self.town.clock.advance(61)
        self.successResultOf(done)
        result_of(self.town.waker.write_parks())
        self.town.mail()
        self.assertEqual(self.town.letters(), [])
        self.town.clock.advance(900)
        self.assertEqual(self.town.letters(), ["phone queued"])
        self.assertEqual(self.town.hops("switched"), ["sms: no park for 900 s"])

    def test_autoBack(self) -> None:
        """A park that succeeds takes mode auto back to Direct Push."""
        self.town.mode = Mode.AUTO
        self.town.enrol(PHONE)
        self.town.clock.advance(1000)
        self.town.mail()
        self.assertEqual(self.town.letters(), ["phone queued"])
        self.town.sync(PHONE)
        self.park(PHONE, 60)
        self.town.clock.advance(61)
        result_of(self.town.waker.write_parks())
        self.assertEqual(self.town.hops("switched")[1:], ["direct push: a park succeeded"])
        [concerned] = result_of(self.town.store.triggers.wakes([PHONE]))
        self.assertIs(concerned.wake.way, Way.PUSH)

    def test_autoYoungDeaths(self) -> None:
        """Three parks in a row that lose their connection early, and SMS is used at once."""
        self.town.mode = Mode.AUTO
        self.town.enrol(PHONE)
        for _ in range(3):
            done = self.park(PHONE)
            self.town.clock.advance(30)
            done.cancel()
        result_of(self.town.waker.write_parks())
        self.town.mail()
        self.assertEqual(self.town.letters(), ["phone queued"])
        self.assertEqual(self.town.hops("switched"), ["sms: 3 parks died young in a row"])

    def test_quietHours(self) -> None:
        """Changes in quiet hours wait, and one trigger goes when they end."""
        self.town.enrol(PHONE)
        self.town.rule["quiet_until"] = EPOCH + 3600
        self.town.mail()
        self.town.mail()
        self.town.clock.advance(3599)
        self.assertEqual(self.town.letters(), [])
        self.town.rule["quiet_until"] = 0
        self.town.clock.advance(1)
        self.assertEqual(self.town.letters(), ["phone queued"])

    def test_restart(self) -> None:
        """What was put off before a restart is decided when it is due after it."""
        self.town.enrol(PHONE)
        self.town.rule["quiet_until"] = EPOCH + 3600
        self.town.mail()
        result_of(self.town.waker.stop())
        self.town.clock.advance(3700)
        self.town.rule["quiet_until"] = 0
        result_of(self.town.new_waker().start())
        self.town.clock.advance(0)
        self.assertEqual(self.town.letters(), ["phone queued"])

    def test_killed(self) -> None:
        """A change that was recorded just before a crash is decided at the start, once."""
        self.town.enrol(PHONE)
        result_of(self.town.waker.stop())
        self.town.mail()
        result_of(self.town.new_waker().start())
        self.assertEqual(self.town.letters(), ["phone queued"])
        result_of(self.town.waker.stop())
        result_of(self.town.new_waker().start())
        self.assertEqual(self.town.letters(), ["phone queued"])

    def test_syncSettles(self) -> None:
        """A sync makes the next change send a trigger again, and withdraws one that is still queued."""
        self.town.enrol(PHONE)
        self.town.mail()
        self.town.sync(PHONE)
        self.town.mail()
        self.assertEqual(self.town.letters(), ["phone withdrawn", "phone queued"])

    def test_heldBack(self) -> None:
        """A change that fell between a trigger and the sync it caused is not forgotten."""
        self.town.enrol(PHONE)
        self.town.mail()
        self.town.mail(path="")
        wake = self.town.waker.synced(PHONE)
        assert wake is not None
        result_of(wake)
        self.town.clock.advance(61)
        self.assertEqual(self.town.letters()[-1:], ["phone queued"])

    def test_storeAway(self) -> None:
        """While the store does not answer nothing is forgotten, and it is tried again with growing pauses."""
        self.town.enrol(PHONE)
        decide = self.town.store.triggers.decide
        away = True

        def wavering(triggers: Triggers, orders: Any, now: int) -> Any:
            if away:
                raise BackendDown("the disk is full")
            return decide(orders, now)

        self.patch(Triggers, "decide", wavering)
        self.town.mail()
        self.town.clock.advance(1)
        self.assertEqual(len(self.flushLoggedErrors(BackendDown)), 2)
        away = False
        self.town.clock.advance(2)
        self.assertEqual(self.town.letters(), ["phone queued"])

    def test_door(self) -> None:
        """A trigger of another server goes out as it came, whatever is known of the mailbox."""
        self.town.enrol(PHONE)
        line = Line(PHONE, "+491701234567", "acme")
        decided = result_of(self.town.waker.knock(line, "some-guid", b"SYNC some-guid"))
        self.assertIs(decided.verdict, Verdict.SMS)
        [letter] = result_of(self.town.store.outbox.letters("ann", None, 10))
        self.assertEqual((letter.content, letter.guid), (b"SYNC some-guid", "some-guid"))

    def test_came(self) -> None:
        """The first request after a trigger is noted, with the trigger; further ones are not."""
        self.town.enrol(PHONE)
        self.town.mail()
        self.town.waker.came(PHONE, "Sync")
        self.town.waker.came(PHONE, "Ping")
        self.assertEqual(self.town.hops("came"), ["Sync"])

    def test_dropped(self) -> None:
        """A device without a line is not knocked any more."""
        self.town.enrol(PHONE)
        result_of(self.town.store.triggers.drop_line(PHONE))
        self.town.waker.dropped(PHONE)
        self.town.mail()
        self.assertEqual(self.town.letters(), [])

    def test_reconsider(self) -> None:
        """When other settings hold, what was put off is looked at again; nobody is knocked for old mails."""
        self.town.enrol(PHONE)
        self.town.mode = Mode.OFF
        self.town.mail()
        self.town.mode = Mode.SMS
        self.town.waker.reconsider(self.town.waker.settings)
        self.town.mail()
        self.assertEqual(self.town.letters(), ["phone queued"])

    def test_everyDeviceOfAUser(self) -> None:
        """Each device with a line has its own trigger."""
        self.town.enrol(PHONE)
        self.town.enrol(TABLET)
        self.town.mail()
        self.assertEqual(sorted(self.town.letters()), ["phone queued", "tablet queued"])
