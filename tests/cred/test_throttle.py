"""Tests of the slowing of those who guess."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from gateway.cred.throttle import Throttle, network
from gateway.interfaces import Busy

HOME = "192.0.2.1"
AWAY = "198.51.100.7"


class ThrottleTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.throttle = Throttle(self.clock, after=3, longest=20, forget=900, size=100)

    def fail(self, count: int, user: str = "ann", address: str = AWAY) -> None:  # type: ignore[override]
        for _ in range(count):
            self.throttle.failed(user, address)

    def test_firstFailuresAreFree(self) -> None:
        """A few wrong passwords cost nothing."""
        self.fail(2)
        self.assertEqual(self.throttle.admit("ann", AWAY), 0)

    def test_waitGrows(self) -> None:
        """Each further failure doubles the wait, up to the longest."""
        waits = []
        for count in range(3, 11):
            self.fail(1 if count > 3 else 3, address=f"192.0.2.{count}")
            waits.append(self.throttle.admit("ann", HOME))
        self.assertEqual(waits, [1, 2, 4, 8, 16, 20, 20, 20])

    def test_slowed(self) -> None:
        """It is told how long a user is slowed down for."""
        self.fail(2)
        self.assertEqual(self.throttle.slowed("ann"), 0)
        self.fail(1)
        self.clock.advance(100)
        self.assertEqual((self.throttle.slowed("ann"), self.throttle.slowed("bob")), (800, 0))
        self.throttle.succeeded("ann")
        self.assertEqual(self.throttle.slowed("ann"), 0)

    def test_neverLockedOut(self) -> None:
        """However many failures there were, the owner at another address waits the longest wait and no more."""
        for host in range(200):
            self.fail(5, address=f"10.0.0.{host}")
        self.assertEqual([self.throttle.admit("ann", HOME) for _ in range(5)], [20] * 5)

    def test_otherUsers(self) -> None:
        """The failures of one user from one address do not slow others elsewhere."""
        self.fail(10)
        self.assertEqual(self.throttle.admit("bob", HOME), 0)

    def test_success(self) -> None:
        """The right password ends the user's waits, not those of the address."""
        self.fail(12)
        self.throttle.succeeded("ann")
        self.assertEqual(self.throttle.user_wait("ann"), 0)
        self.assertEqual(self.throttle.admit("ann", AWAY), 1)

    def test_forgotten(self) -> None:
        """After some time without a failure all of them are forgotten."""
        self.fail(12)
        self.clock.advance(899)
        self.assertGreater(self.throttle.admit("ann", AWAY), 0)
        self.clock.advance(1)
        self.assertEqual(self.throttle.admit("ann", AWAY), 0)

    def test_addressLine(self) -> None:
        """Attempts from an address that guesses wait one after another, whoever they name; a long line is Busy."""
        for number in range(16):
            self.throttle.failed(f"user{number}", AWAY)
        waits = [self.throttle.admit(f"other{number}", AWAY) for number in range(4)]
        self.assertEqual(waits, [5, 10, 15, 20])
        busy = self.assertRaises(Busy, self.throttle.admit, "other", AWAY)
        self.assertEqual(busy.retry_after, 25)
        self.clock.advance(6)
        self.assertEqual(self.throttle.admit("other", AWAY), 19)
        self.assertEqual(self.throttle.admit("other", HOME), 0)

    def test_exempt(self) -> None:
        """The failures through an exempt address slow users only."""
        throttle = Throttle(self.clock, after=3, exempt=frozenset([HOME]))
        for number in range(50):
            throttle.failed(f"user{number}", HOME)
        self.assertEqual(throttle.admit("ann", HOME), 0)

    def test_bounded(self) -> None:
        """The tables keep the latest so many; the least recently failed go first."""
        self.fail(5, "bob")
        self.fail(5, "ann")
        self.fail(1, "bob")
        for number in range(99):
            self.throttle.failed(f"user{number}", f"10.1.{number}.1")
        self.assertEqual(self.throttle.user_wait("ann"), 0)
        self.assertGreater(self.throttle.user_wait("bob"), 0)

    def test_network(self) -> None:
        """An IPv6 client cannot get out of its line by another address of its network."""
        self.assertEqual(network("2001:db8:1:2:3:4:5:6"), network("2001:db8:1:2::1"))
        self.assertNotEqual(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"))
        self.assertEqual(network("::ffff:192.0.2.1"), HOME)
        self.assertEqual(network("fe80::1%eth0"), "fe80::")
        self.assertEqual(network("a.socket"), "a.socket")
