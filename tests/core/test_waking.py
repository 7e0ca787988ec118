"""The rule that decides about triggers."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from gateway.core.waking import LONGEST, REPEAT, SETTLE, Judgement, Sight, Spent, came, decide, looks, overdue, renewed
from gateway.model import DeviceKey, Mode
from gateway.trigger import Cause, Limits, Line, Order, Verdict, Wake, WakeRule, Way

NOW = 1_700_000_000
DAY = 24 * 3600
KEY = DeviceKey("ann", "phone")
LINE = Line(KEY, "+491701234567", "example")
RULE = WakeRule(Mode.SMS, day=NOW - 3600, tomorrow=NOW - 3600 + DAY, price=0.1)
FRESH = Wake(KEY, "g1")
TOLD = Wake(KEY, "g1", told="g1", until=NOW + 600, numbers={5: 7})
NEWS = Sight(True, {5: 8})
UNSPENT = Spent()
NOTHING = Sight(False, {5: 8})


class RuleCase(SynchronousTestCase):
    """A device in mode C{sms} unless said otherwise."""

    def decide(
        self,
        wake: Wake = FRESH,
        sight: Sight = NEWS,
        spent: Spent = UNSPENT,
        now: int = NOW,
        cause: Cause = Cause.CHANGE,
        line: Line = LINE,
        **rule: Any,
    ) -> Judgement:
        order = Order(line, cause, evolve(RULE, **rule), (5,), self.watched, "smpp:example")
        return decide(order, wake, sight, spent, now)

    watched = False


class BatchingTests(RuleCase):
    """One trigger per successful sync, until a timer runs out."""

    def test_first(self) -> None:
        """With nothing outstanding a trigger goes out at once with the GUID, and the timer starts."""
        judged = self.decide()
        self.assertEqual((judged.verdict, judged.guid, judged.due, judged.reason), (Verdict.SMS, "g1", NOW, ""))
        self.assertEqual(judged.wake, evolve(FRESH, told="g1", until=NOW + 900, numbers={5: 8}))

    def test_outstanding(self) -> None:
        """While one is outstanding a change is held back, and it is known that it was."""
        judged = self.decide(TOLD)
        self.assertEqual((judged.verdict, judged.guid, judged.reason), (Verdict.BATCHED, "", "for 600 s more"))
        self.assertEqual(judged.wake, evolve(TOLD, pending=True, numbers={5: 8}))

    def test_synchronisedSince(self) -> None:
        """A sync since the last trigger, which renews the GUID, means that nothing is outstanding, timer or not."""
        judged = self.decide(evolve(TOLD, guid="g2"))
        self.assertEqual((judged.verdict, judged.guid, judged.wake.told), (Verdict.SMS, "g2", "g2"))

    def test_lost(self) -> None:
        """When the timer has run out the outstanding one counts as lost: the next change sends the same GUID again."""
        for now, verdict in ((NOW + 599, Verdict.BATCHED), (NOW + 600, Verdict.SMS), (NOW + 9999, Verdict.SMS)):
            judged = self.decide(TOLD, now=now)
            self.assertEqual(judged.verdict, verdict)
        self.assertEqual((judged.guid, judged.wake.until), ("g1", NOW + 9999 + 900))
        self.assertEqual(judged.reason, "no sync for 900 s after the last one")

    def test_heldBackIsAnnounced(self) -> None:
        """The trigger that goes out after the timer stands for what was held back too."""
        self.assertFalse(self.decide(evolve(TOLD, pending=True), now=NOW + 700).wake.pending)

    def test_noBatching(self) -> None:
        """Without batching every change sends."""
        judged = self.decide(batch=0)
        self.assertEqual(judged.verdict, Verdict.SMS)
        again = self.decide(judged.wake, batch=0)
        self.assertEqual((again.verdict, again.wake.due), (Verdict.SMS, 0))

    def test_clockSetBack(self) -> None:
        """A timer that ends further ahead than it is long was set by a wrong clock, and has run out."""
        self.assertEqual(self.decide(evolve(TOLD, until=NOW + 901)).verdict, Verdict.SMS)
        self.assertEqual(self.decide(evolve(TOLD, until=NOW + 900)).verdict, Verdict.BATCHED)

    def test_shorterTimer(self) -> None:
        """A timer that was made shorter meanwhile holds at once."""
        self.assertEqual(self.decide(TOLD, batch=300).verdict, Verdict.SMS)

    def test_nothing(self) -> None:
        """If the device lacks nothing nothing is sent; what waits for changes of other folders goes on waiting."""
        waiting = evolve(FRESH, pending=True, due=NOW + 5, why="x")
        for cause in (Cause.CHANGE, Cause.START):
            judged = self.decide(waiting, NOTHING, cause=cause)
            self.assertEqual((judged.verdict, judged.guid), (Verdict.NOTHING, ""))
            self.assertEqual(judged.wake, evolve(waiting, numbers={5: 8}))

    def test_nothingWhenDue(self) -> None:
        """When what was put off is looked at, in all folders, and the device lacks nothing, nothing waits any more."""
        waiting = evolve(FRESH, pending=True, due=NOW, why="x")
        judged = self.decide(waiting, NOTHING, cause=Cause.DUE)
        self.assertEqual((judged.verdict, judged.wake), (Verdict.NOTHING, evolve(FRESH, numbers={5: 8})))

    def test_unchanged(self) -> None:
        """A decision that changes nothing gives back the same value."""
        seen = evolve(FRESH, numbers={5: 8})
        self.assertIs(self.decide(seen, NOTHING).wake, seen)


class RepeatTests(RuleCase):
    """C{sms.repeats}."""

    def test_off(self) -> None:
        """By default a lost trigger is repeated by the next change alone: nothing is due."""
        self.assertEqual(self.decide().wake.due, 0)
        self.assertEqual(self.decide(TOLD).wake.due, 0)

    def test_repeated(self) -> None:
        """It is sent again when the timer has run out, so often and no more, with the same GUID."""
        wake = self.decide(repeats=2).wake
        verdicts, now = [], NOW
        while wake.due:
            self.assertEqual((wake.due, wake.why), (now + 900, REPEAT))
            now = wake.due
            judged = self.decide(wake, now=now, cause=Cause.DUE, repeats=2)
            verdicts.append((judged.verdict, judged.guid, judged.wake.repeats))
            wake = judged.wake
        self.assertEqual(verdicts, [(Verdict.REPEATED, "g1", 1), (Verdict.REPEATED, "g1", 2)])

    def test_onlyWhatIsLacking(self) -> None:
        """It is not sent again if the device lacks nothing by then."""
        wake = self.decide(repeats=2).wake
        judged = self.decide(wake, NOTHING, now=NOW + 900, cause=Cause.DUE, repeats=2)
        self.assertEqual((judged.verdict, judged.wake.due), (Verdict.NOTHING, 0))

    def test_heldBackChange(self) -> None:
        """A change while it is outstanding does not put off the repetition."""
        wake = self.decide(repeats=1).wake
        judged = self.decide(wake, now=NOW + 500, repeats=1)
        self.assertEqual((judged.verdict, judged.wake.due, judged.wake.why), (Verdict.BATCHED, NOW + 900, REPEAT))

    def test_fewerNow(self) -> None:
        """When the configuration has taken repetitions away, the one that was due is not sent."""
        wake = self.decide(repeats=1).wake
        judged = self.decide(wake, now=NOW + 900, cause=Cause.DUE)
        self.assertEqual((judged.verdict, judged.wake.due, judged.guid), (Verdict.BATCHED, 0, ""))

    def test_changeBeginsAnew(self) -> None:
        """A trigger sent for a change may be repeated as often as the first."""
        spent = evolve(TOLD, repeats=2)
        judged = self.decide(spent, now=NOW + 600, repeats=2)
        self.assertEqual((judged.verdict, judged.wake.repeats, judged.wake.why), (Verdict.SMS, 0, REPEAT))

    def test_putOff(self) -> None:
        """A repetition that falls into quiet hours remains one."""
        wake = self.decide(repeats=1).wake
        quiet = self.decide(wake, now=NOW + 900, cause=Cause.DUE, repeats=1, quiet_until=NOW + 5000)
        self.assertEqual((quiet.verdict, quiet.wake.due, quiet.wake.why), (Verdict.QUIET, NOW + 5000, REPEAT))
        judged = self.decide(quiet.wake, now=NOW + 5000, cause=Cause.DUE, repeats=1)
        self.assertEqual((judged.verdict, judged.wake.repeats), (Verdict.REPEATED, 1))

    def test_withoutBatching(self) -> None:
        """Without a timer nothing is repeated."""
        self.assertEqual(self.decide(batch=0, repeats=3).wake.due, 0)


class DueTests(RuleCase):
    """Decisions that were put off."""

    def test_quiet(self) -> None:
        """In quiet hours changes wait for their end; then one trigger goes out."""
        wake = FRESH
        for _ in range(3):
            judged = self.decide(wake, quiet_until=NOW + 5000)
            self.assertEqual((judged.verdict, judged.guid), (Verdict.QUIET, ""))
            wake = judged.wake
        self.assertEqual(wake, evolve(FRESH, pending=True, due=NOW + 5000, why="quiet hours"))
        judged = self.decide(wake, now=NOW + 5000, cause=Cause.DUE)
        self.assertEqual((judged.verdict, judged.wake.due, judged.wake.pending), (Verdict.SMS, 0, False))

    def test_quietHoursOver(self) -> None:
        """Quiet hours that are over hold nothing up."""
        self.assertEqual(self.decide(quiet_until=NOW).verdict, Verdict.SMS)

    def test_notYet(self) -> None:
        """Who asks too early, or for a decision that was taken meanwhile, changes nothing."""
        for wake in (FRESH, evolve(FRESH, due=NOW + 1, why="x", pending=True), TOLD):
            judged = self.decide(wake, cause=Cause.DUE)
            self.assertEqual((judged.verdict, judged.guid), (Verdict.NOTHING, ""))
            self.assertIs(judged.wake, wake)

    def test_overdue(self) -> None:
        """Due is what was put off until now at the latest, or for longer than anything is put off."""
        dues = (0, NOW, NOW + 1, NOW + LONGEST, NOW + LONGEST + 1)
        self.assertEqual([overdue(evolve(FRESH, due=due), NOW) for due in dues], [False, True, False, False, True])

    def test_neverTooLong(self) -> None:
        """Nothing is put off for longer than that, nor to the past, whatever the rule says."""
        self.assertEqual(self.decide(quiet_until=NOW + 99 * DAY).wake.due, NOW + LONGEST)
        full = self.decide(spent=Spent(device=9), limits=Limits(device=1), tomorrow=NOW - 5)
        self.assertEqual(full.wake.due, NOW + 1)

    def test_atStart(self) -> None:
        """What changed while the gateway was down is decided like any change."""
        self.assertEqual(self.decide(cause=Cause.START).verdict, Verdict.SMS)
        self.assertEqual(self.decide(TOLD, cause=Cause.START).verdict, Verdict.BATCHED)


class RefusalTests(RuleCase):
    """Devices that get no SMS."""

    def test_off(self) -> None:
        """In modes without SMS nothing is sent or waited for; what was seen is not taken as announced."""
        for mode in (Mode.OFF, Mode.DIRECT_PUSH):
            judged = self.decide(evolve(FRESH, due=NOW, why="x", pending=True), mode=mode)
            self.assertEqual((judged.verdict, judged.reason), (Verdict.OFF, f"mode {mode.value}"))
            self.assertEqual(judged.wake, evolve(FRESH, pending=True))

    def test_noRoute(self) -> None:
        """A line that no operator takes triggers for gets none."""
        judged = decide(Order(LINE, Cause.CHANGE, RULE, (5,)), FRESH, NEWS, Spent(), NOW)
        self.assertEqual((judged.verdict, judged.guid), (Verdict.OFF, ""))

    def test_lapsed(self) -> None:
        """A line whose lease has lapsed gets none; one that expires later or never does."""
        verdicts = [self.decide(line=evolve(LINE, expires=end)).verdict for end in (NOW - 1, NOW, NOW + 1, 0)]
        self.assertEqual(verdicts, [Verdict.LAPSED, Verdict.LAPSED, Verdict.SMS, Verdict.SMS])

    def test_looks(self) -> None:
        """Only who may get a trigger is worth a look."""
        modes = {mode: looks(Order(LINE, Cause.CHANGE, evolve(RULE, mode=mode), (5,))) for mode in Mode}
        self.assertEqual([mode for mode, worth in modes.items() if worth], [Mode.SMS, Mode.BOTH, Mode.AUTO])
        self.assertFalse(looks(Order(LINE, Cause.DOOR, RULE)))


class LimitTests(RuleCase):
    """So many a day, and so much money."""

    def limited(self, spent: Spent, **limits: Any) -> tuple[Verdict, str]:
        judged = self.decide(spent=spent, limits=Limits(**limits))
        if judged.limit:
            self.assertEqual(
                judged.wake, evolve(FRESH, pending=True, due=RULE.tomorrow, why="limit reached"), judged.limit
            )
            self.assertEqual(judged.guid, "")
        return judged.verdict, judged.limit

    def test_each(self) -> None:
        """Each limit lets through as many as it says, and then puts off to the next day and says its name."""
        for name in ("device", "user", "operator", "total"):
            self.assertEqual(self.limited(Spent(**{name: 2}), **{name: 3}), (Verdict.SMS, ""))
            self.assertEqual(self.limited(Spent(**{name: 3}), **{name: 3}), (Verdict.LIMIT, name))
            self.assertEqual(self.limited(Spent(**{name: 99})), (Verdict.SMS, ""))

    def test_budget(self) -> None:
        """A trigger is sent as long as its price is left."""
        self.assertEqual(self.limited(Spent(cost=0.9), budget=1.0), (Verdict.SMS, ""))
        self.assertEqual(self.limited(Spent(cost=0.95), budget=1.0), (Verdict.LIMIT, "budget"))

    def test_words(self) -> None:
        """The reason says how much of what."""
        self.assertEqual(
            self.decide(spent=Spent(device=3), limits=Limits(device=3)).reason, "3 of 3 a day for the device"
        )
        self.assertEqual(self.decide(spent=Spent(total=7), limits=Limits(total=5)).reason, "7 of 5 a day")
        self.assertEqual(
            self.decide(spent=Spent(cost=1), limits=Limits(budget=1)).reason, "1.00 of 1.00 a day are spent"
        )

    def test_nextDay(self) -> None:
        """When the day is over the change is announced."""
        full = self.decide(spent=Spent(device=3), limits=Limits(device=3)).wake
        judged = self.decide(full, now=full.due, cause=Cause.DUE, limits=Limits(device=3))
        self.assertEqual(judged.verdict, Verdict.SMS)

    def test_outstandingFirst(self) -> None:
        """What is held back anyway does not reach a limit."""
        self.assertEqual(self.decide(TOLD, spent=Spent(device=9), limits=Limits(device=1)).verdict, Verdict.BATCHED)


class BothTests(RuleCase):
    """Mode C{both}."""

    def test_always(self) -> None:
        """It is sent whether the device is parked or not."""
        for self.watched in (False, True):
            self.assertEqual(self.decide(mode=Mode.BOTH).verdict, Verdict.SMS)
            self.assertEqual(self.decide(mode=Mode.SMS).verdict, Verdict.SMS)


class AutoTests(RuleCase):
    """Mode C{auto}."""

    parked = evolve(FRESH, parked=NOW - 100)

    def auto(self, wake: Wake, **more: Any) -> Judgement:
        return self.decide(wake, mode=Mode.AUTO, **more)

    def test_parked(self) -> None:
        """A parked device is told by Direct Push alone; in case that went nowhere it is looked again, once."""
        self.watched = True
        judged = self.auto(self.parked)
        self.assertEqual((judged.verdict, judged.guid, judged.switched), (Verdict.PUSH, "", False))
        why = "waiting for the device to park"
        self.assertEqual(judged.wake, evolve(self.parked, numbers={5: 8}, pending=True, due=NOW + 900, why=why))
        judged = self.auto(judged.wake, now=NOW + 900, cause=Cause.DUE)
        self.assertEqual((judged.verdict, judged.wake), (Verdict.PUSH, evolve(self.parked, numbers={5: 8})))

    def test_pushedNowhere(self) -> None:
        """If it has not come by then, and is not parked, it is reached by SMS."""
        self.watched = True
        wake = self.auto(self.parked).wake
        self.watched = False
        self.assertEqual(self.auto(wake, now=NOW + 900, cause=Cause.DUE).verdict, Verdict.SMS)

    def test_away(self) -> None:
        """A device that parked a moment ago is waited for."""
        judged = self.auto(self.parked)
        self.assertEqual((judged.verdict, judged.guid, judged.switched), (Verdict.ABSENT, "", False))
        self.assertEqual(
            judged.wake, evolve(self.parked, pending=True, due=NOW + 800, why="waiting for the device to park")
        )

    def test_awayAndBack(self) -> None:
        """If it is parked when the time runs out Direct Push has told it."""
        wake, self.watched = self.auto(self.parked).wake, True
        self.assertEqual(self.auto(wake, now=NOW + 800, cause=Cause.DUE).verdict, Verdict.PUSH)

    def test_absent(self) -> None:
        """If it does not come it is reached by SMS, with a reason."""
        judged = self.auto(self.auto(self.parked).wake, now=NOW + 800, cause=Cause.DUE)
        self.assertEqual((judged.verdict, judged.guid, judged.switched), (Verdict.SMS, "g1", True))
        self.assertEqual((judged.wake.way, judged.reason), (Way.SMS, "no park for 900 s"))

    def test_neverParked(self) -> None:
        """A device that never parked is reached by SMS at once."""
        self.assertEqual(self.auto(FRESH).verdict, Verdict.SMS)

    def test_parkedInTheFuture(self) -> None:
        """A park seen further in the future than the time waited for was dated by a wrong clock."""
        self.assertEqual(self.auto(evolve(FRESH, parked=NOW + 901)).verdict, Verdict.SMS)
        judged = self.auto(evolve(FRESH, parked=NOW + 900))
        self.assertEqual((judged.verdict, judged.wake.due), (Verdict.ABSENT, NOW + 900))

    def test_young(self) -> None:
        """A network that cuts connections short takes it to SMS, even while it is parked."""
        for self.watched in (False, True):
            self.assertIn(self.auto(evolve(self.parked, young=2)).verdict, (Verdict.ABSENT, Verdict.PUSH))
            judged = self.auto(evolve(self.parked, young=3))
            self.assertEqual((judged.verdict, judged.switched, judged.wake.way), (Verdict.SMS, True, Way.SMS))
            self.assertEqual(judged.reason, "3 parks died young in a row")

    def test_youngOff(self) -> None:
        """That can be switched off."""
        self.watched = True
        self.assertEqual(self.auto(evolve(self.parked, young=99), young=0).verdict, Verdict.PUSH)

    def test_bySMS(self) -> None:
        """On the way of SMS it is sent, by the batching rule, parked or not, and nothing is switched again."""
        for self.watched in (False, True):
            judged = self.auto(evolve(self.parked, way=Way.SMS))
            self.assertEqual((judged.verdict, judged.switched), (Verdict.SMS, False))
            self.assertEqual(self.auto(judged.wake).verdict, Verdict.BATCHED)

    def test_switchesOnlyToSend(self) -> None:
        """As long as quiet hours or a limit hold the trigger back, nothing is switched."""
        for more in ({"quiet_until": NOW + 9}, {"limits": Limits(device=1), "spent": Spent(device=1)}):
            judged = self.auto(FRESH, **more)
            self.assertEqual((judged.wake.way, judged.switched, judged.guid), (Way.PUSH, False, ""))

    def test_otherModes(self) -> None:
        """The way is of no matter in other modes."""
        self.assertEqual(self.decide(self.parked).wake.way, Way.PUSH)


class DoorTests(SynchronousTestCase):
    """Triggers of another server: there is nothing to look at, and the GUID is that server's."""

    def decide(self, wake: Wake, guid: str, spent: Spent = UNSPENT, **rule: Any) -> Judgement:
        order = Order(LINE, Cause.DOOR, evolve(RULE, **rule), route="smpp:x", guid=guid, content=b"text")
        return decide(order, wake, Sight(True), spent, NOW)

    def test_batched(self) -> None:
        """The batching goes by the GUID that came in."""
        first = self.decide(FRESH, "x1")
        self.assertEqual((first.verdict, first.guid), (Verdict.SMS, "x1"))
        self.assertEqual(first.wake, evolve(FRESH, told="x1", until=NOW + 900))
        again = self.decide(first.wake, "x1")
        self.assertEqual((again.verdict, again.guid), (Verdict.BATCHED, ""))
        self.assertIs(again.wake, first.wake)
        self.assertEqual(self.decide(first.wake, "x2").guid, "x2")

    def test_notRepeated(self) -> None:
        """Nobody here knows what is undelivered there: it is never repeated of itself."""
        self.assertEqual(self.decide(FRESH, "x1", repeats=3).wake.due, 0)

    def test_quiet(self) -> None:
        """In quiet hours the trigger itself waits."""
        judged = self.decide(FRESH, "x1", quiet_until=NOW + 50)
        self.assertEqual((judged.verdict, judged.guid, judged.due), (Verdict.QUIET, "x1", NOW + 50))
        self.assertEqual(judged.wake.until, NOW + 950)

    def test_limit(self) -> None:
        """At a limit the trigger itself waits for the next day."""
        judged = self.decide(FRESH, "x1", Spent(device=1), limits=Limits(device=1))
        self.assertEqual((judged.verdict, judged.limit, judged.guid), (Verdict.LIMIT, "device", "x1"))
        self.assertEqual((judged.due, judged.wake.until), (RULE.tomorrow, RULE.tomorrow + 900))

    def test_parked(self) -> None:
        """In mode auto a device that is parked is reached by Direct Push, and no SMS is paid for."""
        order = Order(LINE, Cause.DOOR, evolve(RULE, mode=Mode.AUTO), (), True, "smpp:x", "x1", b"text")
        judged = decide(order, FRESH, Sight(True), UNSPENT, NOW)
        self.assertEqual((judged.verdict, judged.guid), (Verdict.PUSH, ""))

    def test_away(self) -> None:
        """In mode auto a device that is not parked is not waited for: the trigger would be lost."""
        judged = self.decide(evolve(FRESH, parked=NOW - 10), "x1", mode=Mode.AUTO)
        self.assertEqual((judged.verdict, judged.guid), (Verdict.SMS, "x1"))

    def test_ownWaits(self) -> None:
        """What is put off for the device's own folders stays so."""
        waiting = evolve(FRESH, pending=True, due=NOW + 9, why="x", numbers={5: 7})
        after = self.decide(waiting, "x1").wake
        self.assertEqual((after.pending, after.due, after.why, after.numbers), (True, NOW + 9, "x", {5: 7}))


