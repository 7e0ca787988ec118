"""Tests of account names."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from gateway.cred.names import BadName, normal_name, resolve


class NormalNameTests(SynchronousTestCase):
    def test_lowerCase(self) -> None:
        """A name is the same in any case and with space around it."""
        self.assertEqual(normal_name(" Ann@Example.ORG "), "ann@example.org")

    def test_allowed(self) -> None:
        """Letters, digits and . _ + - @ make a name, up to 64 of them."""
        for name in ("a", "0", "a.b_c+d-e@f-g.h", "x" * 64, "_x", "+49170"):
            self.assertEqual(normal_name(name), name)

    def test_refused(self) -> None:
        """What could lead out of the mail folder, hide in it, be an option or look like another name is no name."""
        for text in (
            *("", " ", ".", "..", ".ann", "a..b", "a/b", "/ann", "a\\b", "-ann", "a b", "a\nb", "a:b", "a\0b", "a#b"),
            *("ann@", "@ann", "a@b@c", "a@.b", "a@-b", "x" * 65, "änn", "\u212aate", "a%b", "ann@b/../c"),
        ):
            with self.assertRaises(BadName, msg=repr(text)):
                normal_name(text)


class ResolveTests(SynchronousTestCase):
    def resolve(self, user: str, *accounts: str, domains: tuple[str, ...] = ()) -> str | None:
        return resolve(user, domains, set(accounts).__contains__)

    def test_exact(self) -> None:
        """The account of exactly that name comes first, in any case."""
        self.assertEqual(self.resolve("ANN@x.org", "ann", "ann@x.org"), "ann@x.org")

    def test_windowsDomain(self) -> None:
        """What stands before a backslash is ignored."""
        self.assertEqual(self.resolve("EXAMPLE\\Ann", "ann"), "ann")
        self.assertEqual(self.resolve("\\ann@x.org", "ann@x.org"), "ann@x.org")

    def test_domainTooMany(self) -> None:
        """A user name may have a mail domain that the account does not have."""
        self.assertEqual(self.resolve("ann@X.org", "ann", domains=("y.org",)), "ann")
        self.assertEqual(self.resolve("EX\\ann@any.org", "ann"), "ann")
        self.assertIsNone(self.resolve("ann@y.org", "ann@x.org", domains=("x.org",)))

    def test_domainAdded(self) -> None:
        """A configured domain may be left out of an account that has one, the first domain first."""
        both = ("ann@x.org", "ann@y.org")
        self.assertEqual(self.resolve("ann", *both, domains=("y.org", "x.org")), "ann@y.org")
        self.assertIsNone(self.resolve("ann", *both))

    def test_unknown(self) -> None:
        """Other names, and what is too long or not ASCII, mean nobody."""
        for user in ("bob", "", "\\", "@", "x" * 5000, "ann\u212a"):
            self.assertIsNone(self.resolve(user, "ann", domains=("x.org",)))
