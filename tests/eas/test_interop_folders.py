"""What the protocol's owner asks of folder commands, GetHierarchy and MoveItems, in its interoperability suites."""

from __future__ import annotations

from gateway.element import Element
from tests.eas.interop import SINCE_14, VERSIONS, Client, InteropCase, air, name_of, server_commands
from tests.eas.support import text

EVERY = ("2.5", "12.0", *VERSIONS)
BEFORE_14 = EVERY[:3]


def tree(name: str, *content: Element | str | int | None) -> Element:
    """An element of FolderHierarchy."""
    return Element(f"FolderHierarchy:{name}", *content)


def move(item: str, source: int | str, *targets: int | str) -> Element:
    """A Move."""
    return Element(
        "Move:Move",
        Element("Move:SrcMsgId", item),
        Element("Move:SrcFldId", source),
        *(Element("Move:DstFldId", target) for target in targets),
    )


class FolderCase(InteropCase):
    """A phone that keeps the key of the hierarchy."""

    def learn(self, phone: Client) -> dict[str, str]:
        """A first FolderSync; the ids by name."""
        answer = phone.folder_sync()
        phone.hierarchy_key = answer.text_of("FolderHierarchy:SyncKey") or ""
        changes = answer.child("FolderHierarchy:Changes")
        assert changes is not None
        return {
            one.text_of("FolderHierarchy:DisplayName") or "": one.text_of("FolderHierarchy:ServerId") or ""
            for one in changes.all("FolderHierarchy:Add")
        }

    def again(self, phone: Client) -> str:
        """Another FolderSync; its Changes in short."""
        answer = phone.folder_sync(phone.hierarchy_key)
        phone.hierarchy_key = answer.text_of("FolderHierarchy:SyncKey") or phone.hierarchy_key
        return text(answer.child("FolderHierarchy:Changes"))

    def ask(self, phone: Client, command: str, key: str | None = "", **fields: str) -> dict[str, str]:
        """A folder command, by default with the newest key; the children of the answer by name."""
        children = [tree(name, value) for name, value in fields.items()]
        if key is not None:
            children.insert(0, tree("SyncKey", key or phone.hierarchy_key))
        answer = phone.ask(command, tree(command, *children))
        assert answer is not None
        self.assertEqual(answer.tag, f"FolderHierarchy:{command}")
        found = {child.name: child.text for child in answer}
        if "SyncKey" in found:
            phone.hierarchy_key = found["SyncKey"]
        return found

    def create(
        self, phone: Client, name: str, parent: str = "0", type: str = "12", key: str | None = ""
    ) -> dict[str, str]:
        return self.ask(phone, "FolderCreate", key, ParentId=parent, DisplayName=name, Type=type)


class FolderCreateTests(FolderCase):
    """FolderCreate ([MS-ASCMD] 2.2.1.3)."""

    def test_created(self) -> None:
        """Status 1, the next SyncKey, and a ServerId of at most 64 characters (S02_TC01)."""

        def check(phone: Client, _: int) -> None:
            self.learn(phone)
            before = phone.hierarchy_key
            answer = self.create(phone, "New")
            self.assertEqual(list(answer), ["Status", "SyncKey", "ServerId"])
            self.assertEqual(answer["Status"], "1")
            self.assertNotEqual(answer["SyncKey"], before)
            self.assertLessEqual(len(answer["ServerId"]), 64)
            self.assertEqual(self.again(phone), "Changes(Count=0)")

        self.each(EVERY, check)

    def test_failed(self) -> None:
        """What fails brings neither SyncKey nor ServerId (S02_TC02)."""

        def check(phone: Client, _: int) -> None:
            self.learn(phone)
            self.assertEqual(self.create(phone, ""), {"Status": "10"})

        self.each(EVERY, check)

    def test_nameTaken(self) -> None:
        """Status 2: the parent has a folder of that name (S02_TC03)."""

        def check(phone: Client, _: int) -> None:
            self.learn(phone)
            self.create(phone, "New")
            self.assertEqual(self.create(phone, "New"), {"Status": "2"})

        self.each(EVERY, check)

    def test_noParent(self) -> None:
        """Status 5: no such parent (S02_TC04)."""

        def check(phone: Client, _: int) -> None:
            self.learn(phone)
            self.assertEqual(self.create(phone, "New", parent="InvalidParentId"), {"Status": "5"})

        self.each(EVERY, check)

    def test_badKey(self) -> None:
        """Status 9: a key that was never given (S02_TC05)."""

        def check(phone: Client, _: int) -> None:
            self.learn(phone)
            self.assertEqual(self.create(phone, "New", key="InvalidFolderSyncKey"), {"Status": "9"})

        self.each(EVERY, check)

    def test_malformed(self) -> None:
        """Status 10: no SyncKey at all, or a default folder (S02_TC06)."""

        def check(phone: Client, _: int) -> None:
            self.learn(phone)
            self.assertEqual(self.create(phone, "New", key=None), {"Status": "10"})
            self.assertEqual(self.create(phone, "New", type="2"), {"Status": "10"})

        self.each(EVERY, check)

    def test_recipientCache(self) -> None:
        """Status 3: below the recipient information cache, or such a cache (S02_TC07, S02_TC08)."""

        def check(phone: Client, inbox: int) -> None:
            self.learn(phone)
            self.assertEqual(self.create(phone, "New", parent="RI"), {"Status": "3"})
            self.assertEqual(self.create(phone, "New", parent=str(inbox), type="19"), {"Status": "3"})

        self.each(SINCE_14, check)


