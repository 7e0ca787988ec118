"""The file beside the database in which is noted how far ids were given."""

from __future__ import annotations

import json
import os
from pathlib import Path

from attrs import asdict, define, field
from twisted.logger import Logger

from gateway.store import Marks, Store


@define(eq=False)
class MarksFile:
    """Notes now and then how far the ids are; a store that knows less at a start goes on behind that."""

    log = Logger()

    path: Path
    store: Store
    _written: Marks | None = field(init=False, default=None)

    async def start(self) -> None:
        """Have the store go on behind the ids that were given, if it is new or older than the note.

        To be called before anything gets an id.
        @raise gateway.interfaces.BackendDown: the store does not answer.
        """
        past = self._read()
        if past is not None and await self.store.go_on(past):
            self.log.warn(
                "the database knows less than it did: it is new, or an older copy. Devices synchronise again what they"
                " have to; folders and mails get ids behind those that were given ({folders}, {items})",
                folders=past.folder,
                items=past.item,
            )
        await self.note()

    async def note(self) -> None:
        """Write down how far the ids are, if they went on since the last time.

        @raise gateway.interfaces.BackendDown: the store does not answer. @raise OSError: the file cannot be written.
        """
        marks = await self.store.marks()
        if marks == self._written:
            return
        draft = self.path.with_suffix(".marks.new")
        # Not waited for until it is on the disk: an older note is worth nearly as much.
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "w") as file:
            json.dump(asdict(marks), file)
        draft.replace(self.path)
        self._written = marks

    def _read(self) -> Marks | None:
        try:
            noted = json.loads(self.path.read_text())
            return Marks(int(noted["folder"]), int(noted["item"]))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError) as error:
            self.log.warn("{path} cannot be read, and is written anew: {why}", path=str(self.path), why=str(error))
            return None
