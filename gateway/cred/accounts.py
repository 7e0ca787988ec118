"""The accounts file.

Text in UTF-8, one account per line, written by C{pushgw user} and readable by a person::

    # the family
    ann@example.org:$argon2id$v=19$m=65536,t=3,p=4$...$...
    bob@example.org:$argon2id$v=19$m=65536,t=3,p=4$...$...:disabled

that is the name, the argon2 hash of the password, and C{disabled} for an account that must not come in. Empty lines
and lines that begin with C{#} are kept as they are. A disabled account keeps its mail and takes none.
The file is mode 0600 and replaced as a whole, so a reader finds the old or the new one, never a part.
"""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from pathlib import Path

from argon2 import Parameters
from argon2.profiles import RFC_9106_LOW_MEMORY
from attrs import define, field, frozen
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from gateway.cred.names import BadName, normal_name, resolve
from gateway.cred.passwords import decoy, parameters
from gateway.interfaces import IAccounts

DISABLED = "disabled"
LOOK_SECONDS = 1.0
"""The file is looked at once in so many seconds at most."""

Signature = tuple[int, int, int]


class BadAccounts(Exception):
    """The accounts file cannot be used; the message names the file, the line, what is wrong and what to do."""


@frozen
class Account:
    """One line of the file; C{stored} is the argon2 hash of the password."""

    name: str
    stored: str = field(repr=False)
    disabled: bool = False

    def line(self) -> str:
        """The account as the file has it, without line end."""
        return ":".join([self.name, self.stored, *([DISABLED] if self.disabled else [])])


def is_account(line: str) -> bool:
    """Whether a line of the file is an account, not a comment and not empty."""
    return bool(line.strip()) and not line.lstrip().startswith("#")


def read_account(line: str) -> Account:
    """The account of one line.

    @raise ValueError: with what is wrong with it.
    """
    name, *rest = line.strip().split(":")
    if not 1 <= len(rest) <= 2 or (rest[1:] and rest[1] != DISABLED):
        raise ValueError("a line is NAME:HASH or NAME:HASH:disabled")
    normal = normal_name(name)
    if normal != name:
        raise ValueError(f"the name has to be in lower case: {normal}")
    parameters(rest[0])
    return Account(name, rest[0], disabled=bool(rest[1:]))


def read_accounts(text: str, path: Path) -> dict[str, Account]:
    """The accounts of a whole file, by name.

    @raise BadAccounts: for the first line that is wrong.
    """
    found: dict[str, Account] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if not is_account(line):
            continue
        try:
            account = read_account(line)
            if account.name in found:
                raise ValueError(f"{account.name} is there twice")
        except (BadName, ValueError) as error:
            raise BadAccounts(f"{path}: line {number}: {error}. Mend or remove the line (see pushgw user)") from error
        found[account.name] = account
    return found


def load_accounts(path: Path) -> tuple[dict[str, Account], Signature]:
    """Read the file, with the signature that tells whether it was replaced since.

    @raise BadAccounts: if it cannot be read.
    """
    try:
        with path.open("rb") as stream:
            signature = signed(os.fstat(stream.fileno()))
            text = stream.read().decode()
    except FileNotFoundError as error:
        raise BadAccounts(f"{path}: there is no such file. Make it with pushgw init or pushgw user add") from error
    except OSError as error:
        raise BadAccounts(f"{path}: {error.strerror}. The gateway has to be able to read it") from error
    except UnicodeDecodeError as error:
        raise BadAccounts(f"{path}: byte {error.start} is not UTF-8. Put the file back or save it as UTF-8") from error
    return read_accounts(text, path), signature


def signed(status: os.stat_result) -> Signature:
    """What changes when a file is replaced or written."""
    return status.st_mtime_ns, status.st_ino, status.st_size


def usual_costs(accounts: Sequence[Account]) -> Parameters:
    """The argon2 costs that most accounts have, or the library's if there is none."""
    counted = Counter(account.stored.rsplit("$", 2)[0] for account in accounts)
    if not counted:
        return RFC_9106_LOW_MEMORY
    usual = counted.most_common(1)[0][0]
    return parameters(next(account.stored for account in accounts if account.stored.startswith(usual + "$")))


def lower(texts: Iterable[str]) -> tuple[str, ...]:
    """All of them in lower case."""
    return tuple(text.lower() for text in texts)


@implementer(IAccounts)
@define(eq=False, repr=False)
class Accounts:
    """The accounts as they are in the file now.

    A changed file is noticed when an account is asked for, at most once in L{LOOK_SECONDS}. A new file that is
    wrong is not taken: the accounts stay what they were, and the log says once what is the matter.

    @param path: the accounts file.
    @param clock: monotonic time.
    @param domains: mail domains that may be left out in a user name; may be replaced.
    @param changed: called in the reactor's thread when other accounts were read, with the names of those that are
        new, gone or different (password, disabled); may be set later.
    @raise BadAccounts: if the file cannot be used at the beginning.
    """

    log = Logger()

    path: Path
    clock: IReactorTime
    domains: tuple[str, ...] = field(default=(), converter=lower)
    changed: Callable[[Set[str]], object] = lambda names: None
    _accounts: Mapping[str, Account] = field(init=False, factory=dict)
    _decoy: str = field(init=False, default="", repr=False)
    _taken: Signature | None = field(init=False, default=None)
    _refused: Signature | None = field(init=False, default=None)
    _looked: float = field(init=False, default=0.0)

    def __attrs_post_init__(self) -> None:
        self.reload()

    def names(self) -> list[str]:
        """The enabled accounts, sorted."""
        self.look()
        return sorted(name for name, account in self._accounts.items() if not account.disabled)

    def enabled(self, name: str) -> bool:
        """Whether there is an enabled account of that name."""
        return self.stored(name) is not None

    def stored(self, name: str) -> str | None:
        """The hash of an enabled account's password, or C{None}; it changes whenever the password is set."""
        self.look()
        account = self._accounts.get(name)
        return None if account is None or account.disabled else account.stored

    def resolve(self, user: str) -> str | None:
        """The enabled account that a user name means, or C{None} (see L{gateway.cred.names.readings})."""
        return resolve(user, self.domains, self.enabled)

    def decoy(self) -> str:
        """A hash that nothing fits and that costs as much as most accounts' to verify."""
        return self._decoy

    def reload(self) -> None:
        """Read the file now.

        @raise BadAccounts: if it cannot be used; the accounts stay what they were.
        """
        self._looked = self.clock.seconds()
        accounts, signature = load_accounts(self.path)
        before, self._accounts, self._taken, self._refused = self._accounts, accounts, signature, None
        other = {name for name in {*before, *accounts} if before.get(name) != accounts.get(name)}
        self._decoy = decoy(usual_costs(list(accounts.values())))
        if stat.S_IMODE(self.path.stat().st_mode) & 0o077:
            self.log.warn("{path} holds password hashes and others may read it: chmod 600 it", path=str(self.path))
        if other:
            self.changed(other)

    def look(self) -> None:
        """Read the file if it is another one, unless it was looked at just now; what is wrong with it is logged."""
        now = self.clock.seconds()
        if now - self._looked < LOOK_SECONDS:
            return
        self._looked = now
        try:
            signature = signed(self.path.stat())
        except OSError:
            signature = (0, 0, 0)
        if signature in (self._taken, self._refused):
            return
        try:
            self.reload()
            self.log.info("{count} accounts read from {path}", count=len(self._accounts), path=str(self.path))
        except BadAccounts as error:
            self._refused = signature
            self.log.error("The accounts stay as they were: {why}", why=str(error))
