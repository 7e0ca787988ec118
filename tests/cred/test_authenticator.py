"""Tests of the question of every request: who is it?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import UsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from gateway.cred.accounts import Accounts
from gateway.cred.authenticator import Authenticator
from gateway.cred.checker import AccountsChecker
from gateway.cred.throttle import Throttle
from gateway.cred.verifier import Verifier
from gateway.interfaces import Busy, IAuthenticator
from tests.cred.fixtures import CHEAP, Worker, line, write_accounts

HOME = "192.0.2.1"
AWAY = "198.51.100.7"


class AuthenticatorCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.path = Path(self.mktemp())
        write_accounts(self.path, line("ann", "sesam") + line("bob", "grün") + line("cid", "sesam", ":disabled"))
        self.accounts = Accounts(self.path, self.clock, ("Example.org",))
        self.worker = Worker()
        self.checker = AccountsChecker(self.accounts, Verifier(self.clock, self.worker.run, queue=3), CHEAP)
        self.throttle = Throttle(self.clock, after=3, longest=20)
        self.auth = self.make()

    def make(self, **more: int) -> Authenticator:
        return Authenticator(self.checker, self.accounts, self.throttle, self.clock, **more)

    def check(self, user: str, password: str, address: str = HOME) -> str | None:
        """Who it is after as much time as it takes, or C{None}; the answer must not be Busy."""
        return self.outcome(self.auth.check(user, password, address))

    def outcome(self, asked: Deferred[str]) -> str | None:
        asked.addErrback(lambda failure: failure.trap(UnauthorizedLogin) and None)
        self.worker.finish()
        while self.clock.getDelayedCalls():
            self.clock.advance(1)
            self.worker.finish()
        return self.successResultOf(asked)

    def tearDown(self) -> None:
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.worker.pending, [])


class AuthenticatorTests(AuthenticatorCase):
    def test_interface(self) -> None:
        """The authenticator provides L{IAuthenticator}."""
        self.assertTrue(verifyObject(IAuthenticator, self.auth))

    def test_right(self) -> None:
        """The right password names the account, whatever form the user name has."""
        for user in ("ann", "Ann", "EXAMPLE\\ann", "ann@example.org", "EXAMPLE\\Ann@Example.org"):
            self.assertEqual(self.check(user, "sesam"), "ann")

    def test_refused(self) -> None:
        """Wrong passwords, unknown, disabled and impossible names, empty and endless passwords are all refused."""
        for user, password in [
            *(("ann", "Sesam"), ("ann", ""), ("ann", "x" * 5000), ("ann", "\udc80"), ("", ""), ("\0", "\0")),
            *(("eve", "sesam"), ("cid", "sesam"), ("eve@example.org", "sesam"), ("x" * 9999, "y"), ("ann\0", "sesam")),
        ]:
            self.assertIsNone(self.check(user, password), (user[:20], password[:20]))

    def test_rememberedAtOnce(self) -> None:
        """A password that was right is answered at once and costs no verification."""
        self.check("ann", "sesam")
        self.assertEqual(self.successResultOf(self.auth.check("X\\ANN", "sesam", AWAY)), "ann")
        self.assertEqual(self.worker.done, 1)

    def test_rememberedIsNotAnothers(self) -> None:
        """A remembered password is nobody else's, and no other password of the same user."""
        self.check("ann", "sesam")
        self.assertIsNone(self.check("bob", "sesam"))
        self.assertIsNone(self.check("ann", "sesam "))

    def test_sessionsShareOne(self) -> None:
        """All devices of a user that come at once share one verification."""
        asked = [self.auth.check("ann", "sesam", f"192.0.2.{n}") for n in range(20)]
        self.worker.finish()
        self.assertEqual({self.successResultOf(answer) for answer in asked}, {"ann"})
        self.assertEqual(self.worker.done, 1)

    def test_forgottenInTime(self) -> None:
        """After its time a remembered password is verified again."""
        self.auth = self.make(remember=60)
        self.check("ann", "sesam")
        self.clock.advance(60)
        self.assertNoResult(asked := self.auth.check("ann", "sesam", HOME))
        self.assertEqual(self.outcome(asked), "ann")
        self.assertEqual(self.worker.done, 2)

    def test_newPassword(self) -> None:
        """When the password is changed, the old one is refused and the new one taken, though it was wrong before."""
        self.check("ann", "sesam")
        self.assertIsNone(self.check("ann", "new"))
        write_accounts(self.path, line("ann", "new"))
        self.clock.advance(1)
        self.assertIsNone(self.check("ann", "sesam"))
        self.assertEqual(self.check("ann", "new"), "ann")

    def test_disabledMeanwhile(self) -> None:
        """An account that is disabled comes in no more, remembered or not, and again when it is enabled."""
        enabled = line("ann", "sesam")
        write_accounts(self.path, enabled)
        self.accounts.reload()
        self.check("ann", "sesam")
        write_accounts(self.path, enabled.replace("\n", ":disabled\n"))
        self.accounts.reload()
        self.assertIsNone(self.check("ann", "sesam"))
        write_accounts(self.path, enabled)
        self.accounts.reload()
        self.assertEqual(self.check("ann", "sesam"), "ann")

    def test_disabledDuringVerification(self) -> None:
        """An account that is disabled while its password is verified does not come in."""
        asked = self.auth.check("ann", "sesam", HOME)
        write_accounts(self.path, line("bob", "b"))
        self.accounts.reload()
        self.worker.finish()
        self.failureResultOf(asked, UnauthorizedLogin)

    def test_bounded(self) -> None:
        """No more passwords are remembered than the size says, right or wrong."""
        self.auth = self.make(size=1)
        self.assertEqual([self.check(user, pw) for user, pw in (("ann", "sesam"), ("bob", "grün"))], ["ann", "bob"])
        self.assertNoResult(asked := self.auth.check("ann", "sesam", HOME))
        self.outcome(asked)
        done = self.worker.done
        for password in ("x", "y", "x"):
            self.check("eve", password)
        self.assertEqual(self.worker.done, done + 3)

    def test_nothingRemembered(self) -> None:
        """With size 0 each password is verified each time."""
        self.auth = self.make(size=0)
        for _ in range(2):
            self.assertEqual(self.check("ann", "sesam"), "ann")
        self.assertEqual(self.worker.done, 2)

    def test_busy(self) -> None:
        """Over the limit of the line the answer is Busy, not a refusal; remembered passwords still come in."""
        self.check("ann", "sesam")
        asked = [self.auth.check(f"user{n}", "x", HOME) for n in range(6)]
        self.failureResultOf(asked[-1], Busy)
        self.assertEqual(self.successResultOf(self.auth.check("ann", "sesam", HOME)), "ann")
        self.worker.finish()
        for answer in asked[:-1]:
            self.failureResultOf(answer, UnauthorizedLogin)

    def test_waitingBounded(self) -> None:
        """No more than so many attempts wait; a remembered password does not wait."""
        self.check("ann", "sesam")
        self.auth.waiting = 2
        asked = [self.auth.check("bob", "grün", HOME) for _ in range(2)]
        self.failureResultOf(self.auth.check("bob", "grün", HOME), Busy)
        self.successResultOf(self.auth.check("ann", "sesam", HOME))
        asked[0].cancel()
        self.failureResultOf(asked[0], CancelledError)
        again = self.auth.check("bob", "grün", HOME)
        self.worker.finish()
        self.assertEqual([self.successResultOf(asked[1]), self.successResultOf(again)], ["bob", "bob"])

    def test_nothingShown(self) -> None:
        """Neither password nor hash shows in a representation or in the log."""
        with capturedLogs() as events:
            self.check("ann", "sesam")
            self.check("ann", "geheim")
            waiting = self.auth.check("bob", "grün", HOME)
            events.append({"auth": repr(self.auth), "checker": repr(self.checker), "line": repr(self.checker.verifier)})
            self.outcome(waiting)
        for text in ("sesam", "geheim", "grün", "$argon2"):
            self.assertNotIn(text, repr(events))


