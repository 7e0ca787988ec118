"""Odd mails, all of them, in every version with every form."""

from __future__ import annotations

from tests.convert.odd import FORMS, OddCase, mails
from tests.convert.samples import VERSIONS


class OddProductTests(OddCase):
    """The whole product, of which the quick tests take a part."""

    def test_table(self) -> None:
        """Every mail of the table goes out in every version with every form."""
        for name, raw in mails():
            for version in VERSIONS:
                for number, options in enumerate(FORMS):
                    with self.subTest(name, version=version, form=number):
                        self.check(raw, version, options)
