"""The index of mails in a world of tests: brought up to date when a test says so."""

from __future__ import annotations

from gateway.convert.searchable import document
from gateway.store import Store
from gateway.testing import MemoryMailbox
from tests.stores import result_of


def catch_up(store: Store, mailbox: MemoryMailbox) -> None:
    """Put every mail into the index that is not in it."""
    index = store.index
    for id in result_of(index.behind(None)):
        while (portion := result_of(index.portions([id], 99))[0]) is not None:
            place = mailbox.folder(portion.folder.user, portion.folder.path) if portion.folder else {}
            documents = [document(place[item.name].raw, item) for item in portion.items]
            result_of(index.put([(portion, documents)]))
