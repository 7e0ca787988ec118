"""Asking the running gateway over its control socket."""

from __future__ import annotations

import json
import os
import socket
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from attrs import frozen

from gateway.config.listening import LONGEST_SOCKET

SECONDS = 30


class NotRunning(Exception):
    """No gateway listens on the control socket."""


class Declined(Exception):
    """The gateway does not do what it was asked; the message says why."""


class _UnixConnection(HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=SECONDS)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket instead of to a host."""
        if len(os.fsencode(self._path)) > LONGEST_SOCKET:
            raise FileNotFoundError(f"no gateway listens at a path so long: {self._path}")
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


@frozen
class GatewaySocket:
    """The control socket at a path."""

    path: Path

    def ask(self, order: str, /, **fields: str | None) -> Any:
        """The gateway's answer to an order.

        @raise NotRunning: nobody listens.
        @raise Declined: the answer is a refusal.
        """
        body = json.dumps({name: value for name, value in fields.items() if value is not None})
        connection = _UnixConnection(self.path)
        try:
            connection.request("POST", f"/{order}", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            value = json.loads(answer.read())
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise NotRunning(str(self.path)) from error
        except (OSError, HTTPException, ValueError) as error:
            raise Declined(f"the gateway at {self.path} does not answer: {error}") from error
        finally:
            connection.close()
        if answer.status != 200:
            raise Declined(value.get("error", f"HTTP status {answer.status}"))
        return value

    def listening(self) -> dict[str, list[str]]:
        """Where the gateway listens by now, C{"HOST:PORT"} by service (mail comes last); nothing if it does not run.

        @raise Declined: the gateway does not answer.
        """
        try:
            addresses: dict[str, list[str]] = self.ask("status")["listening"]
        except NotRunning:
            return {}
        return addresses
