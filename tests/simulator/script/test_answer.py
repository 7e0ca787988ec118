"""Answers taken apart, and what a step expects of them."""

from __future__ import annotations

import struct
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from gateway.eas import wbxml
from gateway.element import Element
from gateway.simulator.errors import Garbled
from gateway.simulator.line import Account, Reply
from gateway.simulator.memory import Memory, PhoneFolder
from gateway.simulator.script.answer import Answer
from gateway.simulator.script.expecting import EXPECTATIONS, Source, missed, recall
from gateway.simulator.script.phone import Phone
from gateway.simulator.script.tree import elements, shown

WBXML = "application/vnd.ms-sync.wbxml"
OK = frozenset({"1"})


def tree(**content: Any) -> Element:
    """The element of a table with one root; a double underscore stands for the colon."""
    (root,) = elements({name.replace("__", ":"): value for name, value in content.items()})
    return root


def item(id: str, subject: str, **more: Any) -> dict[str, Any]:
    data = {"Email:Subject": subject, **{name.replace("__", ":"): value for name, value in more.items()}}
    return {"AirSync:ServerId": id, "AirSync:ApplicationData": data}


SYNC = tree(
    AirSync__Sync={
        "AirSync:Collections": {
            "AirSync:Collection": {
                "AirSync:SyncKey": "k2",
                "AirSync:CollectionId": "5",
                "AirSync:Status": 1,
                "AirSync:Commands": {
                    "AirSync:Add": [item("5:1", "One"), item("5:2", "Two", Email__Flag={"Email:Status": 2})],
                    "AirSync:Change": {"AirSync:ServerId": "5:3", "AirSync:ApplicationData": {"Email:Read": 1}},
                    "AirSync:Delete": {"AirSync:ServerId": "5:4"},
                    "AirSync:SoftDelete": {"AirSync:ServerId": "5:5"},
                },
                "AirSync:Responses": {"AirSync:Add": {"AirSync:ClientId": "c", "AirSync:Status": 1}},
            }
        }
    }
)


def read(root: Element | None, status: int = 200, content_type: str = WBXML, body: bytes | None = None) -> Answer:
    data = body if body is not None else b"" if root is None else wbxml.encode(root)
    return Answer.read(Reply(status, {"content-type": content_type}, data), 2.0)


class AnswerTests(SynchronousTestCase):
    def test_counts(self) -> None:
        """Adds, Changes and both ways of deletion are counted, not the responses to the phone's own."""
        answer = read(SYNC)
        self.assertEqual([answer.count(name) for name in ("Add", "Change", "Delete")], [2, 1, 2])
        self.assertEqual(answer.subjects(), ["One", "Two"])

    def test_status(self) -> None:
        """The status is the first that is not good, or else the innermost; a flag's and a body's do not count."""
        self.assertEqual(read(SYNC).status(OK), "1")
        moves = tree(Move__MoveItems={"Move:Response": [{"Move:Status": 3}, {"Move:Status": 1}]})
        self.assertEqual(read(moves).status(frozenset({"3"})), "1")
        self.assertEqual(read(moves).status(frozenset({"1", "3"})), "1")
        self.assertEqual(read(tree(Search__Search={"Search:Status": 1, "Search:Response": {}})).status(OK), "1")
        self.assertEqual(read(tree(FolderHierarchy__Folders={})).status(OK), "")

    def test_empty(self) -> None:
        """An empty answer is a success, but not one with another HTTP status or with something else in it."""
        self.assertEqual(read(None).status(OK), "1")
        self.assertEqual(read(None, 449).status(OK), "")
        self.assertEqual(read(None, 200, "text/plain", b"file").status(OK), "")

    def test_multipart(self) -> None:
        """An answer in parts is taken apart; one whose table is wrong is not what was asked for."""
        document = wbxml.encode(tree(ItemOperations__ItemOperations={"ItemOperations:Status": 1}))
        parts = [document, b"soup", b""]
        offsets = [28, 28 + len(document), 32 + len(document)]
        numbers = [one for pair in zip(offsets, map(len, parts), strict=True) for one in pair]
        body = struct.pack("<7I", 3, *numbers) + b"".join(parts)
        kind = "application/vnd.ms-sync.multipart"
        answer = read(None, content_type=kind, body=body)
        self.assertEqual((answer.parts, answer.size(), answer.status(OK)), ((b"soup", b""), 4, "1"))
        for wrong in (b"\x01", body[:9], struct.pack("<I", 0), struct.pack("<I", 10**6), body[:30], b"\xff" * 40):
            with self.assertRaises(Garbled):
                read(None, content_type=kind, body=wrong)
        with self.assertRaises(Garbled):
            read(None, body=b"no document")

    def test_attachment(self) -> None:
        """What an attachment holds is looked at unpacked, and its size is that of the file."""
        data = {"ItemOperations:Data": "U291cA==", "ItemOperations:Total": 4}
        answer = read(tree(ItemOperations__ItemOperations={"ItemOperations:Properties": data}))
        self.assertIn(b"Soup", list(answer.contents()))
        self.assertEqual(answer.size(), 4)

    def test_shown(self) -> None:
        """A document is shown indented, long values cut, passwords left out."""
        lines = list(shown(tree(Settings__Settings={"Settings:Password": "secret", "Settings:Model": "x" * 999})))
        self.assertEqual(lines[:2], ["Settings:Settings", "  Settings:Password = *"])
        self.assertTrue(lines[2].endswith("' ... 999 in all"))