class CandidatesTests(AuthenticatorCase):
    BOTH: Sequence[tuple[str, str]] = (("bob", "gr\u00c3\u00bcn"), ("bob", "grün"))

    def test_firstThatFits(self) -> None:
        """The reading that fits counts, and is remembered."""
        self.assertEqual(self.outcome(self.auth.check_any(self.BOTH, HOME)), "bob")
        self.assertEqual(self.successResultOf(self.auth.check_any(self.BOTH, HOME)), "bob")
        self.assertEqual(self.worker.done, 2)

    def test_oneAttempt(self) -> None:
        """All readings together are one attempt of one user."""
        for number in range(2):
            wrong = [("bob", f"a{number}"), ("bob", f"b{number}"), ("bob", f"c{number}")]
            self.assertIsNone(self.outcome(self.auth.check_any(wrong, HOME)))
        self.assertEqual(self.throttle.user_wait("bob"), 0)
        self.assertIsNone(self.check("bob", "d"))
        self.assertGreater(self.throttle.user_wait("bob"), 0)

    def test_sameTwice(self) -> None:
        """The same reading twice is verified once."""
        self.assertIsNone(self.outcome(self.auth.check_any([("bob", "x"), ("bob", "x")], HOME)))
        self.assertEqual(self.worker.done, 1)

    def test_none(self) -> None:
        """No reading at all is refused."""
        self.assertIsNone(self.outcome(self.auth.check_any([], HOME)))


