"""Whole days of mail apps of four generations, as scripts, on a real gateway with a real Postfix as its relay."""

from __future__ import annotations

import json
import tempfile
from email import message_from_bytes, message_from_string
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.functional.postfix import NO_SASL, NO_SINK, postfix, sink
from tests.functional.running import PASSWORD as OF_USERS
from tests.functional.running import ROOT, Ran, Running, pushgw, shared, started, until
from tests.functional.sogo import PASSWORD as SOGO_PASSWORD
from tests.functional.sogo import USER as OF_SOGO
from tests.functional.sogo import missing, running

EXAMPLES = ROOT / "docs" / "examples"


def play(gateway: Running, user: str, script: Path, *options: str | Path) -> Ran:
    """Play a script as a user of a gateway."""
    url, certificate = f"localhost:{gateway.address('https')[1]}", gateway.folder / "certificate.pem"
    account = ("--user", user, "--password-stdin", "--ca", certificate)
    return pushgw("device", url, *account, "--script", script, *options, text=f"{OF_USERS}\n")


def play_day(test: SynchronousTestCase, gateway: Running, script: str, *options: str) -> list[str]:
    """Play a script that is shipped to its good end; what it printed."""
    smtp = ":".join(map(str, gateway.address("smtp")))
    ran = play(gateway, "ann", EXAMPLES / script, "--set", f"smtp={smtp}", *options)
    test.assertEqual(ran.status, 0, f"{ran.out}{ran.err}{gateway.log[-9000:]}")
    test.assertNotIn("Traceback", ran.err + gateway.log)
    return ran.out.splitlines()


class DayTests(SynchronousTestCase):
    """What no other client that is at hand speaks: versions below 16.1, messages that are the body, attachments in
    parts, requests that hang, and commands that are refused on purpose."""

    skip = NO_SASL or NO_SINK

    def setUp(self) -> None:
        self.sink = sink(self)
        self.postfix = postfix(self, {"example.net": self.sink.port}, login=True)
        folder = tempfile.TemporaryDirectory(prefix="pushgw test ")
        self.addCleanup(folder.cleanup)
        settings = {
            "relay": self.postfix.relay,
            "maildir": {"create_special": "true"},
            "provisioning": {"policy": '"strict"', "allow_non_provisionable": "false"},
            'provisioning.policies."strict"': {"DevicePasswordEnabled": "true", "PasswordRecoveryEnabled": "true"},
        }
        self.gateway = Running(Path(folder.name) / "data", ["ann", "carol"], settings)
        self.addCleanup(self.gateway.kill)
        self.gateway.make()
        self.gateway.start()

    def play(self, script: str, *options: str) -> list[str]:
        """Play a script that is shipped; what it printed."""
        return play_day(self, self.gateway, script, *options)

    def sent(self, count: int) -> dict[str, EmailMessage]:
        """What Postfix was given, by subject, once it is so much."""
        until(lambda: len(self.sink.mails()) >= count, f"{count} mails:\n{self.postfix.log[-2000:]}")
        found = [message_from_string(text.partition("\n")[2], policy=default) for text in self.sink.mails()]
        return {str(one["Subject"]): one for one in found}

    def files(self, folder: str = "") -> list[EmailMessage]:
        """What is in a folder of Ann's Maildir."""
        paths = [path for sub in ("new", "cur") for path in (self.gateway.inbox("ann") / folder / sub).iterdir()]
        return [message_from_bytes(path.read_bytes(), policy=default) for path in paths]  # type: ignore[misc]

    def test_day25(self) -> None:
        """2.5: messages and attachments as they are, Truncation, GetHierarchy, invitations, Ping, folders, people."""
        lines = self.play("day-2.5.toml")
        self.assertIn(" FolderSync: HTTP 449, ", lines[1])
        self.assertRegex(lines[0], r"^\d\d:\d\d:\d\d\.\d{3} SIM\w+ CScript 1/37 OPTIONS: HTTP 200, status 1, ")
        mails = self.sent(2)
        self.assertEqual(sorted(mails), ["Fwd: Minutes", "Re: Minutes"])
        self.assertIn("The plain minutes", mails["Re: Minutes"].get_body().get_content())
        self.assertEqual([part.get_filename() for part in mails["Fwd: Minutes"].iter_attachments()], ["table.csv"])
        self.assertEqual({str(mail["Subject"]) for mail in self.files(".Sent")}, {"Note to self", "Re: Minutes"})

    def test_day121(self) -> None:
        """12.1, by the base64 query: a Sync that hangs, fetching in parts, Search in the mailbox, the absence."""
        lines = self.play("day-12.1.toml", "--query", "base64")
        self.assertIn(" FolderSync: HTTP 449, ", lines[1])
        mails = self.sent(2)
        self.assertEqual(sorted(mails), ["Fwd: Plans", "Re: Plans"])
        self.assertEqual(mails["Re: Plans"]["To"], "bob@example.net, ann@example.org")
        self.assertEqual([part.get_filename() for part in mails["Fwd: Plans"].iter_attachments()], ["plans.txt"])
        self.assertNotIn("Fwd: Plans", {str(mail["Subject"]) for mail in self.files(".Sent")})

    def test_day141(self) -> None:
        """14.1: documents that send, once each, a hanging Sync in seconds, conversations, marks, availability."""
        steps = [json.loads(line) for line in self.play("day-14.1.toml", "--json")]
        self.assertEqual([step["status"] for step in steps[1:7]], ["142", "1", "1", "1", "1", "1"])
        self.assertEqual({step["event"] for step in steps}, {"stepped"})
        self.assertEqual([step["number"] for step in steps], list(range(1, steps[0]["steps"] + 1)))
        self.assertEqual(
            {step["name"]: step["status"] for step in steps if step["name"] == "MoveItems"}, {"MoveItems": "3"}
        )
        mails = self.sent(2)
        self.assertEqual(sorted(mails), ["Fwd: Lunch", "Re: Lunch"])
        self.assertEqual(mails["Fwd: Lunch"].get_content().strip(), "Written anew.")
        self.assertIn("Grüße", mails["Re: Lunch"].get_body().get_content())

    def test_day161(self) -> None:
        """16.1: drafts that are written, changed and sent, Find, answers that the server sends, categories; a second
        day of the same phone goes as the first."""
        for count in (1, 2):
            lines = self.play("day-16.1.toml")
            mails = self.sent(4 * count)
        for number in (2, 4):
            self.assertIn(f" {number}/51 FolderSync: HTTP 200, status 142, ", lines[number - 1])
        self.assertEqual(sorted(mails), ["Finished", "Fwd: A question", "Re: A question", "Tentative: Meeting"])
        self.assertIn("All the words.", mails["Finished"].get_body().get_content())
        self.assertEqual([part.get_payload(decode=True) for part in mails["Finished"].iter_attachments()], [b"picture"])
        self.assertEqual([str(mail["Subject"]) for mail in self.files(".Drafts")], [])


