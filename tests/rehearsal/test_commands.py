"""Tests of C{pushgw rehearse} and C{pushgw compare}."""

from __future__ import annotations

import json
import time

from gateway.commands.compare import compare_command
from gateway.commands.rehearse import Meter, heartbeats, quiet, rehearse
from gateway.config import load
from gateway.core.wakerules import Hours
from gateway.model import DeviceKey, FolderType, Found, FoundFolder
from gateway.rehearsal.deferreds import at_once, result
from gateway.rehearsal.fleet import Version
from gateway.rehearsal.plan import Progress
from gateway.simulator.heartbeat import HeartbeatSet
from gateway.store import Store, open_store
from gateway.trigger import Hop, Letter, LetterState, Line, Outcome
from tests.commandline import CommandCase

SMALL = ("--users", "2", "--days", "0.2", "--version", "direct-push")


class RehearseTests(CommandCase):
    def test_printed(self) -> None:
        """The report is printed."""
        text = self.right(rehearse, *SMALL)
        self.assertIn("2 users, 0.2 days, 30 mails a day", text)
        self.assertIn("direct-push", text)

    def test_json(self) -> None:
        """JSON goes to the terminal, and nothing else."""
        outcome = self.run_(rehearse, *SMALL, "--json", "-", "--network", "nat-4min,gaps=2", "--batch", "60")
        data = json.loads(outcome.stdout)
        self.assertEqual(data["networks"][0]["name"], "nat-4min,gaps=2")
        self.assertEqual(len(data["versions"]), 1)

    def test_wrong(self) -> None:
        """What cannot be read is refused."""
        for words in (
            ("--network", "bad"),
            ("--sms-network", "usual,loss=2"),
            ("--version", "pigeon"),
            ("--heartbeat-set", "900/1000/1/1"),
            ("--quiet", "night"),
            ("--record", "x"),
            ("--users", "0"),
        ):
            self.wrong(rehearse, *words)

    def test_badStream(self) -> None:
        """A stream that cannot be played is an error with the line."""
        self.folder.mkdir(parents=True)
        file = self.folder / "stream"
        file.write_text("nonsense\n")
        self.assertIn("line 1", self.wrong(rehearse, "--play", str(file)))
        file.write_text("\n")
        self.assertIn("is empty", self.wrong(rehearse, "--play", str(file)))

    def test_configured(self) -> None:
        """With a configuration its limits hold: no longer heartbeat than it allows is asked for again."""
        self.init()
        self.file.write_text(self.file.read_text() + "\n[direct_push]\nmax_heartbeat = 600\n")
        outcome = self.run_(rehearse, *SMALL, "--json", "-", "--config", str(self.file))
        self.assertEqual(json.loads(outcome.stdout)["versions"][0]["heartbeats"], {"600": 2})

    def test_criteria(self) -> None:
        """Who would be safe to move is what the configuration says, and the options say otherwise."""
        self.init()
        self.file.write_text(self.file.read_text() + "\n[moving]\nheartbeat = 300\nlate_seconds = 77\n")
        for words, heartbeat in (((), 300), (("--safe-heartbeat", "301"), 301)):
            outcome = self.run_(rehearse, *SMALL, *words, "--json", "-", "--config", str(self.file))
            found = json.loads(outcome.stdout)["criteria"]
            self.assertEqual((found["heartbeat"], found["late"], found["p95"]), (heartbeat, 77, 60))

    def test_recordAndPlay(self) -> None:
        """What came is recorded without names, and played."""
        self.init()
        with_mail(self.store(), {"ann@example.org": 3, "bob@example.org": 1})
        file = self.folder / "stream"
        self.assertIn("4 changes of 2 users", self.right(rehearse, "--config", str(self.file), "--record", str(file)))
        text = file.read_text()
        self.assertNotIn("ann", text)
        self.assertEqual(sorted(json.loads(line)["user"] in (1, 2) for line in text.splitlines()), [True] * 4)
        played = self.run_(rehearse, "--play", str(file), "--version", "every-5-min", "--json", "-")
        self.assertEqual(json.loads(played.stdout)["versions"][0]["changes"], 4)

    def test_nothingToRecord(self) -> None:
        """A ledger in which nothing came lately is an error."""
        self.init()
        self.assertIn("nothing came", self.wrong(rehearse, "--config", str(self.file), "--record", "-"))

    def store(self) -> Store:
        return open_store(load(self.file).store_url, at_once)

    def test_values(self) -> None:
        """Heartbeats and quiet hours are read as written."""
        self.assertEqual(heartbeats("600"), HeartbeatSet.fixed(600))
        self.assertEqual(heartbeats("900/480/240/1800"), HeartbeatSet(900, 480, 240, 1800))
        self.assertEqual(quiet("22-6:30"), Hours(22 * 60, 6 * 60 + 30))
        self.assertEqual(quiet("22:00-24:00"), Hours(22 * 60, 0))
        for text in ("25-3", "3", "3:77-4", "a-b"):
            self.assertRaises(ValueError, quiet, text)

    def test_meter(self) -> None:
        """On a terminal progress is one line that is written over, elsewhere a line for each version."""
        for terminal, lines in ((True, 1), (False, 2)):
            written: list[str] = []
            meter = Meter(terminal, written.append)
            for version, done in ((Version.SMS, 1.0), (Version.SMS, 2.0), (Version.BOTH, 4.0)):
                meter(Progress(version, done, 4.0))
            self.assertEqual("".join(written).count("\n"), lines)
            self.assertIn("4", written[-1])


