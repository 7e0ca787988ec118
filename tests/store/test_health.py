"""A store that takes no changes."""

from __future__ import annotations

from typing import Any

from sqlalchemy import event
from twisted.internet.defer import execute
from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import BackendDown
from gateway.store import open_store
from tests.stores import result_of


class ReadOnlyTests(SynchronousTestCase):
    def test_probe(self) -> None:
        """The change that means nothing fails where every change fails, and the store can still be read."""
        store = open_store(f"sqlite:///{self.mktemp()}", execute)
        self.addCleanup(store.close)
        result_of(store.probe())
        store.close()

        def read_only(connection: Any, record: Any) -> None:
            connection.execute("PRAGMA query_only=ON")

        event.listen(store.database.engine, "connect", read_only)
        why = self.assertRaises(BackendDown, result_of, store.probe())
        self.assertIn("readonly", str(why).splitlines()[0])
        self.assertEqual(result_of(store.newest()), 0)
