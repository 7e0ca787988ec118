"""Odd mails, all of them, in every version with every form."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from gateway.eas.call import Version
from tests.convert import odd, oddities
from tests.convert.odd import FORMS, OddCase
from tests.convert.samples import VERSIONS
from tests.eas.oddpost import play


class OddProductTests(OddCase):
    """The whole product, of which the quick tests take a part."""

    def test_table(self) -> None:
        """Every mail of the tables goes out in every version with every form."""
        for name, raw in (*odd.mails(), *oddities.mails()):
            for version in VERSIONS:
                for number, options in enumerate(FORMS):
                    with self.subTest(name, version=version, form=number):
                        self.check(raw, version, options)

    def test_generated(self) -> None:
        """Thousands of mails made by chance go out, each in one version and one form."""
        for number, (name, raw) in enumerate(oddities.generated(5000)):
            with self.subTest(name):
                self.check(raw, VERSIONS[number % len(VERSIONS)], FORMS[number % len(FORMS)], whole=number % 3 == 0)

    def test_large(self) -> None:
        """Large mails go out in every form, in a time that is no trouble."""
        for name, raw in oddities.large():
            for number, options in enumerate(FORMS):
                with self.subTest(name, form=number):
                    self.check(raw, 161, options)


class OddPostTests(SynchronousTestCase):
    """The commands."""

    def test_commands(self) -> None:
        """Odd mails are synchronised and fetched with all their attachments, by phones of every version in every form,
        and not one is refused or left out."""
        for mails in ([*odd.mails(), *oddities.mails()], list(oddities.generated(150))):
            figures = play(mails)
            self.assertEqual(figures.synced, len(mails) * len(Version) * 8)
            self.assertLess(figures.slowest, 5.0, figures.slowest_name)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_large(self) -> None:
        """So are large mails."""
        figures = play(oddities.large(), (Version.V16_1,))
        self.assertLess(figures.slowest, 20.0, figures.slowest_name)
        self.assertEqual(self.flushLoggedErrors(), [])
