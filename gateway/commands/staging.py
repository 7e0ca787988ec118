"""What a demonstration needs: a gateway run as an operator would run it, somebody who tells the story, and waiting
for what phones do."""

from __future__ import annotations

import signal
import smtplib
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import click
from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from zope.interface import implementer

from gateway.commands.gateway_socket import GatewaySocket
from gateway.config import load
from gateway.simulator import events
from gateway.simulator.line import Account

PATIENCE = 30.0
LOOPBACK = "tcp:0:interface=127.0.0.1"
DOMAIN = "demo.example"


class DemoFailed(Exception):
    """The story did not go as it should; the message says what was missing."""


@define(eq=False)
class Story:
    """Prints each step with the seconds since the beginning."""

    began: float = field(factory=time.monotonic)

    def tell(self, text: str) -> None:
        """Print a step."""
        click.echo(f"{time.monotonic() - self.began:7.3f} s  {text}")


@implementer(events.IOnlooker)
@define(eq=False)
class Waiting:
    """Waits for events of the phone, in order."""

    reactor: Any
    seen: list[events.Event] = field(factory=list)
    _wanted: Callable[[events.Event], bool] | None = field(init=False, default=None)
    _found: Deferred[Any] | None = field(init=False, default=None)

    def happened(self, account: Account, event: events.Event) -> None:
        """Take an event in."""
        self.seen.append(event)
        self._look()

    def _look(self) -> None:
        while self._found is not None and self._wanted is not None and self.seen:
            event = self.seen.pop(0)
            if self._wanted(event):
                found, self._found = self._found, None
                found.callback(event)

    def over(self, failure: Failure) -> None:
        """The phone gave up: what it is waited for does not come."""
        if self._found is not None:
            found, self._found = self._found, None
            found.errback(DemoFailed(f"the phone gave up: {failure.getErrorMessage()}"))

    async def next(self, what: str, wanted: Callable[[events.Event], bool]) -> Any:
        """The next event that is wanted; those before it are passed over.

        @raise DemoFailed: it does not come.
        """
        found: Deferred[Any] = Deferred()
        self._wanted, self._found = wanted, found
        self._look()
        late = self.reactor.callLater(
            PATIENCE, found.errback, DemoFailed(f"waited {PATIENCE:.0f} s in vain for {what}")
        )
        try:
            return await found
        finally:
            if late.active():
                late.cancel()


def run_pushgw(*arguments: str, text: str = "") -> str:
    """Run a command of pushgw as a user would."""
    command = [sys.executable, "-c", "from gateway.cli import main; main(prog_name='pushgw')", *arguments]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise DemoFailed(f"pushgw {' '.join(arguments)}: {done.stderr or done.stdout}")
    return done.stdout


@define(eq=False)
class Gateway:
    """A gateway of its own in a folder, run by twistd as an operator would."""

    folder: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def config(self) -> Path:
        """The configuration file."""
        return self.folder / "pushgw.toml"

    @property
    def log(self) -> Path:
        """Where the gateway's log goes."""
        return self.folder / "twistd.log"

    def make(self, passwords: dict[str, str], more: str) -> None:
        """Initialise the folder and the accounts; C{more} goes to the end of the configuration file."""
        run_pushgw(
            "init",
            str(self.folder),
            "--https",
            "127.0.0.1:8443",
            "--smtp",
            "127.0.0.1:2525",
            "--domain",
            DOMAIN,
        )
        for name, password in passwords.items():
            self.command("user", "add", name, "--password-stdin", text=password + "\n")
        with self.config.open("a", encoding="utf-8") as file:
            file.write(more)

    def command(self, *arguments: str, text: str = "") -> str:
        """A command of pushgw on this gateway; what it prints."""
        return run_pushgw(*arguments, "--config", str(self.config), text=text)

    def start(self) -> dict[str, list[str]]:
        """Start it on free ports; the addresses by name."""
        overrides = {
            "https.listen": f'["{LOOPBACK}"]',
            "smtp.listen": f'["{LOOPBACK}"]',
            "admin.listen": f'"{LOOPBACK}"',
            "direct_push.min_heartbeat": "1",
            "direct_push.farewell_seconds": "1",
        }
        sets = [word for key, value in overrides.items() for word in ("--set", f"{key}={value}")]
        command = [sys.executable, "-m", "twisted", "pushgw"]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(  # noqa: S603
                [*command, "--config", str(self.config), *sets], stdout=log, stderr=subprocess.STDOUT
            )
        return self._ready()

    def _ready(self) -> dict[str, list[str]]:
        socket = GatewaySocket(load(self.config).admin.socket)
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self.process is not None and self.process.poll() is None:
            listening = socket.listening()
            if "smtp" in listening:
                return listening
            time.sleep(0.05)
        raise DemoFailed(f"the gateway does not start:\n{self.log.read_text()}")

    def stop(self) -> float:
        """Stop it as systemd would; the seconds that it took."""
        began = time.monotonic()
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(PATIENCE)
        return time.monotonic() - began


def send_mail(address: str, recipients: Sequence[str], subject: str) -> None:
    """Deliver one mail to some accounts by SMTP."""
    host, _, port = address.rpartition(":")
    message = EmailMessage()
    message["From"], message["Subject"] = "carol@example.org", subject
    message["To"] = ", ".join(f"{name}@{DOMAIN}" for name in recipients)
    message.set_content("It rings before you have put the kettle down.\n")
    with smtplib.SMTP(host, int(port), timeout=PATIENCE) as server:
        server.send_message(message)
