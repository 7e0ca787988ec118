"""Tests of the configuration of modes, triggers, operators and the relay."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

from gateway.config import (
    Bind,
    Concatenation,
    Encoding,
    InterfaceVersion,
    ItemClass,
    MessageId,
    NumberForm,
    Operator,
    Receipts,
    Relay,
    Security,
    Sms,
    TriggerFormat,
    load,
    needs_restart,
    render_sample,
    show,
)
from gateway.config.texts import septets
from gateway.core.wakerules import Hours
from gateway.model import Mode
from tests.test_config import ConfigTestCase

OPERATOR = """
    [operators.one]
    smpp = ["tls:smsc.example.net:3550", "tcp:192.0.2.1:2775"]
    system_id = "pushgw"
    password = "geheim"
    price = 0.07
    """
RELAY = """
    [relay]
    endpoint = "tcp:mail.example.org:587"
    """
GATEWAY = RELAY + "[operators.mail]\nsmtp_address = '{number}@sms.example.net'\n"


class DefaultTests(ConfigTestCase):
    def test_nothing(self) -> None:
        """Without a line there is no operator and no relay, and triggers would be batched for 15 minutes."""
        config = self.load()
        self.assertEqual((dict(config.operators), config.relay, config.sms), ({}, Relay(), Sms()))
        self.assertEqual((config.sms.batch_seconds, config.sms.repeats, config.sms.adds_only), (900, 0, True))
        self.assertEqual(
            (config.auto.absent_seconds, config.auto.young_seconds, config.auto.young_parks), (900, 300, 3)
        )
        self.assertFalse(config.sends_sms)

    def test_operator(self) -> None:
        """An operator needs an address and an account; the rest has defaults."""
        operator = self.load(OPERATOR).operators["one"]
        self.assertEqual(operator.smpp, ("tls:smsc.example.net:3550", "tcp:192.0.2.1:2775"))
        self.assertEqual((operator.system_id, operator.password, operator.price), ("pushgw", "geheim", 0.07))
        self.assertEqual((operator.bind, operator.binds, operator.window), (Bind.TRANSCEIVER, 1, 10))
        self.assertEqual((operator.rate, operator.enquire_link_seconds, operator.response_seconds), (0.0, 30.0, 60.0))
        self.assertEqual((operator.source_ton, operator.destination_ton, operator.destination_npi), (None, 1, 1))
        self.assertEqual((operator.validity_seconds, operator.trigger_format, operator.ca), (None, None, None))
        self.assertIs(operator.interface_version, InterfaceVersion.V3_4)
        self.assertIs(operator.concatenation, Concatenation.UDH8)
        self.assertIs(operator.message_id, MessageId.AUTO)
        self.assertIs(operator.receipts, Receipts.ALL)
        self.assertIs(operator.encoding, Encoding.GSM)

    def test_operatorBySmtp(self) -> None:
        """An operator may have a gateway that makes an SMS of a mail, behind the relay or a server of its own."""
        operator = self.load(GATEWAY).operators["mail"]
        self.assertEqual((operator.smtp_address, operator.smtp_sender), ("{number}@sms.example.net", ""))
        self.assertIs(operator.number_form, NumberForm.PLUS)
        own = (
            GATEWAY.removeprefix(RELAY) + "smtp_server = 'tcp:localhost:25'\nsmtp_security = 'none'\nnumber_form = '00'"
        )
        operator = self.load(own).operators["mail"]
        self.assertIs(operator.smtp_security, Security.NONE)
        self.assertIs(operator.number_form, NumberForm.ZEROS)

    def test_pathWithinTable(self) -> None:
        """A path of an operator starts at the folder of the file."""
        config = self.load(OPERATOR + "ca = 'tls/ca.pem'")
        self.assertEqual(config.operators["one"].ca, self.folder / "tls" / "ca.pem")
        self.assertEqual(self.load(RELAY + "ca = 'ca.pem'").relay.ca, self.folder / "ca.pem")

    def test_reload(self) -> None:
        """Nothing of triggers, operators, relay, groups and devices needs a restart."""
        new = self.load(
            OPERATOR + RELAY + "[sms]\nenabled = false\n[groups.a]\nmembers = ['ann']\n"
            "[users.ann.devices.one]\nmode = 'sms'\n[auto]\nyoung_parks = 1\n[trace]\nkeep_days = 1"
        )
        self.assertEqual(needs_restart(self.load(), new), [])


class OperatorTests(ConfigTestCase):
    def one(self, line: str) -> list[str]:
        """The problems of an operator with a line more, without its section."""
        return [problem.removeprefix("operators.one.") for problem in self.refused(OPERATOR + line)]

    def test_oneWay(self) -> None:
        """An operator is reached in one way, no more and no less."""
        (problem,) = self.one("smtp_address = '{number}@sms.example.net'")
        self.assertEqual(
            problem,
            "smtp_address: an operator is reached in one way, and smpp is given too. Make two operators of it, or "
            "leave one",
        )
        (problem,) = self.refused("[operators.one]\nprice = 1")
        self.assertTrue(problem.startswith("operators.one.smpp: nothing says how the operator is reached. "), problem)

    def test_account(self) -> None:
        """An SMSC wants a name, and lengths are those of SMPP."""
        (problem,) = self.refused("[operators.one]\nsmpp = 'tcp:a:1'")
        self.assertIn("operators.one.system_id: ", problem)
        for name, longest in (("system_id", 15), ("password", 8), ("system_type", 12), ("service_type", 5)):
            text = OPERATOR if name not in OPERATOR else "\n".join(x for x in OPERATOR.split("\n") if name not in x)
            operator = self.load(f"{text}{name} = '{'x' * longest}'").operators["one"]
            self.assertEqual(getattr(operator, name), "x" * longest)
            (problem,) = self.refused(f"{text}{name} = '{'x' * (longest + 1)}'")
            self.assertIn(f"up to {longest} characters", problem)

    def test_endpoints(self) -> None:
        """An SMSC is connected to by tcp or tls, at a host and a port."""
        for good in ("tcp:localhost:2775", "tls:smsc.example.net:3550", "tcp:\\:\\:1:2775"):
            self.assertEqual(self.load(f"{OPERATOR}", f"operators.one.smpp='{good}'").operators["one"].smpp, (good,))
        for bad in (
            "smsc.example.net:2775",
            "tcp:2775",
            "tcp:a:0",
            "tcp:a:65536",
            "tcp:a:b",
            "ssl:a:1",
            "tcp:::1:1",
            "",
        ):
            (problem,) = self.refused("[operators.one]\nsystem_id = 'a'", f"operators.one.smpp='{bad}'")
            self.assertTrue(problem.startswith("--set: operators.one.smpp: "), problem)

    def test_source(self) -> None:
        """An SMS is from a number or from a name of up to eleven characters."""
        for good in ("+491701234567", "12345", "pushgw", "My Company!"):
            self.assertEqual(self.load(f"{OPERATOR}source_address = '{good}'").operators["one"].source_address, good)
        for bad in ("1" * 21, "twelve chars", "b\u00fccher", "a`b"):
            self.assertIn("source_address: ", self.one(f"source_address = '{bad}'")[0])

    def test_numbers(self) -> None:
        """What is taken from and put in front of numbers are digits."""
        operator = self.load(OPERATOR + "number_strip = '49'\nnumber_add = '0'\nprefixes = ['+4917', '4916']").operators
        self.assertEqual(operator["one"].prefixes, ("+4917", "4916"))
        for bad in (
            "number_strip = '+49'",
            "number_add = 'x'",
            "prefixes = ['+']",
            "prefixes = ['++4']",
            "source_ton = 7",
        ):
            self.assertEqual(len(self.one(bad)), 1, bad)

    def test_name(self) -> None:
        """The name of an operator can stand in a route."""
        for bad in ("a b", "a:b", "x" * 33, ""):
            text = OPERATOR.replace("operators.one", f"operators.'{bad}'")
            self.assertIn("cannot be the name of an operator", self.refused(text)[0])

    def test_smtpNeedsAServer(self) -> None:
        """Mails to an operator need a server that takes them."""
        (problem,) = self.refused(GATEWAY.removeprefix(RELAY))
        self.assertEqual(
            problem,
            "operators.mail.smtp_address: no server takes these mails. Give smtp_server, or a section [relay]",
        )

    def test_smtpAddress(self) -> None:
        """The rule for the address names the place of the number once, and is an address in ASCII."""
        good = "sms-{number}.x@sms.example.net"
        self.assertEqual(
            self.load(GATEWAY, f"operators.mail.smtp_address='{good}'").operators["mail"].smtp_address, good
        )
        for bad in (
            "a@b",
            "{number}",
            "{number}{number}@b",
            "{number}@",
            "{number}@b c",
            "a {number}@b",
            "{x}{number}@b@c",
        ):
            self.assertIn("smtp_address: ", self.refused(GATEWAY, f"operators.mail.smtp_address='{bad}'")[0])

    def test_login(self) -> None:
        """A password needs a user, and does not go over the network in the clear."""
        for given, said in (
            ("user = 'a'", "relay.password: "),
            ("password = 'p'", "relay.user: "),
            ("user = 'a'\npassword = 'p'\nsecurity = 'none'", "relay.security: "),
        ):
            (problem,) = self.refused(RELAY + given)
            self.assertTrue(problem.startswith(said), problem)
        self.assertIn("operators.mail.smtp_password: ", self.refused(GATEWAY + "smtp_user = 'a'")[0])
        self.assertIn("relay.endpoint: ", self.refused("[relay]\nuser = 'a'\npassword = 'p'")[0])

    def test_choice(self) -> None:
        """The longest prefix chooses the operator, then the default one, then the only one."""
        more = (
            OPERATOR
            + "prefixes = ['+49', '+4917']\n[operators.two]\nsmpp = 'tcp:a:1'\nsystem_id = 'a'\nprefixes = '+49170'"
        )
        config = self.load(more)
        chosen = [config.operator_of(number) for number in ("+4917112", "+4917012", "+33170")]
        self.assertEqual(chosen, ["one", "two", ""])
        self.assertEqual(self.load(more, "sms.default_operator=two").operator_of("+33170"), "two")
        self.assertEqual(self.load(OPERATOR).operator_of("+33170"), "one")
        self.assertEqual(self.load().operator_of("+33170"), "")
        (problem,) = self.refused(more.replace("+49170", "4917"))
        self.assertEqual(problem, 'operators.two.prefixes: "4917" goes to the operator "one" too. Take it out of one')

    def test_defaultOperator(self) -> None:
        """The default operator must be there."""
        self.assertIn('Did you mean "one"?', self.refused(OPERATOR + "[sms]\ndefault_operator = 'onne'")[0])
        self.assertIn("Add a section [operators.x]", self.refused("[sms]\ndefault_operator = 'x'")[0])


class DoorTests(ConfigTestCase):
    def test_door(self) -> None:
        """A door names its domains and who may knock."""
        operator = self.load(
            OPERATOR + "door_domains = 'sms.example.org'\ndoor_senders = ['a@b.example', '@c.example']\n"
            "door_networks = '192.0.2.0/28'"
        ).operators["one"]
        self.assertEqual((operator.door_senders, operator.door_per_minute), (("a@b.example", "@c.example"), 60))

    def test_open(self) -> None:
        """A door that anybody may knock at is refused."""
        (problem,) = self.refused(OPERATOR + "door_domains = 'sms.example.org'")
        self.assertIn("anybody could send SMS at your cost. Give door_networks, door_senders or both", problem)

    def test_domains(self) -> None:
        """A domain is that of local mail or of one door."""
        door = "door_domains = ['SMS.example.org']\ndoor_networks = '192.0.2.1'\n"
        (problem,) = self.refused(OPERATOR + door + "[smtp]\ndomains = 'sms.example.org'")
        self.assertIn("is in smtp.domains too", problem)
        (problem,) = self.refused(OPERATOR + door + OPERATOR.replace("one", "two") + door.lower())
        self.assertIn("operators.two.door_domains: ", problem)
        self.assertIn("is in operators.one.door_domains too", problem)

    def test_senders(self) -> None:
        """A sender is an address or a domain."""
        for bad in ("a", "@", "a@", "a b@c"):
            self.assertIn("door_senders: ", self.refused(f"{OPERATOR}door_senders = ['{bad}']")[0])

    def test_patterns(self) -> None:
        """What an older server writes is described by regular expressions with one group at most, and a country."""
        fits = "door_number = 'sms([0-9]+)'\ndoor_guid = '(?:a|b)=(.)'\ndoor_country = '49'\n"
        operator = self.load(OPERATOR + fits).operators["one"]
        self.assertEqual(
            (operator.door_number, operator.door_guid, operator.door_country), ("sms([0-9]+)", "(?:a|b)=(.)", "49")
        )
        for option in ("door_number", "door_guid"):
            for bad in ("(", "(a)(b)", "a{999999999999}"):
                self.assertIn(f"{option}: ", self.refused(f"{OPERATOR}{option} = '{bad}'")[0])
        self.assertIn("door_country: ", self.refused(f"{OPERATOR}door_country = '+49'")[0])


class TriggerTests(ConfigTestCase):
    def test_text(self) -> None:
        """The text of a trigger has the GUID once and is one SMS."""
        fits = "x" * 124 + "{guid}"
        self.assertEqual(self.load(f"[sms]\ntext_template = '{fits}'").sms.text_template, fits)
        for bad in ("PUSHGW", "{guid}{guid}", "x" * 125 + "{guid}", "[" * 63 + "{guid}", "\u00a7{guid}", "`{guid}"):
            self.assertIn("sms.text_template: ", self.refused(f"[sms]\ntext_template = '{bad}'")[0])

    def test_septets(self) -> None:
        """Characters of the second table of GSM 03.38 count twice."""
        self.assertEqual([septets(text) for text in ("", "ab", "[]", "a`", "@$_")], [0, 2, 4, None, 3])

    def test_octets(self) -> None:
        """The content of a binary trigger is whole octets, with the GUID once."""
        for good in ("{guid}", "00ff{guid}Ab", "{guid}" + "00" * 117):
            self.assertEqual(self.load(f"[sms]\nbinary_content = '{good}'").sms.binary_content, good)
        for bad in ("", "00", "0{guid}0", "{guid}0", "{guid}{guid}", "gg{guid}", "{guid}" + "00" * 118):
            self.assertIn("sms.binary_content: ", self.refused(f"[sms]\nbinary_content = '{bad}'")[0])

    def test_indication(self) -> None:
        """Address and words of a service indication leave room for the rest in one SMS."""
        self.load("[sms]\nsi_href = 'https://mail.example.org/?{guid}'")
        for bad in (f"si_href = '{'x' * 50}'", "si_href = '{user}'", "si_href = '{'", f"si_text = '{'x' * 41}'"):
            self.assertIn("sms.si_", self.refused(f"[sms]\n{bad}")[0])
        self.assertIn("sms.emn_mailbox: ", self.refused("[sms]\nemn_mailbox = 'mailat:{user}'")[0])

    def test_format(self) -> None:
        """An operator may have a format of its own."""
        config = self.load(OPERATOR + "trigger_format = 'emn'\n[sms]\ntrigger_format = 'binary'")
        self.assertIs(config.operators["one"].trigger_format, TriggerFormat.EMN)
        self.assertIs(config.sms.trigger_format, TriggerFormat.BINARY)

    def test_lease(self) -> None:
        """A warning comes before the end of a lease, and never where leases have none."""
        self.assertIn("sms.lease_warning_days: ", self.refused("[sms]\nlease_days = 3\nlease_warning_days = 3")[0])
        self.assertEqual(self.load("[sms]\nlease_days = 0").sms.lease_warning_days, 3)

    def test_ownAddresses(self) -> None:
        """Addresses of users' own need a relay, and are enough for the modes that need SMS."""
        self.assertIn("sms.allow_own_addresses: ", self.refused("[sms]\nallow_own_addresses = true")[0])
        config = self.load(RELAY + "[sms]\nallow_own_addresses = true\n[policy]\ndefault_mode = 'auto'")
        self.assertIs(config.policy.default_mode, Mode.AUTO)


