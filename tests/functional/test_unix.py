"""A proxy in front that comes by a Unix socket."""

from __future__ import annotations

import socket
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.trial.unittest import SynchronousTestCase

from tests.functional.running import PASSWORD, PATIENCE, started
from tests.support import PATH, basic


class UnixTests(SynchronousTestCase):
    def said(self, *trusted: str) -> str:
        """What the access line of a request says, which a proxy sends by a Unix socket for 198.51.100.7."""
        folder = TemporaryDirectory(prefix="pushgw ")
        self.addCleanup(folder.cleanup)
        path = Path(folder.name) / "http.sock"
        names = ", ".join(f'"{name}"' for name in trusted)
        settings = {"https": {"plain": f'["unix:{path}"]', "trusted_proxies": f"[{names}]"}}
        gateway = started(self, settings=settings)
        with socket.socket(socket.AF_UNIX) as proxy:
            proxy.settimeout(PATIENCE)
            proxy.connect(str(path))
            fields = {"Authorization": basic("ann", PASSWORD), "X-Forwarded-For": "198.51.100.7", "Connection": "close"}
            head = "".join(f"{name}: {value}\r\n" for name, value in {"Host": "localhost", **fields}.items())
            proxy.sendall(f"OPTIONS {PATH} HTTP/1.1\r\n{head}\r\n".encode())
            with proxy.makefile("rb") as answer:
                self.assertIn(b"200 OK", answer.readline())
                answer.read()
        gateway.stop()
        return next(line for line in gateway.log.splitlines() if "OPTIONS" in line)

    def test_trusted(self) -> None:
        """If Unix sockets are trusted, X-Forwarded-For tells who the client is."""
        self.assertTrue(self.said("unix").endswith(" 198.51.100.7"))

    def test_notTrusted(self) -> None:
        """Otherwise it is believed of nobody, and the client is called unix."""
        said = self.said("0.0.0.0/0", "::/0")
        self.assertTrue(said.endswith(" unix"), said)