class PlainTests(SynchronousTestCase):
    def test_neighbours(self) -> None:
        """The same days go on a gateway as it comes, without a policy and without a relay, among its users."""
        gateway = started(self, users=["ann", "carol"], settings={"maildir": {"create_special": "true"}})
        for version in ("2.5", "12.1", "14.1", "16.1"):
            play_day(self, gateway, f"day-{version}.toml", "--set", "far=carol@example.org")


SOGO = """
[values]
subject = ""
[[step]]
do = "OPTIONS"
[[step]]
do = "Provision"
expect.http = [200, 501]
expect.status = [1, 2]
[[step]]
do = "FolderSync"
expect.folder = { name = 2, type = 2 }
[[step]]
do = "Sync"
folder = 2
retry = 30
body = { type = 1, size = 1000 }
expect.subject = "${subject}"
remember.mail = { subject = "${subject}" }
[[step]]
do = "Fetch"
folder = 2
item = "${mail}"
body = { type = 1 }
expect.elements = { "Email:Subject" = "${subject}" }
[[step]]
do = "Sync"
folder = 2
get_changes = false
change = { item = "${mail}", read = true }
[[step]]
do = "FolderCreate"
name = "Scripted ${run}"
parent = "0"
[[step]]
do = "MoveItems"
items = "${mail}"
from = 2
to = "Scripted ${run}"
remember.mail = "Move:DstMsgId"
[[step]]
do = "Sync"
folder = "Scripted ${run}"
[[step]]
do = "Fetch"
folder = "Scripted ${run}"
item = "${mail}"
expect.elements = { "Email:Subject" = "${subject}" }
[[step]]
do = "GetItemEstimate"
folder = 2
[[step]]
do = "Ping"
folder = 2
heartbeat = 10
expect.status = [1, 2]
[[step]]
do = "FolderDelete"
folder = "Scripted ${run}"
"""