class FolderDeleteTests(FolderCase):
    """FolderDelete ([MS-ASCMD] 2.2.1.4)."""

    def delete(self, phone: Client, id: str, key: str | None = "") -> dict[str, str]:
        return self.ask(phone, "FolderDelete", key, ServerId=id)

    def test_deleted(self) -> None:
        """Status 1 and the next SyncKey (S03_TC01)."""

        def check(phone: Client, _: int) -> None:
            self.learn(phone)
            answer = self.delete(phone, self.create(phone, "New")["ServerId"])
            self.assertEqual((list(answer), answer["Status"]), (["Status", "SyncKey"], "1"))
            self.assertEqual(self.again(phone), "Changes(Count=0)")

        self.each(EVERY, check)

    def test_special(self) -> None:
        """Status 3: a special folder, or the recipient information cache (S03_TC02)."""

        def check(phone: Client, _: int) -> None:
            for id in (*self.learn(phone).values(), "RI"):
                self.assertEqual(self.delete(phone, id), {"Status": "3"})

        self.each(EVERY, check)

    def test_unknown(self) -> None:
        """Status 4: no such folder (S03_TC03)."""

        def check(phone: Client, _: int) -> None:
            self.learn(phone)
            self.assertEqual(self.delete(phone, "InvalidServerId"), {"Status": "4"})

        self.each(EVERY, check)

    def test_keys(self) -> None:
        """Status 9: an empty SyncKey; Status 10: none (S03_TC04, S03_TC05)."""

        def check(phone: Client, _: int) -> None:
            self.learn(phone)
            id = self.create(phone, "New")["ServerId"]
            command = tree("FolderDelete", tree("SyncKey"), tree("ServerId", id))
            self.assertEqual(text(phone.ask("FolderDelete", command)), "FolderDelete(Status=9)")
            self.assertEqual(self.delete(phone, id, None), {"Status": "10"})
            self.assertEqual(self.delete(phone, id)["Status"], "1")

        self.each(EVERY, check)


