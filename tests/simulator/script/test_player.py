"""A phone that plays a script against a small server without a network."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from gateway.simulator.errors import Lost, Unreachable, Untrusted
from gateway.simulator.events import Stepped
from gateway.simulator.journal import describe
from gateway.simulator.line import Account, Reply
from gateway.simulator.script.player import Player, StepFailed
from gateway.simulator.script.reading import read_script
from tests.simulator.toy import INBOX, Notes, ToyLine, ToyServer, reply


def step(do: str, **keys: Any) -> str:
    """A step in TOML."""
    lines = [f"{key} = {_toml(value)}" for key, value in {"do": do, **keys}.items()]
    return "\n".join(["[[step]]", *lines, ""])


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f'"{key}" = {_toml(one)}' for key, one in value.items()) + "}"
    return json.dumps(value)


class PlayerCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.server, self.clock, self.notes = ToyServer(), Clock(), Notes()
        self.line = ToyLine(self.server)
        self.delivered: list[tuple[Any, ...]] = []
        self.told: list[tuple[str, str, bool]] = []
        self.forgets = False

    def tearDown(self) -> None:
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertIsNone(self.server.parked)

    async def deliver(self, *mail: Any) -> None:
        self.delivered.append(mail)
        if self.forgets:
            self.server.inbox.keys.clear()
        self.server.deliver(f"{INBOX}:{len(self.server.inbox.log) + 1}", "delivered")

    def play(self, *steps: str, version: str | None = "14.1", head: str = "") -> Deferred[None]:
        """Begin to play these steps."""
        script = read_script("\n".join([head, *steps]), "day.toml", version)
        account = Account("ann", "secret", "PHONE1")
        tell = lambda command, document, answer: self.told.append((command, document.tag, answer))  # noqa: E731
        player = Player(account, self.line, self.clock, self.notes, script, "salt", self.deliver, tell)
        return Deferred.fromCoroutine(player.play())

    def steps(self) -> list[Stepped]:
        return self.notes.of(Stepped)

    def failed(self, playing: Deferred[None]) -> str:
        """Why the script was given up."""
        return str(self.failureResultOf(playing, StepFailed).value)


class PlayerTests(PlayerCase):
    def test_day(self) -> None:
        """Steps are done one after the other, keys go on by themselves, and each step is an event."""
        self.server.inbox.add("5:1", "first")
        playing = self.play(
            step("FolderSync"),
            step("Sync", folder=2, expect={"subject": "first"}, remember={"mail": {"subject": "first"}}),
            step("Sync", folder="Inbox", get_changes=False, delete="${mail}"),
            step("Sync", folder=["Archive", INBOX]),
        )
        self.assertIsNone(self.successResultOf(playing))
        self.assertEqual(self.server.commands(), ["FolderSync", "Sync", "Sync", "Sync", "Sync", "Sync"])
        keys = [root.children[0].children[0].text_of("AirSync:SyncKey") for root in self.server.documents("Sync")]
        self.assertEqual(keys, ["0", "k1", "k2", "0", "k1"])
        (delete,) = self.server.documents("Sync")[2].children[0].children[0].child("AirSync:Commands") or ()
        self.assertEqual((delete.name, delete.text_of("AirSync:ServerId")), ("Delete", "5:1"))
        lines = [describe(event) for event in self.steps()]
        self.assertEqual(lines[1], "CScript 2/4 Sync Posteingang: HTTP 200, status 1, +1 ~0 -0, 0.000 s")
        self.assertEqual(lines[3], "CScript 4/4 Sync Archive, Posteingang: HTTP 200, status 1, 0.000 s")
        self.assertEqual(self.told[0], ("FolderSync", "FolderHierarchy:FolderSync", False))
        self.assertEqual(self.told[1], ("FolderSync", "FolderHierarchy:FolderSync", True))

    def test_failed(self) -> None:
        """The first answer that is not as expected ends the script; the error names file, step, and what was found."""
        why = self.failed(self.play(step("FolderSync", expect={"adds": 3}), step("FolderSync")))
        self.assertEqual(why, "day.toml: step 1 (FolderSync): adds: 3 expected, 2 found")
        self.assertEqual(self.server.commands(), ["FolderSync"])
        (event,) = self.steps()
        self.assertEqual((event.wrong, event.added), (("adds: 3 expected, 2 found",), 2))
        self.assertTrue(describe(event).endswith(", 0.000 s; FAILED: adds: 3 expected, 2 found"))

    def test_remember(self) -> None:
        """What is to be remembered and is not there is a failure."""
        why = self.failed(self.play(step("FolderSync", remember={"mail": "AirSync:ServerId"})))
        self.assertTrue(why.endswith("remember: there is nothing for mail"))

    def test_version(self) -> None:
        """Without a version OPTIONS chooses the highest that both know, and fails if there is none."""
        self.successResultOf(self.play(step("OPTIONS"), step("FolderSync"), version=None))
        self.assertEqual(self.server.asked[0][0].version, "14.1")
        why = self.failed(self.play(step("OPTIONS"), version="16.1"))
        self.assertIn("does not offer version 16.1", why)
        self.server.script["OPTIONS"] = [Reply(503)]
        self.assertIn("http: 200 expected, 503 found", self.failed(self.play(step("OPTIONS"), version=None)))
        self.server.script["OPTIONS"] = [Reply(503)]
        why = self.failed(self.play(step("OPTIONS", expect={"http": 503}), step("Provision"), version=None))
        self.assertTrue(why.endswith("the version is not known: OPTIONS has not told it"))

    def test_provision(self) -> None:
        """Both phases give the key that every command but Ping has from then on; a step may have another one."""
        self.server.policy_key = 77
        playing = self.play(
            step("FolderSync", expect={"status": 142}),
            step("Provision", phases=1),
            step("FolderSync", expect={"status": 142}),
            step("Provision"),
            step("FolderSync"),
            step("FolderSync", policy_key=5, expect={"status": 142}),
            step("Ping", empty=True, background="ping"),
        )
        self.successResultOf(playing)
        keys = [post.policy_key for post, _ in self.server.asked]
        self.assertEqual(keys, [0, 0, 0, 0, 11, 77, 5, None])

    def test_nothingToProvision(self) -> None:
        """A server without a policy is a success; one that wants a wipe is told that it is done."""
        self.successResultOf(self.play(step("Provision", information={"Model": "M"})))
        self.server.wipe = "RemoteWipe"
        self.successResultOf(self.play(step("Provision")))
        self.assertEqual(len(self.server.documents("Provision")), 3)
        self.assertIsNotNone(self.server.documents("Provision")[2].child("Provision:RemoteWipe"))

    def test_refusedPolicy(self) -> None:
        """What the phone says of the policy is what the step has."""
        self.server.policy_key = 77
        self.successResultOf(self.play(step("Provision", acknowledge=2)))
        policy = self.server.documents("Provision")[1].children[0].children[0]
        self.assertEqual(policy.text_of("Provision:Status"), "2")

    def test_background(self) -> None:
        """A request goes on in the background while others are sent, until its answer is asked for."""
        playing = self.play(
            step("FolderSync"),
            step("Sync", folder=2),
            step("Ping", folder=2, heartbeat=60, background="ping"),
            step("Deliver", smtp="h:25", **{"from": "${user}@b"}, to="c@d", message="Subject: ${device}\n\nx\n"),
            step("Await", of="ping", expect={"status": 2, "changed": "Inbox"}),
            step("Sync", folder=2, expect={"adds": 1}),
        )
        self.assertIsNone(self.successResultOf(playing))
        self.assertEqual(self.delivered, [("h:25", "ann@b", ["c@d"], b"Subject: PHONE1\r\n\r\nx\r\n")])
        self.assertEqual(self.line.timeouts[3], 120.0)
        self.assertEqual(describe(self.steps()[2]), "CScript 3/6 Ping Posteingang: in the background")

    def test_hanging(self) -> None:
        """What a Sync that hangs brings is learnt when its answer is asked for."""
        playing = self.play(
            step("FolderSync"),
            step("Sync", folder=2),
            step("Sync", folder=2, heartbeat=60, background="sync"),
            step("Deliver", smtp="h:25", **{"from": "a@b"}, to="c@d", message="x"),
            step("Await", of="sync", expect={"adds": 1, "subject": "delivered"}),
            step("Sync", folder=2, expect={"adds": 0}),
        )
        self.assertIsNone(self.successResultOf(playing))

    def test_left(self) -> None:
        """What is in the background at the end, or when a step fails, is dropped."""
        park = step("FolderSync"), step("Sync", folder=2), step("Ping", folder=2, background="ping")
        self.successResultOf(self.play(*park))
        self.assertIsNone(self.server.parked)
        self.failed(self.play(*park, step("FolderSync", expect={"adds": 9})))
        self.assertIsNone(self.server.parked)

    def test_lostInBackground(self) -> None:
        """A request that broke in the background is the failure of the step that asks for its answer."""
        steps = step("Ping", empty=True, background="ping"), step("Wait", seconds=2.5), step("Await", of="ping")
        playing = self.play(*steps)
        self.server.answer_ping(Lost("cut off"))
        self.clock.advance(2.5)
        self.assertEqual(self.failed(playing), "day.toml: step 3 (Await): cut off")

    def test_retry(self) -> None:
        """A step that is asked again is done when what is expected is there."""
        playing = self.play(
            step("FolderSync"),
            step("Sync", folder=2, retry=10, expect={"subject": "late"}, remember={"mail": {"subject": "late"}}),
        )
        self.clock.advance(0.5)
        self.assertNoResult(playing)
        self.server.inbox.add("5:1", "late")
        self.clock.advance(0.5)
        self.successResultOf(playing)
        self.assertEqual(len(self.steps()), 2)

    def test_sentAgain(self) -> None:
        """A mail that is sent again has the ClientId of the first time, another mail has another."""
        self.server.script["SendMail"] = [Lost("cut off"), reply(), reply()]
        playing = self.play(step("SendMail", message="x", retry=5), step("SendMail", message="x"))
        self.clock.advance(0.5)
        self.successResultOf(playing)
        ids = [root.text_of("ComposeMail:ClientId") for root in self.server.documents("SendMail")]
        self.assertEqual(ids, ["salt-1-1", "salt-1-1", "salt-2-1"])

    def test_retryInVain(self) -> None:
        """It is given up when its time is over."""
        playing = self.play(step("FolderSync", retry=1, expect={"adds": 9}))
        self.clock.pump([0.5, 0.5, 0.5])
        self.failed(playing)
        self.assertEqual(len(self.server.asked), 3)

    def test_unreachable(self) -> None:
        """A server that cannot be reached fails the step, and may come back while it is asked again."""
        self.line.down = Unreachable("nobody listens")
        self.assertEqual(self.failed(self.play(step("FolderSync"))), "day.toml: step 1 (FolderSync): nobody listens")
        playing = self.play(step("FolderSync", retry=5))
        self.line.down = None
        self.clock.advance(0.5)
        self.successResultOf(playing)

    def test_untrusted(self) -> None:
        """One that is not trusted ends everything."""
        self.line.down = Untrusted("who is that")
        self.failureResultOf(self.play(step("FolderSync", retry=5)), Untrusted)

    def test_noFolder(self) -> None:
        """A folder that the phone has not been told of is a failure that says which there are."""
        why = self.failed(self.play(step("Sync", folder=2)))
        self.assertTrue(why.endswith("there is no folder 2; known are none: FolderSync first"), why)
        self.assertEqual(self.server.asked, [])

    def test_badAnswers(self) -> None:
        """An answer that is no document, or a document that cannot be written, is a failure and no crash."""
        self.server.script["FolderSync"] = [Reply(200, {"content-type": "application/vnd.ms-sync.wbxml"}, b"\xff\xff")]
        self.assertIn("the answer is no WBXML", self.failed(self.play(step("FolderSync"))))
        document = {"AirSync:Sync": {"AirSync:Wait": {"base64": "${bad}"}}}
        head = '[values]\nbad = "!"'
        self.assertIn(
            "this is no base64", self.failed(self.play(step("Command", command="Sync", document=document), head=head))
        )

    def test_staleKeys(self) -> None:
        """A key that the server does not know any more begins with 0 again; one that the step made up is forgotten."""
        self.forgets = True
        playing = self.play(
            step("FolderSync"),
            step("Sync", folder=2),
            step("Sync", folder=2, key="made-up", expect={"status": 3}),
            step("Sync", folder=2),
            step("Deliver", smtp="h:25", **{"from": "a@b"}, to="c@d", message="x"),
            step("Sync", folder=2, expect={"status": 3}),
            step("Sync", folder=2, expect={"adds": 1}),
        )
        self.assertIsNone(self.successResultOf(playing))
        keys = [root.children[0].children[0].text_of("AirSync:SyncKey") for root in self.server.documents("Sync")]
        self.assertEqual(keys, ["0", "k1", "made-up", "k2", "k3", "0", "k4"])
