"""Tests of the hashes of passwords."""

from __future__ import annotations

from argon2 import PasswordHasher
from twisted.trial.unittest import SynchronousTestCase

from gateway.cred.passwords import BadPassword, decoy, fits, hashed, parameters, password_bytes
from tests.cred.fixtures import CHEAP


class PasswordTests(SynchronousTestCase):
    def test_fits(self) -> None:
        """A password fits its own hash and no other."""
        stored = hashed("päss:word", CHEAP)
        self.assertTrue(fits(stored, password_bytes("päss:word"), CHEAP))
        self.assertFalse(fits(stored, b"password", CHEAP))

    def test_composed(self) -> None:
        """The same letters in composed and decomposed form are the same password."""
        self.assertTrue(fits(hashed("ü", CHEAP), password_bytes("u\u0308"), CHEAP))

    def test_refused(self) -> None:
        """An empty password and one of over 1024 bytes are refused."""
        for password in ("", "x" * 1025, "ü" * 513):
            self.assertRaises(BadPassword, hashed, password, CHEAP)

    def test_notAHash(self) -> None:
        """Only whole argon2 hashes are taken; a check against something else is false."""
        whole = CHEAP.hash("x")
        for stored in ("", "x", "{SSHA}abc", "$2b$12$abcdefghijklmnopqrstuv", whole.rpartition("$")[0], whole[:-30]):
            self.assertRaises(ValueError, parameters, stored)
        self.assertFalse(fits("x", b"x", CHEAP))

    def test_decoy(self) -> None:
        """A decoy has the costs it was made for, is another each time, and nothing fits it."""
        like = parameters(CHEAP.hash("x"))
        self.assertEqual(parameters(decoy(like)), like)
        self.assertNotEqual(decoy(like), decoy(like))
        self.assertFalse(fits(decoy(like), b"x", PasswordHasher()))