class ModeTests(ConfigTestCase):
    def test_scopes(self) -> None:
        """A mode may be given for everybody, a group, a user and a device."""
        config = self.load(
            OPERATOR + "[policy]\ndefault_mode = 'both'\n[groups.field]\nmembers = ['ann', 'bob']\nmode = 'auto'\n"
            "[users.bob]\nmode = 'off'\n[users.bob.devices.phone1]\nmode = 'sms'\n"
        )
        self.assertIs(config.policy.default_mode, Mode.BOTH)
        self.assertEqual((config.groups["field"].members, config.groups["field"].mode), (("ann", "bob"), Mode.AUTO))
        self.assertIs(config.users["bob"].mode, Mode.OFF)
        self.assertIs(config.users["bob"].devices["phone1"].mode, Mode.SMS)

    def test_twoGroups(self) -> None:
        """Nobody is in two groups."""
        self.assertEqual(
            self.refused("[groups.a]\nmembers = ['ann']\n[groups.b]\nmembers = ['bob', 'ann']"),
            ['groups.b.members: "ann" is in the group "a" too. Take it out of one'],
        )

    def test_device(self) -> None:
        """A device of a user has a section within that of the user, also on the command line."""
        config = self.load("[users.'ann@x']", 'users."ann@x".devices.phone1.mode=off')
        self.assertIs(config.users["ann@x"].devices["phone1"].mode, Mode.OFF)
        self.assertIn("Write [users.ann.devices.NAME]", self.refused("[users.ann.devices]\nphone1 = 'off'")[0])


