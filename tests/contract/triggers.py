"""The contract of L{ITriggers}."""

from __future__ import annotations

from attrs import evolve
from zope.interface.verify import verifyObject

from gateway.core.waking import LONGEST, SETTLE
from gateway.interfaces import ITriggers
from gateway.model import Amend, Device, DeviceKey, Mode
from gateway.trigger import Cause, LetterState, Limits, Line, Outcome, Receipt, Verdict, Way
from tests.contract.lines import DAY, ROUTE, LineCase, letter, line
from tests.contract.store import ANN, BOB, NOW, TABLET

FULL = Line(ANN, "+491", "op", "ann@sms.example", "emn", "Änns \U0001f4f1", NOW, NOW + 5, "device")
QUEUED, SENT, DELIVERED = LetterState.QUEUED, LetterState.SENT, LetterState.DELIVERED
FOLDED, WITHDRAWN, DOUBT = LetterState.FOLDED, LetterState.WITHDRAWN, LetterState.DOUBT


class LinesContract(LineCase):
    """Registrations."""

    def test_interface(self) -> None:
        """The store provides L{ITriggers}."""
        self.assertTrue(verifyObject(ITriggers, self.triggers))

    def test_kept(self) -> None:
        """All of a line comes back, also after a kill; the newer replaces the older."""
        for one in (FULL, line()):
            self.result(self.triggers.keep_line(one))
            self.again()
            self.assertEqual(self.result(self.triggers.lines("ann")), [one])

    def test_list(self) -> None:
        """All lines or those of a user, sorted; those of a number, however many devices share it."""
        shared = DeviceKey("bob", ANN.device)
        for key in (shared, TABLET, BOB):
            self.result(self.triggers.keep_line(line(key)))
        self.result(self.triggers.keep_line(line(TABLET, "+492")))
        self.assertEqual([one.key for one in self.result(self.triggers.lines(None))], [ANN, TABLET, shared, BOB])
        self.assertEqual([one.key for one in self.result(self.triggers.lines("ann"))], [ANN, TABLET])
        self.assertEqual(self.result(self.triggers.lines("nobody")), [])
        self.assertEqual([one.key for one in self.result(self.triggers.lines_of("+491701234567"))], [ANN, shared, BOB])
        self.assertEqual(self.result(self.triggers.lines_of("+49")), [])

    def test_anyText(self) -> None:
        """Whatever a device says of itself can be kept; what is no text is left out."""
        self.result(self.triggers.keep_line(line(name="a\0b\ud800")))
        [kept] = self.result(self.triggers.lines("ann"))
        self.assertEqual(kept.name, "ab?")
        self.assertEqual(self.result(self.triggers.lines_of("+\0\ud800")), [])

    def test_enrolled(self) -> None:
        """A device that was never seen can have a line; it is no partnership for that."""
        self.result(self.triggers.keep_line(line(BOB)))
        self.assertIsNone(self.result(self.store.device(BOB)))
        self.assertEqual(self.wake(BOB).told, "")
        self.assertNotEqual(self.wake(BOB).guid, self.wake(ANN).guid)

    def test_dropped(self) -> None:
        """A line given up is gone, and what was queued for it is withdrawn."""
        self.sent()
        self.assertTrue(self.result(self.triggers.drop_line(ANN)))
        self.assertEqual((self.result(self.triggers.lines(None)), self.letters()), ([], [(1, WITHDRAWN)]))
        self.assertEqual((self.concerned(), self.result(self.triggers.wakes([ANN]))), ([], []))
        self.assertIsNone(self.synced())
        for key in (ANN, BOB, DeviceKey("x", "y")):
            self.assertFalse(self.result(self.triggers.drop_line(key)))

    def test_forgotten(self) -> None:
        """A forgotten device has no line, and nothing is sent to it."""
        self.result(self.store.keep(Device(ANN), True))
        self.sent()
        self.result(self.store.forget(ANN))
        self.assertEqual((self.result(self.triggers.lines(None)), self.letters()), ([], [(1, WITHDRAWN)]))

    def test_droppedWhileDeciding(self) -> None:
        """A decision about a line that is gone sends nothing."""
        order = self.order()
        self.deliver("a")
        self.result(self.triggers.drop_line(ANN))
        [decided] = self.decide(order)
        self.assertEqual((decided.verdict, decided.letter, self.letters()), (Verdict.OFF, 0, []))

    def test_otherNumber(self) -> None:
        """With another number what went or waits for the old one does not count; with the same one it does."""
        self.sent()
        self.result(self.triggers.keep_line(line(name="renamed")))
        self.assertEqual((self.verdict(), self.letters()), ("trigger outstanding", [(1, QUEUED)]))
        self.result(self.triggers.keep_line(line(number="+4917")))
        self.assertEqual(self.verdict(), "sms")
        self.assertEqual(self.letters(), [(1, WITHDRAWN), (2, QUEUED)])
        self.assertEqual(self.take()[0].number, "+4917")


