"""A PostgreSQL server of our own for tests: in a temporary folder, on a Unix socket, gone afterwards."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import subprocess
import tempfile
import time
from functools import cache
from pathlib import Path

from attrs import define, field
from sqlalchemy import create_engine

SECONDS_TO_START = 30
ACCOUNT = "postgres"


def programs() -> Path | None:
    """The folder of the newest PostgreSQL installed, or C{None}."""
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    return max(found, key=lambda path: float(path.parent.name), default=None)


def missing() -> str | None:
    """Why there can be no server here, or C{None} if there can be."""
    if programs() is None:
        return "PostgreSQL is not installed (/usr/lib/postgresql/*/bin)"
    if os.getuid() == 0 and not shutil.which("setpriv"):
        return "PostgreSQL refuses to run as root, and setpriv (util-linux) is not there to change the account"
    return None


@define(eq=False)
class Cluster:
    """A running server; every L{database} of it is new."""

    folder: Path
    process: subprocess.Popen[bytes]
    _count: int = field(default=0, init=False)

    @classmethod
    def start(cls) -> Cluster:
        """Make the files, start the server and wait until it answers; raises if it does not."""
        binaries = programs()
        assert binaries is not None
        # A short path: that of a socket may have a hundred characters.
        folder = Path(tempfile.mkdtemp(prefix="pushgw-postgresql-", dir="/tmp"))
        before: list[str] = []
        if os.getuid() == 0:
            shutil.chown(folder, ACCOUNT, ACCOUNT)
            before = ["setpriv", f"--reuid={ACCOUNT}", f"--regid={ACCOUNT}", "--clear-groups"]
        data = folder / "data"
        quiet = {"cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
        made = [*before, str(binaries / "initdb"), "-D", str(data), "-U", ACCOUNT, "-A", "trust", "-E", "UTF8"]
        subprocess.run([*made, "--locale=C", "--no-sync"], check=True, **quiet)  # type: ignore[call-overload]
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(folder),
            "fsync": "off",
            "full_page_writes": "off",
            "shared_buffers": "32MB",
            "autovacuum": "off",
        }
        options = [f"-c{name}={value}" for name, value in settings.items()]
        process = subprocess.Popen(
            [*before, str(binaries / "postgres"), "-D", str(data), *options],
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        cluster = cls(folder, process)
        try:
            cluster._wait()
        except BaseException:
            cluster.stop()
            raise
        return cluster

    def url(self, name: str = "postgres") -> str:
        """The address of a database for SQLAlchemy."""
        return f"postgresql+psycopg://{ACCOUNT}@/{name}?host={self.folder}"

    def database(self, template: str = "template1") -> str:
        """Make an empty database (or a copy of one that nobody uses) and give its name."""
        self._count += 1
        name = f"test{self._count}"
        self._say(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def _say(self, statement: str) -> None:
        engine = create_engine(self.url(), isolation_level="AUTOCOMMIT")
        try:
            with engine.connect() as connection:
                connection.exec_driver_sql(statement)
        finally:
            engine.dispose()

    def _wait(self) -> None:
        end = time.monotonic() + SECONDS_TO_START
        while True:
            try:
                return self._say("SELECT 1")
            except Exception:
                if self.process.poll() is not None or time.monotonic() > end:
                    raise
                time.sleep(0.05)

    def stop(self) -> None:
        """End the server and remove its files."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(SECONDS_TO_START)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


@cache
def cluster() -> Cluster:
    """The one server of this run of the tests; it ends with the process."""
    started = Cluster.start()
    atexit.register(started.stop)
    return started