class ExpectingTests(SynchronousTestCase):
    def setUp(self) -> None:
        memory = Memory(version="14.1", folders={"5": PhoneFolder("5", "0", "Posteingang", 2)})
        memory.folders["6"] = PhoneFolder("6", "5", "Inner", 12)
        self.phone = Phone(Account("ann", "x"), memory, lambda: "c1")

    def missed(self, answer: Answer, **expect: Any) -> list[str]:
        return missed(EXPECTATIONS.check(expect), OK, self.phone, answer)

    def test_usual(self) -> None:
        """Without a word HTTP 200 and success are expected, and nothing else is said when they are not there."""
        self.assertEqual(self.missed(read(SYNC)), [])
        bad = read(tree(AirSync__Sync={"AirSync:Status": 3}))
        self.assertEqual(self.missed(bad), ["status: 1 expected, 3 found"])
        self.assertEqual(self.missed(bad, adds=1), ["status: 1 expected, 3 found"])
        self.assertEqual(self.missed(bad, status=[3, 4]), [])
        self.assertEqual(self.missed(read(None, 449)), ["http: 200 expected, 449 found"])
        self.assertEqual(self.missed(read(None, 449), http=[449, 403]), [])
        self.assertEqual(self.missed(read(None, 449), http=449, status=1), ["status: 1 expected, none found"])

    def test_found(self) -> None:
        """What is there is found."""
        expect = {
            "adds": 2,
            "changes": 1,
            "deletes": 2,
            "results": 0,
            "more": False,
            "empty": False,
            "subject": ["One", "Two"],
            "no_subject": "Three",
            "text": ["Tw", "k2"],
            "no_text": "Three",
            "elements": {"Email:Read": True, "AirSync:ServerId": ["5:1", "5:4"], "AirSync:CollectionId": 5},
            "counts": {"Email:Subject": 2, "Email:From": 0},
            "headers": {"Content-Type": "wbxml"},
            "folder": {"name": 12, "type": 12, "parent": "Inbox"},
            "no_folder": "Archive",
            "within": 2,
            "after": 2,
        }
        self.assertEqual(self.missed(read(SYNC), **expect), [])

    def test_missed(self) -> None:
        """What is not there is told, each with what was found instead."""
        wrong = {
            "adds": (1, "adds: 1 expected, 2 found"),
            "changes": (0, "changes: 0 expected, 1 found"),
            "deletes": (0, "deletes: 0 expected, 2 found"),
            "results": (1, "results: 1 expected, 0 found"),
            "more": (True, "more: MoreAvailable is missing"),
            "empty": (True, "empty: the answer is not empty"),
            "subject": ("Three", "subject: 'Three' expected, 'One', 'Two' found"),
            "no_subject": ("One", "no_subject: 'One' is there"),
            "text": ("Three", "text: 'Three' is not in the answer"),
            "no_text": ("One", "no_text: 'One' is in the answer"),
            "elements": ({"Email:Read": 0}, "elements: Email:Read '0' expected, '1' found"),
            "counts": ({"Email:From": 1}, "counts: 1 of Email:From expected, 0 found"),
            "headers": ({"X-Nope": "x"}, "headers: 'x' expected in x-nope, 'no such header' found"),
            "folder": ({"name": 2, "type": 12, "parent": "6"}, "folder: 'Posteingang' of type 12 expected, 2 found"),
            "no_folder": (2, "no_folder: 2 is there"),
            "changed": (2, "changed: '5' expected, none found"),
            "bytes": (99, "bytes: 99 expected, 3 found"),
            "within": (1, "within: 1 s expected, it took 2.0 s"),
            "after": (3, "after: 3 s expected, it took 2.0 s"),
        }
        for key, (value, told) in wrong.items():
            self.assertEqual(self.missed(read(SYNC), **{key: value})[0], told)
        self.assertEqual(sorted(wrong), sorted(EXPECTATIONS.fields.keys() - {"http", "status"}))
        self.assertIn(
            "there is no folder 'Nope'; known are 'Posteingang' (2)",
            self.missed(read(SYNC), folder={"name": "Nope"})[0],
        )

    def test_ping(self) -> None:
        """The folders of a Ping are told apart by name, type or id."""
        answer = read(tree(Ping__Ping={"Ping:Status": 2, "Ping:Folders": {"Ping:Folder": ["5", "6"]}}))
        good = {"status": 2}
        self.assertEqual(self.missed(answer, **good, changed=["Inner", 2]), [])
        self.assertEqual(self.missed(answer, **good, changed="5"), ["changed: '5' expected, '5', '6' found"])

    def recall(self, source: object, answer: Answer | None = None) -> str | None:
        return recall(Source().check(source), self.phone, answer or read(SYNC))

    def test_recall(self) -> None:
        """A value comes from the first such element, from that of an item, from one further on, or from a folder."""
        self.assertEqual(self.recall("AirSync:ServerId"), "5:1")
        self.assertEqual(self.recall({"subject": "Two"}), "5:2")
        self.assertEqual(self.recall({"subject": "Two", "element": "Email:Status"}), "2")
        self.assertEqual(self.recall({"element": "AirSync:ServerId", "number": 4}), "5:4")
        self.assertEqual([self.recall({"folder": name}) for name in (12, "Inbox", "inner")], ["6", "5", "6"])
        for source in ("Email:From", {"subject": "Three"}, {"folder": 9}, {"element": "Email:Read", "number": 2}):
            self.assertIsNone(self.recall(source))
        opaque = read(Element("AirSync:Sync", Element("Email2:ConversationId", b"\x00\xff")))
        self.assertEqual(self.recall("Email2:ConversationId", opaque), "AP8=")
        self.assertIsNone(self.recall("AirSync:ServerId", read(None)))
