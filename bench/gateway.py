"""A gateway in a process of its own, with many accounts, for the measurements."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path

from argon2 import PasswordHasher
from attrs import define, field

from gateway.commands.gateway_socket import GatewaySocket, NotRunning
from gateway.cred.accounts import Account
from gateway.cred.passwords import hashed
from gateway.tls import self_signed

PASSWORD = "secret"
#: Verifying must not be what is measured: the cheapest hash there is. A real one costs some 0.1 s of CPU.
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
LOOPBACK = "tcp:0:interface=127.0.0.1"


def user_name(number: int) -> str:
    """The account of a phone."""
    return f"u{number:05d}"


@define(eq=False)
class Gateway:
    """A gateway on a folder; C{settings} are lines of the configuration by section."""

    folder: Path
    accounts: int
    settings: dict[str, Sequence[str]] = field(factory=dict)
    process: subprocess.Popen[bytes] | None = None
    https: tuple[str, int] = ("", 0)
    smtp: tuple[str, int] = ("", 0)

    def make(self, mailboxes: bool = True) -> None:
        """Write configuration, certificate and accounts, and an empty Inbox for each account."""
        self.folder.mkdir(parents=True, exist_ok=True)
        certificate, key = self_signed(["localhost"], [ip_address("127.0.0.1")])
        (self.folder / "certificate.pem").write_bytes(certificate)
        (self.folder / "private_key.pem").touch(0o600)
        (self.folder / "private_key.pem").write_bytes(key)
        stored = hashed(PASSWORD, CHEAP)
        names = [user_name(number) for number in range(self.accounts)]
        (self.folder / "accounts").touch(0o600)
        (self.folder / "accounts").write_text("".join(Account(name, stored).line() + "\n" for name in names))
        sections = {
            "https": [f'listen = ["{LOOPBACK}"]'],
            "smtp": [f'listen = ["{LOOPBACK}"]', "connections = 1000", "messages_per_minute = 0"],
            "admin": ['listen = ""'],
            "maildir": ["create_special = false"],
            "cred": ["queue = 100000"],
            "log": ["access = false"],
            **self.settings,
        }
        text = "".join(f"[{name}]\n" + "".join(line + "\n" for line in lines) for name, lines in sections.items())
        (self.folder / "pushgw.toml").write_text(text)
        if mailboxes:
            for name in names:
                for part in ("cur", "new", "tmp"):
                    os.makedirs(self.folder / "mail" / name / part, mode=0o700)

    def start(self, patience: float = 600.0) -> float:
        """Start it; the seconds until it was ready."""
        began = time.monotonic()
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "twisted", "pushgw", "--config", str(self.folder / "pushgw.toml")],
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "MALLOC_ARENA_MAX": "2"},
            )
        self.wait_ready(patience)
        return time.monotonic() - began

    def wait_ready(self, patience: float = 600.0) -> None:
        """Wait until it listens, and see where."""
        assert self.process is not None
        began, socket = time.monotonic(), GatewaySocket(self.folder / "pushgw.sock")
        while time.monotonic() - began < patience and self.process.poll() is None:
            try:
                listening = socket.ask("status")["listening"]
            except NotRunning:
                listening = {}
            if "smtp" in listening:
                self.https, self.smtp = (_address(listening[name][0]) for name in ("https", "smtp"))
                return
            time.sleep(0.02)
        log = self.folder / "log"
        raise SystemExit("the gateway does not start:\n" + (log.read_text()[-3000:] if log.exists() else ""))

    def stop(self) -> float:
        """Stop it politely; the seconds that it took."""
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Kill it."""
        self._end(signal.SIGKILL)

    def _end(self, number: int) -> float:
        began = time.monotonic()
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(120)
        return time.monotonic() - began

    @property
    def pid(self) -> int:
        """The process."""
        assert self.process is not None
        return self.process.pid

    def parked(self) -> int:
        """How many requests are parked, by its own count."""
        return int(GatewaySocket(self.folder / "pushgw.sock").ask("status")["parked"])

    def cpu(self) -> float:
        """CPU seconds that the process has used."""
        return cpu_seconds(self.pid)

    def memory(self) -> int:
        """Proportional set size of the process, in bytes."""
        return pss(self.pid)


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host, int(port)


def cpu_seconds(pid: int) -> float:
    """User and system time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def pss(pid: int) -> int:
    """Proportional set size of a process, in bytes."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise OSError("no Pss")


def report(name: str, **figures: object) -> None:
    """Print one measurement as one line of JSON."""
    print(json.dumps({"bench": name, **figures}), flush=True)


def progress(text: str) -> None:
    """Say on standard error what is under way."""
    print(f"  {text}", file=sys.stderr, flush=True)
