"""Passwords: their bytes, their stored hash (argon2), and a hash that nothing fits."""

from __future__ import annotations

import secrets
import unicodedata
from base64 import b64encode

from argon2 import Parameters, PasswordHasher, extract_parameters
from argon2.exceptions import InvalidHashError, VerificationError

LONGEST = 1024
"""The longest password, in bytes of UTF-8."""


class BadPassword(ValueError):
    """The text cannot be a password; the message says why."""


def password_bytes(password: str) -> bytes:
    """The bytes of a password: UTF-8 of its composed form, so that each keyboard gives the same (RFC 8265 4.2)."""
    if not password.isascii():
        password = unicodedata.normalize("NFC", password)
    return password.encode("utf-8", "surrogatepass")


def hashed(password: str, hasher: PasswordHasher) -> str:
    """The hash to store for a new password.

    @raise BadPassword: if it is empty or too long.
    """
    raw = password_bytes(password)
    if not raw:
        raise BadPassword("the password is empty")
    if len(raw) > LONGEST:
        raise BadPassword(f"the password has {len(raw)} bytes: {LONGEST} are allowed")
    return hasher.hash(raw)


def parameters(stored: str) -> Parameters:
    """The costs of a stored hash.

    @raise ValueError: if it is no argon2 hash.
    """
    try:
        found = extract_parameters(stored)
    except (InvalidHashError, ValueError, IndexError) as error:
        raise ValueError("not an argon2 hash") from error
    if found.salt_len < 8 or found.hash_len < 12:
        raise ValueError("a shortened argon2 hash")
    return found


def fits(stored: str, password: bytes, hasher: PasswordHasher) -> bool:
    """Whether a password belongs to a stored hash; costs what the hash says, about 140 ms with the usual one."""
    try:
        return hasher.verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False


def decoy(like: Parameters) -> str:
    """A stored hash that no password fits, as expensive to verify as those with these costs."""
    salt, tag = (b64encode(secrets.token_bytes(size)).decode().rstrip("=") for size in (like.salt_len, like.hash_len))
    costs = f"m={like.memory_cost},t={like.time_cost},p={like.parallelism}"
    return f"$argon2{like.type.name.lower()}$v={like.version}${costs}${salt}${tag}"
