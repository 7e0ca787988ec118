"""A gateway in a process of its own, run by twistd as an operator runs it, and phones that ask it over TLS."""

from __future__ import annotations

import asyncio
import atexit
import ctypes
import functools
import resource
import shutil
import signal
import smtplib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from email.message import EmailMessage
from ipaddress import ip_address
from pathlib import Path
from typing import Any, TypeVar
from urllib.request import urlopen

from attrs import define, field, frozen
from twisted.trial.unittest import SynchronousTestCase

import gateway
from gateway.commands.gateway_socket import GatewaySocket
from gateway.cred.accounts import Account
from gateway.cred.passwords import hashed
from gateway.tls import self_signed
from tests.cred.fixtures import CHEAP

T = TypeVar("T")

ROOT = Path(gateway.__file__).parents[1]
PASSWORD = "correct horse"
LOOPBACK = '"tcp:0:interface=127.0.0.1"'
DOMAIN = "example.org"
#: Seconds that anything may take on a slow machine before a test gives up; nothing ever waits for so long in vain.
PATIENCE = 60.0
TWISTD = (sys.executable, "-c", "from twisted.scripts.twistd import run; run()", "-n", "--pidfile=")
PUSHGW = (sys.executable, "-c", "from gateway.cli import main; main(prog_name='pushgw')")


def _prepared() -> None:
    """Have the kernel end this process when the one that runs the tests ends, however that comes.

    It begins with the soft limit of open files that many systems have.
    """
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(1024, hard), hard))
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def until(wanted: Callable[[], T | None], what: str, patience: float = PATIENCE) -> T:
    """Wait until something is true, and return it."""
    deadline = time.monotonic() + patience
    while True:
        found = wanted()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {patience:.0f} s in vain for {what}")
        time.sleep(0.02)


async def eventually(wanted: Callable[[], T | None], what: str, patience: float = PATIENCE) -> T:
    """As L{until}, while phones go on living."""
    deadline = time.monotonic() + patience
    while True:
        found = await asyncio.to_thread(wanted)
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {patience:.0f} s in vain for {what}")
        await asyncio.sleep(0.02)


