"""Postfix with a folder of its own, and the sink that comes with it: servers that nobody here wrote."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryDirectory

from attrs import define, field
from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.trial.unittest import SynchronousTestCase

from gateway.tls import self_signed
from tests.functional.running import PATIENCE, _prepared, until

MASTER = Path("/usr/lib/postfix/sbin/master")
SINK = shutil.which("smtp-sink", path="/usr/sbin:/usr/bin")
DB_LOAD = shutil.which("db5.3_load", path="/usr/bin")
PLAIN = [*Path("/usr/lib").glob("*/sasl2/libplain.so*")]
USER, PASSWORD = "gateway", "open sesame"
NAME = "mx.example.net"

NO_SINK = None if SINK else "smtp-sink is not installed (Debian: postfix)"
NO_POSTFIX = None if MASTER.exists() and os.geteuid() == 0 else "Postfix is not installed, or needs root to start"
NO_SASL = NO_POSTFIX or (
    None if DB_LOAD and PLAIN else "Cyrus SASL is not installed (Debian: libsasl2-modules, db5.3-util)"
)

_SERVICES = """\
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n - 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
tlsmgr unix - - n - 1 tlsmgr
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


def free_port() -> int:
    """A port of 127.0.0.1 on which nothing listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 1) as client:
            return client.recv(3) == b"220"
    except OSError:
        return False


async def soon(wanted: Callable[[], object], what: str) -> None:
    """Wait for something while the reactor goes on."""
    for _ in range(int(PATIENCE * 20)):
        if wanted():
            return
        await deferLater(reactor, 0.05)  # type: ignore[arg-type]
    raise AssertionError(f"waited {PATIENCE:.0f} s in vain for {what}")


def _folder(test: SynchronousTestCase) -> Path:
    """A folder that other users may look into."""
    made = TemporaryDirectory(prefix="pushgw-test-")
    test.addCleanup(made.cleanup)
    os.chmod(made.name, 0o755)
    return Path(made.name)


@define(eq=False)
class Sink:
    """C{smtp-sink}: takes mail and keeps it, or misbehaves as its options say."""

    folder: Path
    port: int = field(factory=free_port)
    process: subprocess.Popen[bytes] | None = field(init=False, default=None)

    def start(self, *options: str) -> None:
        """Start it, again if it ran."""
        self.stop()
        assert SINK is not None
        privileges = ["-u", "nobody"] if os.geteuid() == 0 else []
        mails = self.folder / "mails"
        mails.mkdir(exist_ok=True)
        mails.chmod(0o777)
        self.process = subprocess.Popen(
            [SINK, *privileges, *options, "-d", f"{mails}/%M.", f"127.0.0.1:{self.port}", "100"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=_prepared,
        )
        until(lambda: _answers(self.port), "smtp-sink")

    def stop(self) -> None:
        """Kill it."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def mails(self) -> list[str]:
        """The mails that it has taken whole, with the addresses of their envelopes in front."""
        return [text for path in (self.folder / "mails").iterdir() if (text := path.read_text()).count("\n\n")]


def sink(test: SynchronousTestCase, *options: str) -> Sink:
    """A sink that ends with a test."""
    made = Sink(_folder(test))
    test.addCleanup(made.stop)
    made.start(*options)
    return made