def with_mail(store: Store, counts: dict[str, int]) -> None:
    """Mails that came within the last days, some to folders that wake nobody, one of them gone again."""
    now = int(time.time())
    inbox, junk = FoundFolder("", "Inbox", FolderType.INBOX), FoundFolder(".Junk", "Junk", FolderType.USER_MAIL)
    for user, count in counts.items():
        folders, _ = result(store.record_hierarchy(user, [inbox, junk]))
        places = {folder.path: folder.id for folder in folders}
        found = [Found(f"{number}.x", "", now - 3600 * number) for number in range(1, count + 1)]
        result(store.record({places[""]: (found, []), places[".Junk"]: ([Found("j", "", now)], [])}))
        result(store.record({places[""]: ([Found("old", "", now - 90 * 86400)], ["1.x"])}))
    store.close()


class CompareTests(CommandCase):
    def setUp(self) -> None:
        super().setUp()
        self.init()
        operator = '\n[operators.net]\nsmpp = ["tcp:127.0.0.1:2775"]\nsystem_id = "x"\npassword = "y"\nprice = 0.5\n'
        self.file.write_text(self.file.read_text() + operator)
        self.store = open_store(load(self.file).store_url, at_once)
        self.addCleanup(self.store.close)

    def traced(self, user: str, delivered: bool = True) -> None:
        """Thirty changes that a Ping told of, and an SMS two seconds later."""
        key, now = DeviceKey(user, "phone1"), time.time() - 86400
        result(self.store.triggers.keep_line(Line(key, "+15550100", "net")))
        for number in range(1, 31):
            at = now + 600 * number
            letter = Letter(key, "smpp:net", "+15550100", guid="g", created=at)
            (id,) = result(self.store.outbox.put([letter]))
            hops = [
                Hop(at, key, "noticed", folder=1, number=number),
                Hop(at, key, "decided", "sms", letter=id),
                Hop(at, key, "queued", "smpp:net", letter=id),
                Hop(at + 0.1, key, "taken", "77", letter=id),
                Hop(at + 0.2, key, "announced"),
                Hop(at + 1.0, key, "synchronised"),
                Hop(at + 2.0, key, "receipt", "", letter=id),
            ]
            state = LetterState.DELIVERED if delivered else LetterState.UNDELIVERED
            result(self.store.outbox.settle([Outcome(id, state, at + 2.0)]))
            result(self.store.trace.note(hops))

    def compare(self, *words: str) -> dict[str, object]:
        return json.loads(self.run_(compare_command, *words, "--config", str(self.file), "--json", "-").stdout)

    def test_all(self) -> None:
        """All users are compared, with what their SMS cost."""
        self.traced("ann")
        self.traced("bob", delivered=False)
        data = self.compare("--all")
        ann, bob = data["devices"]
        self.assertEqual((ann["changes"], ann["push_first"], ann["sms_missed"], ann["cost"]), (30, 30, 0, 15.0))
        self.assertEqual((bob["sms_missed"], bob["sent"], bob["safe"]), (30, 30, True))
        self.assertAlmostEqual(ann["push"][1], 0.2, places=3)

    def test_one(self) -> None:
        """Named users only; the price may be another."""
        self.traced("ann")
        self.traced("bob")
        (ann,) = self.compare("ann", "--price", "0.1")["devices"]
        self.assertEqual((ann["user"], round(ann["cost"], 3)), ("ann", 3.0))
        self.assertIn("ann", self.right(compare_command, "ann", "--config", str(self.file)))

    def test_criteria(self) -> None:
        """Who is safe to move is what the configuration says, and the options say otherwise."""
        self.traced("ann")
        self.assertTrue(self.compare("ann")["devices"][0]["safe"])
        self.file.write_text(self.file.read_text() + "\n[moving]\nchanges = 31\nlate_seconds = 77\n")
        data = self.compare("ann")
        self.assertFalse(data["devices"][0]["safe"])
        self.assertEqual(data["criteria"]["late"], 77)
        self.assertTrue(self.compare("ann", "--safe-changes", "30")["devices"][0]["safe"])

    def test_wrong(self) -> None:
        """Somebody has to be named; who has no trace cannot be compared."""
        for words in ((), ("ann", "--all"), ("ann",), ("--all",)):
            self.wrong(compare_command, *words, "--config", str(self.file))
