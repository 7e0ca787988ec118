"""What the phone of a script knows while it goes on, and what one step sends."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from attrs import field, frozen

from gateway.element import Element
from gateway.simulator.hierarchy import chosen
from gateway.simulator.line import Account
from gateway.simulator.memory import Memory, PhoneFolder
from gateway.simulator.script.answer import Answer
from gateway.simulator.script.fields import Field, Wrong

Given = Mapping[str, Any]


class Unsent(Exception):
    """A step cannot be sent: what it names is not there, or the version has no such thing."""


@frozen
class Phone:
    """A phone: who it is, and what it has been given; C{fresh} makes a ClientId that was never used."""

    account: Account
    memory: Memory
    fresh: Callable[[], str]

    @property
    def version(self) -> float:
        """The version spoken, for comparisons."""
        return float(self.memory.version)

    def folder(self, wanted: str | int) -> PhoneFolder:
        """The folder of that type, name or ServerId.

        @raise Unsent: there is none.
        """
        folders = self.memory.folders.values()
        if isinstance(wanted, int):
            found = [folder for folder in folders if folder.type == wanted]
        else:
            exact = [folder for folder in folders if wanted in (folder.name, folder.id)]
            found = exact or chosen(self.memory, (wanted,))
        if not found:
            known = ", ".join(f"{folder.name!r} ({folder.type})" for folder in folders) or "none: FolderSync first"
            raise Unsent(f"there is no folder {wanted!r}; known are {known}")
        return found[0]

    def place(self, wanted: str | int) -> str:
        """The ServerId of a folder; a text that is no folder known stays what it is, so that a script may be wrong on
        purpose."""
        try:
            return self.folder(wanted).id
        except Unsent:
            if isinstance(wanted, str):
                return wanted
            raise

    def least(self, version: float, what: str) -> None:
        """@raise Unsent: the version spoken is older than that."""
        if self.version < version:
            raise Unsent(f"{what} begins with version {version:g}, this phone speaks {self.memory.version}")


@frozen
class Request:
    """What a step sends; C{body} C{None} for nothing. C{patience}: seconds beyond the usual."""

    command: str
    body: Element | bytes | None = None
    parameters: tuple[tuple[str, str], ...] = ()
    content_type: str = ""
    multipart: bool = False
    patience: float = 0.0


def nothing(*_: object) -> None:
    """A step that teaches the phone nothing, or that has nothing further to be checked."""


@frozen
class Kind:
    """One kind of step: its keys, what it sends, and what the phone learns of the answer.

    C{versions}: the first and the last that have it; C{good}: the statuses of success; C{check} raises L{Wrong} for
    keys that do not go together; C{parks}: the server may hold it.
    """

    compose: Callable[[Phone, Given], Request]
    fields: Mapping[str, Field] = field(factory=dict)
    needed: tuple[str, ...] = ()
    versions: tuple[str, str] = ("2.5", "16.1")
    good: frozenset[str] = frozenset({"1"})
    learn: Callable[[Phone, Given, Answer], None] = nothing
    check: Callable[[Given], None] = nothing
    parks: bool = False


def one_of(*keys: str) -> Callable[[Given], None]:
    """A check: exactly one of some keys is there."""
    return partial(_one_of, keys)


def _one_of(keys: tuple[str, ...], given: Given) -> None:
    if sum(key in given for key in keys) != 1:
        raise Wrong(f"give exactly one of {', '.join(keys)}")
