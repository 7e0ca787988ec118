"""Operators and a bad network, in a process of their own beside the gateway.

C{operators} prints, as JSON on one line, the ports of an SMSC, of one that falls silent at the first submit, and of a
mail server with TLS that takes no password. C{network HOST PORT CARRIER} prints that of a network in front of a server.
"""

from __future__ import annotations

import atexit
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint, serverFromString
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import Factory
from twisted.protocols.basic import LineReceiver

from gateway.simulator.network import Carrier, Network
from gateway.simulator.smsc import Smsc
from gateway.simulator.terms import Misbehaviour, Terms
from tests.functional.running import _environment, _prepared

ACCOUNTS = {"push": "secret", "slow": "secret"}


class NoEntry(LineReceiver):
    """A mail server that takes no user name and password."""

    def connectionMade(self) -> None:
        self.sendLine(b"220 mail.example.net")

    def lineReceived(self, line: bytes) -> None:
        command = line[:4].upper()
        answers = {b"EHLO": b"250-mail.example.net\r\n250 AUTH PLAIN", b"AUTH": b"535 5.7.8 not with this password"}
        self.sendLine(answers.get(command, b"221 bye" if command == b"QUIT" else b"530 5.7.0 log in first"))
        if command == b"QUIT":
            self.transport.loseConnection()


def operators(folder: str) -> Deferred[list[IListeningPort]]:
    """The certificate of the mail server lies in that folder."""
    good = Smsc(reactor, terms=Terms(ACCOUNTS, delay=0.05))
    mute = Smsc(reactor, terms=Terms(ACCOUNTS), misbehaviour=Misbehaviour(silent_after=0))
    keys = ":".join(
        f"{name}={folder}/{file}.pem" for name, file in (("privateKey", "private_key"), ("certKey", "certificate"))
    )
    secure = serverFromString(reactor, f"ssl:0:{keys}:interface=127.0.0.1").listen(Factory.forProtocol(NoEntry))
    plain = [TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(each) for each in (good, mute)]
    return gatherResults([*plain, secure])


def network(host: str, port: str, carrier: str) -> Deferred[list[IListeningPort]]:
    """A carrier between a port and a server."""
    between = Network(Carrier.parse(carrier), reactor, TCP4ClientEndpoint(reactor, host, int(port)))
    listening = between.start(TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1"))
    return gatherResults([Deferred.fromCoroutine(listening)])


def main() -> None:
    """Run until the process is ended."""
    what: Any = {"operators": operators, "network": network}[sys.argv[1]]
    what(*sys.argv[2:]).addCallback(
        lambda ports: print(json.dumps([port.getHost().port for port in ports]), flush=True)
    )
    reactor.run()  # type: ignore[attr-defined]


def beside(*arguments: str | Path) -> list[int]:
    """Start such a process, which ends with this one; the ports."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.functional.counterparts", *map(str, arguments)],
        stdout=subprocess.PIPE,
        text=True,
        env=_environment(),
        preexec_fn=_prepared,
    )
    atexit.register(process.kill)
    assert process.stdout is not None
    ports: list[int] = json.loads(process.stdout.readline())
    return ports


if __name__ == "__main__":
    main()
