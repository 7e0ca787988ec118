"""A SOGo server of our own for tests: sogod with its ActiveSync bundle on Dovecot, PostgreSQL and memcached."""

from __future__ import annotations

import atexit
import grp
import imaplib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from functools import cache
from pathlib import Path

from attrs import define, field

from tests.postgresql import programs

USER, PASSWORD = "ann", "secret"
BUNDLE = Path("/usr/lib/GNUstep/SOGo/ActiveSync.SOGo")
SECONDS_TO_START = 30
TABLES = ("profile", "folder_info", "sessions_folder", "alarms_folder", "store", "acl", "cache_folder", "admin")

DOVECOT = """
base_dir = {folder}/run
state_dir = {folder}/run
log_path = {folder}/dovecot.log
protocols = imap
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
default_internal_user = {account}
default_internal_group = {group}
default_login_user = {account}
first_valid_uid = 1
mail_location = maildir:{folder}/mail/%u
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={account} gid={group} home={folder}/mail/%u
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
namespace inbox {{
  inbox = yes
}}
"""


def missing() -> str | None:
    """Why there can be no SOGo here, or C{None} if there can be."""
    absent = [name for name in ("sogod", "dovecot", "memcached") if not shutil.which(name, path="/usr/sbin:/usr/bin")]
    if absent or not BUNDLE.exists() or programs() is None:
        wanted = "sogo-activesync, dovecot-imapd, memcached and postgresql"
        return f"SOGo with ActiveSync is not installed (Debian packages {wanted})"
    if os.getuid() == 0 and not shutil.which("setpriv"):
        return "its servers refuse to run as root, and setpriv (util-linux) is not there to change the account"
    return None


