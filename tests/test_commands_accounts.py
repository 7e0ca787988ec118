"""Tests of C{pushgw init} and C{pushgw user}."""

from __future__ import annotations

import re
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from twisted.internet.endpoints import serverFromString
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactor

from gateway.commands.accounts import user
from gateway.commands.initial import init
from gateway.config import load
from gateway.cred.accounts import Accounts, load_accounts
from gateway.cred.passwords import fits
from gateway.tls import KeyPair, ServerContext
from tests.commandline import CommandCase
from tests.cred.fixtures import CHEAP


class InitTests(CommandCase):
    def mode(self, name: str) -> int:
        return (self.folder / name).stat().st_mode & 0o777

    def hosts(self) -> x509.SubjectAlternativeName:
        certificate = x509.load_pem_x509_certificate((self.folder / "certificate.pem").read_bytes())
        return certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value

    def test_defaults(self) -> None:
        """Without options there is a configuration with the defaults, whose files are all there and closed to others."""
        self.init()
        config = load(self.file)
        self.assertEqual(config.https.listen, ("tcp:8443",))
        self.assertEqual(config.smtp.listen, ("tcp:2525:interface=127.0.0.1",))
        self.assertEqual(config.smtp.domains, ("localhost",))
        self.assertEqual(config.data.accounts, self.folder / "accounts")
        self.assertTrue(config.data.mail.is_dir())
        modes = {name: self.mode(name) for name in ("accounts", "private_key.pem", "mail")}
        self.assertEqual(modes, {"accounts": 0o600, "private_key.pem": 0o600, "mail": 0o700})
        self.assertEqual(Accounts(config.data.accounts, Clock()).names(), [])
        ServerContext([KeyPair(config.https.certificate, config.https.private_key)])

    def test_small(self) -> None:
        """The configuration is small, and says where all keys are."""
        self.init("--domain", "example.org")
        text = self.file.read_text()
        self.assertLess(len(text.splitlines()), 25)
        self.assertIn("pushgw config sample", text)

    def test_options(self) -> None:
        """Addresses and domains go where they belong."""
        self.init(
            "--https", "127.0.0.1:9443", "--smtp", "0.0.0.0:25", "--domain", "Example.org", "--domain", "b.example"
        )
        config = load(self.file)
        self.assertEqual(config.https.listen, ("tcp:9443:interface=127.0.0.1",))
        self.assertEqual(config.smtp.listen, ("tcp:25:interface=0.0.0.0",))
        self.assertEqual(config.smtp.domains, ("example.org", "b.example"))

    def test_everywhere(self) -> None:
        """A port alone listens on every address."""
        for number, text in enumerate(("9443", ":9443", "*:9443")):
            self.folder = Path(self.mktemp()) / str(number)
            self.init("--https", text)
            self.assertEqual(load(self.folder / "pushgw.toml").https.listen, ("tcp:9443",))

    def test_ipv6(self) -> None:
        """An IPv6 address is listened on, and the certificate has it."""
        self.init("--https", "[2001:db8::7]:9443", "--smtp", "[::1]:2525")
        config = load(self.file)
        for endpoint, address, port in (
            (config.https.listen[0], "2001:db8::7", 9443),
            (config.smtp.listen[0], "::1", 2525),
        ):
            reactor = MemoryReactor()
            serverFromString(reactor, endpoint).listen(None)  # type: ignore[arg-type]
            self.assertEqual((reactor.tcpServers[0][0], reactor.tcpServers[0][3]), (port, address))
        self.assertIn(ip_address("2001:db8::7"), self.hosts().get_values_for_type(x509.IPAddress))

    def test_names(self) -> None:
        """The certificate is for the domains and what is below them, for this machine and for localhost."""
        self.init("--https", "192.0.2.7:8443", "--domain", "example.org", "--domain", "intern")
        names = self.hosts().get_values_for_type(x509.DNSName)
        self.assertEqual(names[:3], ["example.org", "*.example.org", "intern"])
        self.assertIn("localhost", names)
        self.assertNotIn("*.intern", names)
        self.assertEqual(
            [str(address) for address in self.hosts().get_values_for_type(x509.IPAddress)],
            ["127.0.0.1", "::1", "192.0.2.7"],
        )

    def test_refusesToOverwrite(self) -> None:
        """What is there already is not touched."""
        self.init()
        before = {path: path.read_bytes() for path in self.folder.iterdir() if path.is_file()}
        self.assertIn("already", self.wrong(init, str(self.folder)))
        self.file.unlink()
        self.assertIn("accounts", self.wrong(init, str(self.folder)))
        self.assertFalse(self.file.exists())
        after = {path: path.read_bytes() for path in self.folder.iterdir() if path.is_file()}
        self.assertEqual(after, {path: data for path, data in before.items() if path != self.file})

    def test_wrongOptions(self) -> None:
        """Wrong options are refused, and nothing is left behind."""
        for options in (
            *(
                ("--https", text)
                for text in ("x", "mail.example.org:1", "1.2.3.4:99999", "::1:8443", "[::1", "1.2.3:1")
            ),
            ("--domain", "bücher.example"),
            ("--domain", 'a"b'),
            ("--domain", ""),
        ):
            self.wrong(init, str(self.folder), *options)
            self.assertFalse(self.folder.exists() and list(self.folder.iterdir()), options)

    def test_notAFolder(self) -> None:
        """Where a file is, no folder is made."""
        self.folder.parent.mkdir()
        self.folder.write_text("")
        self.wrong(init, str(self.folder))
        self.assertIn("Error: ", self.wrong(init, str(self.folder / "below")))

    def test_nextStep(self) -> None:
        """The next step is printed, ready to be copied even with a space in the path; a phone's owner can compare
        the fingerprint."""
        printed = self.init()
        self.assertIn(f"pushgw user add NAME --config '{self.file}'", printed)
        self.assertIn(f"twistd -n pushgw --config '{self.file}'", printed)
        self.assertRegex(printed, r"SHA-256\): ([0-9A-F]{2}:){31}[0-9A-F]{2}\n")


