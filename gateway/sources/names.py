"""Maildir file names: the base that stays, the flag letters that change, and the time in front of them."""

from __future__ import annotations

KNOWN_LETTERS = frozenset("DFPRST")
"""The standard letters: draft, flagged, passed, replied, seen, trashed."""

EARLIEST = 315_532_800
"""1980: a number in front of a name that lies before it is no time."""

DAY = 86_400


def split(name: str) -> tuple[str, str]:
    """The base of a file name and the letters behind C{":2,"} as they stand there (empty without them)."""
    base, _, letters = name.partition(":2,")
    return base, letters


def state_of(name: str) -> str:
    """The sorted standard flag letters of a file name; the lower-case keyword letters are not part of it."""
    letters = name.partition(":2,")[2]
    return "".join(sorted(KNOWN_LETTERS.intersection(letters))) if letters else ""


def altered(letters: str, add: str, remove: str) -> str:
    """These letters with some set and some cleared, in the order of the Maildir rules; others are kept."""
    return "".join(sorted((set(letters) | set(add)) - set(remove)))


def joined(base: str, letters: str) -> str:
    """The name of a file in C{cur/}."""
    return f"{base}:2,{letters}"


def is_message(name: str) -> bool:
    """Whether a name in C{new/} or C{cur/} can be that of a mail.

    Dot files, the files that Dovecot keeps beside the mails and names that no database takes are not.
    """
    return bool(name) and not name.startswith((".", "dovecot", ":")) and is_clean(name)


def is_clean(name: str) -> bool:
    """Whether a name is UTF-8 and has no control characters (and no slash)."""
    if name.isascii():
        return name.isprintable() and "/" not in name
    try:
        raw = name.encode()
    except UnicodeEncodeError:  # bytes that were no UTF-8
        return False
    return "/" not in name and not any(byte < 32 or byte == 127 for byte in raw)


def time_in(base: str, now: float) -> int | None:
    """The seconds since the epoch in front of a name, or C{None} if they make no sense."""
    digits = base.partition(".")[0]
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 12):
        return None
    seconds = int(digits)
    return seconds if EARLIEST <= seconds <= now + DAY else None


def received(base: str, modified: float, now: float) -> int:
    """When a mail was delivered, in seconds since the epoch.

    That is the older one of the time in its name and the time of its file. A mail that a program imported with
    its old date has a new name and an old file (IMAP servers keep the INTERNALDATE there); a mailbox that was
    copied without care has old names and new files. A name without a time leaves the file's.
    """
    named = time_in(base, now)
    return int(modified) if named is None else min(named, int(modified))
