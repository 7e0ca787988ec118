"""How parked requests fare."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from gateway.core.parks import Parks
from gateway.model import DeviceKey, Ending

PHONE = DeviceKey("ann", "phone")
OTHER = DeviceKey("bob", "phone")


class ParksTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.parks = Parks(lambda key: key == PHONE, lambda: 1000, young_seconds=240.0)

    def test_onlyWhoHasALine(self) -> None:
        """Nothing is remembered of a device without a line."""
        self.parks.ended(OTHER, Ending.LOST, 0.0, 1.0)
        self.assertEqual(self.parks.take(), {})

    def test_youngDeathsInARow(self) -> None:
        """Parks whose connection is lost early, or that are replaced early, count up."""
        self.parks.ended(PHONE, Ending.LOST, 0.0, 10.0)
        self.parks.ended(PHONE, Ending.REPLACED, 10.0, 200.0)
        self.assertEqual(self.parks.take(), {PHONE: (1000, 2, False)})

    def test_anAnswerEndsTheRow(self) -> None:
        """A park that is answered is a success, and the row of young deaths is over."""
        self.parks.ended(PHONE, Ending.LOST, 0.0, 10.0)
        self.parks.ended(PHONE, Ending.EXPIRED, 10.0, 20.0)
        self.assertEqual(self.parks.take(), {PHONE: (1000, 0, True)})

    def test_aLongLifeEndsTheRow(self) -> None:
        """A connection that is lost after a long time is no young death, and no success either."""
        self.parks.ended(PHONE, Ending.LOST, 0.0, 10.0)
        self.parks.ended(PHONE, Ending.LOST, 10.0, 250.0)
        self.assertEqual(self.parks.take(), {PHONE: (1000, 0, False)})

    def test_aQuickChangeProvesNothing(self) -> None:
        """After young deaths a park that a change ends at once is no success, as the network would have cut it later."""
        self.parks.ended(PHONE, Ending.LOST, 0.0, 10.0)
        self.parks.ended(PHONE, Ending.CHANGED, 10.0, 20.0)
        self.assertEqual(self.parks.take(), {PHONE: (1000, 1, False)})
        self.parks.ended(PHONE, Ending.CHANGED, 20.0, 300.0)
        self.assertEqual(self.parks.take(), {PHONE: (1000, 0, True)})

    def test_recallSaysNothing(self) -> None:
        """A park that the gateway itself ended is no young death."""
        self.parks.ended(PHONE, Ending.RECALLED, 0.0, 1.0)
        self.assertEqual(self.parks.take(), {PHONE: (1000, 0, False)})

    def test_wasTold(self) -> None:
        """A Change that ended a park at that time or later has reached the device."""
        self.parks.ended(PHONE, Ending.CHANGED, 0.0, 50.0)
        self.assertTrue(self.parks.was_told(PHONE, 50.0))
        self.assertFalse(self.parks.was_told(PHONE, 50.1))
        self.assertFalse(self.parks.was_told(OTHER, 0.0))

    def test_expiryTellsNothing(self) -> None:
        """A park that ran out has told the device of no Change."""
        self.parks.ended(PHONE, Ending.EXPIRED, 0.0, 50.0)
        self.assertFalse(self.parks.was_told(PHONE, 50.0))

    def test_takenOnce(self) -> None:
        """What was taken is not taken again; what could not be written is, and its success is not forgotten."""
        self.parks.ended(PHONE, Ending.CHANGED, 0.0, 50.0)
        taken = self.parks.take()
        self.assertEqual(self.parks.take(), {})
        self.parks.put_back(taken)
        self.parks.ended(PHONE, Ending.LOST, 50.0, 51.0)
        self.assertEqual(self.parks.take(), {PHONE: (1000, 1, True)})

    def test_forget(self) -> None:
        """Nothing is left of a device whose line is dropped."""
        self.parks.ended(PHONE, Ending.CHANGED, 0.0, 50.0)
        self.parks.forget(PHONE)
        self.assertEqual(self.parks.take(), {})
        self.assertFalse(self.parks.was_told(PHONE, 0.0))