class UserTests(CommandCase):
    def setUp(self) -> None:
        super().setUp()
        self.init("--domain", "example.org")
        self.path = load(self.file).data.accounts

    def user(self, command: str, *words: str, input: str | bytes | None = None) -> str:
        return self.right(user, command, *words, "--config", str(self.file), input=input)

    def refused(self, command: str, *words: str, input: str | bytes | None = None) -> str:
        return self.wrong(user, command, *words, "--config", str(self.file), input=input)

    def has(self, name: str, password: str) -> bool:
        return fits(load_accounts(self.path)[0][name].stored, password.encode(), CHEAP)

    def test_add(self) -> None:
        """An account is added with the password that was typed twice, which is not shown."""
        printed = self.user("add", "Ann", input="geheim\ngeheim\n")
        self.assertTrue(self.has("ann", "geheim"))
        self.assertIn("ann@example.org", printed)
        self.assertNotIn("geheim", printed + self.path.read_text())

    def test_addFromInput(self) -> None:
        """A password from the input is its first line, with its spaces."""
        self.user("add", "ann", "--password-stdin", input=" ge heim \nmore\n")
        self.assertTrue(self.has("ann", " ge heim "))
        self.user("add", "bob", "--password-stdin", input="grün")
        self.assertTrue(self.has("bob", "grün"))

    def test_addRefused(self) -> None:
        """A bad name, an account that is there, no password and two different ones are refused."""
        self.user("add", "ann", "--password-stdin", input="a")
        before = self.path.read_text()
        for words, typed, told in (
            (("../x", "--password-stdin"), "a", "no account name"),
            (("ANN", "--password-stdin"), "b", "already"),
            (("bob", "--password-stdin"), "", "empty"),
            (("bob", "--password-stdin"), "x" * 2000, "1024"),
            (("bob", "--password-stdin"), b"gr\xfcn", "UTF-8"),
            (("bob",), "one\ntwo\n", "match"),
        ):
            self.assertIn(told, re.sub(r"\s+", " ", self.refused("add", *words, input=typed)))
            self.assertEqual(self.path.read_text(), before)

    def test_password(self) -> None:
        """A new password replaces the old one; the account stays as it is otherwise."""
        self.user("add", "ann", "--password-stdin", input="old")
        self.user("disable", "ann")
        self.user("password", "ann", "--password-stdin", input="new")
        self.assertTrue(self.has("ann", "new"))
        self.assertFalse(self.has("ann", "old"))
        self.assertEqual(self.user("list"), "ann  disabled\n")

    def test_passwordUnknown(self) -> None:
        """Nobody is asked for the password of an account that is not there."""
        printed = self.refused("password", "eve")
        self.assertIn("there is no account eve", printed)
        self.assertNotIn("Password:", printed)

    def test_disableAndEnable(self) -> None:
        """A disabled account is none for the gateway, until it is enabled; doing so twice is no error."""
        self.user("add", "ann", "--password-stdin", input="a")
        for command, names in (("disable", []), ("disable", []), ("enable", ["ann"]), ("enable", ["ann"])):
            self.user(command, "Ann")
            self.assertEqual(Accounts(self.path, Clock()).names(), names)
        self.assertTrue(self.has("ann", "a"))

    def test_remove(self) -> None:
        """A removed account is gone, its mail is not."""
        self.user("add", "ann", "--password-stdin", input="a")
        mail = self.folder / "mail" / "ann"
        mail.mkdir()
        self.assertIn(str(mail), self.user("remove", "ann"))
        self.assertTrue(mail.is_dir())
        self.assertEqual(self.user("list"), "")

    def test_list(self) -> None:
        """The list has all accounts, sorted."""
        for name in ("bob", "ann", "cid@example.org"):
            self.user("add", name, "--password-stdin", input="x")
        self.user("disable", "bob")
        self.assertEqual(self.user("list"), "ann\nbob  disabled\ncid@example.org\n")

    def test_unknown(self) -> None:
        """What is not there cannot be changed."""
        for command in ("remove", "disable", "enable", "password"):
            self.assertIn("there is no account eve", self.refused(command, "eve"))

    def test_comments(self) -> None:
        """What a person wrote into the file stays."""
        before = self.path.read_text()
        self.user("add", "ann", "--password-stdin", input="a")
        self.user("password", "ann", "--password-stdin", input="b")
        self.user("remove", "ann")
        self.assertEqual(self.path.read_text(), before)

    def test_leftOver(self) -> None:
        """What a change that was killed has left beside the file goes with the next one; other files stay."""
        left, others = self.folder / f".accounts.{'0a' * 6}", self.folder / ".accounts.backup"
        for path in (left, others):
            path.write_text("ann:half")
        self.user("add", "ann", "--password-stdin", input="a")
        self.assertEqual((left.exists(), others.exists()), (False, True))

    def test_wrongFiles(self) -> None:
        """A configuration or accounts file that is missing or wrong is a clear error."""
        self.path.write_text("nonsense\n")
        self.assertIn("line 1", self.refused("list"))
        self.path.unlink()
        self.assertIn("no such file", self.refused("list"))
        self.file.unlink()
        self.assertIn(str(self.file), self.refused("list"))
