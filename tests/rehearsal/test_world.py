"""Tests of whole fleets on the gateway's core: what the source documents tell, and what each version promises."""

from __future__ import annotations

from random import Random

from attrs import evolve

from gateway.core.heartbeat import HeartbeatLimits
from gateway.core.wakerules import Hours
from gateway.rehearsal.fleet import Terms, Version
from gateway.rehearsal.networks import DATA_NETWORKS, SMS_NETWORKS, DataNetwork, SmsNetwork
from gateway.rehearsal.stream import Event, Pattern, generate, together
from gateway.rehearsal.tally import Tally
from gateway.rehearsal.world import World
from gateway.simulator.heartbeat import WORKED_EXAMPLE, HeartbeatSet
from gateway.simulator.network import Mode
from gateway.store.database import Database
from tests.rehearsal.worlds import DAY, GOOD, HOUR, PERFECT, START, WorldCase, mails

MINUTE = 60.0
TRIP = GOOD.trip


def tally(world: World) -> Tally:
    """The counts of the only phone."""
    (member,) = world.members.values()
    return member.phone.tally


def history(world: World) -> list[int]:
    """The heartbeats that the only phone asked for, in minutes, each time it changed."""
    (member,) = world.members.values()
    assert member.parking is not None
    return [seconds // 60 for seconds in member.parking.history]


class HeartbeatTests(WorldCase):
    def test_workedExample(self) -> None:
        """Where connections are cut after 13 minutes, 15 minutes fail, 8 live, 12 live, 16 fail: it stays at 12."""
        terms = Terms(heartbeats=WORKED_EXAMPLE)
        world = self.play(Version.DIRECT_PUSH, [], 2.0, DATA_NETWORKS["carrier-13min"], terms=terms)
        self.assertEqual(history(world), [15, 8, 12, 16, 12])
        self.assertEqual((tally(world).heartbeat, tally(world).settled), (720, True))
        self.assertEqual(tally(world).lost_parks, 2)

    def test_counted(self) -> None:
        """Heartbeats that are counted between changes are as many as the time has room for."""
        terms = Terms(heartbeats=HeartbeatSet.fixed(900))
        for events in ([], mails(*(hour * HOUR + 7 for hour in range(24)))):
            counts = tally(self.play(Version.DIRECT_PUSH, events, terms=terms))
            room = (24 * HOUR - len(events) * 2 * TRIP) / (900 + TRIP)
            self.assertLessEqual(abs(counts.heartbeats - room), 1 + len(events))
            self.assertGreaterEqual(counts.heartbeats, room - len(events) - 1)
        quiet = tally(self.play(Version.DIRECT_PUSH, [], terms=terms))
        self.assertEqual(quiet.heartbeats, int(24 * HOUR // (900 + TRIP)))

    def test_limit(self) -> None:
        """The server's limit is taken and never passed."""
        terms = Terms(heartbeats=WORKED_EXAMPLE, heartbeat_limits=HeartbeatLimits(60, 1200))
        world = self.play(Version.DIRECT_PUSH, mails(20 * HOUR), terms=terms)
        self.assertEqual(history(world), [15, 19, 23, 20])
        self.assertEqual(tally(world).heartbeat, 1200)
        self.assertEqual(list(tally(world).waits), [TRIP])

    def test_nothingLives(self) -> None:
        """Where nothing lives no heartbeat is good, and the phone is connected all the same, most of the time."""
        counts = tally(self.play(Version.DIRECT_PUSH, mails(5 * HOUR), data=DATA_NETWORKS["firewall-4min"]))
        self.assertEqual(counts.heartbeat, 0)
        self.assertNear(counts.lost_parks, 24 * 15, 2)
        self.assertEqual(list(counts.waits), [TRIP])


class DirectPushTests(WorldCase):
    def test_told(self) -> None:
        """A parked phone is told at once, and synchronises once."""
        counts = tally(self.play(Version.DIRECT_PUSH, mails(HOUR, 5 * HOUR)))
        self.assertEqual(list(counts.waits), [TRIP, TRIP])
        self.assertEqual(list(counts.announced), [0.0, 0.0])
        self.assertEqual((counts.told, counts.syncs, counts.empty_syncs, counts.never), (2, 2, 0, 0))

    def test_silentCut(self) -> None:
        """An answer into a connection that was cut silently is lost; the phone learns of the mail when it asks again."""
        network = DataNetwork(idle=240.0)
        terms = Terms(heartbeats=HeartbeatSet.fixed(480))
        counts = tally(self.play(Version.DIRECT_PUSH, mails(300, 301), data=network, terms=terms))
        self.assertEqual([round(wait) for wait in counts.waits], [round(490 + TRIP - 300), round(490 + TRIP - 301)])
        self.assertEqual(counts.lost_answers, 1)

    def test_resetCut(self) -> None:
        """After a cut that both ends hear of, the phone asks again at once."""
        network = DataNetwork(idle=240.0, cut=Mode.RESET)
        counts = tally(self.play(Version.DIRECT_PUSH, mails(300), data=network))
        self.assertEqual(list(counts.waits), [TRIP])
        self.assertEqual(counts.lost_answers, 0)

    def test_gap(self) -> None:
        """In a gap of the coverage the answer is lost; the phone learns of the mail when it is back."""
        network = DataNetwork(gaps=4.0, gap=1800.0)
        world = self.play(Version.DIRECT_PUSH, [], data=network)
        (member,) = world.members.values()
        begin, end = member.phone.coverage.next(START)
        counts = tally(self.play(Version.DIRECT_PUSH, mails((begin + end) / 2 - START), data=network))
        self.assertNear(counts.waits[0], end - (begin + end) / 2 + TRIP, 0.01)
        self.assertEqual(counts.lost_answers, 1)

    def test_burst(self) -> None:
        """Mails of one moment make one announcement and one Sync."""
        counts = tally(self.play(Version.DIRECT_PUSH, mails(*[HOUR] * 5)))
        self.assertEqual((counts.told, counts.syncs, counts.items), (1, 1, 5))


class SmsTests(WorldCase):
    def sms(self, *times: float, sms: SmsNetwork = PERFECT, **terms: object) -> Tally:
        return tally(self.play(Version.SMS, mails(*times), sms=sms, terms=Terms(**terms)))  # type: ignore[arg-type]

    def test_woken(self) -> None:
        """A mail is followed by an SMS, and within three minutes by a synchronisation."""
        counts = self.sms(HOUR)
        self.assertEqual((counts.sms, counts.sms_received, counts.syncs), (1, 1, 1))
        self.assertLess(counts.waits[0], 1 + 180 + TRIP + 0.1)
        self.assertNear(counts.announced[0], 1.0, 0.01)

    def test_oneForBatch(self) -> None:
        """While a trigger is outstanding no second one goes out: at most one for each batching time."""
        lost = evolve(PERFECT, loss=1.0)
        events = [Event(START + 60.0 * number, 1) for number in range(360)]
        counts = tally(self.play(Version.SMS, events, 0.25, sms=lost))
        self.assertEqual(counts.sms, 6 * HOUR / 900)
        self.assertEqual(counts.never, 360)

    def test_ceiling(self) -> None:
        """Whatever comes, AUTD v1 sends at most one SMS for each Sync or batching time."""
        random = Random(4)
        for network in (SMS_NETWORKS["usual"], evolve(SMS_NETWORKS["slow"], loss=0.3)):
            events = mails(*sorted(random.uniform(0, 6 * HOUR) for _ in range(100)))
            counts = tally(self.play(Version.SMS, events, 0.25, sms=network))
            self.assertLessEqual(counts.sms, counts.syncs + 6 * HOUR / 900)
            self.assertNear(counts.cost, counts.sms * network.price, 0.001)

    def test_lostOne(self) -> None:
        """A lost SMS is made up for by the next change after the batching time, or by a repetition if asked for."""
        lost = evolve(PERFECT, loss=1.0)
        self.assertEqual(self.sms(HOUR, sms=lost).sms, 1)
        self.assertEqual(self.sms(HOUR, HOUR + 800, HOUR + 1000, sms=lost).sms, 2)
        self.assertEqual(self.sms(HOUR, sms=lost, repeats=2).sms, 3)

    def test_noBatching(self) -> None:
        """Without a batching time each change sends one."""
        self.assertEqual(self.sms(*(HOUR + 10 * n for n in range(5)), batch=0, coalesce=3600.0).sms, 5)

    def test_oldTrigger(self) -> None:
        """A trigger that comes after the phone has synchronised for another reason is ignored."""
        slow = evolve(PERFECT, median=600.0)
        counts = tally(self.play(Version.BOTH, mails(HOUR), sms=slow))
        self.assertEqual((counts.sms_received, counts.sms_ignored, counts.syncs), (1, 1, 1))

    def test_quiet(self) -> None:
        """In quiet hours changes wait; one trigger goes when they end."""
        counts = self.sms(2 * HOUR, 3 * HOUR, 4 * HOUR, quiet=(Hours(0, 360),))
        self.assertEqual((counts.sms, counts.syncs), (1, 1))
        self.assertNear(counts.announced[0], 4 * HOUR + 1, 2)


class BothTests(WorldCase):
    def worlds(self, users: int = 6, days: float = 1.5) -> dict[Version, World]:
        terms = Terms(heartbeats=WORKED_EXAMPLE)
        data, sms = DATA_NETWORKS["patchy"], SMS_NETWORKS["slow"]
        numbers = range(1, users + 1)
        found = {}
        for version in (Version.SMS, Version.DIRECT_PUSH, Version.BOTH):
            events = list(together([generate(Pattern(), user, START, days, "s") for user in numbers]))
            found[version] = self.play(version, events, days, data, sms, terms, numbers)
        return found

    def test_missesNothing(self) -> None:
        """What SMS or Direct Push alone would tell of, both tell of, and not later than the better of the two for any
        share of the changes."""
        worlds = self.worlds()
        tallies = {
            version: [member.phone.tally for member in world.members.values()] for version, world in worlds.items()
        }
        self.assertEqual(len({sum(one.changes for one in found) for found in tallies.values()}), 1)
        never = {version: sum(one.never for one in found) for version, found in tallies.items()}
        self.assertEqual(never[Version.BOTH], 0)
        told = {version: sorted(at for one in found for at in one.announced) for version, found in tallies.items()}
        both = told[Version.BOTH]
        for version in (Version.SMS, Version.DIRECT_PUSH):
            self.assertLessEqual(len(told[version]), len(both))
            for share in (0.5, 0.9, 0.95, 0.99):
                place = int(share * len(told[version]))
                self.assertLessEqual(both[place], told[version][place] + 0.01, f"{version} at {share}")


class AutoTests(WorldCase):
    def test_parked(self) -> None:
        """A phone that parks gets no SMS."""
        counts = tally(self.play(Version.AUTO, mails(*(hour * HOUR for hour in range(1, 20)))))
        self.assertEqual((counts.sms, counts.told, counts.switches), (0, 19, 0))

    def test_cutYoung(self) -> None:
        """Where connections are cut young, SMS takes over."""
        network = DataNetwork(idle=120.0, cut=Mode.RESET)
        counts = tally(self.play(Version.AUTO, mails(*(hour * HOUR for hour in range(2, 20))), data=network))
        self.assertGreater(counts.switches, 0)
        self.assertGreater(counts.sms, 10)


class ScheduleTests(WorldCase):
    def test_within(self) -> None:
        """Each change is synchronised within the interval; what finds nothing is counted."""
        random = Random(9)
        events = mails(*sorted(random.uniform(0, DAY) for _ in range(40)))
        for version, interval in ((Version.EVERY_5, 300), (Version.EVERY_15, 900)):
            counts = tally(self.play(version, events))
            self.assertEqual(len(counts.waits), 40)
            self.assertLessEqual(max(counts.waits), interval + TRIP)
            self.assertNear(counts.syncs, 24 * HOUR / interval, 1)
            self.assertEqual(counts.sms, 0)

    def test_gaps(self) -> None:
        """Without a network nothing is synchronised, and the count is smaller."""
        network = DataNetwork(gaps=12.0, gap=1800.0)
        world = self.play(Version.EVERY_5, mails(*(hour * HOUR for hour in range(1, 24))), data=network)
        (member,) = world.members.values()
        lost = member.phone.coverage.without(START, START + 24 * HOUR)
        self.assertNear(tally(world).syncs, (24 * HOUR - lost) / 300, 15)
        self.assertGreater(max(tally(world).waits), 301.5)


class StreamTests(WorldCase):
    def events(self) -> list[Event]:
        kinds = [("add", "Email"), ("change", "Email"), ("add", "Calendar"), ("remove", "Email"), ("add", "Email")]
        events = [
            Event(START + 600.0 * number, user, item_class, kind)
            for user in (1, 2)
            for number, (kind, item_class) in enumerate(kinds * 3, 1)
        ]
        return sorted(events)

    def test_kinds(self) -> None:
        """Changes and removals tell a parked phone, but send no SMS; several classes are several folders."""
        classes = ("Calendar", "Email")
        push = self.play(Version.DIRECT_PUSH, self.events(), users=(1, 2), classes=classes)
        sms = self.play(Version.SMS, self.events(), users=(1, 2), classes=classes)
        self.assertEqual({member.phone.tally.told for member in push.members.values()}, {15})
        self.assertEqual({member.phone.tally.changes for member in sms.members.values()}, {9})
        self.assertTrue(all(member.phone.tally.sms <= 9 for member in sms.members.values()))

    def test_quickIsTheSame(self) -> None:
        """With the store as it is the same comes out as with its statements on the bare connection."""
        for version in (Version.BOTH, Version.AUTO):
            found = []
            for kind in (None, Database):
                arguments = {} if kind is None else {"kind": kind}
                world = self.play(
                    version,
                    self.events(),
                    0.5,
                    DATA_NETWORKS["patchy"],
                    SMS_NETWORKS["slow"],
                    users=(1, 2),
                    classes=("Calendar", "Email"),
                    **arguments,  # type: ignore[arg-type]
                )
                tallies = [member.phone.tally for member in world.members.values()]
                found.append([{name: getattr(one, name) for name in _COUNTS} for one in tallies])
            self.assertEqual(found[0], found[1])


_COUNTS = [name for name in Tally.__slots__ if not name.startswith("_")]