class WakeRuleTests(ConfigTestCase):
    def test_defaults(self) -> None:
        """Mail, calendar and contacts wake a device at any hour, but not junk or what the user has written."""
        policy = self.load().policy
        self.assertEqual(policy.wake_classes, (ItemClass.EMAIL, ItemClass.CALENDAR, ItemClass.CONTACTS))
        self.assertEqual(policy.never_folders, ("Junk", "Sent", "Drafts", "Deleted Items"))
        self.assertEqual((policy.wake_folders, policy.quiet_hours, policy.time_zone), ((), (), ""))

    def test_inherited(self) -> None:
        """For groups and users nothing is said unless it is, and an empty list says something."""
        config = self.load("[groups.a]\n[users.ann]\nquiet_hours = []\nnever_folders = []\ntime_zone = 'Asia/Tokyo'")
        self.assertIsNone(config.groups["a"].quiet_hours)
        self.assertEqual((config.users["ann"].quiet_hours, config.users["ann"].never_folders), ((), ()))
        self.assertEqual(config.users["ann"].time_zone, "Asia/Tokyo")

    def test_hours(self) -> None:
        """Quiet hours are two different times of the day, over midnight or not."""
        config = self.load("[policy]\nquiet_hours = ['22:00-07:00', '12:30 - 13:00']")
        self.assertEqual(config.policy.quiet_hours, (Hours(1320, 420), Hours(750, 780)))
        self.assertEqual(self.load("[policy]\nquiet_hours = '20:00-24:00'").policy.quiet_hours, (Hours(1200, 1440),))
        for bad in (
            "22:00",
            "22-7",
            "25:00-07:00",
            "24:01-07:00",
            "22:60-07:00",
            "7:00-8:00",
            "08:00-08:00",
            "00:00-24:00",
        ):
            self.assertIn("policy.quiet_hours: ", self.refused(f"[policy]\nquiet_hours = ['{bad}']")[0])

    def test_zone(self) -> None:
        """A time zone has a name that is known."""
        self.assertEqual(
            ZoneInfo(self.load("[policy]\ntime_zone = 'UTC'").policy.time_zone).utcoffset(None), timedelta(0)
        )
        for bad in ("Europe/Nowhere", "../etc/passwd", "/etc/localtime", "a b", "Europe"):
            self.assertIn("policy.time_zone: ", self.refused(f"[policy]\ntime_zone = '{bad}'")[0])