class FolderUpdateTests(FolderCase):
    """FolderUpdate ([MS-ASCMD] 2.2.1.6)."""

    def update(self, phone: Client, id: str, name: str, parent: str = "0", key: str | None = "") -> dict[str, str]:
        return self.ask(phone, "FolderUpdate", key, ServerId=id, ParentId=parent, DisplayName=name)

    def test_renamed(self) -> None:
        """Status 1 and the next SyncKey; the device is not told of it (S05_TC01)."""

        def check(phone: Client, _: int) -> None:
            self.learn(phone)
            id = self.create(phone, "New")["ServerId"]
            answer = self.update(phone, id, "Newer")
            self.assertEqual((list(answer), answer["Status"]), (["Status", "SyncKey"], "1"))
            self.assertEqual(self.again(phone), "Changes(Count=0)")

        self.each(EVERY, check)

    def test_special(self) -> None:
        """Status 2: a special folder (S05_TC02)."""

        def check(phone: Client, _: int) -> None:
            for id in self.learn(phone).values():
                self.assertEqual(self.update(phone, id, "Notes"), {"Status": "2"})

        self.each(EVERY, check)

    def test_unknown(self) -> None:
        """Status 4: no such folder; Status 5: no such parent (S05_TC03, S05_TC04)."""

        def check(phone: Client, _: int) -> None:
            self.learn(phone)
            self.assertEqual(self.update(phone, "InvalidServerId", "New"), {"Status": "4"})
            id = self.create(phone, "New")["ServerId"]
            self.assertEqual(self.update(phone, id, "Newer", "InvalidParentId"), {"Status": "5"})

        self.each(EVERY, check)

    def test_keys(self) -> None:
        """Status 9: a key that was never given; Status 10: none (S05_TC05, S05_TC06)."""

        def check(phone: Client, _: int) -> None:
            self.learn(phone)
            id = self.create(phone, "New")["ServerId"]
            self.assertEqual(self.update(phone, id, "Newer", key="InvalidSyncKey"), {"Status": "9"})
            self.assertEqual(self.update(phone, id, "Newer", key=None), {"Status": "10"})

        self.each(EVERY, check)

    def test_moved(self) -> None:
        """A folder goes below Sent Items; another one of its name does not (S05_TC07)."""

        def check(phone: Client, _: int) -> None:
            sent = self.learn(phone)["Sent Items"]
            first = self.create(phone, "New")["ServerId"]
            self.assertEqual(self.update(phone, first, "New", sent)["Status"], "1")
            second = self.create(phone, "New")["ServerId"]
            self.assertEqual(self.update(phone, second, "New", sent), {"Status": "2"})

        self.each(EVERY, check)

    def test_recipientCache(self) -> None:
        """Status 3: the recipient information cache, and nothing goes below it (S05_TC08)."""

        def check(phone: Client, _: int) -> None:
            self.learn(phone)
            id = self.create(phone, "New")["ServerId"]
            self.assertEqual(self.update(phone, "RI", "New", "RI"), {"Status": "3"})
            self.assertEqual(self.update(phone, id, "New", "RI"), {"Status": "3"})

        self.each(SINCE_14, check)


class GetHierarchyTests(FolderCase):
    """GetHierarchy ([MS-ASCMD] 2.2.1.8)."""

    def test_listed(self) -> None:
        """Folders for mail, of the types 1 to 6, each with its parent and the id that FolderSync gives (S22_TC01)."""

        def check(phone: Client, _: int) -> None:
            ids = self.learn(phone)
            ids["New"] = self.create(phone, "New", ids["Inbox"])["ServerId"]
            answer = phone.ask("GetHierarchy")
            assert answer is not None
            self.assertEqual(answer.tag, "FolderHierarchy:Folders")
            found = {child.text_of("FolderHierarchy:DisplayName"): child for child in answer}
            self.assertEqual({name: one.text_of("FolderHierarchy:ServerId") for name, one in found.items()}, ids)
            types = {name: one.text_of("FolderHierarchy:Type") for name, one in found.items()}
            self.assertEqual(types, {"Inbox": "2", "Sent Items": "5", "Deleted Items": "4", "New": "1"})
            self.assertEqual(
                {name: one.text_of("FolderHierarchy:ParentId") for name, one in found.items()},
                {"Inbox": "0", "Sent Items": "0", "Deleted Items": "0", "New": ids["Inbox"]},
            )
            self.assertEqual([one.name for one in answer.children[0]], ["DisplayName", "ServerId", "Type", "ParentId"])

        self.each(BEFORE_14, check)

    def test_since14(self) -> None:
        """From 14.0 on there is no such command."""

        def check(phone: Client, _: int) -> None:
            answer = phone.http("GetHierarchy")
            self.assertEqual(answer.status, 400)

        self.each(SINCE_14, check)


