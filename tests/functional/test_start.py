"""What ends a gateway before it begins: one clear line and exit status 1, and nobody else is harmed."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.functional.phones import Phone
from tests.functional.running import Running, played, pushgw, started


class StartTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="pushgw test ")
        self.addCleanup(folder.cleanup)
        self.gateway = Running(Path(folder.name) / "data")
        self.addCleanup(self.gateway.kill)
        self.gateway.make()

    def refused(self, *reasons: str) -> None:
        """Starting ends with status 1, one line that says why, and no traceback."""
        self.gateway.launch()
        self.assertEqual(self.gateway.wait(), 1, self.gateway.log)
        said = [line for line in self.gateway.log.splitlines() if "pushgw cannot start: " in line]
        self.assertEqual(len(said), 1, self.gateway.log)
        for reason in reasons:
            self.assertIn(reason, said[0])
        self.assertNotIn("Traceback", self.gateway.log)

    def test_folder(self) -> None:
        """Without its data folder a gateway does not start, and names the folder and the key."""
        self.gateway.write_config(data={"folder": '"absent"', "accounts": '"accounts"'})
        self.refused("there is no folder", "/absent. ", "data.folder", "pushgw init")

    def test_longPath(self) -> None:
        """A path that is too long for the control socket ends the start with the option that helps; commands take it
        for a gateway that does not run."""
        self.gateway.write_config(admin={"socket": f'"{"s" * 100}.sock"'})
        self.refused("s.sock is longer than 107 bytes", "admin.socket")
        ran = pushgw("devices", "--config", self.gateway.config)
        self.assertEqual(ran.status, 0, ran.err)
        self.assertIn("No devices yet", ran.out)

    def test_database(self) -> None:
        """A database that is none ends the start with its name; nothing is written over it."""
        database = self.gateway.folder / "pushgw.sqlite"
        database.write_bytes(b"something else" * 1000)
        self.refused("pushgw.sqlite", "not a database")
        self.assertEqual(database.read_bytes(), b"something else" * 1000)

    def test_newer(self) -> None:
        """A database of a newer version is left alone, and the commands say so too."""
        self.gateway.start()
        self.gateway.stop()
        with closing(sqlite3.connect(self.gateway.folder / "pushgw.sqlite")) as database:
            database.execute("UPDATE alembic_version SET version_num = '9999'")
            database.commit()
        self.refused("'9999'", "newer")
        ran = pushgw("devices", "--config", self.gateway.config)
        self.assertEqual(ran.status, 1)
        self.assertIn("'9999'", ran.err)
        self.assertNotIn("Traceback", ran.err)

    def test_second(self) -> None:
        """A second gateway on the same data folder does not start; the first one goes on taking orders."""
        self.gateway.start()
        first = self.gateway.process
        assert first is not None
        self.gateway.launch()
        second, self.gateway.process = self.gateway.process, first
        assert second is not None
        self.assertEqual(second.wait(60), 1)
        self.assertIn(f"cannot start: another gateway runs on {self.gateway.folder}", self.gateway.log)
        self.assertEqual(self.gateway.ask("status")["pid"], first.pid)

    def test_killed(self) -> None:
        """What a killed gateway left in its folder does not keep the next one from starting, not even if its process
        id is in use again."""
        self.gateway.start()
        self.gateway.stop(signal.SIGKILL)
        for left in self.gateway.folder.glob("*.lock"):
            if left.is_symlink():
                left.unlink()
                left.symlink_to(str(os.getpid()))
        self.gateway.start()
        self.assertEqual(self.gateway.ask("status")["accounts"], 1)


class SecrecyTests(SynchronousTestCase):
    def test_database(self) -> None:
        """Nobody else may read the database, whatever the umask says: it names mails, phones and their owners."""
        gateway = started(self)
        for file in gateway.folder.glob("pushgw.sqlite*"):
            self.assertEqual(file.stat().st_mode & 0o077, 0, file)


class StopTests(SynchronousTestCase):
    @played
    async def test_locked(self) -> None:
        """A gateway whose database another program holds on to ends all the same, and says what was not written."""
        gateway = started(self)
        phone = Phone(gateway, "ann")
        await phone.ready()
        with closing(sqlite3.connect(gateway.folder / "pushgw.sqlite", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            self.assertEqual((await phone.ask("Ping")).ping, "3")
            gateway.poke(signal.SIGTERM)
            self.assertEqual(await asyncio.to_thread(gateway.wait), -signal.SIGTERM)
        self.assertIn("notes could not be written", gateway.log)
        self.assertIn("stopped", gateway.log)

    def test_socketTaken(self) -> None:
        """A gateway whose control socket somebody removed ends all the same."""
        gateway = started(self)
        (gateway.folder / "pushgw.sock").unlink()
        gateway.poke(signal.SIGTERM)
        self.assertEqual(gateway.wait(), -signal.SIGTERM)
        self.assertIn("stopped", gateway.log)