class ConcernedContract(LineCase):
    """Whom a change concerns."""

    def test_devices(self) -> None:
        """Those devices of the folder's user that have a line, with the folder."""
        self.result(self.triggers.keep_line(line(TABLET)))
        self.start(DeviceKey("ann", "without a line"))
        [first, second] = sorted(self.concerned(), key=lambda one: one.line.key)
        self.assertEqual((first.line, second.line), (line(), line(TABLET)))
        self.assertEqual([folder.id for folder in first.folders], [self.inbox])
        self.assertEqual(first.wake, self.wake())

    def test_severalUsers(self) -> None:
        """Each gets those of the folders that are the user's; folders of nobody with a line, or gone, concern none."""
        theirs = [folder.id for folder in self.user("bob")]
        self.user("carol")
        self.result(self.triggers.keep_line(line(BOB)))
        found = self.concerned(self.inbox, *theirs, 4711, 0, 1 << 70)
        self.assertEqual(
            sorted((one.line.key.user, [folder.id for folder in one.folders]) for one in found),
            [("ann", [self.inbox]), ("bob", theirs)],
        )
        carols = [folder.id for folder in self.user("carol")]
        self.assertEqual(self.concerned(*carols), [])

    def test_many(self) -> None:
        """Thousands of folders are asked for together."""
        self.assertEqual(len(self.concerned(*range(1, 3500))), 1)

    def test_wakes(self) -> None:
        """Asked by device, it comes with all folders of the user, and those without a line are left out."""
        [found] = self.result(self.triggers.wakes([TABLET, ANN, BOB]))
        self.assertEqual([folder.id for folder in found.folders], [self.inbox, self.trash])
        self.assertEqual(self.result(self.triggers.wakes([])), [])


