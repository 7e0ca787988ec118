"""Tests of C{pushgw mode}, C{sms}, C{trace} and C{outbox}, without a running gateway."""

from __future__ import annotations

import json
import re

from click import Command
from twisted.internet.defer import execute

from gateway.commands.devices import devices
from gateway.commands.history import lines, outbox, trace
from gateway.commands.modes import mode
from gateway.commands.sms import sms
from gateway.config import load
from gateway.cred.accounts import Account
from gateway.cred.passwords import hashed
from gateway.model import DeviceKey
from gateway.store import Store, open_store
from gateway.trigger import Hop, Letter
from tests.commandline import CommandCase
from tests.cred.fixtures import CHEAP
from tests.stores import result_of

#: Where no gateway listens, as a path that a socket can have.
ADMIN = '[admin]\nsocket = "/nonexistent/pushgw.sock"\n'
OPERATOR = ADMIN + '[operators.one]\nsmpp = ["tcp:localhost:2775"]\nsystem_id = "a"\n'
PHONE = DeviceKey("ann", "phone1")
NUMBER = "+491701234567"


class OfflineCase(CommandCase):
    """A folder with an account, and no gateway that runs."""

    def setUp(self) -> None:
        super().setUp()
        self.folder.mkdir(parents=True)
        self.file.write_text(OPERATOR)
        (self.folder / "accounts").write_text(Account("ann", hashed("geheim", CHEAP)).line())

    def says(self, command: Command, *words: str) -> str:
        """What a command prints on its way to a right end."""
        return self.right(command, *words, "--config", str(self.file))

    def fails(self, command: Command, *words: str) -> str:
        """What a command prints that fails."""
        return self.wrong(command, *words, "--config", str(self.file))

    def store(self) -> Store:
        """The store that the commands work on."""
        store = open_store(load(self.file).store_url, execute)
        self.addCleanup(store.close)
        return store

    def registered(self) -> None:
        self.says(sms, "register", "ann", "phone1", NUMBER)


class ModeTests(OfflineCase):
    def test_story(self) -> None:
        """A mode is told, set for the user, set for a device, told again and taken back, each time on the store."""
        told = self.says(mode, "ann")
        self.assertIn("No gateway is running; working on its store.", told)
        self.assertIn("ann: direct-push (policy.default_mode)", told)
        self.registered()
        self.assertIn("ann: sms (set for the user by ", self.says(mode, "ann", "sms"))
        self.assertIn("phone1 of ann: both (set for the device by ", self.says(mode, "ann", "phone1", "both"))
        self.assertRegex(self.says(mode, "ann"), r"phone1 +both +both +set for the device by ")
        self.assertIn("phone1 of ann: both", self.says(mode, "ann", "phone1"))
        self.assertIn("phone1 of ann: sms (set for the user", self.says(mode, "ann", "phone1", "--default"))
        self.assertIn("ann: direct-push (policy.default_mode)", self.says(mode, "ann", "--default"))

    def test_json(self) -> None:
        """JSON says by whom and when."""
        told = self.says(mode, "ann", "off", "--json")
        row = json.loads(told[told.index("{") :])
        self.assertEqual((row["mode"], row["scope"]), ("off", "user"))
        self.assertTrue(row["by"] and row["at"])

    def test_inForce(self) -> None:
        """A mechanism that is switched off for everybody is told."""
        self.file.write_text(OPERATOR + "[sms]\nenabled = false\n")
        self.assertIn("In force is off: ", self.says(mode, "ann", "sms"))

    def test_wrong(self) -> None:
        """What is no mode, no user, no device or too much is refused with what would be right."""
        self.assertIn("off, direct-push, sms, both, auto", self.fails(mode, "ann", "phone1", "loud"))
        self.assertIn("there is no user 'nobody'", self.fails(mode, "nobody", "off"))
        self.assertIn("has no device 'loud'", self.fails(mode, "ann", "loud"))
        for words in (("ann", "a", "off", "b"), ("ann", "a", "off", "--default")):
            self.assertIn("USER [DEVICE] MODE", self.fails(mode, *words))
        self.file.write_text(ADMIN)
        self.assertIn("[operators.NAME]", self.fails(mode, "ann", "auto"))

    def test_listed(self) -> None:
        """The list of devices shows the number and marks what was set by command."""
        self.registered()
        self.assertNotIn("*", self.says(devices))
        self.says(mode, "ann", "sms")
        told = self.says(devices)
        self.assertRegex(told, rf"ann +phone1 .* sms\* +{re.escape(NUMBER)} ")
        self.assertIn("* set by command", told)


