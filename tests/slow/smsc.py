"""An SMSC in a process of its own, which can be killed: prints a JSON line for each SMS that a phone gets, and for the
port; takes its misbehaviour as JSON lines on standard input."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from twisted.internet import reactor
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.interfaces import IListeningPort
from twisted.internet.stdio import StandardIO
from twisted.protocols.basic import LineReceiver

from gateway.simulator.shortmessage import ShortMessage
from gateway.simulator.smsc import Smsc
from gateway.simulator.terms import Misbehaviour, Terms


def say(**values: Any) -> None:
    """Print a line."""
    print(json.dumps(values), flush=True)


class Orders(LineReceiver):
    """What the test wants of the SMSC."""

    delimiter = b"\n"

    def __init__(self, smsc: Smsc) -> None:
        self._smsc = smsc

    def lineReceived(self, line: bytes) -> None:
        """Another misbehaviour."""
        self._smsc.misbehaviour = Misbehaviour(**json.loads(line))


def main(port: int, first_id: int) -> None:
    """Run until the process is ended."""

    def deliver(message: ShortMessage) -> None:
        say(sms=message.destination, guid=message.guid, id=message.id, at=time.time())

    smsc = Smsc(reactor, deliver, Terms(accounts={}, delay=0.0, errors={}, undelivered=()))
    smsc._number = first_id
    StandardIO(Orders(smsc))

    def listening(there: IListeningPort) -> None:
        say(port=there.getHost().port)

    TCP4ServerEndpoint(reactor, port, interface="127.0.0.1").listen(smsc).addCallback(listening)
    reactor.run()  # type: ignore[attr-defined]


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
