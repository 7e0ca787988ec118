"""Devices that may not come in: the common statuses 126 to 131 and 177 ([MS-ASCMD] 2.2.2), in every version."""

from __future__ import annotations

from collections.abc import Iterable

from gateway.core.admission import Admission, AdmissionTerms, DeviceRule
from gateway.core.newcomers import Newcomers
from gateway.eas.call import Refused, Version
from gateway.eas.commands import COMMANDS, root_of
from gateway.eas.gate import Gate, Rules
from gateway.eas.policydoc import Policy
from gateway.eas.status import refusal
from gateway.element import Element
from gateway.model import Access, Decision, Wipe, WipeState
from tests.eas.interop import SINCE_14, SINCE_14_1, Client, InteropCase, collection, server_commands, status, sync_of
from tests.eas.test_interop_commands import KEY_0, own_status
from tests.support import status_of

BEFORE_14 = ("2.5", "12.0", "12.1")
EVERY = (*BEFORE_14, "14.0", "14.1", "16.0", "16.1")
#: What all of them can ask.
ASKED = ("FolderSync", "Sync", "Ping", "GetItemEstimate", "MoveItems", "Provision")
POLICY = Policy({"DevicePasswordEnabled": True})


class AccessCase(InteropCase):
    """Phones in a world that lets in whom C{admission} does; C{told} is what was said of the others."""

    def phone(
        self, version: str, new: Access = Access.ALLOW, *rules: DeviceRule, most: int = 0, policy: bool = False
    ) -> Client:
        """A phone that has not done anything yet."""
        provisioning = Rules(policy_for=lambda user: POLICY if policy else None, allow_non_provisionable=False)
        phone, self.inbox = self.client(version, rules=provisioning)
        world = phone.world
        self.told: list[str] = []
        self.admission = Admission(AdmissionTerms(new, rules, most))
        world.dispatcher.partnerships = Newcomers(
            world.partnerships,
            self.admission,
            lambda device, verdict: self.told.append(f"{device.key.device} {verdict.access.value}"),
            lambda key, count: self.told.append(f"{key.device} too many"),
            lambda device: None,
        )
        gate = Gate(provisioning, world.now, self.admission.verdict)
        world.dispatcher.gate, world.parking.stands = gate.check, gate.stands
        return phone

    def another(self, phone: Client, device: str) -> Client:
        """Another phone of the same user."""
        other = Client(phone.world, version=phone.version, device=device)
        self.made.append(other)
        return other

    def assertRefused(self, phone: Client, code: int, commands: Iterable[str] = ASKED) -> None:
        """Each of these commands is answered with the common status and nothing else, before 14.0 with HTTP 403."""
        for command in commands:
            answer = phone.http(command, KEY_0 if command == "FolderSync" else None)
            if phone.version in BEFORE_14:
                self.assertEqual((answer.status, answer.body), (403, b""), command)
                continue
            self.assertEqual(answer.status, 200, command)
            self.assertEqual(answer.element.tag, root_of(command))
            self.assertEqual((own_status(answer.element), len(answer.element.children)), (str(code), 1), command)


class StatusTests(AccessCase):
    def test_blocked(self) -> None:
        """129: a device that is blocked gets it for whatever it asks."""
        for version in EVERY:
            self.assertRefused(self.phone(version, Access.BLOCK), 129)
            self.assertEqual(set(self.told), {"phone1 block"})

    def test_userDisabled(self) -> None:
        """126: a user none of whose devices may synchronise gets it, for whatever is asked."""
        for version in EVERY:
            self.assertRefused(self.phone(version, Access.ALLOW, DeviceRule("x", Access.BLOCK, users=("a*",))), 126)

    def test_quarantine(self) -> None:
        """130: a device that waits to be allowed gets it for all but Provision and Settings."""
        for version in EVERY:
            phone = self.phone(version, Access.QUARANTINE)
            self.assertRefused(phone, 130, [name for name in ASKED if name != "Provision"])
            answer = phone.http("Provision", Element("Provision:Provision"))
            self.assertEqual((answer.status, own_status(answer.element)), (200, "1"))

    def test_tooMany(self) -> None:
        """177: one device more than a user may have gets it, in 14.0, which has no such status, 129; the others
        go on, and it is not kept."""
        for version in EVERY:
            phone = self.phone(version, most=1)
            phone.folder_sync()
            self.assertRefused(self.another(phone, "phone2"), 129 if version == "14.0" else 177)
            phone.folder_sync()
            self.assertEqual(set(self.told), {"phone2 too many"})
            stored = phone.world.result(phone.world.store.devices("ann"))
            self.assertEqual([device.key.device for device in stored], ["phone1"])

    def test_neverSaid(self) -> None:
        """127, 128 and 131 are about mailboxes and accounts that this server has not, or does not tell apart from
        wrong passwords; were a command to say them, clients would get them as the others."""
        for code in (126, 127, 128, 129, 130, 131, 177):
            for version in Version:
                for command in COMMANDS:
                    root = root_of(command)
                    answer = refusal(root, version, Refused(code))
                    if root is None or version < Version.V14_0:
                        self.assertEqual((answer.status, answer.element), (403, None))
                        continue
                    known = 129 if code == 177 and version < Version.V14_1 else code
                    self.assertEqual((answer.status, own_status(answer.element)), (200, str(known)))

    def test_optionsForAll(self) -> None:
        """OPTIONS names no device, so it is answered to all of them."""
        phone = self.phone("14.1", Access.BLOCK)
        phone.connection.send(
            b"OPTIONS /Microsoft-Server-ActiveSync HTTP/1.1\r\nHost: x\r\nAuthorization: Basic YW5uOnNlY3JldA==\r\n\r\n"
        )
        (answer,) = phone.connection.answers()
        self.assertEqual(answer.status, 200)


