"""Stand-ins for tests, ours and those of others: each provides its interface, and is tested as the real one is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from itertools import count
from typing import Any, TypeVar

from attrs import define, evolve, field, frozen
from twisted.internet.defer import Deferred, fail, succeed
from zope.interface import implementer

from gateway.arrangement import Arrangement
from gateway.interfaces import IMailbox, Impossible, IReporter, ItemGone, NameTaken, Protected
from gateway.model import Change, Folder, FolderType, Found, FoundFolder, Intent, IntentKind

T = TypeVar("T")


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
    staged: dict[tuple[str, str, str], bytes] = field(factory=dict, init=False)
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
        if intent.kind.of_folder:
            self._arrange(intent)
            return
        mails = self.folder(intent.user, intent.path)
        if intent.kind is IntentKind.FILL:
            ready = self.staged.pop((intent.user, intent.path, intent.name), None)
            if ready is not None:
                mails[intent.name] = Stored(ready, "".join(sorted(intent.add)))
            return
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

    def _arrange(self, intent: Intent) -> None:
        here = self.mails.pop((intent.user, intent.path), {})
        if intent.kind is IntentKind.MAKE_FOLDER:
            self.folder(intent.user, intent.path).update(here)
        elif intent.kind is IntentKind.MOVE_FOLDER or intent.to != intent.path:
            self.folder(intent.user, intent.to).update(here)

    def making(self, folders: Sequence[Folder], parent: Folder | None, name: str) -> Arrangement:
        """See L{IMailbox}; a folder's path is that of its parent, a dot, and its name."""
        if len(name) > 200:
            raise Impossible(name)
        path = _free(folders, parent, name, None)
        made = FoundFolder(path, name, FolderType.USER_MAIL, None if parent is None else parent.path)
        return _arrangement(folders, [*_found(folders), made], path, made=(path,))

    def moving(self, folders: Sequence[Folder], folder: Folder, parent: Folder | None, name: str) -> Arrangement:
        """See L{IMailbox}."""
        tree = {one.id for one in (_own(folder), *_below(folders, folder))}
        if parent is not None and parent.id in tree:
            raise Impossible("below itself")
        path = _free(folders, parent, name, folder)
        above = None if parent is None else parent.path
        moved = {one.path: path + one.path[len(folder.path) :] for one in folders if one.id in tree}
        found = [
            FoundFolder(path, name, one.type, above)
            if one.path == folder.path
            else evolve(one, path=moved.get(one.path, one.path), parent=moved.get(one.parent or "", one.parent))
            for one in _found(folders)
        ]
        pairs = tuple((before, after) for before, after in moved.items() if before != after)
        return _arrangement(folders, found, path, moved=pairs)

    def removing(self, folders: Sequence[Folder], folder: Folder) -> Arrangement:
        """See L{IMailbox}."""
        gone = [one.path for one in (_own(folder), *_below(folders, folder))]
        trash = next((one.path for one in folders if one.type is FolderType.DELETED), None)
        doomed = trash is None or folder.path.startswith(f"{trash}.")
        found = [one for one in _found(folders) if one.path not in gone]
        removed = tuple(reversed(gone))
        return _arrangement(folders, found, folder.path, removed=removed, trash=None if doomed else trash)

    def clearing(self, folders: Sequence[Folder], folder: Folder) -> Arrangement | None:
        """See L{IMailbox}."""
        gone = [one.path for one in _below(folders, folder)]
        found = [one for one in _found(folders) if one.path not in gone]
        return _arrangement(folders, found, gone[0], removed=tuple(reversed(gone))) if gone else None

    def steadily(self, user: str, work: Callable[[], Awaitable[T]]) -> Deferred[T]:
        """See L{IMailbox}."""

        async def working() -> T:
            return await work()

        return fail(self.failure) if self.failure is not None else Deferred.fromCoroutine(working())

    def deliver(self, user: str, message: bytes) -> Deferred[None]:
        """See L{IMailbox}."""
        if self.failure is not None:
            return fail(self.failure)
        self.put(user, "", f"delivered.{next(self._names)}", message)
        return succeed(None)

    def place(self, user: str, path: str, name: str, message: bytes, state: str, again: bool) -> Deferred[None]:
        """See L{IMailbox}; a folder is there as soon as a mail is put into it."""
        if self.failure is not None:
            return fail(self.failure)
        if name not in self.folder(user, path):
            self.put(user, path, name, message, state)
        return succeed(None)

    def stage(self, user: str, path: str, name: str, message: bytes) -> Deferred[None]:
        """See L{IMailbox}."""
        if self.failure is not None:
            return fail(self.failure)
        self.staged[user, path, name] = message
        return succeed(None)

    def discard(self, user: str, path: str, names: Sequence[str]) -> Deferred[None]:
        """See L{IMailbox}."""
        for name in names:
            self.staged.pop((user, path, name), None)
        return succeed(None)


def _own(folder: Folder) -> Folder:
    """The folder.

    @raise Protected: every mailbox has it.
    """
    if folder.type is not FolderType.USER_MAIL:
        raise Protected(folder.path)
    return folder


def _below(folders: Sequence[Folder], folder: Folder) -> list[Folder]:
    inside = {folder.id}
    for one in folders:
        if one.parent in inside:
            inside.add(one.id)
    return [one for one in folders if one.id in inside and one.id != folder.id]


def _free(folders: Sequence[Folder], parent: Folder | None, name: str, but: Folder | None) -> str:
    above = 0 if parent is None else parent.id
    if any(one.parent == above and one.name.lower() == name.lower() for one in folders if one is not but):
        raise NameTaken(name)
    return f"{'' if parent is None else parent.path}.{name}"


def _found(folders: Sequence[Folder]) -> list[FoundFolder]:
    paths = {one.id: one.path for one in folders}
    return [FoundFolder(one.path, one.name, one.type, paths.get(one.parent)) for one in folders]


def _arrangement(folders: Sequence[Folder], found: Sequence[FoundFolder], main: str, **what: Any) -> Arrangement:
    return Arrangement(folders[0].user, frozenset(one.path for one in folders), tuple(found), main, **what)


@implementer(IReporter)
@define(eq=False)
class Reports:
    """L{IReporter} that keeps what it is told, in order."""

    changes: list[Change] = field(factory=list)

    def changed(self, *changes: Change) -> None:
        """See L{IReporter}."""
        self.changes.extend(changes)