class DecideContract(LineCase):
    """Decisions, with the ledger looked at in the same transaction."""

    def test_sms(self) -> None:
        """A new mail makes a letter; all is there after a kill, so a restart forgets nothing and repeats nothing."""
        decided = self.sent()
        self.assertEqual((decided.verdict, decided.letter), (Verdict.SMS, 1))
        self.again()
        wake = self.wake()
        self.assertEqual(wake, decided.wake)
        self.assertEqual((wake.told, wake.until, wake.numbers), (wake.guid, NOW + 900, {self.inbox: 1}))
        [queued] = self.result(self.outbox.letters("ann", None, 9))
        self.assertEqual(queued, evolve(letter(), guid=wake.guid, id=1, route=ROUTE, number="+491701234567", format=""))
        self.assertEqual(self.verdict(cause=Cause.START), "trigger outstanding")
        self.assertEqual(self.letters(), [(1, QUEUED)])

    def test_ofTheLine(self) -> None:
        """The letter goes where the line leads, by the route of the order."""
        own = line(number="", address="ann@example.net", format="si")
        self.result(self.triggers.keep_line(own))
        self.sent(route="smtp:other")
        [taken] = self.take(route="smtp:other")
        self.assertEqual((taken.number, taken.address, taken.format), ("", "ann@example.net", "si"))

    def test_nothing(self) -> None:
        """Without anything that the device lacks no letter is made; what was seen is kept."""
        self.deliver("a")
        self.sync(self.key)
        [decided] = self.decide()
        self.assertEqual((decided.verdict, decided.letter), (Verdict.NOTHING, 0))
        self.assertEqual(self.wake().numbers, {self.inbox: 1})

    def test_givenButNotWritten(self) -> None:
        """An answer that was written to the connection a moment ago counts, though the database does not know."""
        self.deliver("a")
        answer = self.sync(self.key, given=False)
        self.store.given(ANN, self.inbox, answer.key)
        self.assertEqual(self.verdict(), "nothing new for the device")

    def test_lostAnswer(self) -> None:
        """What was said in an answer that was not written out is still to be announced."""
        self.deliver("a")
        self.sync(self.key, given=False)
        self.assertEqual(self.verdict(), "sms")

    def test_ownChange(self) -> None:
        """A device's own change is nothing new for it, but for the other one."""
        self.deliver("a")
        self.result(self.triggers.keep_line(line(TABLET)))
        self.start(TABLET)
        key = self.sync(self.key).key
        self.sync(key, Amend(self.id_of("a"), add="S"))
        decided = self.decide(self.order(adds_only=False), self.order(TABLET, adds_only=False))
        self.assertEqual([one.verdict for one in decided], [Verdict.NOTHING, Verdict.SMS])

    def test_addsOnly(self) -> None:
        """If only new items wake a device, changes of old ones do not."""
        self.deliver("a")
        self.sync(self.key)
        self.record(self.mail("a", "S"))
        self.assertEqual(self.verdict(adds_only=True), "nothing new for the device")
        self.assertEqual(self.verdict(adds_only=False), "sms")

    def test_folders(self) -> None:
        """Only the folders of the order are looked at, and only their numbers are kept."""
        self.start(folder=self.trash)
        self.deliver("a", folder=self.trash)
        self.assertEqual(self.verdict(), "nothing new for the device")
        self.assertEqual(self.verdict(folders=(self.inbox, self.trash)), "sms")
        self.assertEqual(self.wake().numbers, {self.inbox: 0, self.trash: 1})

    def test_unsynchronised(self) -> None:
        """A folder that the device does not synchronise wakes nobody; nor one that is gone, or another user's."""
        self.deliver("a", folder=self.trash)
        [theirs, _] = self.user("bob")
        self.record(self.mail("b"), folder=theirs.id)
        self.assertEqual(self.verdict(folders=(self.trash, 4711, theirs.id)), "nothing new for the device")

    def test_noFolders(self) -> None:
        """If no folder may wake the device there is nothing to announce; what was put off is not any more."""
        self.deliver("a")
        self.decide(quiet_until=NOW + 50)
        self.now += 50
        self.assertEqual(self.verdict(cause=Cause.DUE, folders=()), "nothing new for the device")
        self.assertEqual(self.wake().due, 0)

    def test_otherFolders(self) -> None:
        """That one folder holds nothing new takes nothing back of what waits for another, at start neither."""
        self.deliver("b", folder=self.trash)
        self.start(folder=self.trash)
        self.deliver("a")
        self.decide(quiet_until=NOW + 50)
        self.record(self.mail("b", "S"), folder=self.trash)
        for folders, cause in (((self.trash,), Cause.CHANGE), ((), Cause.START)):
            self.assertEqual(self.verdict(folders=folders, cause=cause), "nothing new for the device")
            self.assertEqual((self.wake().pending, self.wake().due), (True, NOW + 50))

    def test_off(self) -> None:
        """Who gets no SMS is not looked at."""
        self.deliver("a")
        self.assertEqual(self.verdict(mode=Mode.OFF), "off")
        self.assertEqual(self.wake().numbers, {})

    def test_many(self) -> None:
        """Many devices are decided for together, each by itself, in the order asked."""
        keys = [DeviceKey("ann", f"phone{n}") for n in range(1200)]
        for key in keys[::100]:
            self.result(self.triggers.keep_line(line(key, f"+49{key.device[5:]}")))
            self.start(key)
        self.deliver("a")
        orders = [self.order(key) for key in keys[::100]]
        self.decide(orders[3])
        decided = self.decide(*orders)
        self.assertEqual([one.order for one in decided], orders)
        batched = [one.order.line.key for one in decided if one.verdict is Verdict.BATCHED]
        self.assertEqual(batched, [keys[300]])
        made = {one.letter: one.order.line.number for one in decided if one.letter}
        self.assertEqual({one.id: one.number for one in self.take()}, {1: "+49300", **made})

    def test_twiceAtOnce(self) -> None:
        """Of two orders for one device the second sees what the first has done."""
        self.deliver("a")
        first, second = self.decide(self.order(), self.order())
        self.assertEqual((first.verdict, second.verdict), (Verdict.SMS, Verdict.BATCHED))
        self.assertEqual(self.wake(), second.wake)

    def test_nobody(self) -> None:
        """No orders are no failure."""
        self.assertEqual(self.result(self.triggers.decide([], NOW)), [])

    def test_folded(self) -> None:
        """A day without an operator: what is queued for a device folds to one trigger."""
        for _ in range(3):
            self.sent()
            self.now += 901
        self.assertEqual(self.letters(), [(1, FOLDED), (2, FOLDED), (3, QUEUED)])

    def test_foldedAtOnce(self) -> None:
        """Also without batching, and within one round."""
        self.deliver("a")
        decided = self.decide(self.order(batch=0), self.order(batch=0))
        self.assertEqual([one.letter for one in decided], [1, 2])
        self.assertEqual(self.letters(), [(1, FOLDED), (2, QUEUED)])

    def test_underWay(self) -> None:
        """One that was handed over already is not folded."""
        self.sent(batch=0)
        self.take()
        self.sent(batch=0)
        self.assertEqual(self.letters(), [(1, DOUBT), (2, QUEUED)])


