"""The durable state: ledger, keys, devices."""

from gateway.store.database import counted
from gateway.store.marks import Marks
from gateway.store.migrate import CannotOpen
from gateway.store.store import Store, open_store

__all__ = ["CannotOpen", "Marks", "Store", "counted", "open_store"]
