"""Account names: what one looks like, and which account is meant by what a phone sends."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

LONGEST = 64
_NAME = re.compile(r"[a-z0-9_+][a-z0-9._+-]*(@[a-z0-9_][a-z0-9._-]*)?")


class BadName(ValueError):
    """The text cannot be the name of an account; the message says why and what to do."""


def normal_name(text: str) -> str:
    """The account name that a text stands for, in lower case.

    A name is also a folder (C{mail/NAME}), so nothing in it can lead out of that folder or hide it.
    @raise BadName: if it cannot be one.
    """
    name = text.strip().lower() if text.isascii() else ""
    if not name:
        raise BadName(f"{text!r} is no account name: use letters a-z, digits and . _ + - @")
    if len(name) > LONGEST:
        raise BadName(f"the name {name[:20]!r}... has {len(name)} characters: {LONGEST} are allowed")
    if ".." in name or not _NAME.fullmatch(name):
        raise BadName(
            f"{text!r} is no account name: use letters a-z, digits and . _ + - with at most one @ inside, "
            "no dot or hyphen in front, no two dots together"
        )
    return name


def readings(user: str, domains: Sequence[str]) -> Iterator[str]:
    """The account names that a user name may mean, the most literal first.

    Phones are set up with C{ann}, C{ann@example.org}, C{EXAMPLE\\ann} or C{EXAMPLE\\ann@example.org}. What stands
    before a backslash is the Windows domain; there is none here, so it is ignored. Any mail domain may be there that
    the account does not have, as the password decides anyway; one of C{domains} may be left out.
    """
    text = user.rpartition("\\")[2]
    yield text
    local, at, _ = text.rpartition("@")
    if at:
        yield local
    else:
        yield from (f"{text}@{domain}" for domain in domains)


def resolve(user: str, domains: Sequence[str], known: Callable[[str], bool]) -> str | None:
    """The account that a user name means, or C{None}; C{domains} are in lower case."""
    if len(user) > 4 * LONGEST or not user.isascii():
        return None
    return next((name for name in readings(user.strip().lower(), domains) if known(name)), None)
