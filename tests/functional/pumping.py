"""A pump in a process of its own, to be killed: C{python -m tests.functional.pumping DATABASE PORT}."""

from __future__ import annotations

import sys
import time
from typing import Any

from twisted.internet.defer import ensureDeferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.threads import deferToThread

from gateway.sms.formats import Carriage, TriggerFormat, letter_parts
from gateway.sms.pump import Pump
from gateway.sms.settings import IdForm, OperatorSettings
from gateway.store import open_store


def main(database: str, port: int) -> None:
    """Send what is in the database, as the gateway does it after a start."""
    from twisted.internet import reactor

    anything: Any = reactor
    settings = OperatorSettings(
        "acme", "test", "secret", source="pushgw", window=20, rate=500.0, retry_seconds=2.0, id_form=IdForm.AS_IS
    )
    form, carriage = TriggerFormat(), Carriage()

    async def send() -> None:
        store = open_store(f"sqlite:///{database}", deferToThread)
        await store.outbox.reopen(time.time())
        Pump(
            settings,
            [("node", HostnameEndpoint(anything, "127.0.0.1", port))],
            store.outbox,
            store.trace,
            lambda letter: letter_parts(letter, form, carriage, time.time()),
            anything,
            time.time,
        ).startService()

    anything.callWhenRunning(lambda: ensureDeferred(send()))
    anything.run()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