class OrderTests(AccessCase):
    def test_beforeProvisioning(self) -> None:
        """Who may not come in is told that, not to provision; who waits provisions, and goes on waiting."""
        for version in SINCE_14:
            self.assertRefused(self.phone(version, Access.BLOCK, policy=True), 129)
            self.assertRefused(self.phone(version, Access.QUARANTINE, policy=True), 130, ["FolderSync", "Sync", "Ping"])

    def test_beforeSyntax(self) -> None:
        """Access is judged before the body is read."""
        for version in SINCE_14:
            phone = self.phone(version, Access.BLOCK)
            answer = phone.http("Sync", b"\x00nonsense")
            self.assertEqual(own_status(answer.element), "129")

    def test_wipe(self) -> None:
        """A blocked device that is to be wiped is told to provision, and gets its wipe there."""
        for version in SINCE_14_1:
            phone = self.phone(version)
            phone.folder_sync()
            operations = phone.world.partnerships
            device = operations.at_hand(phone.key)
            assert device is not None
            wiped = type(device)(device.key, admitted=True, wipe=Wipe(WipeState.REQUESTED, "root", 1))
            phone.world.result(operations.keep(wiped, durable=True))
            self.admission.decide(phone.key, Decision(phone.key, Access.BLOCK, "root", 1))
            self.assertRefused(phone, 140, ["FolderSync", "Sync"])
            answer = phone.http("Provision", Element("Provision:Provision"))
            self.assertIsNotNone(answer.element.child("Provision:RemoteWipe"))


class LifeTests(AccessCase):
    def test_allowed(self) -> None:
        """A device that waited begins by itself once it is allowed, with nothing lost and nothing twice."""
        for version in EVERY:
            phone = self.phone(version, Access.QUARANTINE)
            phone.world.arrive(self.inbox, "one")
            self.assertRefused(phone, 130, ["FolderSync"])
            self.admission.decide(phone.key, Decision(phone.key, Access.ALLOW, "root", 1))
            self.assertEqual(own_status(phone.folder_sync()), "1")
            if version not in BEFORE_14:
                self.assertEqual(len(server_commands(phone.begin(self.inbox))), 1)
                self.assertEqual(server_commands(phone.sync(self.inbox)), [])

    def test_parkedPing(self) -> None:
        """A parked Ping of a device that is blocked meanwhile ends with Status 7; what follows says why."""
        phone = self.phone("14.1")
        phone.folder_sync()
        phone.begin(self.inbox)
        self.assertEqual(phone.ping(600, self.inbox), [])
        self.admission.decide(phone.key, Decision(phone.key, Access.BLOCK, "root", 1))
        phone.world.board.recall(lambda key: key == phone.key, "access")
        self.assertEqual(status_of(phone.connection.answers()), "7")
        self.assertRefused(phone, 129)

    def test_hangingSync(self) -> None:
        """A hanging Sync of a device that is blocked meanwhile ends without items, and keeps its key."""
        phone = self.phone("14.1")
        phone.folder_sync()
        phone.begin(self.inbox)
        wait = [Element("AirSync:HeartbeatInterval", 600)]
        body = sync_of(collection(phone.keys[self.inbox], self.inbox), more=wait)
        self.assertEqual(phone.post("Sync", body), [])
        decision = Decision(phone.key, Access.BLOCK, "root", 1)
        self.admission.decide(phone.key, decision)
        phone.world.board.recall(lambda key: key == phone.key, "access")
        (answer,) = phone.connection.answers()
        self.assertEqual((answer.status, answer.body), (200, b""))
        phone.world.arrive(self.inbox, "one")
        self.assertRefused(phone, 129)
        self.admission.decide(phone.key, None)
        self.assertEqual(status(phone.sync(self.inbox)), "1")

    def test_others(self) -> None:
        """That a device is blocked concerns neither the same device of another user nor another one of this user."""
        phone = self.phone("14.1")
        self.admission.decide(phone.key, Decision(phone.key, Access.BLOCK, "root", 1))
        self.assertRefused(phone, 129)
        self.another(phone, "phone2").folder_sync()
        bob = Client(phone.world, "bob", "geheim")
        self.made.append(bob)
        phone.world.mailbox("bob")
        bob.folder_sync()