class SpendingContract(LineCase):
    """Limits, which go by what was counted and not by letters."""

    def spend(self, times: int, key: DeviceKey = ANN, **limits: float) -> list[str]:
        """The verdicts of so many changes, each of which goes out."""
        verdicts = []
        for _ in range(times):
            self.deliver(f"{key.device}{self.now}{self._requests}")
            self._requests += 1
            [decided] = self.decide(self.order(key, batch=0, limits=Limits(**limits)))
            verdicts.append(decided.limit or decided.verdict.value)
            self.take()
        return verdicts

    def test_device(self) -> None:
        """The limit of a device is its own."""
        self.result(self.triggers.keep_line(line(TABLET)))
        self.start(TABLET)
        self.assertEqual(self.spend(3, device=2), ["sms", "sms", "device"])
        self.assertEqual(self.spend(3, TABLET, device=2), ["sms", "sms", "device"])

    def test_shared(self) -> None:
        """That of a user is shared by the devices, that of the operator and of all by all."""
        self.result(self.triggers.keep_line(line(TABLET)))
        self.start(TABLET)
        self.spend(1)
        for name in ("user", "operator", "total"):
            self.assertEqual(self.spend(1, TABLET, **{name: 1}), [name])

    def test_budget(self) -> None:
        """The budget goes by the price."""
        self.assertEqual(self.spend(4, budget=0.75), ["sms", "sms", "sms", "budget"])

    def test_counted(self) -> None:
        """What was sent while there was no limit counts when there is one; also after a kill."""
        self.spend(2)
        self.again()
        self.assertEqual(self.spend(1, device=2), ["device"])
        self.assertEqual((self.wake().due, self.wake().why), (NOW - 100 + DAY, "limit reached"))

    def test_inOneRound(self) -> None:
        """A limit holds among the decisions of one transaction too."""
        keys = [DeviceKey("ann", f"p{n}") for n in range(5)]
        for key in keys:
            self.result(self.triggers.keep_line(line(key)))
            self.start(key)
        self.deliver("a")
        decided = self.decide(*(self.order(key, limits=Limits(user=3)) for key in keys))
        self.assertEqual([one.limit for one in decided], ["", "", "", "user", "user"])

    def test_nextDay(self) -> None:
        """Every day begins with nothing."""
        self.spend(2)
        self.deliver("b")
        tomorrow = {"day": NOW - 100 + DAY, "tomorrow": NOW - 100 + 2 * DAY}
        self.assertEqual(self.verdict(batch=0, limits=Limits(device=2), **tomorrow), "sms")

    def test_whatDidNotGoOut(self) -> None:
        """A trigger that was folded or withdrawn before it went out does not count."""
        for _ in range(5):
            self.sent(limits=Limits(device=2))
            self.now += 901
        self.synced()
        self.assertEqual(self.spend(3, device=2), ["sms", "sms", "device"])

    def test_forgotten(self) -> None:
        """Days that are over are forgotten with the letters."""
        self.spend(1)
        self.result(self.outbox.forget(NOW - 100))
        self.assertEqual(self.spend(1, device=1), ["device"])
        self.result(self.outbox.forget(NOW - 99))
        self.assertEqual(self.spend(1, device=1), ["sms"])


