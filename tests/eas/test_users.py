"""Basic credentials and the names of users."""

from __future__ import annotations

import base64

from twisted.trial.unittest import SynchronousTestCase

from gateway.eas.users import Basic, names_another, parse_basic


def basic(pair: bytes) -> bytes:
    """The Authorization header with these credentials."""
    return b"Basic " + base64.b64encode(pair)


class BasicTests(SynchronousTestCase):
    def test_credentials(self) -> None:
        """User and password are divided by the first colon; a password may hold more, or be empty."""
        self.assertEqual(parse_basic(basic(b"ann:secret")), Basic("ann", "secret"))
        self.assertEqual(parse_basic(basic(b"ann:a:b::")), Basic("ann", "a:b::"))
        self.assertEqual(parse_basic(basic(b"EXAMPLE\\ann:")), Basic("EXAMPLE\\ann", ""))

    def test_charsets(self) -> None:
        """UTF-8 is tried first, then Latin-1."""
        for charset in ("utf-8", "latin-1"):
            self.assertEqual(parse_basic(basic("jürgen:pä§".encode(charset))), Basic("jürgen", "pä§"))

    def test_forms(self) -> None:
        """The scheme has no case; blanks around the value and missing padding do no harm."""
        value = base64.b64encode(b"ann:ab")
        for header in (b"basic " + value, b"BASIC   " + value + b" ", b"Basic " + value.rstrip(b"=")):
            self.assertEqual(parse_basic(header), Basic("ann", "ab"))

    def test_none(self) -> None:
        """Nothing, another scheme, no colon, no user, broken base64 and control characters give no credentials."""
        for header in (None, b"", b"Basic", b"Basic ", b"Bearer YW5uOmFi", b"Basic a", b"Basic !!!!", b"\xff"):
            self.assertIsNone(parse_basic(header))
        for pair in (b"ann", b":secret", b"a\0nn:secret", b"ann:sec\nret", b"ann\r\n:x"):
            self.assertIsNone(parse_basic(basic(pair)))

    def test_bounded(self) -> None:
        """Very long credentials are not read."""
        self.assertIsNotNone(parse_basic(basic(b"ann:" + b"x" * 1500)))
        self.assertIsNone(parse_basic(basic(b"ann:" + b"x" * 1600)))

    def test_passwordIsNotShown(self) -> None:
        """The representation does not hold the password."""
        self.assertNotIn("secret", repr(parse_basic(basic(b"ann:secret"))))


class UserTests(SynchronousTestCase):
    def test_normalise(self) -> None:
        """Domain and case go, in every form; an accent composed or not is the same."""
        for name in ("ann", "ANN", "Ann@example.org", "EXAMPLE\\Ann", "EXAMPLE\\ann@example.org"):
            self.assertFalse(names_another(name, "ann"), name)
        self.assertFalse(names_another("Ju\u0308rgen", "jürgen"))

    def test_sameUser(self) -> None:
        """No User, and the same name with any domain that is not contradicted, name nobody else."""
        for asked in ("", "ann", "ANN", "EXAMPLE\\ann", "ann@example.org"):
            for authenticated in ("ann", "EXAMPLE\\Ann", "ann@Example.org"):
                self.assertFalse(names_another(asked, authenticated), (asked, authenticated))

    def test_unescapedPlus(self) -> None:
        """A plus sign that a device did not escape arrives as a space."""
        self.assertFalse(names_another("ann mail@example.org", "ann+mail@example.org"))

    def test_otherUser(self) -> None:
        """Another name, or another domain of the same kind, is another user."""
        for asked, authenticated in (
            ("bob", "ann"),
            ("bob@example.org", "ann@example.org"),
            ("ann@example.com", "ann@example.org"),
            ("A\\ann", "B\\ann"),
            ("annx", "ann"),
        ):
            self.assertTrue(names_another(asked, authenticated), (asked, authenticated))
