"""The doors of a gateway: devices, mail, metrics and commands."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

from attrs import define, field
from twisted.internet.defer import maybeDeferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IListeningPort
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.web.http import Request as HTTPRequest
from twisted.web.resource import Resource
from twisted.web.server import Request, Site

from gateway.admin.control import Control
from gateway.config.listening import LONGEST_SOCKET
from gateway.metrics import Metrics
from gateway.service.parts import Parts
from gateway.sources.smtpin import SmtpFactory


class MetricsPage(Resource):
    """The counters at /metrics."""

    isLeaf = True

    def __init__(self, metrics: Metrics) -> None:
        super().__init__()
        self.metrics = metrics

    def render_GET(self, request: Request) -> bytes:
        """All counters in the text exposition format."""
        request.setHeader(b"Content-Type", b"text/plain; version=0.0.4; charset=utf-8")
        return self.metrics.render()


@define(eq=False)
class Listeners:
    """What listens: every address is a Twisted endpoint string of the configuration."""

    log = Logger()

    parts: Parts
    control: Control
    _doors: list[tuple[str, IListeningPort]] = field(init=False, factory=list)
    _admin: list[tuple[str, IListeningPort]] = field(init=False, factory=list)

    async def admin(self) -> None:
        """Open the control socket and the metrics."""
        config = self.parts.config
        path = config.admin.socket
        _clear(path)
        await self._listen(self._admin, "control", _unix(path), _QuietSite(self.control.resource))
        os.chmod(path, 0o600)
        if config.admin.listen:
            root = Resource()
            root.putChild(b"metrics", MetricsPage(self.parts.metrics))
            await self._listen(self._admin, "admin", config.admin.listen, _QuietSite(root))

    async def doors(self) -> None:
        """Open the doors for devices and for mail."""
        parts, config = self.parts, self.parts.config
        secured = TLSMemoryBIOFactory(parts.context, False, parts.site, parts.reactor)
        secured.noisy = False
        for endpoint in config.https.listen:
            await self._listen(self._doors, "https", endpoint, secured)
        for endpoint in config.https.plain:
            await self._listen(self._doors, "http", endpoint, parts.site)
        if config.smtp.listen:
            intake = SmtpFactory(parts.post)
            for endpoint in config.smtp.listen:
                await self._listen(self._doors, "smtp", endpoint, intake)

    async def _listen(self, into: list[tuple[str, IListeningPort]], name: str, endpoint: str, factory: Any) -> None:
        port = await serverFromString(self.parts.reactor, endpoint).listen(factory)
        into.append((name, port))
        self.log.info("{name} listens on {address}", name=name, address=_address(port))

    def addresses(self) -> dict[str, list[str]]:
        """Where everything listens, by name."""
        found: dict[str, list[str]] = {}
        for name, port in (*self._admin, *self._doors):
            found.setdefault(name, []).append(_address(port))
        return found

    async def close(self) -> None:
        """Take no more connections of devices and mail."""
        await self._close(self._doors)

    async def close_admin(self) -> None:
        """Take no more commands."""
        await self._close(self._admin)

    async def _close(self, ports: list[tuple[str, IListeningPort]]) -> None:
        while ports:
            name, port = ports.pop()
            try:
                await maybeDeferred(port.stopListening)
            except OSError as error:
                self.log.warn("{name} could not be closed: {error}", name=name, error=error)


def _unix(path: Any) -> str:
    escaped = str(path).replace("\\", "\\\\").replace(":", "\\:").replace("=", "\\=")
    return f"unix:{escaped}:mode=600:lockfile=0"


def _clear(path: Path) -> None:
    """Take away the socket that a killed gateway left behind; the one of a living gateway stays, and is in use.

    @raise OSError: if no socket can be there, as its path is too long.
    """
    if len(os.fsencode(path)) > LONGEST_SOCKET:
        raise OSError(f"{path} is longer than {LONGEST_SOCKET} bytes, too long for a socket: set admin.socket")
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
        except FileNotFoundError:
            pass


class _QuietSite(Site):
    """Orders are logged by what they do, and who reads the metrics is not logged at all."""

    noisy = False

    def log(self, request: HTTPRequest) -> None:
        """Nothing."""


def _address(port: IListeningPort) -> str:
    host: Any = port.getHost()
    name = getattr(host, "name", None)
    if name is not None:
        return name.decode() if isinstance(name, bytes) else str(name)
    return f"[{host.host}]:{host.port}" if ":" in host.host else f"{host.host}:{host.port}"
