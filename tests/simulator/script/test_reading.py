"""Reading scripts: what is taken, and what is said of those that are wrong."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from gateway.simulator.script.reading import LARGEST, MOST_STEPS, Script, ScriptError, read_script
from gateway.simulator.script.references import filled, references

EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"


def read(text: str, version: str | None = "14.1", **more) -> Script:
    return read_script(text, "day.toml", version, **more)


class ReadingTests(SynchronousTestCase):
    def test_examples(self) -> None:
        """The scripts that are shipped are right, one for each of four versions."""
        found = {}
        for path in sorted(EXAMPLES.glob("*.toml")):
            script = read_script(path.read_text("utf-8"), path.name)
            found[script.version] = len(script.steps)
        self.assertEqual(sorted(found), ["12.1", "14.1", "16.1", "2.5"])
        self.assertGreater(min(found.values()), 30)

    def test_whole(self) -> None:
        """Steps have their keys checked, one value standing for an array of it, and general keys apart."""
        script = read(
            """
            version = "12.1"
            [values]
            who = "bob@example.net"
            [[step]]
            do = "Sync"
            folder = 2
            retry = 3
            expect = { adds = 1, subject = "x" }
            remember.mail = "AirSync:ServerId"
            [[step]]
            do = "Fetch"
            item = "${mail}"
            folder = "Inbox"
            """,
            values={"who": "carol@example.org"},
        )
        first, second = script.steps
        self.assertEqual((script.version, script.values), ("12.1", {"who": "carol@example.org"}))
        self.assertEqual((first.number, first.values, first.retry), (1, {"folder": [2]}, 3.0))
        self.assertEqual(first.expect, {"adds": 1, "subject": ["x"]})
        self.assertEqual(first.remember, {"mail": {"element": "AirSync:ServerId"}})
        self.assertEqual((second.name, second.values), ("Fetch", {"item": "${mail}", "folder": "Inbox"}))

    def test_versions(self) -> None:
        """The version of the script goes over the one asked for; without any it begins with OPTIONS."""
        step = '[[step]]\ndo = "OPTIONS"\n'
        self.assertEqual(read(f'version = "2.5"\n{step}').version, "2.5")
        self.assertEqual(read(step).version, "14.1")
        self.assertIsNone(read(step, None).version)
        with self.assertRaisesRegex(ScriptError, "step 1: the version is not known; begin with OPTIONS"):
            read('[[step]]\ndo = "FolderSync"', None)

    def test_files(self) -> None:
        """A file that a step names is read at once, and goes out as it is."""
        text = '[[step]]\ndo = "SendMail"\nfile = "mail.eml"'
        script = read(text, load={"mail.eml": b"Subject: x\n\n"}.__getitem__)
        self.assertEqual(script.steps[0].values, {"message": b"Subject: x\n\n"})

        def absent(name: str) -> bytes:
            raise FileNotFoundError(name)

        for load in (absent, None):
            with self.assertRaisesRegex(ScriptError, r"step 1 \(SendMail\): key file: "):
                read(text, load=load)


class FaultTests(SynchronousTestCase):
    def fault(self, text: str, **more) -> str:
        """What is said of a script."""
        with self.assertRaises(ScriptError) as caught:
            read(text, **more)
        return str(caught.exception)

    def test_remedies(self) -> None:
        """Every fault is told with file, step, key and remedy."""
        faults = {
            'do = "Snyc"': "(Snyc): key do: there is no step 'Snyc'; did you mean 'Sync'?",
            "folder = 2": ": key do: this key is missing: say what to do",
            'do = "Sync"\nfolder = 2\nwindw = 3': "(Sync): key windw: there is no such key; did you mean 'window'?",
            'do = "Sync"': "(Sync): key folder: this key is missing",
            'do = "Sync"\nfolder = 99': "(Sync): key folder: 99 is not between 1 and 19",
            'do = "Sync"\nfolder = [2, true]': "(Sync): key folder.2: a whole number",
            'do = "Sync"\nfolder = []': "(Sync): key folder: the array has 0 values",
            'do = "Sync"\nfolder = [2, 5]\ndelete = "x"': "(Sync): key delete: this key goes with one folder only",
            'do = "Sync"\nempty = true\nwindow = 1': "(Sync): an empty Sync has no other key",
            'do = "Sync"\nempty = false': "(Sync): key empty: only true has a meaning",
            'do = "Sync"\nfolder = 2\nchange = { read = true }': "(Sync): key change.item: this key is missing",
            'do = "Sync"\nfolder = 2\nchange = { item = "1", data = { "Email:Reed" = 1 } }': (
                "key change.data.\"Email:Reed\": there is no element of that name; did you mean 'Email:Read'?"
            ),
            'do = "Sync"\nfolder = 2\nadd = { data = { Subject = "x" } }': "did you mean 'Email:Subject'?",
            'do = "Sync"\nfolder = 2\nadd = { data = { "Email:To" = 1.5 } }': "a text, a whole number or a table",
            'do = "Sync"\nfolder = 2\nadd = { data = { "Email:To" = { base64 = "!" } } }': "this is no base64",
            'do = "Ping"\nheartbeat = "8"': "(Ping): key heartbeat: a whole number without quotes is expected, not '8'",
            'do = "SendMail"': "(SendMail): give exactly one of message, file",
            'do = "SmartReply"\nmessage = "x"': "(SmartReply): name the original: item and folder, or long_id",
            'do = "Fetch"\nitem = "x"': "(Fetch): item and folder belong together",
            'do = "Fetch"\nlong_id = "x"\nattachment = "y"': "(Fetch): give exactly one of attachment, long_id, item",
            'do = "GetAttachment"\nattachment = "x"': "version 14.1 has no such step, only 2.5 to 12.1",
            'do = "Find"\nquery = "x"': "version 14.1 has no such step, only 16.1 to 16.1",
            'do = "Search"\nstore = "Gal"': "one of 'Mailbox', 'GAL' is expected, not 'Gal'",
            'do = "Search"\nstore = "GAL"\ndeep = true': "key deep: this key is for the store Mailbox only",
            'do = "Settings"': "give at least one of get",
            'do = "Settings"\nget = "Oof"\naway = { state = 0 }': "key get: one request cannot both",
            'do = "Command"\ncommand = "Sync"\ndocument = { "AirSync:Sync" = 1, "AirSync:Add" = 1 }': "has one root",
            'do = "Wait"\nseconds = 9999': "key seconds: 9999 is not between 0 and 3600 seconds",
            'do = "Wait"\nseconds = nan': "key seconds: seconds are expected",
            'do = "Wait"\nseconds = 1\nexpect.http = 200': "key expect: this step has no answer",
            'do = "FolderSync"\nexpect.htp = 200': "key expect.htp: there is no such key; did you mean 'http'?",
            'do = "FolderSync"\nexpect = 1': "key expect: a table is expected, as { key = 1 }, not 1",
            'do = "FolderSync"\nexpect.counts = { "Email:Nope" = 1 }': 'key expect.counts."Email:Nope": there is no element',
            'do = "FolderSync"\nexpect.elements = { "Email:Read" = 1.5 }': 'key expect.elements."Email:Read"',
            'do = "FolderSync"\nremember.Mail = "AirSync:ServerId"': "key remember.Mail: a name has up to 32 small",
            'do = "FolderSync"\nremember.user = "AirSync:ServerId"': "key remember.user: this name is taken",
            'do = "FolderSync"\nremember.mail = "ServerId"': "key remember.mail: there is no element of that name",
            'do = "FolderSync"\nremember.mail = { number = 2 }': "key remember.mail: say what",
            'do = "FolderSync"\nremember.mail = { folder = 2, number = 1 }': "key remember.mail: a folder needs no other",
            'do = "FolderSync"\nremember = 1': "key remember: a table is expected",
            'do = "FolderSync"\nbackground = "x"': "key background: only Command, Ping, Sync may go on in the background",
            'do = "Ping"\nbackground = "x"\nexpect.status = 2': "key expect: this key belongs to the Await",
            'do = "Await"\nof = "x"': "key of: nothing is in the background as 'x'",
            'do = "Sync"\nfolder = 2\ndelete = "${mial}"': "key delete: nothing before this step remembers ${mial}",
        }
        for text, wanted in faults.items():
            found = self.fault(f"[[step]]\n{text}")
            self.assertTrue(found.startswith("day.toml: step 1"), found)
            self.assertIn(wanted, found)
            self.assertEqual(len(found.splitlines()), 1, found)

    def test_top(self) -> None:
        """What is wrong beside the steps is told as well."""
        step = '[[step]]\ndo = "FolderSync"\n'
        faults = {
            "": "a script has at least one [[step]]",
            "step = 1": "a script has at least one [[step]]",
            "[[step]\n": "this is no TOML: ",
            f'verson = "2.5"\n{step}': "key verson: there is no such key; did you mean 'version'?",
            f'version = "3.0"\n{step}': "key version: one of '2.5', ",
            f"values = 1\n{step}": "key values: a table is expected",
            f"[values]\nx = 1\n{step}": "key values.x: a text in quotes is expected",
            f'[values]\nuser = "x"\n{step}': "key values.user: this name is taken",
            step * (MOST_STEPS + 1): f"{MOST_STEPS} are allowed",
            f"#{'x' * LARGEST}": "put large mails into files",
            "a = " + "[" * 5000: "this is no TOML: ",
        }
        for text, wanted in faults.items():
            found = self.fault(text)
            self.assertTrue(found.startswith("day.toml: "), found)
            self.assertIn(wanted, found)

    def test_set(self) -> None:
        """A value given for a name that the script does not have is refused."""
        text = '[values]\nfar = "x"\n[[step]]\ndo = "FolderSync"'
        self.assertIn(
            "--set fra: the script has no such value; did you mean 'far'?", self.fault(text, values={"fra": ""})
        )

    def test_several(self) -> None:
        """All faults are told at once, up to a number of them; what a wrong step remembers is no further fault."""
        wrong = '[[step]]\ndo = "Sync"\nremember.a = "AirSync:ServerId"\n'
        found = self.fault(wrong * 2 + '[[step]]\ndo = "Fetch"\nitem = "${a}"\nfolder = 2').splitlines()
        self.assertEqual([line[:22] for line in found], ["day.toml: step 1 (Sync", "day.toml: step 2 (Sync"])
        found = self.fault(wrong * 50).splitlines()
        self.assertEqual((len(found), found[-1]), (21, "day.toml: 30 more faults"))

    def test_background(self) -> None:
        """A name is in the background once, and is asked for once."""
        ping = '[[step]]\ndo = "Ping"\nbackground = "p"\n'
        wait = '[[step]]\ndo = "Await"\nof = "p"\n'
        self.assertEqual(len(read((ping + wait) * 2).steps), 4)
        self.assertIn("'p' is in the background already", self.fault(ping + ping))
        self.assertIn("step 3 (Await): key of: nothing is in the background", self.fault(ping + wait + wait))
        self.assertIn("key retry: an answer can be asked for once only", self.fault(f"{ping}{wait}retry = 1"))


class ReferenceTests(SynchronousTestCase):
    def test_filled(self) -> None:
        """References are filled wherever they are; two dollars are one in front of a brace."""
        value = {"a": ["${x} and ${y}", {"b": "$${x} costs $5"}], "n": 1}
        self.assertEqual(sorted(references(value)), ["x", "y"])
        found = filled(value, {"x": "1", "y": "${x}"})
        self.assertEqual(found, {"a": ["1 and ${x}", {"b": "${x} costs $5"}], "n": 1})