class SlowedTests(AuthenticatorCase):
    def guess(self, count: int, user: str = "ann", address: str = AWAY) -> None:
        for number in range(count):
            self.assertIsNone(self.check(user, f"guess{number}", address))

    def test_failuresAreSlowed(self) -> None:
        """After a few failures an attempt is not even looked at before its wait is over."""
        self.guess(3)
        done = self.worker.done
        asked = self.auth.check("ann", "sesam", HOME)
        self.assertEqual(self.worker.pending, [])
        self.clock.advance(0.9)
        self.assertEqual(self.worker.done, done)
        self.clock.advance(0.1)
        self.worker.finish()
        self.assertEqual(self.successResultOf(asked), "ann")

    def test_rememberedIsNotSlowed(self) -> None:
        """Somebody else's guesses do not slow a phone whose password is remembered."""
        self.check("ann", "sesam")
        self.guess(10)
        self.assertEqual(self.successResultOf(self.auth.check("ann", "sesam", AWAY)), "ann")

    def test_successEndsIt(self) -> None:
        """The right password ends the slowing of its user."""
        self.guess(4)
        self.assertEqual(self.check("ann", "sesam"), "ann")
        self.assertEqual(self.throttle.user_wait("ann"), 0)

    def test_unknownUserTheSame(self) -> None:
        """An unknown user costs a verification, is slowed and refused exactly as a known one."""
        spent = []
        for user in ("ann", "eve", "cid"):
            done, now = self.worker.done, self.clock.seconds()
            self.guess(6, user, f"{user}.example")
            spent.append((self.worker.done - done, self.clock.seconds() - now))
        self.assertEqual(spent, [spent[0]] * 3)
        self.assertEqual(spent[0][0], 6)

    def test_oldPasswordOfAPhone(self) -> None:
        """The same wrong password again and again costs one verification, counts once, and is slowed no further."""
        for _ in range(20):
            self.assertIsNone(self.check("ann", "old"))
        self.assertEqual(self.worker.done, 1)
        self.assertEqual(self.throttle.user_wait("ann"), 0)
        self.assertEqual(self.check("ann", "sesam"), "ann")

    def test_knownWrongWaitsToo(self) -> None:
        """A password known to be wrong is refused no faster than a new one, so that it does not tell what is known."""
        self.guess(3)
        asked = self.auth.check("ann", "guess0", AWAY)
        self.assertNoResult(asked)
        self.clock.advance(1)
        self.failureResultOf(asked, UnauthorizedLogin)

    def test_address(self) -> None:
        """One address that guesses at many users is slowed at all of them."""
        for number in range(12):
            self.guess(1, f"user{number}")
        asked = self.auth.check("bob", "grün", AWAY)
        self.assertEqual(self.worker.pending, [])
        self.clock.advance(1)
        self.assertEqual(self.outcome(asked), "bob")

    def test_leavesWhileSlowed(self) -> None:
        """A client that leaves while it waits leaves nothing behind."""
        self.guess(4)
        asked = self.auth.check("ann", "sesam", HOME)
        asked.cancel()
        self.failureResultOf(asked, CancelledError)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class AccountsCheckerTests(AuthenticatorCase):
    def test_interface(self) -> None:
        """The checker provides L{ICredentialsChecker}."""
        self.assertTrue(verifyObject(ICredentialsChecker, self.checker))

    def ask(self, name: bytes, password: bytes) -> Deferred[bytes | tuple[()]]:
        asked = self.checker.requestAvatarId(UsernamePassword(name, password))
        self.worker.finish()
        return asked

    def test_right(self) -> None:
        """Name and password of an account name the avatar."""
        self.assertEqual(self.successResultOf(self.ask(b"bob", "grün".encode())), b"bob")

    def test_wrong(self) -> None:
        """Anything else is refused: another spelling of the name too."""
        for name, password in ((b"bob", b"x"), (b"BOB", "grün".encode()), (b"\xff", b"x"), (b"bob", b"")):
            self.failureResultOf(self.ask(name, password), UnauthorizedLogin)


del AuthenticatorCase
