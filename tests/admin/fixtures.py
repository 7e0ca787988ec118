"""What the tests of orders share."""

from __future__ import annotations

from attrs import define
from zope.interface import implementer

from gateway.interfaces import IAccounts


@implementer(IAccounts)
@define
class Names:
    """Accounts of these names."""

    there: list[str]

    def names(self) -> list[str]:
        """See L{IAccounts}."""
        return sorted(self.there)
