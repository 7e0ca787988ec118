"""A few at a time, some who wait, and those who are put off."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from gateway.eas.call import Unavailable
from gateway.eas.places import RETRY, Places


class PlacesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.places = Places(2)
        self.begun: list[Deferred[str]] = []

    def take(self) -> Deferred[str]:
        """Begin a work as soon as there is a place, which ends when it is told to."""

        def work() -> Deferred[str]:
            self.begun.append(Deferred())
            return self.begun[-1]

        return Deferred.fromCoroutine(self.places.take(work))

    def test_inOrder(self) -> None:
        """As many work at once as there are places; the next begins when one is done, in the order of their coming."""
        asked = [self.take() for _ in range(4)]
        self.assertEqual(len(self.begun), 2)
        self.begun[1].callback("second")
        self.assertEqual(self.successResultOf(asked[1]), "second")
        self.assertEqual(len(self.begun), 3)
        self.begun[2].callback("third")
        self.assertEqual(self.successResultOf(asked[2]), "third")
        self.assertEqual(len(self.begun), 4)
        self.assertNoResult(asked[0])

    def test_putOff(self) -> None:
        """Who finds the line as long as it may be is put off for a while; who works does not stand in it."""
        for waiting in (0, 0, 0, 1):
            with self.subTest(waiting=waiting):
                self.places.admit(waiting + 1, "too many")
            self.take()
        with self.assertRaises(Unavailable) as caught:
            self.places.admit(2, "too many of them")
        self.assertEqual((caught.exception.why, caught.exception.retry_after), ("too many of them", RETRY))
        self.places.admit(3, "too many")
        self.begun[0].callback("done")
        self.places.admit(2, "too many")

    def test_noLine(self) -> None:
        """With no line at all everybody is put off, as nobody could be told whether there is a place."""
        with self.assertRaises(Unavailable):
            self.places.admit(0, "too many")

    def test_failure(self) -> None:
        """Work that fails, and work that cannot even begin, leave their places."""
        asked = [self.take() for _ in range(3)]
        self.begun[0].errback(ZeroDivisionError())
        self.failureResultOf(asked[0], ZeroDivisionError)
        self.assertEqual(len(self.begun), 3)

        def broken() -> Deferred[str]:
            raise LookupError

        failing = [Deferred.fromCoroutine(self.places.take(broken)) for _ in range(3)]
        last = self.take()
        self.begun[1].callback("done")
        for each in failing:
            self.failureResultOf(each, LookupError)
        self.assertEqual(len(self.begun), 4)
        self.assertNoResult(last)

    def test_leaving(self) -> None:
        """Who leaves while working leaves the place to the next; who leaves the line takes none."""
        asked = [self.take() for _ in range(4)]
        asked[2].cancel()
        self.failureResultOf(asked[2], CancelledError)
        self.assertEqual(len(self.begun), 2)
        asked[0].cancel()
        self.failureResultOf(asked[0], CancelledError)
        self.assertEqual(len(self.begun), 3)
        self.begun[2].callback("fourth")
        self.assertEqual(self.successResultOf(asked[3]), "fourth")

    def test_free(self) -> None:
        """There is a free place until all are taken, and again when one was left that nobody waits for."""
        asked = []
        for free in (True, True, False):
            self.assertEqual(self.places.free, free)
            asked.append(self.take())
        for number, free in enumerate((False, True, True)):
            self.begun[number].callback("done")
            self.assertEqual(self.places.free, free)