class SecretTests(ConfigTestCase):
    def test_shown(self) -> None:
        """Passwords of operators and relay are shown nowhere, not even a part of them."""
        config = self.load(OPERATOR + RELAY + "user = 'a'\npassword = 'x://y:ge@h'")
        for text in (show(config), repr(config), str(config.relay)):
            self.assertNotIn("geheim", text)
            self.assertNotIn("ge@h", text)
        self.assertIn('password = "***"  # file', show(config))
        self.assertIn('password = ""  # default', show(self.load()))

    def test_wrong(self) -> None:
        """What is wrong with a password is told without it."""
        (problem,) = self.refused(OPERATOR.replace("geheim", "geheimer als sonst"))
        self.assertNotIn("geheim", problem)
        self.assertIn("operators.one.password: ", problem)

    def test_shownIsConfiguration(self) -> None:
        """What is shown of tables within tables is a configuration file again."""
        config = self.load(
            OPERATOR.replace('password = "geheim"', "") + "[users.ann.devices.phone1]\nmode = 'sms'\n"
            "[groups.a]\nquiet_hours = '22:00-07:00'\n[policy]\nquiet_hours = ['01:00-24:00']"
        )
        shown = self.folder / "shown.toml"
        shown.write_text(show(config))
        again = load(shown)
        self.assertEqual((again.users, again.operators, again.groups), (config.users, config.operators, config.groups))
        self.assertEqual(again.policy, config.policy)


class SampleTests(ConfigTestCase):
    def test_nestedTable(self) -> None:
        """The sample has a section for a device within that of its user."""
        self.assertIn('#[users."ann@example.org".devices."phone1"]', render_sample().splitlines())

    def test_inTests(self) -> None:
        """An operator can be made without a file."""
        self.assertEqual(Operator(smpp=("tcp:localhost:2775",), system_id="a").window, 10)
