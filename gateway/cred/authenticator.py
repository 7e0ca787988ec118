"""Who is it? The question of every request: answered from memory in microseconds, or else by a checker."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from hashlib import blake2b
from hmac import compare_digest
from typing import Protocol, TypeVar

from attrs import define, field, frozen
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import UsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from zope.interface import implementer

from gateway.cred.names import LONGEST
from gateway.cred.passwords import password_bytes
from gateway.cred.throttle import Throttle
from gateway.interfaces import Busy, IAuthenticator

K = TypeVar("K")
V = TypeVar("V")


class Directory(Protocol):
    """The accounts behind a checker."""

    def resolve(self, user: str) -> str | None:
        """The account that a user name means, or C{None}."""

    def stored(self, name: str) -> str | None:
        """A mark that changes whenever a password that was right may no longer be, or C{None}: no such account."""


@frozen
class _Try:
    """One reading of what was sent: C{name} is the account, or the user name as it came if it means none."""

    name: str
    password: bytes = field(repr=False)
    digest: bytes = field(repr=False)
    stored: str | None = field(repr=False)


@frozen
class _Right:
    """A password that was right; good for as long as the account has the same hash."""

    digest: bytes
    stored: str
    until: float


@implementer(IAuthenticator)
@define(eq=False, repr=False)
class Authenticator:
    """Remembers which passwords were right and which were wrong, and slows those who guess.

    Passwords are remembered as BLAKE2b with a key that is made at start and never leaves the process. A remembered
    right one is dropped when the account changes or after C{remember} seconds; a remembered wrong one costs no
    verification when it comes again, and does not count as a further guess: it is a phone with an old password.

    @param checker: decides about what is not remembered.
    @param directory: finds the account that a user name means.
    @param clock: monotonic time.
    @param size: how many right and how many wrong passwords are remembered.
    @param waiting: how many attempts may wait at a time; more fail with L{Busy}.
    """

    log = Logger()

    checker: ICredentialsChecker
    directory: Directory
    throttle: Throttle
    clock: IReactorTime
    remember: float = 86400.0
    size: int = 100_000
    waiting: int = 1000
    _key: bytes = field(init=False, factory=lambda: secrets.token_bytes(32), repr=False)
    _right: dict[str, _Right] = field(init=False, factory=dict, repr=False)
    _wrong: dict[bytes, str | None] = field(init=False, factory=dict, repr=False)
    _waiting: int = field(init=False, default=0)

    def check(self, user: str, password: str, address: str) -> Deferred[str]:
        """The account of a user name and password: see L{IAuthenticator.check}."""
        return self.check_any(((user, password),), address)

    def check_any(self, candidates: Sequence[tuple[str, str]], address: str) -> Deferred[str]:
        """The account of the first reading that fits: see L{IAuthenticator.check_any}."""
        tries = [self._read(user, password) for user, password in candidates]
        for attempt in tries:
            if self._remembered(attempt):
                return succeed(attempt.name)
        return Deferred.fromCoroutine(self._decide(tries, address))

    def _read(self, user: str, password: str) -> _Try:
        name = self.directory.resolve(user)
        stored = None if name is None else self.directory.stored(name)
        if name is None:
            name = user.strip().lower()[: 2 * LONGEST]
        raw = password_bytes(password)
        digest = blake2b(name.encode("utf-8", "surrogatepass") + b"\0" + raw, digest_size=32, key=self._key).digest()
        return _Try(name, raw, digest, stored)

    def _remembered(self, attempt: _Try) -> bool:
        right = self._right.get(attempt.name)
        if right is None:
            return False
        if right.stored != attempt.stored or self.clock.seconds() >= right.until:
            del self._right[attempt.name]
            return False
        return compare_digest(right.digest, attempt.digest)

    async def _decide(self, tries: Sequence[_Try], address: str) -> str:
        if self._waiting >= self.waiting:
            raise Busy("too many wait for their password to be verified", 10)
        self._waiting += 1
        try:
            return await self._attempt(tries, address)
        finally:
            self._waiting -= 1

    async def _attempt(self, tries: Sequence[_Try], address: str) -> str:
        if not tries:
            raise UnauthorizedLogin("no credentials")
        user = tries[0].name
        news = [attempt for attempt in dict.fromkeys(tries) if not self._known_wrong(attempt)]
        await self._sleep(self.throttle.admit(user, address) if news else self.throttle.user_wait(user))
        for attempt in news:
            if await self._verified(attempt):
                self.throttle.succeeded(user)
                return attempt.name
        if news:
            self.throttle.failed(user, address)
        self.log.warn("Unknown user or wrong password: {user!r} from {address}", user=user, address=address)
        raise UnauthorizedLogin("unknown user or wrong password")

    def _known_wrong(self, attempt: _Try) -> bool:
        return attempt.digest in self._wrong and self._wrong[attempt.digest] == attempt.stored

    async def _sleep(self, seconds: float) -> None:
        if seconds > 0:
            await deferLater(self.clock, seconds)

    async def _verified(self, attempt: _Try) -> bool:
        if self._remembered(attempt):
            return True
        credentials = UsernamePassword(attempt.name.encode("utf-8", "surrogatepass"), attempt.password)
        try:
            await maybeDeferred(self.checker.requestAvatarId, credentials)
        except UnauthorizedLogin:
            self._wrong.pop(attempt.digest, None)
            self._keep(self._wrong, attempt.digest, attempt.stored)
            return False
        if attempt.stored is not None:
            self._right.pop(attempt.name, None)
            self._keep(self._right, attempt.name, _Right(attempt.digest, attempt.stored, self._until()))
        return True

    def _until(self) -> float:
        return self.clock.seconds() + self.remember

    def _keep(self, table: dict[K, V], key: K, value: V) -> None:
        while table and len(table) >= self.size:
            del table[next(iter(table))]
        if self.size:
            table[key] = value
