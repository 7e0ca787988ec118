"""Phone numbers."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from gateway.core.numbers import BadNumber, e164, masked


class NumberTests(SynchronousTestCase):
    def test_forms(self) -> None:
        """A number may be written with blanks, hyphens, brackets, and 00 for the plus sign."""
        for text in ("+491701234567", "+49 170 1234567", "0049-170/123.45.67", "+49 (170) 1234567"):
            self.assertEqual(e164(text), "+491701234567")

    def test_refused(self) -> None:
        """What does not begin with the code of a country, or is too short or too long, is none."""
        for text in (
            "",
            "01701234567",
            "491701234567",
            "+0123456789",
            "+12345",
            "+1234567890123456",
            "+49170x",
            "+\u0664\u0669" * 4,
        ):
            self.assertRaises(BadNumber, e164, text)

    def test_masked(self) -> None:
        """What is logged shows the country at most and the last three digits."""
        self.assertEqual([masked(each) for each in ("+491701234567", "+1234567", "")], ["+49...567", "...567", "..."])
