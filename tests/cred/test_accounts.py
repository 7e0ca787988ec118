"""Tests of the accounts file: reading it, noticing changes, changing it."""

from __future__ import annotations

import os
from pathlib import Path

from attrs import evolve
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from gateway.cred.accounts import Account, Accounts, BadAccounts, usual_costs
from gateway.cred.editing import add_account, change_account
from gateway.cred.passwords import parameters
from gateway.interfaces import IAccounts
from tests.cred.fixtures import CHEAP, line, write_accounts


class AccountsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        write_accounts(self.path, "# us\n\n" + line("bob", "b") + line("ann", "a") + line("cid", "c", ":disabled"))
        self.clock = Clock()
        self.accounts = Accounts(self.path, self.clock)

    def test_interface(self) -> None:
        """The accounts provide L{IAccounts}."""
        self.assertTrue(verifyObject(IAccounts, self.accounts))

    def test_names(self) -> None:
        """The names are those of the enabled accounts, sorted."""
        self.assertEqual(self.accounts.names(), ["ann", "bob"])

    def test_disabled(self) -> None:
        """A disabled account has no hash, is not enabled, and no user name means it."""
        self.assertIsNone(self.accounts.stored("cid"))
        self.assertFalse(self.accounts.enabled("cid"))
        self.assertIsNone(self.accounts.resolve("cid"))

    def test_changeNoticed(self) -> None:
        """A new file is taken within a second, without being told."""
        write_accounts(self.path, line("dan", "d"))
        self.clock.advance(0.5)
        self.assertEqual(self.accounts.names(), ["ann", "bob"])
        self.clock.advance(0.5)
        self.assertEqual(self.accounts.names(), ["dan"])

    def test_reload(self) -> None:
        """A reload takes the new file at once."""
        write_accounts(self.path, line("dan", "d"))
        self.accounts.reload()
        self.assertEqual(self.accounts.names(), ["dan"])

    def test_changesAreTold(self) -> None:
        """Who wants to know is told when there are other accounts, and not when the same were read again."""
        told: list[list[str]] = []
        self.accounts.changed = lambda names: told.append(self.accounts.names())
        self.accounts.reload()
        self.assertEqual(told, [])
        write_accounts(self.path, line("dan", "d"))
        self.clock.advance(1)
        self.accounts.names()
        self.assertEqual(told, [["dan"]])

    def test_brokenFileKeepsOld(self) -> None:
        """A new file that is wrong is not taken; the log says once why, with file and line."""
        write_accounts(self.path, line("ann", "new") + "nonsense\n")
        with capturedLogs() as events:
            for _ in range(5):
                self.clock.advance(1)
                self.assertEqual(self.accounts.names(), ["ann", "bob"])
        errors = [event for event in events if event["log_level"] is LogLevel.error]
        self.assertEqual(len(errors), 1)
        self.assertIn(f"{self.path}: line 2: ", errors[0]["why"])

    def test_mendedFile(self) -> None:
        """After a wrong file a right one is taken."""
        write_accounts(self.path, "nonsense")
        with capturedLogs():
            self.clock.advance(1)
            self.accounts.names()
        write_accounts(self.path, line("dan", "d"))
        self.clock.advance(1)
        self.assertEqual(self.accounts.names(), ["dan"])

    def test_fileGone(self) -> None:
        """When the file vanishes the accounts stay; a reload on request says so."""
        self.path.unlink()
        with capturedLogs():
            self.clock.advance(1)
            self.assertEqual(self.accounts.names(), ["ann", "bob"])
        self.assertIn("pushgw init", str(self.assertRaises(BadAccounts, self.accounts.reload)))

    def test_refusedAtStart(self) -> None:
        """Without a right file there are no accounts to begin with: the error names file, line and remedy."""
        for text, told in {
            "ann\n": "NAME:HASH",
            f"ann:{CHEAP.hash('a')}:off\n": "NAME:HASH:disabled",
            "ann:secret\n": "argon2",
            line("Ann", "a"): "lower case",
            line("../ann", "a"): "no account name",
            line("ann", "a") + line("ann", "b"): "twice",
        }.items():
            write_accounts(self.path, "\n" + text)
            error = str(self.assertRaises(BadAccounts, Accounts, self.path, self.clock))
            self.assertIn(f"{self.path}: line ", error)
            self.assertIn(told, error)
            self.assertNotIn("$argon2", error)

    def test_notText(self) -> None:
        """A file that is not UTF-8 is refused with a clear error."""
        self.path.write_bytes(b"\xff")
        self.assertIn("UTF-8", str(self.assertRaises(BadAccounts, self.accounts.reload)))

    def test_openToOthers(self) -> None:
        """A file that others may read is taken, with a warning."""
        self.path.chmod(0o640)
        with capturedLogs() as events:
            self.accounts.reload()
        self.assertEqual([event["log_level"] for event in events], [LogLevel.warn])

    def test_resolve(self) -> None:
        """A user name means an account by the rules of the configured domains."""
        accounts = Accounts(self.path, self.clock, ("example.org",))
        self.assertEqual(accounts.resolve("X\\ANN@example.org"), "ann")

    def test_hashNotShown(self) -> None:
        """No representation shows a hash."""
        self.assertNotIn("argon2", repr(self.accounts) + repr(Account("ann", CHEAP.hash("a"))))

    def test_decoyCostsAsMost(self) -> None:
        """The decoy is as expensive as most accounts, and as the library's usual costs if there are none."""
        self.assertEqual(parameters(self.accounts.decoy()), parameters(CHEAP.hash("x")))
        self.assertEqual(usual_costs([]).memory_cost, 65536)


class EditingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.path = self.folder / "accounts"
        self.ann = Account("ann", CHEAP.hash("a"))
        self.bob = Account("bob", CHEAP.hash("b"))

    def test_add(self) -> None:
        """The first account makes the file, mode 0600; nothing else is left in the folder."""
        add_account(self.path, self.ann)
        add_account(self.path, self.bob)
        self.assertEqual(Accounts(self.path, Clock()).names(), ["ann", "bob"])
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o600)
        self.assertEqual(os.listdir(self.folder), ["accounts"])

    def test_addTwice(self) -> None:
        """An account is not added over another, not even over a disabled one."""
        add_account(self.path, evolve(self.ann, disabled=True))
        self.assertRaises(BadAccounts, add_account, self.path, self.ann)

    def test_changeKeepsTheRest(self) -> None:
        """Comments, empty lines and other accounts stay as they are."""
        before = f"\n# us: all\n{self.ann.line()}\n\n  # them\n{self.bob.line()}\n"
        self.path.write_text(before)
        change_account(self.path, "ann", lambda account: evolve(account, disabled=True))
        self.assertEqual(self.path.read_text(), before.replace(self.ann.line(), self.ann.line() + ":disabled"))

    def test_remove(self) -> None:
        """A change to nothing removes the account."""
        self.path.write_text(f"# us\n{self.ann.line()}\n{self.bob.line()}\n")
        change_account(self.path, "ann", lambda account: None)
        self.assertEqual(self.path.read_text(), f"# us\n{self.bob.line()}\n")

    def test_unknown(self) -> None:
        """There is nothing to change in an account that is not there."""
        self.path.write_text("")
        self.assertRaises(BadAccounts, change_account, self.path, "ann", lambda account: None)
        self.assertEqual(self.path.read_text(), "")

    def test_wrongFileUntouched(self) -> None:
        """A file with a wrong line is not changed."""
        self.path.write_text("nonsense\n")
        self.assertRaises(BadAccounts, add_account, self.path, self.ann)
        self.assertEqual(self.path.read_text(), "nonsense\n")
        self.assertEqual(os.listdir(self.folder), ["accounts"])

    def test_modeIsMended(self) -> None:
        """A change takes the file away from others' eyes."""
        self.path.write_text("")
        self.path.chmod(0o644)
        add_account(self.path, self.ann)
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o600)

    def test_link(self) -> None:
        """A link to the file stays a link."""
        self.path.write_text("")
        link = self.folder / "link"
        link.symlink_to("accounts")
        add_account(link, self.ann)
        self.assertTrue(link.is_symlink())
        self.assertEqual(Accounts(self.path, Clock()).names(), ["ann"])

    def test_ownerKept(self) -> None:
        """The superuser's change leaves the file with its owner."""
        if os.geteuid() != 0:
            self.skipTest("needs the superuser")
        self.path.write_text("")
        os.chown(self.path, 12345, 54321)
        add_account(self.path, self.ann)
        self.assertEqual((self.path.stat().st_uid, self.path.stat().st_gid), (12345, 54321))
