"""What each step sends, by version."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from gateway.eas import wbxml
from gateway.element import Element
from gateway.simulator.line import VERSIONS, Account
from gateway.simulator.memory import Memory, PhoneFolder
from gateway.simulator.script.answer import Answer
from gateway.simulator.script.phone import Phone, Request, Unsent
from gateway.simulator.script.steps import KINDS
from gateway.simulator.script.tree import elements

MAIL = "Subject: x\n\nGrüße\n"


def compact(element: Element) -> str:
    """An element as short text: namespaces left out, children in brackets."""
    value = element.value.decode() if isinstance(element.value, bytes) else element.value
    inner = " ".join(map(compact, element.children))
    return f"{element.name}{f'({inner})' if inner else ''}{f'={value}' if value else ''}"


class StepCase(SynchronousTestCase):
    def phone(self, version: str = "14.1") -> Phone:
        memory = Memory(version=version, policy_key=7, hierarchy_key="h1")
        for id, name, type in (("5", "Inbox", 2), ("6", "Sent", 5), ("7", "Drafts", 3)):
            memory.folders[id] = PhoneFolder(id, "0", name, type, key=f"k{id}")
        return Phone(Account("ann", "x"), memory, lambda: "fresh")

    def request(self, name: str, version: str = "14.1", /, **given: Any) -> Request:
        """What a step sends."""
        kind = KINDS[name]
        values = {key: kind.fields[key].check(value) for key, value in given.items()}
        self.assertEqual([key for key in kind.needed if key not in values], [])
        kind.check(values)
        return kind.compose(self.phone(version), values)

    def document(self, name: str, version: str = "14.1", /, **given: Any) -> str:
        """The document that a step sends, as it comes out of WBXML."""
        body = self.request(name, version, **given).body
        assert isinstance(body, Element)
        return compact(wbxml.decode(wbxml.encode(body)))


class FolderStepTests(StepCase):
    def test_documents(self) -> None:
        """FolderSync, FolderCreate, FolderUpdate, FolderDelete: the key of the phone, folders by name, type or id."""
        self.assertEqual(self.document("FolderSync"), "FolderSync(SyncKey=h1)")
        self.assertEqual(self.document("FolderSync", key="0"), "FolderSync(SyncKey=0)")
        create = self.document("FolderCreate", name="New", parent="Inbox")
        self.assertEqual(create, "FolderCreate(SyncKey=h1 ParentId=5 DisplayName=New Type=12)")
        update = self.document("FolderUpdate", folder="sent", name="Out")
        self.assertEqual(update, "FolderUpdate(SyncKey=h1 ServerId=6 ParentId=0 DisplayName=Out)")
        update = self.document("FolderUpdate", folder=5, parent="99", key="x")
        self.assertEqual(update, "FolderUpdate(SyncKey=x ServerId=6 ParentId=99 DisplayName=Sent)")
        self.assertEqual(self.document("FolderDelete", folder="99"), "FolderDelete(SyncKey=h1 ServerId=99)")

    def test_learnt(self) -> None:
        """What was carried out the phone knows without another FolderSync; what was refused it does not."""
        phone = self.phone()

        def learn(name: str, status: int, /, **given: Any) -> None:
            table = {"Status": status, "SyncKey": f"h{status}", "ServerId": "9"}
            content = {f"FolderHierarchy:{tag}": value for tag, value in table.items()}
            KINDS[name].learn(phone, given, Answer(200, root=elements({f"FolderHierarchy:{name}": content})[0]))

        learn("FolderCreate", 2, name="New")
        self.assertEqual((phone.memory.hierarchy_key, "9" in phone.memory.folders), ("h1", False))
        learn("FolderCreate", 1, name="New", parent="Inbox")
        folder = phone.folder("New")
        self.assertEqual((folder.id, folder.parent, folder.type, folder.key), ("9", "5", 12, "0"))
        learn("FolderUpdate", 1, folder="New", name="Old", parent="0")
        self.assertEqual((phone.folder("Old").parent, phone.folder("Old").id), ("0", "9"))
        learn("FolderDelete", 4, folder="Old")
        learn("FolderDelete", 1, folder="Old")
        with self.assertRaises(Unsent):
            phone.folder("Old")
        learn("FolderSync", 9)
        self.assertEqual(phone.memory.hierarchy_key, "0")

    def test_moves(self) -> None:
        """MoveItems has one move for each item."""
        found = self.document("MoveItems", items=["5:1", "5:2"], **{"from": 2, "to": 5})
        one = "Move(SrcMsgId=5:{} SrcFldId=5 DstFldId=6)"
        self.assertEqual(found, f"MoveItems({one.format(1)} {one.format(2)})")

    def test_estimates(self) -> None:
        """GetItemEstimate has three forms: with a class, without, and with options from 14.0 on."""
        forms = {
            "2.5": "Class=Email CollectionId=5 FilterType=3 SyncKey=k5",
            "12.1": "CollectionId=5 FilterType=3 SyncKey=k5",
            "14.0": "SyncKey=k5 CollectionId=5 Options(FilterType=3)",
        }
        for version, form in forms.items():
            found = self.document("GetItemEstimate", version, folder="Inbox", filter=3)
            self.assertEqual(found, f"GetItemEstimate(Collections(Collection({form})))")


class SyncStepTests(StepCase):
    def collection(self, version: str = "14.1", **given: Any) -> str:
        found = self.document("Sync", version, folder=2, **given)
        return found.removeprefix("Sync(Collections(Collection(").removesuffix(")))")

    def test_forms(self) -> None:
        """The class of the items is there before 12.1; key 0 asks for nothing."""
        self.assertEqual(self.collection("12.0"), "Class=Email SyncKey=k5 CollectionId=5 GetChanges")
        self.assertEqual(self.collection("12.1", get_changes=False), "SyncKey=k5 CollectionId=5 GetChanges=0")
        self.assertEqual(self.collection(key="0"), "SyncKey=0 CollectionId=5")

    def test_options(self) -> None:
        """Options are there when a step has one of them."""
        found = self.collection(window=3, deletes_as_moves=True, filter=2, conflict=0, truncation=4, mime=2)
        options = "FilterType=2 Conflict=0 Truncation=4 MIMESupport=2"
        self.assertEqual(
            found, f"SyncKey=k5 CollectionId=5 DeletesAsMoves=1 GetChanges WindowSize=3 Options({options})"
        )
        found = self.collection(
            body=[{"type": 2, "size": 9, "whole": True}, {"type": 1, "preview": 5}], part={"type": 2}
        )
        body = "BodyPreference(Type=2 TruncationSize=9 AllOrNone=1) BodyPreference(Type=1 Preview=5)"
        self.assertTrue(found.endswith(f"Options({body} BodyPartPreference(Type=2))"), found)

    def test_commands(self) -> None:
        """Commands of the phone: marks in words, anything else as elements."""
        found = self.collection(
            add={"data": {"Email:To": "b@c"}, "send": True},
            change=[{"item": "1", "read": True, "flag": True}, {"item": "2", "flag": False, "data": {"Email:Read": 0}}],
            delete="3",
            fetch=["4"],
        )
        flag = "Flag(Status=2 FlagType=Flag for follow up)"
        commands = (
            "Add(ClientId=fresh ApplicationData(To=b@c) Send)",
            f"Change(ServerId=1 ApplicationData(Read=1 {flag}))",
            "Change(ServerId=2 ApplicationData(Flag Read=0))",
            "Delete(ServerId=3)",
            "Fetch(ServerId=4)",
        )
        self.assertTrue(found.endswith(f"Commands({' '.join(commands)})"), found)

    def test_hanging(self) -> None:
        """Wait in minutes from 12.1 on, HeartbeatInterval in seconds from 14.0 on; the phone waits as long itself."""
        request = self.request("Sync", "12.1", folder=2, wait=2)
        self.assertEqual(request.patience, 120)
        found = self.document("Sync", folder=[2, 5], heartbeat=90, total=5, partial=True)
        self.assertTrue(found.endswith(")) HeartbeatInterval=90 WindowSize=5 Partial)"), found)
        self.assertIsNone(self.request("Sync", "12.1", empty=True).body)
        for version, keys in (("12.0", {"wait": 1}), ("12.1", {"heartbeat": 60}), ("12.0", {"partial": True})):
            with self.assertRaisesRegex(Unsent, "begins with version"):
                self.request("Sync", version, folder=2, **keys)
        with self.assertRaises(Unsent):
            self.request("Sync", "2.5", empty=True)

    def test_ping(self) -> None:
        """A Ping names folders with their classes, or nothing at all."""
        found = self.document("Ping", folder=[2, "99"], heartbeat=60)
        folders = "Folder(Id=5 Class=Email) Folder(Id=99 Class=Email)"
        self.assertEqual(found, f"Ping(HeartbeatInterval=60 Folders({folders}))")
        self.assertEqual(self.document("Ping"), "Ping")
        self.assertIsNone(self.request("Ping", empty=True).body)


class MailStepTests(StepCase):
    def test_messages(self) -> None:
        """Before 14.0 a message is the body, and the query says the rest."""
        request = self.request("SendMail", "12.1", message=MAIL)
        self.assertEqual(request.body, "Subject: x\r\n\r\nGrüße\r\n".encode())
        self.assertEqual((request.content_type, request.parameters), ("message/rfc822", (("SaveInSent", "T"),)))
        request = self.request("SmartReply", "2.5", message=MAIL, item="5:1", folder=2, save=False)
        self.assertEqual(request.parameters, (("ItemId", "5:1"), ("CollectionId", "5"), ("SaveInSent", "F")))
        request = self.request("SmartForward", "12.1", message=MAIL, long_id="L")
        self.assertEqual(request.parameters, (("LongId", "L"), ("SaveInSent", "T")))
        for key, value in {"client": "c", "replace": True}.items():
            with self.assertRaisesRegex(Unsent, f"{key} begins with version 14"):
                self.request("SmartReply", "12.1", message=MAIL, long_id="L", **{key: value})

    def test_documents(self) -> None:
        """From 14.0 on there is a document, with a ClientId that was never used if the step has none."""
        mime = "Mime=Subject: x\r\n\r\nGrüße\r\n"
        self.assertEqual(self.document("SendMail", message=MAIL), f"SendMail(ClientId=fresh SaveInSentItems {mime})")
        found = self.document("SmartReply", message=MAIL, item="5:1", folder=2, client="c", save=False, replace=True)
        source = "Source(FolderId=5 ItemId=5:1)"
        self.assertEqual(found, f"SmartReply(ClientId=c {source} ReplaceMime {mime})")
        found = self.document("SmartForward", message=MAIL, long_id="L", instance="I")
        source = "Source(LongId=L InstanceId=I)"
        self.assertEqual(found, f"SmartForward(ClientId=fresh {source} SaveInSentItems {mime})")

    def test_operations(self) -> None:
        """ItemOperations: Fetch of items, files and what a search has found; EmptyFolderContents; Move."""
        fetch = "ItemOperations(Fetch(Store=Mailbox {}))"
        found = self.document("Fetch", item="5:1", folder=2, body={"type": 2}, mime=1, schema="Email:Subject")
        options = "Options(Schema(Subject) MIMESupport=1 BodyPreference(Type=2))"
        self.assertEqual(found, fetch.format(f"CollectionId=5 ServerId=5:1 {options}"))
        request = self.request("Fetch", attachment="f", range="0-9", multipart=True)
        self.assertTrue(request.multipart)
        assert isinstance(request.body, Element)
        self.assertEqual(compact(request.body), fetch.format("FileReference=f Options(Range=0-9)"))
        self.assertEqual(self.document("Fetch", long_id="L"), fetch.format("LongId=L"))
        found = self.document("EmptyFolderContents", folder=2, subfolders=True)
        self.assertEqual(found, "ItemOperations(EmptyFolderContents(CollectionId=5 Options(DeleteSubFolders)))")
        found = self.document("Move", conversation="YWJj", to=5, always=True)
        self.assertEqual(found, "ItemOperations(Move(ConversationId=abc DstFldId=6 Options(MoveAlways)))")
        request = self.request("GetAttachment", "2.5", attachment="f")
        self.assertEqual((request.body, request.parameters), (None, (("AttachmentName", "f"),)))

    def test_meetings(self) -> None:
        """MeetingResponse; the server sends the answer from 16.0 on."""
        found = self.document("MeetingResponse", "16.1", item="5:1", folder=2, answer=1, send=True)
        self.assertEqual(found, "MeetingResponse(Request(UserResponse=1 CollectionId=5 RequestId=5:1 SendResponse))")
        with self.assertRaisesRegex(Unsent, "send begins with version 16"):
            self.request("MeetingResponse", item="5:1", folder=2, answer=1, send=True)


class FindStepTests(StepCase):
    def test_search(self) -> None:
        """Search in the mailbox from 12.0 on with conditions, and for people in all versions."""
        keys = {"class": "Email", "after": "2024", "before": "2025", "conditions": {"Search:ConversationId": "c"}}
        found = self.document(
            "Search", store="Mailbox", query="x", folder=2, range="0-9", deep=True, rebuild=True, **keys
        )
        dates = "GreaterThan(DateReceived Value=2024) LessThan(DateReceived Value=2025)"
        query = f"Query(And(Class=Email CollectionId=5 FreeText=x {dates} ConversationId=c))"
        options = "Options(RebuildResults DeepTraversal Range=0-9)"
        self.assertEqual(found, f"Search(Store(Name=Mailbox {query} {options}))")
        with self.assertRaises(Unsent):
            self.request("Search", "2.5", store="Mailbox", query="x")
        found = self.document("Search", "2.5", store="GAL", query="ann", range="0-1")
        self.assertEqual(found, "Search(Store(Name=GAL Query=ann Options(Range=0-1)))")

    def test_find(self) -> None:
        """Find looks for mails or for people."""
        found = self.document("Find", "16.1", query="x", folder=2, range="0-9", deep=True, id="I")
        query = "Query(Class=Email CollectionId=5 FreeText=x)"
        mail = f"MailBoxSearchCriterion({query} Options(Range=0-9 DeepTraversal))"
        self.assertEqual(found, f"Find(SearchId=I ExecuteSearch({mail}))")
        found = self.document("Find", "16.1", query="ann", people=True)
        self.assertTrue(found.endswith("ExecuteSearch(GalSearchCriterion(Query=ann)))"), found)

    def test_people(self) -> None:
        """ResolveRecipients asks for certificates, pictures, and when somebody is free."""
        self.assertEqual(self.document("ResolveRecipients", to="ann"), "ResolveRecipients(To=ann)")
        busy = {"from": "A", "to": "B"}
        found = self.document("ResolveRecipients", to=["a", "b"], certificates=2, most=5, busy=busy, picture=True)
        options = "CertificateRetrieval=2 MaxAmbiguousRecipients=5 Availability(StartTime=A EndTime=B) Picture"
        self.assertEqual(found, f"ResolveRecipients(To=a To=b Options({options}))")

    def test_settings(self) -> None:
        """Settings sets and gets, in one request."""
        found = self.document("Settings", information={"Model": "M"}, password="p", get=["Oof", "UserInformation"])
        told = "DeviceInformation(Set(Model=M)) DevicePassword(Set(Password=p))"
        self.assertEqual(found, f"Settings({told} Oof(Get(BodyType=Text)) UserInformation(Get))")
        away = {"state": 2, "from": "A", "to": "B", "inside": "in", "outside": ""}
        found = self.document("Settings", away=away)
        messages = (
            "OofMessage(AppliesToInternal Enabled=1 ReplyMessage=in BodyType=Text) "
            "OofMessage(AppliesToExternalUnknown Enabled=1 ReplyMessage BodyType=Text)"
        )
        self.assertEqual(found, f"Settings(Oof(Set(OofState=2 StartTime=A EndTime=B {messages})))")

    def test_certificates(self) -> None:
        """ValidateCert takes base64 over several lines."""
        found = self.document("ValidateCert", certificates="YW\nJj", chain=["ZA=="], revoked=True)
        parts = "CertificateChain(Certificate=ZA==) Certificates(Certificate=YWJj) CheckCRL=1"
        self.assertEqual(found, f"ValidateCert({parts})")

    def test_anything(self) -> None:
        """Command sends any document, any text, or nothing."""
        document = {"Ping:Ping": {"Ping:Folders": {"Ping:Folder": [{"Ping:Id": "1"}, {"Ping:Id": "2"}]}}}
        found = self.document("Command", command="Ping", document=document)
        self.assertEqual(found, "Ping(Folders(Folder(Id=1) Folder(Id=2)))")
        request = self.request(
            "Command", command="SendMail", text="ü", content_type="x/y", query={"SaveInSent": "T"}, parked=5
        )
        self.assertEqual((request.body, request.content_type), ("ü".encode(), "x/y"))
        self.assertEqual((request.parameters, request.patience), ((("SaveInSent", "T"),), 5))
        self.assertIsNone(self.request("Command", command="Sync").body)


class KindTests(SynchronousTestCase):
    def test_versions(self) -> None:
        """Every kind of step is for versions that there are."""
        for name, kind in KINDS.items():
            self.assertLessEqual(set(kind.versions), set(VERSIONS), name)
            self.assertLessEqual(set(kind.needed), set(kind.fields), name)