class SyncContract(LineCase):
    """What a sync changes."""

    def test_renewed(self) -> None:
        """After a trigger the next sync renews the GUID, so the next change is announced at once; not before."""
        before = self.wake().guid
        self.assertEqual(self.synced().guid, before)
        self.sent()
        self.take()
        wake = self.synced()
        self.assertNotEqual(wake.guid, before)
        self.again()
        self.assertEqual(self.wake(), wake)
        self.assertEqual(self.sent().wake.told, wake.guid)

    def test_withdrawn(self) -> None:
        """What still waits is withdrawn: the device has come. What was handed over goes its way."""
        self.sent()
        self.result(self.outbox.put([letter(TABLET)]))
        self.synced()
        self.assertEqual(self.letters(), [(1, WITHDRAWN), (2, QUEUED)])
        self.sent()
        self.take()
        self.synced()
        self.assertEqual(self.letters()[2:], [(3, DOUBT)])

    def test_heldBack(self) -> None:
        """A change held back is looked at a while after the sync: announced if the device lacks it, else forgotten."""
        for brought in (False, True):
            self.sent()
            self.deliver(f"late{self.now}")
            self.assertEqual(self.verdict(), "trigger outstanding")
            if brought:
                self.key = self.sync(self.key).key
            wake = self.synced()
            self.assertEqual((wake.due, wake.why), (self.now + 60, SETTLE))
            self.now += 60
            [decided] = self.decide(cause=Cause.DUE)
            self.assertEqual(decided.verdict, Verdict.NOTHING if brought else Verdict.SMS)
            self.assertEqual((decided.wake.pending, decided.wake.due), (False, 0))
            self.synced()

    def test_withoutLine(self) -> None:
        """A device without a line has nothing to renew."""
        self.assertIsNone(self.synced(TABLET))

    def test_lease(self) -> None:
        """A sync renews the lease, unless nearly all of it is left."""
        self.result(self.triggers.keep_line(line(expires=NOW + 100)))
        for now, end in ((0, 1000), (100, 1000), (101, 1101), (900, 1900)):
            self.now = NOW + now
            self.synced(lease=1000)
            self.assertEqual(self.result(self.triggers.lines("ann"))[0].expires, NOW + end)
        self.synced(lease=0)
        self.assertEqual(self.result(self.triggers.lines("ann"))[0].expires, 0)

    def test_lapsed(self) -> None:
        """A lapsed lease gets no trigger, and a sync brings it back."""
        self.result(self.triggers.keep_line(line(expires=NOW)))
        self.deliver("a")
        self.assertEqual(self.verdict(), "lease lapsed")
        self.synced(lease=1000)
        self.assertEqual(self.verdict(), "sms")


