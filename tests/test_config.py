"""Tests of the configuration: reading, overriding, refusing, and what is generated from the schema."""

from __future__ import annotations

import re
import tomllib
from ipaddress import ip_address, ip_network
from pathlib import Path

import attrs
from sqlalchemy import make_url
from twisted.trial.unittest import SynchronousTestCase

from gateway.config import (
    Config,
    ConfigError,
    DirectPush,
    Https,
    ItemClass,
    Policy,
    Store,
    TLSVersion,
    load,
    needs_restart,
    render_reference,
    render_sample,
    show,
)
from gateway.config.__main__ import main
from gateway.config.option import options
from gateway.config.walk import dotted, in_force, known
from gateway.eas.codepages import TOKENS
from gateway.model import Mode

ROOT = Path(__file__).resolve().parent.parent


class ConfigTestCase(SynchronousTestCase):
    """A configuration file in a folder of its own."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).resolve()
        self.folder.mkdir(parents=True)
        self.file = self.folder / "pushgw.toml"

    def load(self, text: str = "", *overrides: str) -> Config:
        """Read a file with this text."""
        self.file.write_text(text, "utf-8")
        return load(self.file, overrides)

    def refused(self, text: str = "", *overrides: str) -> list[str]:
        """The problems of a file with this text, without the name of the file in front."""
        error = self.assertRaises(ConfigError, self.load, text, *overrides)
        self.assertEqual(str(error), "\n".join(error.problems))
        return [problem.removeprefix(f"{self.file}: ") for problem in error.problems]


class LoadTests(ConfigTestCase):
    def test_emptyFile(self) -> None:
        """A file without a line gives every option its default."""
        config = self.load()
        self.assertEqual(config.direct_push, DirectPush())
        self.assertEqual((config.direct_push.min_heartbeat, config.direct_push.max_heartbeat), (60, 2700))
        self.assertEqual(config.https.listen, ("tcp:8443",))
        self.assertEqual(config.smtp.listen, ("tcp:2525:interface=127.0.0.1",))
        self.assertEqual(config.policy.default_mode, Mode.DIRECT_PUSH)
        self.assertEqual(config.origins, {})

    def test_unixProxy(self) -> None:
        """A trusted proxy is an address, a network, or whoever comes by a Unix socket; nothing else."""
        config = self.load('[https]\ntrusted_proxies = ["unix", "192.0.2.1"]')
        self.assertEqual(config.https.trusted_proxies, ("unix", ip_network("192.0.2.1")))
        self.assertIn('trusted_proxies = ["unix", "192.0.2.1"]  # file', show(config).splitlines())
        for wrong in ("Unix", "unix:", "localhost", "192.0.2.0/33"):
            self.assertIn('or "unix"', self.refused(f'[https]\ntrusted_proxies = "{wrong}"')[0])

    def test_values(self) -> None:
        """Values of every kind come out typed."""
        config = self.load("""
            [https]
            trusted_proxies = ["192.0.2.0/24", "::1"]
            minimum_tls = "1.3"
            [direct_push]
            enabled = false
            max_heartbeat = 3540
            grace = 1
            adds_only = ["Email", "Notes"]
            [users."ann@example.org"]
            mode = "off"
            """)
        self.assertTrue(any(ip_address("192.0.2.7") in network for network in config.https.trusted_proxies))
        self.assertFalse(any(ip_address("192.0.3.7") in network for network in config.https.trusted_proxies))
        self.assertIs(config.https.minimum_tls, TLSVersion.V1_3)
        self.assertIs(config.direct_push.enabled, False)
        self.assertEqual(config.direct_push.max_heartbeat, 3540)
        self.assertIsInstance(config.direct_push.grace, float)
        self.assertEqual(config.direct_push.adds_only, (ItemClass.EMAIL, ItemClass.NOTES))
        self.assertIs(config.users["ann@example.org"].mode, Mode.OFF)

    def test_frozen(self) -> None:
        """A configuration does not change once it is read, nor do its tables."""
        config = self.load("[users.ann]\nmode = 'off'")
        self.assertRaises(attrs.exceptions.FrozenInstanceError, setattr, config.direct_push, "min_heartbeat", 1)
        self.assertRaises(TypeError, _put, config.users, "bob", None)

    def test_relativePaths(self) -> None:
        """A relative path starts at the folder of the file, wherever the process stands."""
        config = self.load("[data]\nfolder = 'store'\naccounts = '../accounts'\n[https]\ncertificate = 'tls/cert.pem'")
        self.assertEqual(config.data.folder, self.folder / "store")
        self.assertEqual(config.data.accounts, self.folder.parent / "accounts")
        self.assertEqual(config.https.certificate, self.folder / "tls" / "cert.pem")
        self.assertEqual(config.https.private_key, self.folder / "private_key.pem")

    def test_dataFolderTakesItsFilesAlong(self) -> None:
        """Accounts, socket, mail and database lie in the data folder unless they are given."""
        config = self.load("[data]\nfolder = '/var/lib/pushgw'")
        there = Path("/var/lib/pushgw")
        self.assertEqual(config.data.accounts, there / "accounts")
        self.assertEqual(config.admin.socket, there / "pushgw.sock")
        self.assertEqual((config.data.mail, config.data.database), (there / "mail", there / "pushgw.sqlite"))

    def test_databaseInForce(self) -> None:
        """Without a URL the database is the SQLite file of the data folder; a name that breaks the URL is refused."""
        url = make_url(self.load("[data]\nfolder = 'a b#c@d'").store_url)
        self.assertEqual((url.drivername, url.database), ("sqlite", str(self.folder / "a b#c@d" / "pushgw.sqlite")))
        self.assertEqual(self.load("[store]\nurl = 'sqlite:///x'").store_url, "sqlite:///x")
        for bad in ("a?b", "a%20b"):
            self.assertIn("data.folder: ", self.refused(f"[data]\nfolder = '{bad}'")[0])

    def test_wrongPairOfHeartbeats(self) -> None:
        """A minimum above the maximum is left to the core, which falls back to the defaults."""
        config = self.load("[direct_push]\nmin_heartbeat = 900\nmax_heartbeat = 480")
        self.assertEqual((config.direct_push.min_heartbeat, config.direct_push.max_heartbeat), (900, 480))

    def test_bounds(self) -> None:
        """A heartbeat limit is 1 to 3540 seconds, both included."""
        config = self.load("[direct_push]\nmin_heartbeat = 1\nmax_heartbeat = 3540")
        self.assertEqual((config.direct_push.min_heartbeat, config.direct_push.max_heartbeat), (1, 3540))
        for value in ("0", "3541", "-1", "60.5", "true", '"60"', "[60]", "nan", "1979-05-27"):
            (problem,) = self.refused(f"[direct_push]\nmin_heartbeat = {value}")
            self.assertIn("direct_push.min_heartbeat: ", problem)
            self.assertIn("Give a whole number from 1 to 3540", problem)

    def test_listOfOne(self) -> None:
        """A single value stands for a list of one."""
        self.assertEqual(self.load("[smtp]\ndomains = 'example.org'").smtp.domains, ("example.org",))

    def test_endpoints(self) -> None:
        """What listens is an endpoint of a kind that can listen."""
        for good in (
            "tcp:0",
            "tcp6:8443:interface=\\:\\:",
            "unix:/run/a",
            "systemd:domain=INET:index=0",
            "haproxy:tcp:1",
        ):
            self.assertEqual(self.load(f"[https]\nlisten = ['{good}']").https.listen, (good,))
        for bad in (
            "8443",
            "0.0.0.0:8443",
            ":8443",
            "tcp:",
            "tcp",
            "haproxy:",
            "haproxy:8443",
            "haproxy:haproxy:tcp:1",
        ):
            (problem,) = self.refused(f"[https]\nlisten = ['{bad}']")
            self.assertIn(f'https.listen: "{bad.removeprefix("haproxy:") if bad != "haproxy:" else bad}"', problem)
            self.assertIn("tcp:PORT", problem)

    def test_tlsEndpoint(self) -> None:
        """An endpoint with TLS of its own is refused where the gateway adds TLS, and taken elsewhere."""
        (problem,) = self.refused("[https]\nlisten = ['ssl:8443:privateKey=a']")
        self.assertIn("the gateway puts TLS on top itself", problem)
        self.assertEqual(self.load("[admin]\nlisten = 'ssl:8080:privateKey=a'").admin.listen, "ssl:8080:privateKey=a")

    def test_off(self) -> None:
        """An empty endpoint turns the metrics off; elsewhere it is refused."""
        self.assertEqual(self.load("[admin]\nlisten = ''").admin.listen, "")
        self.assertEqual(self.load("[smtp]\nlisten = []").smtp.listen, ())
        self.assertIn("https.listen: the text is empty", self.refused("[https]\nlisten = ['']")[0])

    def test_byteOrderAndEncoding(self) -> None:
        """A file that is not UTF-8 is refused with the place."""
        self.file.write_bytes(b"[https]\nserver_name = '\xe4'")
        error = self.assertRaises(ConfigError, load, self.file)
        self.assertEqual(str(error), f"{self.file}: byte 23 is not UTF-8. Save the file as UTF-8")


def _put(mapping: object, key: str, value: object) -> None:
    mapping[key] = value  # type: ignore[index]


class RefusalTests(ConfigTestCase):
    def test_missingFile(self) -> None:
        """A file that is not there is named, with the command that makes one."""
        error = self.assertRaises(ConfigError, load, self.folder / "none.toml")
        self.assertIn(f"{self.folder / 'none.toml'}: cannot be read: No such file or directory. ", str(error))
        self.assertIn("pushgw init", str(error))

    def test_syntax(self) -> None:
        """An error of syntax is given with its place."""
        (problem,) = self.refused("[https]\nlisten = tcp:8443")
        self.assertIn("line 2", problem)

    def test_unknownKey(self) -> None:
        """An unknown key is refused and the nearest known one is named."""
        self.assertEqual(
            self.refused("[direct_push]\nmin_hartbeat = 60"),
            ["direct_push.min_hartbeat: unknown key. Did you mean min_heartbeat?"],
        )

    def test_unknownSection(self) -> None:
        """An unknown section is refused, nearest name or not."""
        self.assertEqual(self.refused("[directpush]"), ["directpush: unknown key. Did you mean direct_push?"])
        self.assertIn("Known here: data, https, smtp", self.refused("[zzz]\na = 1")[0])

    def test_keyOfAnotherSection(self) -> None:
        """A key that belongs elsewhere is told its section."""
        self.assertEqual(
            self.refused("[https]\nmin_heartbeat = 60"),
            ["https.min_heartbeat: unknown key. It belongs into the section [direct_push]"],
        )

    def test_everythingAtOnce(self) -> None:
        """All problems of a file are told together, each with file and key."""
        error = self.assertRaises(ConfigError, self.load, "[ledger]\nkeep = 0\nkep = 1\n[users.ann]\nmode = 'on'")
        self.assertEqual(len(error.problems), 3)
        for problem, key in zip(error.problems, ("ledger.keep", "ledger.kep", "users.ann.mode"), strict=True):
            self.assertTrue(problem.startswith(f"{self.file}: {key}: "), problem)

    def test_valueForSection(self) -> None:
        """A value where a section is needed is refused, and a section where a value is needed."""
        self.assertEqual(
            self.refused("https = 8443"),
            ["https: 8443 stands where a section is needed. Write [https] above its options"],
        )
        self.assertIn("Write [users.NAME] above", self.refused("[users]\nann = 'off'")[0])
        self.assertIn("https.listen: a table does not fit", self.refused("[https.listen]\na = 1")[0])
        self.assertIn("ledger.keep: a table does not fit", self.refused("[ledger.keep]")[0])

    def test_modesThatNeedSms(self) -> None:
        """The modes that need SMS are refused where they are given as long as nobody takes SMS."""
        remedy = (
            "Add a section [operators.NAME], or [relay] and sms.allow_own_addresses = true; "
            'or use "direct-push" or "off"'
        )
        for mode in ("sms", "both", "auto"):
            (problem,) = self.refused(f"[policy]\ndefault_mode = '{mode}'")
            said = f'mode "{mode}" needs somebody who takes SMS, and there is no operator. {remedy}'
            self.assertEqual(problem, f"policy.default_mode: {said}")
            self.assertEqual(self.refused(f"[users.'a@b']\nmode = '{mode}'"), [f'users."a@b".mode: {said}'])
            self.assertEqual(self.refused(f"[groups.field]\nmode = '{mode}'"), [f"groups.field.mode: {said}"])
            self.assertEqual(
                self.refused(f"[users.ann.devices.phone1]\nmode = '{mode}'"),
                [f"users.ann.devices.phone1.mode: {said}"],
            )

    def test_host(self) -> None:
        """A domain is a host name in ASCII."""
        self.assertEqual(self.load("[smtp]\ndomains = ['xn--bcher-kva.example']").smtp.domains[0][:4], "xn--")
        for bad in ("a b", "-a.example", "bücher.example", "ann@example.org", "a..b", "a" * 64, "example.org."):
            self.assertIn("smtp.domains: ", self.refused(f"[smtp]\ndomains = ['{bad}']")[0])

    def test_realm(self) -> None:
        """A realm that would break the header is refused."""
        for bad in ('a\\"b', "a\\nb", "\\\\", "ä", " ", "a\\u007fb"):
            self.assertIn("https.server_name: ", self.refused(f'[https]\nserver_name = "{bad}"')[0])

    def test_database(self) -> None:
        """A database URL names a driver that is installed; an error does not show the password in it."""
        url = "postgresql+psycopg://push:s3cret@db/pushgw"
        self.assertEqual(self.load(f"[store]\nurl = '{url}'").store.url, url)
        for bad in ("postgresql://push:s3cret@db/p", "push:s3cret@db", "mysql://s3cret", '"""s3cret\n"""'):
            quotes = "" if bad.startswith('"') else "'"
            (problem,) = self.refused(f"[store]\nurl = {quotes}{bad}{quotes}")
            self.assertIn("store.url: ", problem)
            self.assertNotIn("s3cret", problem)

    def test_longValue(self) -> None:
        """A long value is cut in the message."""
        self.assertLess(len(self.refused(f"[policy]\ndefault_mode = '{'x' * 5000}'")[0]), 300)


class OverrideTests(ConfigTestCase):
    def test_overTheFile(self) -> None:
        """An override goes over the file, the last of several wins."""
        config = self.load(
            "[direct_push]\nmin_heartbeat = 100", "direct_push.min_heartbeat=2", "direct_push.min_heartbeat = 1"
        )
        self.assertEqual(config.direct_push.min_heartbeat, 1)
        self.assertEqual(config.origins, {"direct_push.min_heartbeat": "--set"})

    def test_bareWords(self) -> None:
        """A bare word is a text, and so is what TOML would take for a number where a text is wanted."""
        config = self.load(
            "",
            "https.minimum_tls=1.3",
            "https.listen=tcp:8443:interface=127.0.0.1",
            "data.folder=2024",
            "policy.default_mode=off",
            "admin.listen=",
            "log.access=false",
        )
        self.assertIs(config.https.minimum_tls, TLSVersion.V1_3)
        self.assertEqual(config.https.listen, ("tcp:8443:interface=127.0.0.1",))
        self.assertEqual(config.data.folder, self.folder / "2024")
        self.assertIs(config.policy.default_mode, Mode.OFF)
        self.assertEqual(config.admin.listen, "")
        self.assertIs(config.log.access, False)

    def test_toml(self) -> None:
        """Lists, quoted texts and tables are TOML."""
        config = self.load(
            "[users.ann]\nprovisioning = 'none'",
            'smtp.domains=["a.example", "b.example"]',
            'https.server_name="my phones"',
            'users.ann={mode="off"}',
        )
        self.assertEqual(config.smtp.domains, ("a.example", "b.example"))
        self.assertEqual(config.https.server_name, "my phones")
        self.assertEqual((config.users["ann"].mode, config.users["ann"].provisioning), (Mode.OFF, "none"))

    def test_quotedKeys(self) -> None:
        """The parts of a key may be quoted, with dots and equal signs within."""
        config = self.load("", 'users."ann@x".mode=off', "users.'b=c.d'.mode=off")
        self.assertEqual(set(config.users), {"ann@x", "b=c.d"})

    def test_refused(self) -> None:
        """An override that is wrong is told as one."""
        for text, said in (
            ("direct_push.min_heartbeat", "is not section.key=value"),
            ("=1", "is not section.key=value"),
            ("a b=1", '"a b" is not a key'),
            ("smtp.domains=[", "the value given is not TOML"),
            ("direct_push.min_heartbeat=x", 'direct_push.min_heartbeat: "x" does not fit'),
            ("direct_push.min_hartbeat=1", "Did you mean min_heartbeat?"),
            ("ledger.keep=1\nkeep=2", "ledger.keep: "),
            ("https=1", "https: 1 stands where a section is needed"),
        ):
            (problem,) = self.refused("", text)
            self.assertTrue(problem.startswith("--set: "), problem)
            self.assertIn(said, problem)

    def test_secret(self) -> None:
        """What is wrong with an override of a secret is told without the secret."""
        (problem,) = self.refused("", 'store.url="postgresql+psycopg://a:s3cret')
        self.assertNotIn("s3cret", problem)

    def test_ruleBrokenByOverride(self) -> None:
        """A rule that an override breaks is told as a problem of the override."""
        self.assertTrue(self.refused("", "policy.default_mode=sms")[0].startswith("--set: policy.default_mode: "))


class PolicyTests(ConfigTestCase):
    STRICT = """
        [provisioning]
        policy = "strict"
        exceptions = ["bob"]
        [provisioning.policies.strict]
        AllowCamera = false
        MinDevicePasswordLength = 6
        DevicePasswordEnabled = true
        ApprovedApplicationList = ["hash"]
        [provisioning.policies.mild]
        AttachmentsEnabled = true
        [users.ann]
        provisioning = "mild"
        [users.carol]
        provisioning = "none"
        mode = "off"
        """

    def test_elementsInOrder(self) -> None:
        """The elements that are set come in the order of the tokens, whatever the order in the file."""
        policy = self.load(self.STRICT).provisioning.policies["strict"]
        self.assertEqual(
            list(policy.elements().items()),
            [
                ("DevicePasswordEnabled", True),
                ("MinDevicePasswordLength", 6),
                ("AllowCamera", False),
                ("ApprovedApplicationList", ("hash",)),
            ],
        )

    def test_elementsOfTheSpecification(self) -> None:
        """The elements are those of the code page, and in its order, which is that of the tokens."""
        page, first = TOKENS["Provision:DevicePasswordEnabled"]
        last = TOKENS["Provision:ApprovedApplicationList"][1]
        there = [name for name, (at, token) in TOKENS.items() if at == page and first <= token <= last]
        not_settings = ("Provision:DocumentBrowseEnabled", "Provision:ApplicationName")
        expected = sorted(set(there).difference(not_settings), key=lambda name: TOKENS[name])
        self.assertEqual([f"Provision:{name}" for name, _ in options(Policy)], expected)

    def test_policyOfUser(self) -> None:
        """A user has the policy of its own line, none if excepted, and the common one otherwise."""
        config = self.load(self.STRICT)
        names = [config.policy_name(name) for name in ("dave", "bob", "ann", "carol")]
        self.assertEqual(names, ["strict", "none", "mild", "none"])
        self.assertEqual([name for name in ("dave", "bob", "ann", "carol") if config.excepted(name)], ["bob"])

    def test_undefinedPolicy(self) -> None:
        """A policy that is not defined is refused where it is named."""
        self.assertEqual(
            self.refused("[provisioning]\npolicy = 'strict'"),
            ['provisioning.policy: no policy is called "strict". Add a section [provisioning.policies."strict"]'],
        )
        (problem,) = self.refused(self.STRICT.replace('"mild"', '"mld"'))
        self.assertEqual(problem, 'users.ann.provisioning: no policy is called "mld". Did you mean "mild"?')

    def test_nameOfNone(self) -> None:
        """No policy may take the name that stands for no policy."""
        self.assertIn(
            "provisioning.policies.none: ", self.refused("[provisioning.policies.none]\nAllowCamera = true")[0]
        )

    def test_unknownElement(self) -> None:
        """An element that the specification does not have is refused."""
        self.assertIn("Did you mean AllowCamera?", self.refused("[provisioning.policies.a]\nAllowCamara = true")[0])
        self.assertIn("the elements of EASProvisionDoc", self.refused("[provisioning.policies.a]\nzzz = true")[0])

    def test_ranges(self) -> None:
        """An element outside its range is refused."""
        for element, bad, good in (
            ("MinDevicePasswordLength", "17", "16"),
            ("MaxDevicePasswordFailedAttempts", "3", "4"),
            ("MinDevicePasswordComplexCharacters", "5", "4"),
            ("AllowBluetooth", "3", "1"),
            ("MaxCalendarAgeFilter", "3", "4"),
            ("MaxEmailAgeFilter", "6", "5"),
            ("MaxEmailBodyTruncationSize", "-2", "-1"),
            ("AllowSMIMEEncryptionAlgorithmNegotiation", "3", "2"),
            ("AllowCamera", "1", "true"),
            ("UnapprovedInROMApplicationList", "[1]", '["a.exe"]'),
        ):
            policy = "[provisioning.policies.a]\nDevicePasswordEnabled = true\n"
            self.assertIn(f"provisioning.policies.a.{element}: ", self.refused(f"{policy}{element} = {bad}")[0])
            self.assertIn(element, self.load(f"{policy}{element} = {good}").provisioning.policies["a"].elements())

    def test_passwordElementsNeedAPassword(self) -> None:
        """Password elements that devices would ignore are refused, unless the password is switched off by name."""
        policy = "[provisioning.policies.a]\nMinDevicePasswordLength = 6\n"
        self.assertIn("Add DevicePasswordEnabled = true", self.refused(policy)[0])
        switched_off = self.load(policy + "DevicePasswordEnabled = false").provisioning.policies["a"]
        self.assertIs(switched_off.DevicePasswordEnabled, False)


class ShowTests(ConfigTestCase):
    def test_origins(self) -> None:
        """Each value in force is shown with where it comes from."""
        shown = show(self.load("[ledger]\nkeep = 7", "direct_push.grace=0.5")).splitlines()
        self.assertEqual(shown[0], f"# {self.file}")
        for line in ("keep = 7  # file", "grace = 0.5  # --set", "min_heartbeat = 60  # default"):
            self.assertIn(line, shown)

    def test_isConfiguration(self) -> None:
        """What is shown is itself a configuration file that gives the same values."""
        config = self.load(PolicyTests.STRICT + '\n[https]\nserver_name = "a#b\'c"')
        self.assertEqual(load(self.write(show(config))), attrs.evolve(config, file=self.folder / "shown.toml"))

    def write(self, text: str) -> Path:
        shown = self.folder / "shown.toml"
        shown.write_text(text)
        return shown

    def test_secrets(self) -> None:
        """Passwords in the database URL are masked, in what is shown and in the repr."""
        for url in (
            "postgresql+psycopg://push:s3cret@db/pushgw",
            "postgresql+psycopg://push:s3/cr:e@s3cret@db/pushgw?sslpassword=s3cret&a=b",
            "postgresql+psycopg://:s3cret@db/p",
            "postgresql+psycopg:///p?user=a&password=s3cret",
        ):
            config = self.load(f"[store]\nurl = '{url}'")
            self.assertNotIn("s3c", show(config))
            self.assertIn("***", show(config))
            self.assertNotIn("s3c", repr(config))
        self.assertIn(
            'url = "postgresql+psycopg://db/p"', show(self.load("[store]\nurl = 'postgresql+psycopg://db/p'"))
        )

    def test_unset(self) -> None:
        """An option of a user that is not set is shown as what it follows."""
        self.assertIn("# provisioning: as provisioning.policy", show(self.load("[users.ann]\nmode = 'off'")))


class RestartTests(ConfigTestCase):
    def test_needsRestart(self) -> None:
        """What a reload puts in force is not named; what it does not is."""
        old = self.load("[users.ann]\nmode = 'off'")
        new = self.load(
            "[https]\nlisten = 'tcp:1'\ncertificate = 'new.pem'\n[direct_push]\nmin_heartbeat = 1\n[store]\nthreads = 9"
        )
        self.assertEqual(needs_restart(old, new), ["https.listen", "store.threads"])
        self.assertEqual(needs_restart(old, old), [])


class GeneratedTests(ConfigTestCase):
    def test_sampleIsFresh(self) -> None:
        """etc/pushgw.toml is what the schema gives (`make docs` writes it anew)."""
        self.assertEqual((ROOT / "etc" / "pushgw.toml").read_text("utf-8"), render_sample())

    def test_referenceIsFresh(self) -> None:
        """docs/reference/configuration.md is what the schema gives (`make docs` writes it anew)."""
        page = (ROOT / "docs" / "reference" / "configuration.md").read_text("utf-8")
        self.assertEqual(page, render_reference())

    def test_sampleIsConfiguration(self) -> None:
        """The sample is a configuration file with nothing but defaults."""
        config = self.load(render_sample())
        self.assertEqual(config.origins, {})
        self.assertEqual(config, attrs.evolve(self.load(), file=self.file))

    def test_sampleUncommented(self) -> None:
        """With every # before a setting taken away, the sample is valid and names every key of the schema."""
        config = self.load(re.sub(r"(?m)^#(?=[\w\[])", "", render_sample()))
        default = self.load()
        for name in (
            "data",
            "https",
            "smtp",
            "admin",
            "direct_push",
            "limits",
            "store",
            "cred",
            "maildir",
            "sms",
            "auto",
        ):
            self.assertEqual(getattr(config, name), getattr(default, name))
        named = {dotted(path) for path in known(Config)}
        examples = re.compile('"ann@example.org"|(?<=[.])(strict|phone1|field|examplenet|old-androids)(?=[.])')
        self.assertEqual({examples.sub("NAME", key) for key in config.origins}, named)

    def test_examples(self) -> None:
        """Every example is a value that the option takes."""
        for line in render_sample().splitlines():
            if line.startswith("# Example: "):
                self.assertIn("value", tomllib.loads(line.replace("# Example:", "value =")))

    def test_sampleWithValues(self) -> None:
        """Values that are handed over are set in the sample, and nothing else is."""
        text = render_sample({"https.listen": ["tcp:9443"], "smtp.domains": "example.org", "limits.wbxml_depth": 16})
        config = self.load(text)
        self.assertEqual(config.https.listen, ("tcp:9443",))
        self.assertEqual(set(config.origins), {"https.listen", "smtp.domains", "limits.wbxml_depth"})
        self.assertRaises(KeyError, render_sample, {"https.listn": "tcp:1"})

    def test_referenceHasEveryOption(self) -> None:
        """The reference has a line for every option, each with as many cells as the header."""
        rows = [line for line in render_reference().splitlines() if line.startswith("| `")]
        self.assertEqual(len(rows), len(list(known(Config))))
        self.assertEqual({len(re.findall(r"(?<!\\)\|", row)) for row in rows}, {6})

    def test_defaultsAreInBounds(self) -> None:
        """Every default would be taken if the file gave it."""
        for path, option, value in in_force(Config()):
            if value is None:
                continue
            written = tomllib.loads(f"value = {option.kind.write(value)}")["value"]
            if written != "":
                self.assertEqual(option.kind.read(written), value, dotted(path))

    def test_command(self) -> None:
        """The module prints either file and refuses anything else."""
        self.assertEqual(main(["sample"]), render_sample())
        self.assertEqual(main(["reference"]), render_reference())
        self.assertRaises(SystemExit, main, [])
        self.assertRaises(SystemExit, main, ["other"])


class SectionTests(SynchronousTestCase):
    def test_inTests(self) -> None:
        """Sections can be made without a file, with the defaults for what is not given."""
        self.assertEqual(DirectPush(min_heartbeat=1).max_heartbeat, 2700)
        self.assertEqual(Config(https=Https(listen=("tcp:0",))).store, Store())