class MoveItemsTests(FolderCase):
    """MoveItems ([MS-ASCMD] 2.2.1.12)."""

    def responses(self, phone: Client, *moves: Element) -> list[str]:
        answer = phone.ask("MoveItems", Element("Move:MoveItems", *moves))
        assert answer is not None
        return [text(child) for child in answer]

    def both(self, phone: Client, inbox: int) -> tuple[int, str]:
        """The trash and the mail, both synchronised."""
        trash = int(self.learn(phone)["Deleted Items"])
        for folder in (inbox, trash):
            phone.sync(folder)
        (mail,) = server_commands(phone.sync(inbox, air("GetChanges")))
        phone.sync(trash, air("GetChanges"))
        return trash, name_of(mail)

    def test_recipientCache(self) -> None:
        """Nothing goes to the recipient information cache: 105, before 14.0 there is no such folder (S21_TC04)."""

        def check(phone: Client, inbox: int) -> None:
            _, mail = self.both(phone, inbox)
            refused = 2 if phone.version == "12.1" else 105
            expected = f"Response(SrcMsgId={mail} Status={refused})"
            self.assertEqual(self.responses(phone, move(mail, inbox, "RI")), [expected])

        self.each(VERSIONS, check, "Subject: x\r\n\r\nHi.\r\n")

    def test_moved(self) -> None:
        """Status 3 with both ids; the next Syncs bring Delete in the one folder and Add in the other (S10_TC01)."""

        def check(phone: Client, inbox: int) -> None:
            trash, mail = self.both(phone, inbox)
            (response,) = self.responses(phone, move(mail, inbox, trash))
            added = f"{trash}:{int(mail.split(':')[1]) + 1}"
            self.assertEqual(response, f"Response(SrcMsgId={mail} Status=3 DstMsgId={added})")
            (gone,) = server_commands(phone.sync(inbox, air("GetChanges")), "Delete")
            self.assertEqual(name_of(gone), mail)
            (come,) = server_commands(phone.sync(trash, air("GetChanges")))
            self.assertEqual(name_of(come), added)

        self.each(VERSIONS, check, "Subject: x\r\n\r\nHi.\r\n")

    def test_noSource(self) -> None:
        """Status 1: no such folder, or the mail was moved before (S10_TC02, S10_TC03)."""

        def check(phone: Client, inbox: int) -> None:
            trash, mail = self.both(phone, inbox)
            wrong = f"Response(SrcMsgId={mail} Status=1)"
            self.assertEqual(self.responses(phone, move(mail, "Invalid SrcFldId", trash)), [wrong])
            self.responses(phone, move(mail, inbox, trash))
            self.assertEqual(self.responses(phone, move(mail, inbox, trash)), [wrong])

        self.each(VERSIONS, check, "Subject: x\r\n\r\nHi.\r\n")

    def test_noTarget(self) -> None:
        """Status 2: no such destination; Status 4: it is the source (S10_TC04, S10_TC05)."""

        def check(phone: Client, inbox: int) -> None:
            _, mail = self.both(phone, inbox)
            self.assertEqual(
                self.responses(phone, move(mail, inbox, "Invalid DstFldId"), move(mail, inbox, inbox)),
                [f"Response(SrcMsgId={mail} Status=2)", f"Response(SrcMsgId={mail} Status=4)"],
            )

        self.each(VERSIONS, check, "Subject: x\r\n\r\nHi.\r\n")

    def test_twoTargets(self) -> None:
        """Status 5: one mail to two folders; it arrives in one of them (S10_TC06)."""

        def check(phone: Client, inbox: int) -> None:
            trash, mail = self.both(phone, inbox)
            sent = next(one.id for one in phone.world.result(phone.world.store.folders("ann")) if one.path == ".Sent")
            first, second = self.responses(phone, move(mail, inbox, trash), move(mail, inbox, sent))
            self.assertIn("Status=3", first)
            self.assertEqual(second, f"Response(SrcMsgId={mail} Status=5)")
            phone.sync(sent)
            self.assertEqual(server_commands(phone.sync(sent, air("GetChanges"))), [])
            self.assertEqual(len(server_commands(phone.sync(trash, air("GetChanges")))), 1)

        self.each(VERSIONS, check, "Subject: x\r\n\r\nHi.\r\n")

    def test_tooMany(self) -> None:
        """More than 1000 moves are Status 103 (S10_TC07)."""

        def check(phone: Client, inbox: int) -> None:
            trash, mail = self.both(phone, inbox)
            body = Element("Move:MoveItems", *[move(mail, inbox, trash)] * 1001)
            self.assertEqual(text(phone.ask("MoveItems", body)), "MoveItems(Status=103)")

        self.each(SINCE_14, check, "Subject: x\r\n\r\nHi.\r\n")

    def test_tooManyBefore14(self) -> None:
        """Before 14.0 that is HTTP 400."""

        def check(phone: Client, inbox: int) -> None:
            trash, mail = self.both(phone, inbox)
            body = Element("Move:MoveItems", *[move(mail, inbox, trash)] * 1001)
            self.assertEqual(phone.http("MoveItems", body).status, 400)

        self.each(("12.1",), check, "Subject: x\r\n\r\nHi.\r\n")