class DoorContract(LineCase):
    """Triggers of another server."""

    def knock(self, guid: str, **more: object) -> Verdict:
        [found] = self.result(self.triggers.wakes([ANN]))
        self.new = self.result(self.triggers.outside_guid(found.line, guid, int(self.now), 1000))
        order = self.order(cause=Cause.DOOR, folders=(), guid=guid, content=b"text of " + guid.encode(), **more)
        [decided] = self.decide(order)
        return decided.verdict

    def test_batched(self) -> None:
        """A GUID seen before is batched; a new one means that the device has synchronised there."""
        self.assertEqual((self.knock("x1"), self.new), (Verdict.SMS, True))
        self.again()
        self.assertEqual((self.knock("x1"), self.new), (Verdict.BATCHED, False))
        self.now += 900
        self.assertEqual((self.knock("x1"), self.new), (Verdict.SMS, False))
        self.assertEqual((self.knock("x2"), self.new), (Verdict.SMS, True))

    def test_lease(self) -> None:
        """A new GUID renews the lease as a sync does, for the device is there; the same one does not."""
        self.result(self.triggers.keep_line(line(expires=NOW + 10)))
        self.knock("x1")
        self.now += 900
        self.knock("x1")
        self.assertEqual(self.result(self.triggers.lines("ann"))[0].expires, NOW + 1000)
        self.knock("x2")
        self.assertEqual(self.result(self.triggers.lines("ann"))[0].expires, NOW + 1900)

    def test_content(self) -> None:
        """It goes out as it came, with its own GUID."""
        self.knock("x1")
        [taken] = self.take()
        self.assertEqual((taken.guid, taken.content), ("x1", b"text of x1"))

    def test_outOfDate(self) -> None:
        """One that still waits when the device has come there is withdrawn; ours are no matter there."""
        self.result(self.outbox.put([letter(route="smpp:other")]))
        self.knock("x1")
        self.knock("x2")
        self.assertEqual(self.letters(), [(1, QUEUED), (2, WITHDRAWN), (3, QUEUED)])

    def test_syncHere(self) -> None:
        """A sync with us says nothing about a sync there."""
        self.sent(route="smpp:other")
        self.knock("x1")
        self.synced()
        self.assertEqual(self.letters(), [(1, QUEUED), (2, QUEUED)])
        self.assertEqual(self.knock("x1"), Verdict.BATCHED)

    def test_quiet(self) -> None:
        """In quiet hours it waits in the outbox."""
        self.assertEqual(self.knock("x1", quiet_until=NOW + 50), Verdict.QUIET)
        self.assertEqual(self.take(), [])
        self.now += 50
        self.assertEqual(len(self.take()), 1)


class DueContract(LineCase):
    """Decisions that are taken later."""

    def put_off(self, key: DeviceKey, until: int) -> None:
        self.decide(self.order(key, quiet_until=until))

    def test_oldestFirst(self) -> None:
        """Those that are due come oldest first, so many at most, with all folders of their users; also after a
        kill."""
        self.deliver("x")
        for place, wait in enumerate((30, 10, 20, 40)):
            key = DeviceKey("ann", f"p{place}")
            self.result(self.triggers.keep_line(line(key)))
            self.start(key)
            self.deliver(f"m{place}")
            self.put_off(key, NOW + wait)
        self.again()
        self.assertEqual(self.result(self.triggers.next_due()), NOW + 10)
        found = self.result(self.triggers.due(NOW + 30, 9))
        self.assertEqual([one.line.key.device for one in found], ["p1", "p2", "p0"])
        self.assertEqual([folder.id for folder in found[0].folders], [self.inbox, self.trash])
        self.assertEqual(found[0].wake.why, "quiet hours")
        self.assertEqual([one.line.key.device for one in self.result(self.triggers.due(NOW + 30, 2))], ["p1", "p2"])
        self.assertEqual(self.result(self.triggers.due(NOW + 9, 9)), [])

    def test_none(self) -> None:
        """If nothing was put off nothing is due."""
        self.assertIsNone(self.result(self.triggers.next_due()))
        self.sent()
        self.assertIsNone(self.result(self.triggers.next_due()))

    def test_clockSetBack(self) -> None:
        """What was put off for longer than anything is was dated by a wrong clock, and is due."""
        self.deliver("a")
        self.put_off(ANN, NOW + 50)
        self.now = NOW + 49 - LONGEST
        self.assertEqual(self.result(self.triggers.next_due()), self.now)
        [found] = self.result(self.triggers.due(int(self.now), 9))
        self.assertEqual(found.line.key, ANN)
        self.assertEqual(self.verdict(cause=Cause.DUE), "sms")

    def test_decidedOnce(self) -> None:
        """A decision that was taken is not due any more, whatever it was."""
        for mode in (Mode.SMS, Mode.OFF):
            self.deliver(f"{mode}")
            self.put_off(ANN, int(self.now) + 50)
            self.now += 50
            self.decide(cause=Cause.DUE, mode=mode, batch=0)
            self.assertIsNone(self.result(self.triggers.next_due()))

    def test_unsure(self) -> None:
        """At start: whose folders have changed since the last decision, and which of them."""
        [fresh] = self.result(self.triggers.unsure()) or [None]
        self.assertIsNone(fresh)
        self.deliver("a")
        self.again()
        [found] = self.result(self.triggers.unsure())
        self.assertEqual([folder.id for folder in found.folders], [self.inbox])
        self.decide(cause=Cause.START)
        self.assertEqual(self.result(self.triggers.unsure()), [])
        self.deliver("b", folder=self.trash)
        [found] = self.result(self.triggers.unsure())
        self.assertEqual([folder.id for folder in found.folders], [self.trash])

    def test_unsureOfWhatWasHeldBack(self) -> None:
        """What was held back by an outstanding trigger is remembered otherwise; what was refused is looked at again."""
        self.sent()
        self.deliver("b")
        self.decide()
        self.assertEqual(self.result(self.triggers.unsure()), [])
        self.deliver("c")
        self.decide(mode=Mode.OFF)
        self.assertEqual(len(self.result(self.triggers.unsure())), 1)