def pushgw(*arguments: str | Path, text: str = "") -> Ran:
    """Run a command of pushgw as a user would."""
    done = subprocess.run(
        [*PUSHGW, *map(str, arguments)],
        input=text,
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE,
        env=_environment(),
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def _environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    return {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "PYTHONPATH": str(ROOT), "USER": "operator", **(more or {})}


@frozen
class Ran:
    """What a command printed, and its exit status."""

    status: int
    out: str
    err: str


@define(eq=False)
class Running:
    """A gateway on a folder.

    C{settings} are values in TOML by section and key, over those that every test wants; C{users} get L{PASSWORD};
    C{environment} is added to that of the process; C{wrapper} is what starts it, if not this process.
    """

    folder: Path
    users: Sequence[str] = ("ann",)
    settings: dict[str, dict[str, str]] = field(factory=dict)
    environment: Mapping[str, str] = field(factory=dict)
    wrapper: Sequence[str] = ()
    process: subprocess.Popen[bytes] | None = field(init=False, default=None)
    addresses: dict[str, list[str]] = field(init=False, factory=dict)
    _free: list[str] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._free = list(self.users)

    # Files.

    @property
    def config(self) -> Path:
        """The configuration file."""
        return self.folder / "pushgw.toml"

    @property
    def log(self) -> str:
        """What the gateway has logged in all its lives."""
        log = self.folder / "log"
        return log.read_text() if log.exists() else ""

    @property
    def socket(self) -> GatewaySocket:
        """The control socket."""
        return GatewaySocket(self.folder / "pushgw.sock")

    def inbox(self, user: str) -> Path:
        """The Maildir of a user."""
        return self.folder / "mail" / user

    def make(self) -> None:
        """Write configuration, certificate and accounts."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.write_certificate("localhost")
        stored = hashed(PASSWORD, CHEAP)
        self.write_accounts(Account(name, stored) for name in self.users)
        for name in self.users:
            for part in ("cur", "new", "tmp"):
                (self.inbox(name) / part).mkdir(parents=True)
        self.write_config()

    def write_certificate(self, name: str) -> None:
        """Write a new certificate and its key."""
        certificate, key = self_signed([name, "localhost"], [ip_address("127.0.0.1")])
        (self.folder / "certificate.pem").write_bytes(certificate)
        (self.folder / "private_key.pem").touch(0o600)
        (self.folder / "private_key.pem").write_bytes(key)

    def write_accounts(self, accounts: Iterable[Account]) -> None:
        """Replace the accounts file."""
        draft = self.folder / "accounts.new"
        draft.touch(0o600)
        draft.write_text("".join(account.line() + "\n" for account in accounts))
        draft.rename(self.folder / "accounts")

    def write_config(self, **changed: Mapping[str, str]) -> None:
        """Write the configuration; C{changed} are sections with keys that are different from now on."""
        for name, section in changed.items():
            self.settings.setdefault(name, {}).update(section)
        standard: dict[str, dict[str, str]] = {
            "https": {"listen": f"[{LOOPBACK}]"},
            "smtp": {"listen": f"[{LOOPBACK}]", "domains": f'["{DOMAIN}"]', "connections": "100"},
            "admin": {"listen": LOOPBACK},
            "direct_push": {"min_heartbeat": "1", "farewell_seconds": "0.2"},
            "maildir": {"create_special": "false"},
        }
        names = [*standard, *(name for name in self.settings if name not in standard)]
        lines = []
        for name in names:
            values = {**standard.get(name, {}), **self.settings.get(name, {})}
            lines += [f"[{name}]", *(f"{key} = {value}" for key, value in values.items())]
        self.config.write_text("\n".join(lines) + "\n")

    # The process.

    def launch(self, *arguments: str, twistd: Sequence[str] = ()) -> None:
        """Start the process, with options of the plugin and of twistd, and do not wait for it."""
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*self.wrapper, *TWISTD, *twistd, "pushgw", "--config", str(self.config), *arguments],
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env=_environment({"PYTHONUNBUFFERED": "1", **self.environment}),
                preexec_fn=_prepared,
            )

    def start(self, *arguments: str) -> None:
        """Start it and wait until all its doors are open."""
        self.launch(*arguments)
        self.wait_ready()

    def wait_ready(self, patience: float = PATIENCE) -> None:
        """Wait until all its doors are open."""
        self.addresses = until(self._listening, "the gateway to start", patience)

    def _listening(self) -> dict[str, list[str]] | None:
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError(f"the gateway ended with {self.process.returncode}:\n{self.log[-4000:]}")
        listening = self.socket.listening()
        return listening if "smtp" in listening else None

    def poke(self, number: int) -> None:
        """Send the process a signal."""
        assert self.process is not None
        self.process.send_signal(number)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it and wait for that; how it ended."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        """Wait for its end; how it ended."""
        assert self.process is not None
        try:
            return self.process.wait(PATIENCE)
        finally:
            self.process.kill()
            self.process.wait()

    def kill(self) -> None:
        """Kill it, if it runs."""
        if self.process is not None:
            self.stop(signal.SIGKILL)

    def ask(self, order: str, **fields: str | None) -> Any:
        """What the control socket answers."""
        return self.socket.ask(order, **fields)

    # What it does.

    def address(self, name: str) -> tuple[str, int]:
        """Host and port of a listener."""
        host, _, port = self.addresses[name][0].rpartition(":")
        return host, int(port)

    def parked(self) -> int:
        """How many requests are parked."""
        return int(self.ask("status")["parked"])

    def metrics(self) -> str:
        """What the metrics endpoint says."""
        host, port = self.address("admin")
        with urlopen(f"http://{host}:{port}/metrics", timeout=PATIENCE) as answer:
            return str(answer.read().decode())

    def send_mail(self, user: str, subject: str = "hello") -> None:
        """Deliver a mail by SMTP; it is on disk when this returns."""
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = "bob@example.net", f"{user}@{DOMAIN}", subject
        message.set_content("Hello.\n")
        with smtplib.SMTP(*self.address("smtp"), timeout=PATIENCE) as server:
            server.send_message(message)

    def newcomer(self) -> str:
        """An account that no other test has."""
        return self._free.pop()


def started(test: SynchronousTestCase, **made: Any) -> Running:
    """A gateway of that test's own, which ends with it."""
    folder = tempfile.TemporaryDirectory(prefix="pushgw test ")
    test.addCleanup(folder.cleanup)
    running = Running(Path(folder.name) / "data", **made)
    test.addCleanup(running.kill)
    running.make()
    running.start()
    return running


def background(test: SynchronousTestCase, *arguments: str, text: str = "") -> subprocess.Popen[str]:
    """A command of pushgw that goes on beside the test, and ends with it."""
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        [*PUSHGW, *arguments], stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=_environment(), preexec_fn=_prepared
    )
    test.addCleanup(process.communicate)
    test.addCleanup(process.kill)
    assert process.stdin is not None
    process.stdin.write(text)
    process.stdin.flush()
    return process


@functools.cache
def shared() -> Running:
    """One gateway for many tests, each of which takes L{Running.newcomer}; it ends with the process."""
    folder = tempfile.mkdtemp(prefix="pushgw test ")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    users = ["quiet", *(f"u{number:02d}" for number in range(60))]
    running = Running(Path(folder) / "data", users, {'users."quiet"': {"mode": '"off"'}})
    atexit.register(running.kill)
    running.make()
    running.start()
    return running


def played(test: Callable[[Any], Coroutine[Any, Any, None]]) -> Callable[[Any], None]:
    """Make a test of a coroutine: phones live in an event loop of asyncio, beside nothing of the gateway's."""

    @functools.wraps(test)
    def play(self: Any) -> None:
        asyncio.run(asyncio.wait_for(test(self), 10 * PATIENCE))

    return play