class SogoTests(SynchronousTestCase):
    skip = missing()

    def test_otherServer(self) -> None:
        """A script plays against a server that others wrote."""
        sogo = running()
        folder = tempfile.TemporaryDirectory(prefix="pushgw test ")
        self.addCleanup(folder.cleanup)
        script = Path(folder.name) / "other.toml"
        script.write_text(SOGO)
        for version in ("12.1", "14.1"):
            sogo.deliver(f"for {version}")
            account = ("--user", OF_SOGO, "--password-stdin", "--version", version)
            what = ("--script", str(script), "--set", f"subject=for {version}")
            ran = pushgw("device", sogo.url, *account, *what, text=f"{SOGO_PASSWORD}\n")
            self.assertEqual(ran.status, 0, ran.out + ran.err)


class FailingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.gateway = shared()
        self.user = self.gateway.newcomer()

    def play(self, text: str, *options: str) -> Ran:
        """Play a script."""
        folder = tempfile.TemporaryDirectory(prefix="pushgw test ")
        self.addCleanup(folder.cleanup)
        script = Path(folder.name) / "short.toml"
        script.write_text(text)
        return play(self.gateway, self.user, script, *options)

    def test_hanging(self) -> None:
        """A Sync hangs for as long as it says, and an empty one for as long as the last."""
        ran = self.play(
            """
            version = "14.1"
            [[step]]
            do = "FolderSync"
            [[step]]
            do = "Sync"
            folder = 2
            [[step]]
            do = "Sync"
            folder = 2
            heartbeat = 1
            expect = { empty = true, after = 0.9, within = 30 }
            [[step]]
            do = "Sync"
            empty = true
            expect = { empty = true, after = 0.9, within = 30 }
            """
        )
        self.assertEqual(ran.status, 0, ran.out)

    def test_failed(self) -> None:
        """An answer that is not as expected ends the script with status 1, and says which step and why; what is parked
        is left."""
        ran = self.play(
            """
            [[step]]
            do = "OPTIONS"
            [[step]]
            do = "FolderSync"
            [[step]]
            do = "Ping"
            folder = 2
            heartbeat = 600
            background = "ping"
            [[step]]
            do = "Sync"
            folder = 2
            expect.adds = 7
            [[step]]
            do = "FolderSync"
            """,
            "-v",
        )
        self.assertEqual(ran.status, 1)
        self.assertEqual(len(ran.out.splitlines()), 4, ran.out)
        self.assertIn("FAILED: adds: 7 expected, 0 found", ran.out.splitlines()[-1])
        self.assertIn("Error: short.toml: step 4 (Sync): adds: 7 expected, 0 found", ran.err)
        self.assertIn("  FolderHierarchy:FolderSync\n    FolderHierarchy:Status = '1'", ran.err)
        self.assertNotIn("Traceback", ran.err)
        until(lambda: self.user not in {row["user"] for row in self.parked()}, "the Ping to be left")

    def parked(self) -> list[dict[str, object]]:
        return [row for row in self.gateway.ask("devices") if row["parked_seconds"] is not None]

    def test_wrong(self) -> None:
        """A wrong script is refused with status 2 before anything is asked; so are options that say something else."""
        ran = self.play('[[step]]\ndo = "FolderSnyc"')
        self.assertEqual((ran.status, ran.out), (2, ""))
        self.assertIn("short.toml: step 1 (FolderSnyc): key do: there is no step", ran.err)
        self.assertIn("did you mean 'FolderSync'?", ran.err)
        right = '[values]\nx = ""\n[[step]]\ndo = "OPTIONS"'
        for options in (("--wakeups", "1"), ("--set", "x"), ("--set", "y=1"), ("--mode", "direct-push"), ("--hang",)):
            ran = self.play(right, *options)
            self.assertEqual((ran.status, ran.out), (2, ""), options)
        self.assertEqual(self.play(right, "--set", "x=1").status, 0)

    def test_refused(self) -> None:
        """A server that is not there, or a version that it does not speak, is told in one line."""
        ran = self.play('[[step]]\ndo = "OPTIONS"\nexpect.headers = { "MS-Server-ActiveSync" = "nope" }')
        self.assertIn("headers: 'nope' expected in ms-server-activesync", ran.err)
        ran = self.play(
            '[[step]]\ndo = "Deliver"\nsmtp = "127.0.0.1:1"\nfrom = "a@b"\nto = "c@d"\nmessage = "x"',
            "--version",
            "14.1",
        )
        self.assertEqual(ran.status, 1)
        self.assertIn("step 1 (Deliver): 127.0.0.1:1 did not take the mail: ", ran.err)
        ran = self.play('[[step]]\ndo = "Wait"\nseconds = 30', "--version", "14.1", "--duration", "0.2")
        self.assertEqual(ran.status, 1)
        self.assertIn("the script was not through within 0.2 s", ran.err)
        self.assertNotIn("Traceback", ran.err)
