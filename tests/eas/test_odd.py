"""Odd mails on their way to a phone; tests/slow has them in every version and every form."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from gateway.eas.call import Version
from tests.convert import odd, oddities
from tests.eas.oddpost import play


class OddPostTests(SynchronousTestCase):
    def test_commands(self) -> None:
        """Odd mails are synchronised, and fetched with their attachments; not one is refused or left out."""
        mails = [*odd.mails(), *oddities.mails()]
        for number, version in enumerate((Version.V2_5, Version.V12_1, Version.V14_1, Version.V16_1)):
            chosen = [*mails[number::4], *oddities.generated(10, seed=number)]
            figures = play(chosen, (version,), forms=2)
            self.assertEqual(figures.synced, 2 * len(chosen))
        self.assertEqual(self.flushLoggedErrors(), [])