@define(eq=False)
class Postfix:
    """Postfix on a port of its own.

    C{routes}: the port of 127.0.0.1 that mail for a domain goes to; C{settings} for main.cf; C{wrapped}: another port
    with TLS from the first byte.
    """

    folder: Path
    routes: Mapping[str, int]
    settings: Mapping[str, str] = field(factory=dict)
    port: int = field(factory=free_port)
    wrapped: int = field(factory=free_port)
    process: subprocess.Popen[bytes] | None = field(init=False, default=None)

    @property
    def log(self) -> str:
        """What it has logged."""
        log = self.folder / "log"
        return log.read_text() if log.exists() else ""

    @property
    def relay(self) -> dict[str, str]:
        """What a gateway is configured with to have its mails taken here, by section [relay]."""
        return {
            "endpoint": f'"tcp:127.0.0.1:{self.port}"',
            "ca": f'"{self.certificate}"',
            "server_name": f'"{NAME}"',
            "user": f'"{USER}"',
            "password": f'"{PASSWORD}"',
        }

    @property
    def certificate(self) -> Path:
        """Its certificate, which nobody else vouches for."""
        return self.folder / "certificate.pem"

    def make(self) -> None:
        """Write its files."""
        for name in ("config", "config/sasl", "queue", "data"):
            (self.folder / name).mkdir()
        shutil.chown(self.folder / "data", "postfix")
        certificate, key = self_signed([NAME], [ip_address("127.0.0.1")])
        self.certificate.write_bytes(certificate)
        (self.folder / "key.pem").touch(0o600)
        (self.folder / "key.pem").write_bytes(key)
        main = {**self._standard(), **self.settings}
        (self.folder / "config/main.cf").write_text("".join(f"{key} = {value}\n" for key, value in main.items()))
        doors = f"127.0.0.1:{self.port} inet n - n - - smtpd\n"
        doors += f"127.0.0.1:{self.wrapped} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes\n"
        (self.folder / "config/master.cf").write_text(doors + _SERVICES)

    def _standard(self) -> dict[str, str]:
        routes = ", ".join(f"{{ {domain} = smtp:[127.0.0.1]:{port} }}" for domain, port in self.routes.items())
        return {
            "compatibility_level": "3.6",
            "queue_directory": f"{self.folder}/queue",
            "data_directory": f"{self.folder}/data",
            "maillog_file": f"{self.folder}/log",
            "maillog_file_prefixes": str(self.folder),
            "myhostname": NAME,
            "inet_interfaces": "127.0.0.1",
            "inet_protocols": "ipv4",
            "mydestination": "",
            "alias_maps": "",
            "alias_database": "",
            "relay_domains": ", ".join(self.routes),
            "transport_maps": f"inline:{{ {routes} }}",
            "mynetworks": "127.0.0.0/8",
            "queue_run_delay": "1s",
            "minimal_backoff_time": "1s",
            "maximal_backoff_time": "1s",
            "smtpd_tls_cert_file": f"{self.folder}/certificate.pem",
            "smtpd_tls_key_file": f"{self.folder}/key.pem",
            "smtpd_tls_loglevel": "1",
        }

    def make_login(self) -> None:
        """Have it want a user name and a password, and let nobody in by address."""
        assert DB_LOAD is not None
        store = self.folder / "config/sasl/users"
        entry = f"{USER}\\00{NAME}\\00userPassword\n{PASSWORD}\n"
        subprocess.run([DB_LOAD, "-T", "-t", "hash", str(store)], input=entry.encode(), check=True)
        shutil.chown(store, "postfix")
        (self.folder / "config/sasl/smtpd.conf").write_text(
            f"pwcheck_method: auxprop\nauxprop_plugin: sasldb\nmech_list: PLAIN LOGIN\nsasldb_path: {store}\n"
        )
        with (self.folder / "config/main.cf").open("a") as main:
            main.write(
                "smtpd_sasl_auth_enable = yes\n"
                f"smtpd_sasl_local_domain = {NAME}\nsmtpd_tls_security_level = may\nsmtpd_tls_auth_only = yes\n"
                "smtpd_relay_restrictions = permit_sasl_authenticated, reject\n"
            )

    def start(self) -> None:
        """Start it, and wait until it answers."""
        config = str(self.folder / "config")
        subprocess.run(["postfix", "-c", config, "check"], check=True, timeout=PATIENCE)
        self.process = subprocess.Popen(
            [str(MASTER), "-c", config, "-s"], start_new_session=True, preexec_fn=_prepared, cwd=self.folder / "queue"
        )
        until(lambda: _answers(self.port), f"Postfix:\n{self.log}")

    def stop(self) -> None:
        """End it and all that it has started."""
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(PATIENCE)


def postfix(test: SynchronousTestCase, routes: Mapping[str, int], login: bool = False, **settings: str) -> Postfix:
    """A Postfix that ends with a test."""
    made = Postfix(_folder(test), routes, settings)
    test.addCleanup(made.stop)
    made.make()
    if login:
        made.make_login()
    made.start()
    return made


def addresses(mails: Iterable[str]) -> Sequence[str]:
    """For whom mails in a sink are, sorted."""
    lines = (line for mail in mails for line in mail.splitlines() if line.startswith("X-Rcpt-Args: "))
    return sorted(line.partition("<")[2].partition(">")[0] for line in lines)
