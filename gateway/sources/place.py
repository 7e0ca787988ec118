"""A folder of a mailbox in memory, and what events say of its mails until that is written down."""

from __future__ import annotations

from itertools import islice

from attrs import define, field

from gateway.sources.names import split

Location = tuple[str, str]
"""Where a mail lies: C{"new"} or C{"cur"}, and its full file name."""

Identity = tuple[int, int]
"""The inode numbers of a folder's C{new} and C{cur}: another pair is another folder under the same name."""

REMEMBERED = 4096


@define(eq=False)
class Place:
    """A folder that is looked after.

    C{id} is the ledger's, 0 until the hierarchy is recorded; C{note} is what L{Folder.listed} says; C{watches} are
    the descriptors of C{new} and C{cur} (0: not watched); C{stale}: what the ledger holds has to be compared with
    the files; C{busy}: something is being written down; C{held} are the mails that were renamed away from here (with
    the cookie of that rename) and whose new name has not been seen yet.
    """

    user: str
    path: str
    id: int = 0
    note: str = ""
    identity: Identity = (0, 0)
    watches: tuple[int, int] = (0, 0)
    stale: bool = True
    busy: bool = False
    gone: bool = False
    failures: int = 0
    news: dict[str, Location | None] = field(factory=dict)
    held: dict[str, int] = field(factory=dict)
    _where: dict[str, Location] = field(factory=dict)

    @property
    def watched(self) -> bool:
        """Whether every change in this folder is told."""
        return all(self.watches)

    @property
    def quiet(self) -> bool:
        """Whether everything that is known of this folder is written down."""
        return bool(self.id) and not (self.news or self.held or self.busy or self.stale or self.gone)

    def appeared(self, sub: str, name: str) -> str:
        """A name came to be; the base of that mail, whose last state it is."""
        base = split(name)[0]
        self.held.pop(base, None)
        if len(self._where) >= REMEMBERED:
            self._where.clear()
        self.news[base] = self._where[base] = (sub, name)
        return base

    def vanished(self, sub: str, name: str) -> None:
        """A name was deleted: the mail is gone, unless it is known to have another name by now (link, unlink)."""
        base = split(name)[0]
        if self._here(base, sub, name):
            self.held.pop(base, None)
            self.news[base] = None

    def left(self, sub: str, name: str, cookie: int) -> str | None:
        """A name was renamed away; the base of the mail if that is now held until its new name is seen."""
        base = split(name)[0]
        if not self._here(base, sub, name):
            return None
        self.news.pop(base, None)
        self.held[base] = cookie
        return base

    def lost(self, base: str, cookie: int) -> None:
        """A mail that was held since that rename is gone from here for sure."""
        if self.held.get(base) == cookie:
            del self.held[base]
            self.news[base] = None

    def take(self, most: int) -> dict[str, Location | None]:
        """What is to be written down now, at most so many mails; it is no longer pending."""
        if len(self.news) <= most:
            taken, self.news = self.news, {}
            return taken
        return {base: self.news.pop(base) for base in list(islice(self.news, most))}

    def put_back(self, taken: dict[str, Location | None]) -> None:
        """What was taken could not be written down; newer news of the same mail stand."""
        if self.stale:  # the listing will tell
            return
        older = {base: place for base, place in taken.items() if base not in self.held}
        self.news = {**older, **self.news}

    def overflowed(self) -> None:
        """Events were lost: what was pending may be wrong by now, only a listing can tell."""
        self.news.clear()
        self.held.clear()
        self._where.clear()
        self.stale = True

    def forget_names(self) -> None:
        """Forget which names the mails had: after a time of quiet, or when events were lost."""
        self._where.clear()

    def _here(self, base: str, sub: str, name: str) -> bool:
        known = self._where.get(base)
        if known is not None and known != (sub, name):
            return False
        self._where.pop(base, None)
        return True
