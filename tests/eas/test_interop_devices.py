"""What the protocol's owner asks of two devices of a user, of keys of other folders, and of the emptying of folders, in
its interoperability suites ([MS-ASCMD] S04, S07, S08)."""

from __future__ import annotations

from gateway.element import Element
from tests.eas.fetches import op
from tests.eas.interop import SINCE_14, VERSIONS, Client, air, options, server_commands, status
from tests.eas.support import text
from tests.eas.test_interop_commands import own_status
from tests.eas.test_interop_fetch import PLAIN
from tests.eas.test_interop_folders import FolderCase

EVERY = ("2.5", "12.0", *VERSIONS[:3], "16.0", "16.1")


class TwoDevicesTests(FolderCase):
    """[MS-ASCMD] S04."""

    def two(self, phone: Client) -> Client:
        """Another device of the user; both know the folders."""
        other = Client(phone.world, version=phone.version, device="NewDeviceID")
        self.made.append(other)
        self.learn(phone)
        self.learn(other)
        return other

    def test_added(self) -> None:
        """What one device creates is told to the other one, once, with the same id (cases 3, 4 and 7)."""

        def check(phone: Client, _: int) -> None:
            other = self.two(phone)
            made = self.create(other, "New")["ServerId"]
            self.assertEqual(
                self.again(phone), f"Changes(Count=1 Add(ServerId={made} ParentId=0 DisplayName=New Type=12))"
            )
            for one in (phone, other):
                self.assertEqual(self.again(one), "Changes(Count=0)")
                self.assertEqual(self.learn(one)["New"], made)

        self.each(EVERY, check)

    def test_renamed(self) -> None:
        """A new name is told as an Update to the device that created the folder (case 8)."""

        def check(phone: Client, _: int) -> None:
            other = self.two(phone)
            made = self.create(phone, "New")["ServerId"]
            self.assertEqual(self.learn(other)["New"], made)
            self.ask(other, "FolderUpdate", ServerId=made, ParentId="0", DisplayName="Newer")
            self.assertEqual(
                self.again(phone), f"Changes(Count=1 Update(ServerId={made} ParentId=0 DisplayName=Newer Type=12))"
            )

        self.each(EVERY, check)

    def test_deleted(self) -> None:
        """A deletion is told as a Delete to the device that created the folder (case 9)."""

        def check(phone: Client, _: int) -> None:
            other = self.two(phone)
            made = self.create(phone, "New")["ServerId"]
            self.learn(other)
            self.ask(other, "FolderDelete", ServerId=made)
            self.assertEqual(self.again(phone), f"Changes(Count=1 Delete(ServerId={made}))")

        self.each(EVERY, check)

    def test_noItems(self) -> None:
        """A mail that arrived is no change of the folders (case 10)."""

        def check(phone: Client, inbox: int) -> None:
            self.learn(phone)
            phone.world.arrive(inbox, "new")
            self.assertEqual(self.again(phone), "Changes(Count=0)")

        self.each(EVERY, check)


class KeyTests(FolderCase):
    """[MS-ASCMD] S07, and what holds for Sync as well."""

    def test_otherFolder(self) -> None:
        """The first key of another folder is Status 4 of GetItemEstimate (case 12) and Status 3 of Sync."""

        def check(phone: Client, inbox: int) -> None:
            trash = int(self.learn(phone)["Deleted Items"])
            for folder in (trash, inbox):
                phone.sync(folder)
            self.assertNotEqual(phone.keys[trash], phone.keys[inbox])
            (response,) = self.estimate(phone, inbox, phone.keys[trash])
            self.assertIn("Status=4", response)
            self.assertEqual(status(phone.sync(inbox, key=phone.keys[trash])), "3")

        self.each(SINCE_14, check, PLAIN)

    def test_withoutOptions(self) -> None:
        """Without Options everything is counted, whatever the last Sync asked for (case 2)."""

        def check(phone: Client, inbox: int) -> None:
            phone.world.arrive(inbox, "old", age=20 * 86400)
            phone.sync(inbox, options(air("FilterType", 1)), key="0")
            found = [
                self.estimate(phone, inbox, phone.keys[inbox], *more)
                for more in ((), (options(air("Class", "Email")),), (options(air("FilterType", 0)),))
            ]
            self.assertIn("Estimate=2", found[0][0])
            self.assertEqual(found, [found[0]] * 3)

        self.each(SINCE_14, check, PLAIN)

    def estimate(self, phone: Client, folder: int, key: str, *more: Element) -> list[str]:
        """The Responses of a GetItemEstimate for one folder."""
        wanted = air("SyncKey", key), Element("GetItemEstimate:CollectionId", folder), *more
        answer = phone.estimate(Element("GetItemEstimate:Collection", *wanted))
        return [text(response) for response in answer]


class EmptyingTests(FolderCase):
    """EmptyFolderContents in [MS-ASCMD] S08."""

    def empty(self, phone: Client, folder: int | str, *, below: bool = False) -> tuple[str | None, str]:
        """Empty a folder: the Status of the whole, and the operation's answer."""
        more = op("Options", op("DeleteSubFolders")) if below else None
        operation = op("EmptyFolderContents", air("CollectionId", folder), more)
        answer = phone.ask("ItemOperations", op("ItemOperations", operation))
        assert answer is not None
        response = answer.child("ItemOperations:Response")
        assert response is not None
        return own_status(answer), text(response.children[0])

    def test_subfolders(self) -> None:
        """Folders below it stay, unless DeleteSubFolders is there (case 1)."""

        def check(phone: Client, inbox: int) -> None:
            self.learn(phone)
            made = self.create(phone, "New", str(inbox))["ServerId"]
            done = f"EmptyFolderContents(Status=1 CollectionId={inbox})"
            self.assertEqual(self.empty(phone, inbox), ("1", done))
            self.assertEqual(self.learn(phone).get("New"), made)
            self.assertEqual(self.empty(phone, inbox, below=True), ("1", done))
            self.assertNotIn("New", self.learn(phone))

        self.each(VERSIONS, check, PLAIN)

    def test_items(self) -> None:
        """It is empty afterwards: a Sync from the start brings no mail (case 10)."""

        def check(phone: Client, inbox: int) -> None:
            self.assertEqual(len(server_commands(phone.begin(inbox))), 2)
            self.empty(phone, inbox)
            self.assertEqual(len(server_commands(phone.sync(inbox), "Delete")), 2)
            phone.sync(inbox, key="0")
            self.assertIsNone(phone.sync(inbox))

        self.each(VERSIONS, check, PLAIN, PLAIN)

    def test_recipientCache(self) -> None:
        """Status 16 of the operation: the recipient information cache (cases 9 and 20)."""

        def check(phone: Client, _: int) -> None:
            self.assertEqual(self.empty(phone, "RI"), ("1", "EmptyFolderContents(Status=16 CollectionId=RI)"))

        self.each(SINCE_14, check)
