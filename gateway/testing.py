"""Stand-ins for tests, ours and those of others: each provides its interface, and is tested as the real one is."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

from attrs import define, evolve, field, frozen
from twisted.internet.defer import Deferred, fail, succeed
from zope.interface import implementer

from gateway.interfaces import IMailbox, IReporter, ItemGone
from gateway.model import Change, Found, Intent, IntentKind


@frozen
class Stored:
    """A mail in a L{MemoryMailbox}: its bytes and its Maildir letters."""

    raw: bytes
    state: str = ""


@implementer(IMailbox)
@define(eq=False)
class MemoryMailbox:
    """L{IMailbox} without files; everything is answered at once.

    C{mails} holds by user and path what is there under which name. C{failure}, if set, is what every call fails with.
    C{reads} are the names that were read.
    """

    mails: dict[tuple[str, str], dict[str, Stored]] = field(factory=dict)
    failure: Exception | None = None
    reads: list[str] = field(factory=list)
    _names: count[int] = field(factory=lambda: count(1), init=False)

    def put(self, user: str, path: str, name: str, raw: bytes, state: str = "") -> None:
        """Have a mail there, as another program would put it there."""
        self.folder(user, path)[name] = Stored(raw, state)

    def folder(self, user: str, path: str) -> dict[str, Stored]:
        """The mails of a folder by name."""
        return self.mails.setdefault((user, path), {})

    def found(self, user: str, path: str, received: int) -> list[Found]:
        """The mails of a folder as a source would report them."""
        return [Found(name, mail.state, received) for name, mail in self.folder(user, path).items()]

    def read(self, user: str, path: str, name: str, state: str) -> Deferred[bytes]:
        """See L{IMailbox}."""
        self.reads.append(name)
        mail = self.folder(user, path).get(name)
        if self.failure is not None:
            return fail(self.failure)
        return fail(ItemGone(f"{user}{path}/{name}")) if mail is None else succeed(mail.raw)

    def carry_out(self, intents: Sequence[Intent]) -> Deferred[list[int]]:
        """See L{IMailbox}."""
        if self.failure is not None:
            return fail(self.failure)
        for intent in intents:
            self._carry_out(intent)
        return succeed([intent.id for intent in intents])

    def _carry_out(self, intent: Intent) -> None:
        mails = self.folder(intent.user, intent.path)
        mail = mails.get(intent.name)
        if mail is None:
            return
        letters = (set(mail.state) | set(intent.add)) - set(intent.remove)
        mail = evolve(mail, state="".join(sorted(letters)))
        if intent.kind is IntentKind.FLAGS:
            mails[intent.name] = mail
            return
        del mails[intent.name]
        if intent.kind is IntentKind.MOVE:
            self.folder(intent.user, intent.to)[intent.to_name] = mail

    def deliver(self, user: str, message: bytes) -> Deferred[None]:
        """See L{IMailbox}."""
        if self.failure is not None:
            return fail(self.failure)
        self.put(user, "", f"delivered.{next(self._names)}", message)
        return succeed(None)


@implementer(IReporter)
@define(eq=False)
class Reports:
    """L{IReporter} that keeps what it is told, in order."""

    changes: list[Change] = field(factory=list)

    def changed(self, *changes: Change) -> None:
        """See L{IReporter}."""
        self.changes.extend(changes)
