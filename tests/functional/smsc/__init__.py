"""The SMSC of the npm package C{smpp}, which nobody here wrote, in a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.interfaces import IProcessTransport, IReactorProcess
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

SCRIPT = Path(__file__).with_name("smsc.js")
MODULES = Path(sys.prefix) / "npm" / "node_modules"


def missing() -> str | None:
    """Why there is no such SMSC, or C{None}."""
    if shutil.which("node") is None:
        return "needs node (Debian package nodejs)"
    if not (MODULES / "smpp").is_dir():
        return f"needs the npm package smpp in {MODULES}"
    return None


@define(eq=False)
class NodeSmsc(ProcessProtocol):
    """One run of it: C{port} where it listens, C{taken} how often it took a message to each number."""

    port: int = 0
    taken: Counter[str] = field(factory=Counter)
    stats: dict[str, int] = field(factory=dict)
    ended: Deferred[None] = field(factory=Deferred)
    errors: bytes = b""
    _listening: Deferred[None] = field(factory=Deferred)
    _counted: list[Deferred[dict[str, int]]] = field(factory=list)
    _line: bytes = b""
    _process: IProcessTransport | None = None

    def start(self, reactor: IReactorProcess, **told: Any) -> Deferred[None]:
        """Start it; fires when it listens."""
        node = shutil.which("node") or "node"
        environment = {"PATH": os.environ["PATH"], "NODE_PATH": str(MODULES)}
        arguments = [node, str(SCRIPT), json.dumps(told)]
        self._process = reactor.spawnProcess(self, node, arguments, environment)
        return self._listening

    def tell(self, **told: Any) -> None:
        """Have it do something else from now on."""
        assert self._process is not None
        self._process.writeToChild(0, json.dumps(told).encode() + b"\n")

    def count(self) -> Deferred[dict[str, int]]:
        """What it has counted."""
        self._counted.append(Deferred())
        self.tell(stats=True)
        return self._counted[-1]

    def kill(self) -> Deferred[None]:
        """End it at once."""
        assert self._process is not None
        if not self.ended.called:
            with suppress(ProcessExitedAlready):
                self._process.signalProcess("KILL")
        return self.ended

    def outReceived(self, data: bytes) -> None:
        *lines, self._line = (self._line + data).split(b"\n")
        for line in lines:
            self._said(json.loads(line))

    def errReceived(self, data: bytes) -> None:
        self.errors += data

    def _said(self, said: dict[str, Any]) -> None:
        if "to" in said:
            self.taken[said["to"]] += 1
        elif "stats" in said:
            self._counted.pop(0).callback(said["stats"])
        else:
            self.port = said["port"]
            self._listening.callback(None)

    def processEnded(self, reason: Failure) -> None:
        if not self._listening.called:
            self._listening.errback(RuntimeError(self.errors.decode(errors="replace")))
        self.ended.callback(None)