class SmsTests(OfflineCase):
    def test_story(self) -> None:
        """A number is registered, listed and removed."""
        self.assertIn("Nothing is registered", self.says(sms, "list"))
        told = self.says(sms, "register", "ann", "phone1", "0049 170 1234567", "--name", "my phone")
        self.assertIn(f"phone1 of ann is reached at {NUMBER} by one; without a sync this lapses in 30 d.", told)
        told = self.says(sms, "list", "ann")
        self.assertRegex(told, rf"ann +phone1 +{re.escape(NUMBER)} +one +- +29 d +\d s ago +\S+ +my phone")
        told = self.says(sms, "list", "--json")
        self.assertEqual(json.loads(told[told.index("[") :])[0]["number"], NUMBER)
        self.assertIn("not reached by SMS any more", self.says(sms, "remove", "ann", "phone1"))
        self.assertIn("is not registered", self.fails(sms, "remove", "ann", "phone1"))

    def test_wrong(self) -> None:
        """What does not fit is refused with what would."""
        self.assertIn("+491701234567", self.fails(sms, "register", "ann", "phone1", "0170"))
        self.assertIn("no operator is called 'two'", self.fails(sms, "register", "ann", "phone1", NUMBER, "two"))
        self.assertIn("give one of them", self.fails(sms, "register", "ann", "phone1"))
        told = self.fails(sms, "register", "ann", "phone1", "--address", "ann@example.net")
        self.assertIn("sms.allow_own_addresses", told)

    def test_address(self) -> None:
        """An address of the user's own takes the place of the number."""
        self.file.write_text(ADMIN + "[sms]\nallow_own_addresses = true\n[relay]\nendpoint = 'tcp:localhost:25'\n")
        told = self.says(sms, "register", "ann", "phone1", "--address", "ann@example.net")
        self.assertIn("ann@example.net by the relay", told)
        self.assertRegex(self.says(sms, "list"), r"ann@example.net +relay ")

    def test_operatorGone(self) -> None:
        """A registration whose number nobody takes any more is told."""
        self.registered()
        self.file.write_text(ADMIN)
        self.assertIn("NONE TAKES IT", self.says(sms, "list"))


def hop(at: float, kind: str, text: str = "", device: str = "phone1", **more: int) -> dict[str, object]:
    """A hop as it comes from the gateway."""
    row = {"id": 1, "at": at, "user": "ann", "device": device, "kind": kind, "text": text}
    return {**row, "folder": 0, "number": 0, "letter": 0, **more}


class HistoryTests(OfflineCase):
    def test_trace(self) -> None:
        """The trace tells the hops of a change below one another, with the time since its beginning."""
        self.assertIn("Nothing has happened yet", self.says(trace, "ann"))
        hops = [
            Hop(1000.0, PHONE, "noticed", folder=5, number=17),
            Hop(1000.25, PHONE, "decided", "sms", letter=3),
            Hop(1002.5, DeviceKey("ann", "tablet"), "announced"),
        ]
        result_of(self.store().trace.note(hops))
        told = self.says(trace, "ann").splitlines()
        self.assertEqual(
            [line.strip() for line in told if line.startswith("  ")],
            [
                "+0.000 s  noticed       folder 5 change 17",
                "+0.250 s  decided       sms, letter 3",
                "+0.000 s  announced",
            ],
        )
        self.assertEqual([line.split("  ")[1] for line in told if line[:2] == "19"], ["phone1 of ann", "tablet of ann"])
        told = self.says(trace, "ann", "phone1", "--json", "--last", "1")
        self.assertEqual([json.loads(line)["kind"] for line in told.splitlines() if line[:1] == "{"], ["decided"])

    def test_stories(self) -> None:
        """The next change begins anew; several that are noticed together are one, and what is heard of a letter later
        is told with the change that it was sent for."""
        told = lines(
            [
                hop(0, "noticed", folder=1, number=1),
                hop(1, "noticed", folder=2, number=1),
                hop(2, "queued", letter=7),
                hop(3, "noticed", folder=1, number=2),
                hop(3.5, "noticed", device="tablet", folder=1, number=2),
                hop(4, "decided", "trigger outstanding"),
                hop(5, "receipt", "DELIVRD", letter=7),
            ]
        )
        stories = "\n".join(told).strip().split("\n\n")
        kinds = [re.findall(r"s  (\w+)", story) for story in stories]
        self.assertEqual(kinds, [["noticed", "noticed", "queued", "receipt"], ["noticed", "decided"], ["noticed"]])

    def test_followNothing(self) -> None:
        """Without a gateway there is nothing to follow."""
        self.patch(__import__("time"), "sleep", lambda seconds: None)
        self.assertIn("nothing will happen", self.fails(trace, "ann", "--follow"))

    def test_outbox(self) -> None:
        """What is to go out is listed with its state."""
        self.assertIn("Nothing has gone out yet", self.says(outbox))
        letter = Letter(PHONE, "smpp:one", NUMBER, guid="g", created=1000.0, due=2000.0)
        result_of(self.store().outbox.put([letter]))
        self.assertRegex(
            self.says(outbox, "ann"), rf"1 +phone1 of ann +smpp:one +{re.escape(NUMBER)} +queued for \S+ +19"
        )
        told = self.says(outbox, "--json")
        self.assertEqual(json.loads(told[told.index("[") :])[0]["state"], "queued")
        self.assertIn("Nothing has gone out yet", self.says(outbox, "bob"))