class CameTests(SynchronousTestCase):
    """What a sync changes."""

    def came(self, wake: Wake, settle: int = 60) -> Wake:
        return came(wake, "g2", evolve(RULE, settle=settle), NOW)

    def test_told(self) -> None:
        """A GUID that was told is renewed; then nothing is outstanding."""
        self.assertEqual(self.came(TOLD), evolve(TOLD, guid="g2"))

    def test_untold(self) -> None:
        """One that was not told stays."""
        for wake in (FRESH, evolve(TOLD, guid="g9")):
            self.assertIs(self.came(wake), wake)

    def test_heldBack(self) -> None:
        """If a change was held back a look is due a while later."""
        wake = self.came(evolve(TOLD, pending=True))
        self.assertEqual(wake, evolve(TOLD, guid="g2", pending=True, due=NOW + 60, why=SETTLE))

    def test_putOff(self) -> None:
        """So it is if the change was put off for another reason."""
        wake = self.came(evolve(FRESH, pending=True, due=NOW + 9000, why="quiet hours"))
        self.assertEqual((wake.guid, wake.due, wake.why), ("g1", NOW + 60, SETTLE))

    def test_severalSyncs(self) -> None:
        """The look moves on while the device goes on synchronising, but not with each request."""
        for due, after in ((NOW + 60, NOW + 60), (NOW + 31, NOW + 31), (NOW + 30, NOW + 60), (NOW + 61, NOW + 60)):
            self.assertEqual(self.came(evolve(FRESH, pending=True, due=due, why=SETTLE)).due, after)

    def test_repetition(self) -> None:
        """A repetition is not needed any more."""
        wake = self.came(evolve(TOLD, due=NOW + 600, why=REPEAT, repeats=1))
        self.assertEqual((wake.due, wake.why, wake.repeats), (0, "", 0))

    def test_soon(self) -> None:
        """The look is due after the sync, never at the same time."""
        self.assertEqual(self.came(evolve(TOLD, pending=True), settle=0).due, NOW + 1)


class LeaseTests(SynchronousTestCase):
    """When a lease expires."""

    def test_renewed(self) -> None:
        """A sync renews it, unless nearly all of it is left or it never expires."""
        lease = 1000
        cases = {
            NOW + 899: NOW + 1000,
            NOW + 900: NOW + 900,
            NOW + 1000: NOW + 1000,
            NOW - 5: NOW + 1000,
            NOW + 1001: NOW + 1000,
            0: 0,
        }
        self.assertEqual({before: renewed(before, lease, NOW) for before in cases}, cases)

    def test_noLeases(self) -> None:
        """Where leases are switched off none expires."""
        self.assertEqual(renewed(NOW + 5, 0, NOW), 0)
