"""Accounts as twisted.cred sees them."""

from __future__ import annotations

from functools import partial

from argon2 import PasswordHasher
from attrs import define, field
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred
from zope.interface import Interface, implementer

from gateway.cred.accounts import Accounts
from gateway.cred.passwords import LONGEST, fits
from gateway.cred.verifier import Verifier


@implementer(ICredentialsChecker)
@define(eq=False, repr=False)
class AccountsChecker:
    """Checks names and passwords against the accounts file; every check costs an argon2 verification.

    An unknown or disabled name costs the same as a known one. The name has to be that of the account, letter by
    letter, in UTF-8; L{gateway.cred.authenticator.Authenticator} finds it and remembers what was right.
    """

    accounts: Accounts
    verifier: Verifier
    hasher: PasswordHasher = field(factory=PasswordHasher)
    credentialInterfaces: tuple[type[Interface], ...] = field(init=False, default=(IUsernamePassword,))

    def requestAvatarId(self, credentials: IUsernamePassword) -> Deferred[bytes | tuple[()]]:
        """The name of the account.

        Fails with L{UnauthorizedLogin} if the name is unknown or disabled or the password wrong, with
        L{gateway.interfaces.Busy} if too many wait.
        """
        return Deferred.fromCoroutine(self._check(credentials))

    async def _check(self, credentials: IUsernamePassword) -> bytes | tuple[()]:
        raw, password = credentials.username, credentials.password
        name = raw.decode("utf-8", "replace")
        if not 0 < len(password) <= LONGEST:
            raise UnauthorizedLogin("no password has this length")
        stored = self.accounts.stored(name)
        work = partial(fits, stored or self.accounts.decoy(), password, self.hasher)
        right = await self.verifier.verify(name, (stored or "").encode() + password, work)
        if not right or stored is None or self.accounts.stored(name) != stored:
            raise UnauthorizedLogin("unknown user or wrong password")
        return raw
