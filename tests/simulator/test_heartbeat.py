"""Tests of the heartbeat's convergence."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from gateway.simulator.heartbeat import PHONES, WORKED_EXAMPLE, Heartbeat, HeartbeatSet


def tried(heartbeat: Heartbeat, lives: int, rounds: int) -> list[int]:
    """The heartbeats asked for on a network that drops what is idle for longer than C{lives} seconds."""
    asked = []
    for _ in range(rounds):
        asked.append(heartbeat.seconds)
        if heartbeat.seconds < lives:
            heartbeat.expired()
        else:
            heartbeat.lost()
    return asked


class ConvergenceTests(SynchronousTestCase):
    def test_workedExample(self) -> None:
        """On a network that drops after 13 minutes: 15 fails, 8, 12, 16 fails, and then 12 for good."""
        heartbeat = Heartbeat(WORKED_EXAMPLE)
        minutes = [seconds // 60 for seconds in tried(heartbeat, 13 * 60, 8)]
        self.assertEqual(minutes, [15, 8, 12, 16, 12, 12, 12, 12])
        self.assertTrue(heartbeat.settled)

    def test_phonesClimb(self) -> None:
        """The phones' set climbs from 480 by 300 to its maximum and stays there, unsettled."""
        heartbeat = Heartbeat(PHONES)
        self.assertEqual(tried(heartbeat, 10_000, 6), [480, 780, 1080, 1380, 1680, 1680])
        self.assertFalse(heartbeat.settled)

    def test_phonesFallBack(self) -> None:
        """The phones' set falls back to the last good value and stays."""
        self.assertEqual(tried(Heartbeat(PHONES), 1000, 6), [480, 780, 1080, 780, 780, 780])

    def test_nothingLives(self) -> None:
        """Where not even the minimum lives, it is tried again and again."""
        self.assertEqual(tried(Heartbeat(WORKED_EXAMPLE), 60, 4), [900, 480, 480, 480])

    def test_changeSaysNothing(self) -> None:
        """A change neither raises nor proves the heartbeat."""
        heartbeat = Heartbeat(PHONES)
        heartbeat.changed()
        self.assertEqual((heartbeat.seconds, heartbeat.good), (480, None))

    def test_goodNoMore(self) -> None:
        """A settled value that is lost once is tried again; lost twice in a row, the search begins anew."""
        heartbeat = Heartbeat(WORKED_EXAMPLE)
        tried(heartbeat, 13 * 60, 5)
        heartbeat.lost()
        self.assertEqual(heartbeat.seconds, 720)
        heartbeat.expired()
        heartbeat.lost()
        self.assertEqual((heartbeat.seconds, heartbeat.settled), (720, True))
        heartbeat.lost()
        self.assertEqual((heartbeat.seconds, heartbeat.good, heartbeat.settled), (480, None, False))

    def test_reset(self) -> None:
        """On another network everything begins anew."""
        heartbeat = Heartbeat(WORKED_EXAMPLE)
        tried(heartbeat, 13 * 60, 5)
        heartbeat.limited(600)
        heartbeat.reset()
        self.assertEqual((heartbeat.seconds, heartbeat.good, heartbeat.settled), (900, None, False))
        self.assertEqual([s // 60 for s in tried(heartbeat, 10_000, 4)], [15, 19, 23, 27])

    def test_fixed(self) -> None:
        """A fixed heartbeat moves neither up nor down."""
        self.assertEqual(tried(Heartbeat(HeartbeatSet.fixed(600)), 5_000, 3), [600, 600, 600])
        self.assertEqual(tried(Heartbeat(HeartbeatSet.fixed(600)), 60, 3), [600, 600, 600])


class LimitTests(SynchronousTestCase):
    def test_tooLong(self) -> None:
        """The server's largest interval is obeyed and not passed any more."""
        heartbeat = Heartbeat(PHONES)
        tried(heartbeat, 10_000, 2)
        heartbeat.limited(900)
        self.assertEqual(tried(heartbeat, 10_000, 3), [900, 900, 900])

    def test_tooShort(self) -> None:
        """The server's smallest interval is obeyed, and is the new minimum after losses."""
        heartbeat = Heartbeat(HeartbeatSet(60, 30, 30, 3540))
        heartbeat.limited(120)
        self.assertEqual(tried(heartbeat, 100, 3), [120, 120, 120])

    def test_shorterThanGood(self) -> None:
        """A good value below the server's smallest interval is never fallen back to."""
        heartbeat = Heartbeat(HeartbeatSet(60, 30, 30, 3540))
        heartbeat.expired()
        heartbeat.limited(120)
        heartbeat.lost()
        self.assertEqual(heartbeat.seconds, 120)

    def test_fixedObeys(self) -> None:
        """Even a fixed heartbeat obeys the server, on either side."""
        heartbeat = Heartbeat(HeartbeatSet.fixed(600))
        heartbeat.limited(300)
        self.assertEqual(tried(heartbeat, 10_000, 2), [300, 300])
        heartbeat.limited(700)
        self.assertEqual(tried(heartbeat, 10_000, 2), [700, 700])