class ParkContract(LineCase):
    """What mode C{auto} has to know."""

    def test_noted(self) -> None:
        """The last park and how many died young are kept of devices with a line."""
        self.assertEqual(self.result(self.triggers.parks({ANN: (NOW, 2, False), BOB: (NOW, 1, True)})), [])
        self.again()
        self.assertEqual(self.wake(), evolve(self.wake(), parked=NOW, young=2, way=Way.PUSH))

    def test_thereAndBack(self) -> None:
        """A device that stays away is taken to SMS, and is back with the next park that succeeds, and says so."""
        decided = self.sent(mode=Mode.AUTO)
        self.assertEqual((decided.switched, self.wake().way), (True, Way.SMS))
        self.assertEqual(self.result(self.triggers.parks({ANN: (NOW, 1, False)})), [])
        self.assertEqual(self.result(self.triggers.parks({ANN: (NOW, 0, True)})), [ANN])
        self.assertEqual(self.result(self.triggers.parks({ANN: (NOW, 0, True)})), [])
        self.assertEqual(self.wake().way, Way.PUSH)

    def test_none(self) -> None:
        """Nothing to note is no failure."""
        self.assertEqual(self.result(self.triggers.parks({})), [])


class LateContract(LineCase):
    """The alarm that triggers are not obeyed."""

    def late(self, before: float) -> list[tuple[Line, float]]:
        return self.result(self.triggers.late(int(before)))

    def delivered(self, key: DeviceKey = ANN, state: LetterState = DELIVERED) -> None:
        """A trigger goes out and arrives."""
        self.deliver(f"m{self.now}")
        self.decide(self.order(key, batch=0))
        [taken] = self.take()
        self.result(self.outbox.settle([Outcome(taken.id, SENT, self.now, f"id{taken.id}")]))
        self.result(self.outbox.receive([Receipt(ROUTE, (f"id{taken.id}",), state, self.now)]))

    def test_late(self) -> None:
        """A device that has not come since the delivery is named once for each trigger, with the time."""
        self.delivered()
        self.assertEqual(self.late(NOW), [])
        self.assertEqual(self.late(NOW + 1), [(line(), NOW)])
        self.assertEqual(self.late(NOW + 1), [])
        self.now += 5
        self.delivered()
        self.now += 5
        self.delivered()
        self.assertEqual(self.late(NOW + 99), [(line(), NOW + 5)])

    def test_came(self) -> None:
        """One that has come is not named, nor is one that has no line any more."""
        self.delivered()
        self.synced()
        self.assertEqual(self.late(NOW + 9), [])
        self.delivered()
        self.result(self.triggers.drop_line(ANN))
        self.assertEqual(self.late(NOW + 9), [])

    def test_undelivered(self) -> None:
        """Nobody can obey what did not arrive."""
        self.delivered(state=LetterState.UNDELIVERED)
        self.assertEqual(self.late(NOW + 9), [])

    def test_ofAnotherServer(self) -> None:
        """Whether the device obeyed another server is not to be seen here."""
        self.decide(self.order(cause=Cause.DOOR, folders=(), guid="x", content=b"x"))
        [taken] = self.take()
        self.result(self.outbox.settle([Outcome(taken.id, DELIVERED, NOW)]))
        self.assertEqual(self.late(NOW + 9), [])