def free_port() -> int:
    """A port that nobody listens at just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@define(eq=False)
class Sogo:
    """The running servers; C{url} is the page for phones, L{deliver} puts a mail into the Maildir."""

    folder: Path = field(factory=lambda: Path(tempfile.mkdtemp(prefix="pushgw-sogo-", dir="/tmp")))
    port: int = field(factory=free_port)
    _processes: list[subprocess.Popen[bytes]] = field(factory=list)
    _account: str = field(factory=lambda: "sogo" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name)
    _mails: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/SOGo/Microsoft-Server-ActiveSync"

    @property
    def inbox(self) -> Path:
        return self.folder / "mail" / USER

    def start(self) -> None:
        """Start everything and wait until it answers; raises, and stops everything, if it does not."""
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def _start(self) -> None:
        for name in ("run", "spool", "mail"):
            (self.folder / name).mkdir()
        ports = {name: free_port() for name in ("imap", "sql", "cache")}
        self._own()
        self._memcached(ports["cache"])
        self._dovecot(ports["imap"])
        self._postgresql(ports["sql"])
        for port in ports.values():
            self._wait(port)
        self._prime(ports["imap"])
        self._sogod(ports)
        self._wait(self.port)

    def deliver(self, subject: str) -> None:
        """A new mail, as any delivery agent writes it."""
        self._mails += 1
        draft = self.folder / "draft"
        date = time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime())
        draft.write_text(
            f"From: bob@example.org\r\nTo: ann@example.org\r\nSubject: {subject}\r\n"
            f"Message-ID: <{self._mails}@example.org>\r\nDate: {date}\r\n\r\nHello.\r\n"
        )
        if os.getuid() == 0:
            shutil.chown(draft, self._account, self._account)
        draft.rename(self.inbox / "new" / f"{time.time():.6f}.{self._mails}.test")

    def stop(self) -> None:
        """End the servers, the last one first, and remove their files."""
        for process in reversed(self._processes):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(SECONDS_TO_START)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _own(self) -> None:
        if os.getuid() == 0:
            for path in (self.folder, *self.folder.iterdir()):
                shutil.chown(path, self._account, self._account)

    def _as_account(self, *arguments: str) -> list[str]:
        name = self._account
        before = ["setpriv", f"--reuid={name}", f"--regid={name}", "--clear-groups"] if os.getuid() == 0 else []
        return [*before, "env", f"HOME={self.folder}", "LC_ALL=C", "TZ=UTC", *arguments]

    def _spawn(self, *arguments: str) -> None:
        with (self.folder / "servers.log").open("ab") as log:
            command = self._as_account(*arguments)
            self._processes.append(subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log))

    def _memcached(self, port: int) -> None:
        self._spawn("memcached", "-l", "127.0.0.1", "-p", str(port), "-U", "0", "-m", "16")

    def _dovecot(self, port: int) -> None:
        group = grp.getgrgid(pwd.getpwnam(self._account).pw_gid).gr_name
        values = {"account": self._account, "group": group, "port": port}
        path = self.folder / "dovecot.conf"
        path.write_text(DOVECOT.format(folder=self.folder, password=PASSWORD, **values))
        self._spawn("/usr/sbin/dovecot", "-F", "-c", str(path))

    def _postgresql(self, port: int) -> None:
        binaries = programs()
        assert binaries is not None
        data = str(self.folder / "sql")
        made = (str(binaries / "initdb"), "-D", data, "-U", "sogo", "-A", "trust", "-E", "UTF8", "--no-sync")
        subprocess.run(self._as_account(*made), check=True, cwd=self.folder, stdout=subprocess.DEVNULL)
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": port,
            "unix_socket_directories": self.folder,
            "fsync": "off",
        }
        options = [f"-c{name}={value}" for name, value in settings.items()]
        self._spawn(str(binaries / "postgres"), "-D", data, *options)
        self._wait(port)
        table = "CREATE TABLE sogo_users (c_uid text primary key, c_name text, c_password text, c_cn text, mail text)"
        row = f"INSERT INTO sogo_users VALUES ('{USER}', '{USER}', '{PASSWORD}', 'Ann', 'ann@example.org')"
        for database, statement in (("postgres", "CREATE DATABASE sogo"), ("sogo", table), ("sogo", row)):
            target = f"host=127.0.0.1 port={port} user=sogo dbname={database}"
            self._until(subprocess.run, [str(binaries / "psql"), "-q", target, "-c", statement], check=True)

    def _prime(self, port: int) -> None:
        """Make the Inbox, and have Dovecot number its changes: it does so from the first client on that asks."""
        with imaplib.IMAP4("127.0.0.1", port) as client:
            client.login(USER, PASSWORD)
            client.select("INBOX")
            self.deliver("primer")
            client.status("INBOX", "(HIGHESTMODSEQ)")
            client.noop()

    def _sogod(self, ports: dict[str, int]) -> None:
        database = f"postgresql://sogo:x@127.0.0.1:{ports['sql']}/sogo"
        keys = ("SOGoProfileURL", "OCSFolderInfoURL", "OCSSessionsFolderURL", "OCSEMailAlarmsFolderURL")
        keys += ("OCSStoreURL", "OCSAclURL", "OCSCacheFolderURL", "OCSAdminURL")
        sources = (
            f'{{type=sql;id=users;viewURL="{database}/sogo_users";canAuthenticate=YES;userPasswordAlgorithm=plain;}}'
        )
        settings = {
            "WOPort": f"127.0.0.1:{self.port}",
            "WOWorkersCount": "4",
            "WONoDetach": "YES",
            "WOLogFile": str(self.folder / "sogo.log"),
            "WOPidFile": str(self.folder / "sogo.pid"),
            **{key: f"{database}/sogo_{table}" for key, table in zip(keys, TABLES, strict=True)},
            "SOGoUserSources": f"({sources})",
            "SOGoIMAPServer": f"imap://127.0.0.1:{ports['imap']}",
            "SOGoMemcachedHost": f"127.0.0.1:{ports['cache']}",
            "SOGoMailDomain": "example.org",
            "SOGoMailSpoolPath": str(self.folder / "spool"),
            "SOGoMaximumPingInterval": "60",
            "SOGoInternalSyncInterval": "1",
        }
        self._spawn("/usr/sbin/sogod", *(part for name, value in settings.items() for part in (f"-{name}", value)))

    def _wait(self, port: int) -> None:
        self._until(lambda: socket.create_connection(("127.0.0.1", port), 1).close())

    def _until(self, action, *arguments, **options) -> None:
        """Do it again and again until it succeeds, or the time is over."""
        end = time.monotonic() + SECONDS_TO_START
        while True:
            try:
                action(*arguments, **options)
                return
            except (OSError, subprocess.CalledProcessError):
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)


@cache
def running() -> Sogo:
    """The one SOGo of this run of the tests; it ends with the process."""
    server = Sogo()
    server.start()
    atexit.register(server.stop)
    return server
