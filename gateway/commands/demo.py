"""C{pushgw demo}: the whole story of Direct Push on the embedded default, told as it happens."""

from __future__ import annotations

import signal
import smtplib
import subprocess
import sys
import time
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.ssl import Certificate
from twisted.internet.task import deferLater, react
from twisted.internet.threads import deferToThread
from twisted.python.failure import Failure
from zope.interface import implementer

from gateway.commands.gateway_socket import GatewaySocket
from gateway.config import load
from gateway.simulator import events
from gateway.simulator.connection import Connections, HTTPLine, Route
from gateway.simulator.device import Device, Outcome
from gateway.simulator.heartbeat import Heartbeat, HeartbeatSet
from gateway.simulator.line import Account
from gateway.simulator.trust import Trust

USER, PASSWORD, DEVICE = "ann", "correct horse battery staple", "DEMOPHONE1"
HEARTBEAT = 4
PATIENCE = 30.0
LOOPBACK = "tcp:0:interface=127.0.0.1"


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


def _run(*arguments: str, text: str = "") -> str:
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

    def make(self) -> None:
        """Initialise the folder and the account."""
        _run(
            "init",
            str(self.folder),
            "--https",
            "127.0.0.1:8443",
            "--smtp",
            "127.0.0.1:2525",
            "--domain",
            "demo.example",
        )
        _run("user", "add", USER, "--config", str(self.config), "--password-stdin", text=PASSWORD + "\n")

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

    def wipe(self) -> None:
        """Ask for a wipe of the phone."""
        _run("wipe", USER, DEVICE, "--config", str(self.config))

    def stop(self) -> float:
        """Stop it as systemd would; the seconds that it took."""
        began = time.monotonic()
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(PATIENCE)
        return time.monotonic() - began


def _send(address: str, subject: str) -> None:
    """Deliver a mail by SMTP."""
    host, _, port = address.rpartition(":")
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "bob@example.org", f"{USER}@demo.example", subject
    message.set_content("It rings before you have put the kettle down.\n")
    with smtplib.SMTP(host, int(port), timeout=PATIENCE) as server:
        server.send_message(message)


async def _mail(story: Story, waiting: Waiting, smtp: str) -> None:
    await waiting.next("the phone to park", lambda event: isinstance(event, events.Parked))
    story.tell(f"phone: Ping parked, heartbeat {HEARTBEAT} s")
    sent = time.time()
    await deferToThread(_send, smtp, f"Good news sent={sent:.6f}")
    story.tell("mail handed over by SMTP (250: it is on the disk)")
    answer = await waiting.next("Status 2", lambda event: isinstance(event, events.PingAnswered) and event.status == 2)
    story.tell(
        f"phone: Ping answered with Status 2 after {answer.waited:.3f} s: folder {', '.join(answer.folders)} changed"
    )
    woken = await waiting.next("the Sync", lambda event: isinstance(event, events.Woken))
    if woken.added != 1:
        raise DemoFailed(f"the Sync brought {woken.added} mails")
    story.tell(f"phone: Sync brought the mail; from sending to here {woken.latency * 1000:.0f} ms")


async def _expiry(story: Story, waiting: Waiting) -> None:
    await waiting.next("the phone to park again", lambda event: isinstance(event, events.Parked))
    story.tell("phone: next Ping parked; now nothing happens for a while")
    answer = await waiting.next("Status 1", lambda event: isinstance(event, events.PingAnswered))
    if answer.status != 1:
        raise DemoFailed(f"the Ping was answered with Status {answer.status}")
    story.tell(f"phone: heartbeat over after {answer.waited:.3f} s, Status 1")


async def _wipe(story: Story, waiting: Waiting, gateway: Gateway, life: Deferred[Outcome | None]) -> None:
    await waiting.next("the phone to park again", lambda event: isinstance(event, events.Parked))
    await deferToThread(gateway.wipe)
    story.tell("operator: pushgw wipe; the parked Ping ends")
    await waiting.next("the wipe", lambda event: isinstance(event, events.Erased))
    if await life is not Outcome.WIPED:
        raise DemoFailed("the phone lives on")
    story.tell("phone: fetched the wipe, acknowledged it and erased itself")


async def _story(reactor: Any, story: Story, gateway: Gateway) -> None:
    await deferToThread(gateway.make)
    story.tell(f"operator: pushgw init, pushgw user add {USER}")
    listening = await deferToThread(gateway.start)
    https, smtp = listening["https"][0], listening["smtp"][0]
    story.tell(f"operator: twistd -n pushgw is ready, HTTPS {https}, SMTP {smtp}")
    account, waiting = Account(USER, PASSWORD, DEVICE), Waiting(reactor)
    trust = Trust([Certificate.loadPEM((gateway.folder / "certificate.pem").read_bytes())])
    agent = Connections(Route(reactor, trust)).agent
    line = HTTPLine(account, f"https://{https}/Microsoft-Server-ActiveSync", agent, reactor)
    phone = Device(account, line, reactor, waiting, Heartbeat(HeartbeatSet.fixed(HEARTBEAT)))
    life = phone.start().addErrback(waiting.over)
    connected = await waiting.next("OPTIONS", lambda event: isinstance(event, events.Connected))
    story.tell(f"phone: OPTIONS, speaks {connected.version}; FolderSync, first Sync")
    await _mail(story, waiting, smtp)
    await _expiry(story, waiting)
    await _wipe(story, waiting, gateway, life)
    line.close()
    await deferLater(reactor, 0.1)


@click.command()
def demo() -> None:
    """Run the whole story on the embedded default and print what happened, with timings."""
    story = Story()
    with TemporaryDirectory(prefix="pushgw demo ") as folder:
        gateway = Gateway(Path(folder) / "data")
        failed: list[str] = []

        async def play(reactor: Any) -> None:
            try:
                await _story(reactor, story, gateway)
            except DemoFailed as error:
                failed.append(str(error))

        try:
            react(lambda reactor: Deferred.fromCoroutine(play(reactor)))
        except SystemExit:
            pass
        finally:
            seconds = gateway.stop()
        story.tell(f"operator: SIGTERM, the gateway is gone after {seconds:.1f} s")
    if failed:
        raise click.ClickException(failed[0])
    click.echo("\nThat was Direct Push. Your own: pushgw init DIR, then what it tells you; see docs/tutorial.md.")
