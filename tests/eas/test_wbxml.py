"""WBXML: the vectors, the rules for what is sent, what is accepted and what is refused, and the bounds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gateway.eas.codepages import TAGS, TOKENS
from gateway.eas.wbxml import Limits, WBXMLError, decode, encode
from gateway.element import Element
from tests.xmltree import from_xml, to_xml

DATA = Path(__file__).parent.parent / "data"
HEADER = bytes.fromhex("03016a00")


def vectors(file: str) -> Any:
    """The content of a file of vectors."""
    return json.loads((DATA / file).read_text())


def canonical() -> Iterator[dict[str, str]]:
    """Every vector of a document as it is sent; the one of an empty body is no document."""
    for file in ("ping-vectors.json", "command-vectors.json"):
        yield from (vector for vector in vectors(file) if vector["hex"])


def ping(body: str, header: str = "03016a00") -> Element:
    """Decode a document that opens the Ping page, then has these bytes."""
    return decode(bytes.fromhex(header + "000d" + body))


class VectorTests(SynchronousTestCase):
    def test_decode(self) -> None:
        """Every vector decodes to its XML."""
        for vector in canonical():
            with self.subTest(vector["name"]):
                root = decode(bytes.fromhex(vector["hex"]))
                self.assertEqual(to_xml(root), to_xml(from_xml(vector["xml"])))

    def test_encode(self) -> None:
        """The XML of every vector encodes to its bytes, and what was decoded to the same."""
        for vector in canonical():
            with self.subTest(vector["name"]):
                self.assertEqual(encode(from_xml(vector["xml"])).hex(), vector["hex"])
                self.assertEqual(encode(decode(bytes.fromhex(vector["hex"]))).hex(), vector["hex"])

    def test_acceptedForms(self) -> None:
        """Legal forms that we would not send decode to the same tree as the canonical one."""
        for vector in vectors("ping-decode-vectors.json")["accept"]:
            with self.subTest(vector["name"]):
                root = decode(bytes.fromhex(vector["hex"]))
                self.assertEqual(to_xml(root), to_xml(from_xml(vector["xml"])))

    def test_refusedForms(self) -> None:
        """Malformed Pings are refused; a well-formed document of another command is left to the command."""
        for vector in vectors("ping-decode-vectors.json")["reject"]:
            with self.subTest(vector["name"]):
                data = bytes.fromhex(vector["hex"])
                if vector["name"] == "wrong-root-page":
                    self.assertEqual(decode(data).tag, "AirSync:Sync")
                else:
                    self.assertRaises(WBXMLError, decode, data)

    def test_everyCut(self) -> None:
        """No vector decodes when it is cut short, wherever that is."""
        for vector in canonical():
            data = bytes.fromhex(vector["hex"])
            for length in range(len(data)):
                self.assertRaises(WBXMLError, decode, data[:length])


class EncodeTests(SynchronousTestCase):
    def test_pageIsSwitchedOnlyWhenItChanges(self) -> None:
        """SWITCH_PAGE comes before a tag of another page only, and never before END."""
        tree = Element(
            "AirSync:Options",
            Element("AirSync:FilterType", 2),
            Element("AirSyncBase:BodyPreference", Element("AirSyncBase:Type", 1)),
            Element("AirSync:MIMESupport", 0),
        )
        expected = "57 58033200 01 0011 45 46033100 01 01 0000 62033000 01 01"
        self.assertEqual(encode(tree), HEADER + bytes.fromhex(expected))

    def test_emptyElementIsTheBareTag(self) -> None:
        """No value, no text and no bytes are all written as the tag alone."""
        for value in (None, "", b"", "\0"):
            self.assertEqual(encode(Element("AirSync:MoreAvailable", value)), HEADER + b"\x14")

    def test_bytesAreOpaque(self) -> None:
        """C{bytes} are written with their length in groups of seven bits, untouched."""
        for length, prefix in ((1, "01"), (127, "7f"), (128, "8100"), (300, "822c"), (70000, "84a270")):
            value = bytes(i % 256 for i in range(length))
            data = encode(Element("Ping:Id", value))
            self.assertEqual(data, HEADER + bytes.fromhex("000d4bc3" + prefix) + value + b"\x01")
            self.assertEqual(decode(data).value, value)

    def test_charactersThatXMLForbids(self) -> None:
        """U+0000 disappears; other characters that XML does not allow become U+FFFD; tabs and line ends stay."""
        root = decode(encode(Element("Ping:Id", "a\0b\x01c\ud800d\uffffe\t\r\n\x7f\x85\U0001f600")))
        self.assertEqual(root.value, "ab\ufffdc\ufffdd\ufffde\t\r\n\x7f\x85\U0001f600")

    def test_unknownTag(self) -> None:
        """A tree with a tag that has no token cannot be written."""
        self.assertRaises(WBXMLError, encode, Element("Ping:Ping", Element("Ping:Pong")))

    def test_valueBesideChildren(self) -> None:
        """A tree with a value and children in one element cannot be written."""
        self.assertRaises(WBXMLError, encode, Element("Ping:Folders", "5", Element("Ping:Folder")))

    def test_deepTree(self) -> None:
        """Depth costs no stack: a tree of 10,000 levels is written."""
        tree = Element("Ping:Folder")
        for _ in range(10_000):
            tree = Element("Ping:Folder", tree)
        self.assertEqual(encode(tree)[6:], b"\x4a" * 10_000 + b"\x0a" + b"\x01" * 10_000)
        while tree.children:
            tree = tree.children.pop()


class DecodeTests(SynchronousTestCase):
    def test_versions(self) -> None:
        """WBXML 1.1, 1.2 and 1.3 are taken; 1.0 and 1.4 are not."""
        for version in (1, 2, 3):
            self.assertEqual(ping("05", f"{version:02x}016a00").tag, "Ping:Ping")
        for version in (0, 4):
            self.assertRaises(WBXMLError, ping, "05", f"{version:02x}016a00")

    def test_publicIdentifiers(self) -> None:
        """Any public identifier is taken, by number or by a place in the string table."""
        for identifier in ("01", "8f7f", "0005"):
            self.assertEqual(ping("05", f"03{identifier}6a00").tag, "Ping:Ping")

    def test_charsets(self) -> None:
        """UTF-8, US-ASCII and Latin-1 are read; a document in another charset is refused."""
        self.assertEqual(ping("4b03c3bc0001").value, "ü")
        self.assertEqual(ping("4b03410001", "03010300").value, "A")
        self.assertEqual(ping("4b03fc0001", "03010400").value, "ü")
        self.assertRaises(WBXMLError, ping, "4b03410001", "03010600")

    def test_invalidUTF8(self) -> None:
        """Bytes that are not UTF-8 become U+FFFD, so that one character does not cost the whole command."""
        self.assertEqual(ping("4b0341ff420001").value, "A\ufffdB")

    def test_emptyText(self) -> None:
        """Empty text, empty opaque data and no content mean the same."""
        for body in ("0b", "4b01", "4b030001", "4bc30001", "4b0300c30001"):
            self.assertIsNone(ping(body).value)

    def test_opaqueStaysBytes(self) -> None:
        """Opaque data is kept as C{bytes} that can be read as text."""
        root = ping("4bc30241ff01")
        self.assertEqual(root.value, b"A\xff")
        self.assertEqual(root.text, "A\ufffd")

    def test_piecesAreJoined(self) -> None:
        """Several pieces of text are one; with an opaque one among them the whole is C{bytes}."""
        self.assertEqual(ping("4b034100034200034300" + "01").value, "ABC")
        self.assertEqual(ping("4b03c3bc00c302ff0001").value, b"\xc3\xbc\xff\0")

    def test_whitespaceBesideElements(self) -> None:
        """Whitespace before, between and after elements is ignored."""
        root = ping(
            "45" + "030d0a00" + "4703310001" + "c3022009" + "49" + "0320" + "00" + "4a" + "01" * 2 + "032000" + "01"
        )
        self.assertEqual(to_xml(root), '<Ping xmlns="Ping:"><Status>1</Status><Folders><Folder/></Folders></Ping>')

    def test_textBesideElements(self) -> None:
        """Text beside elements is refused, before them and after them."""
        self.assertRaises(WBXMLError, ping, "45" + "034100" + "07" + "01")
        self.assertRaises(WBXMLError, ping, "45" + "07" + "034100" + "01")

    def test_trailingBytes(self) -> None:
        """What follows the root is ignored, after a bare root too."""
        self.assertEqual(ping("45070101ff").children, [Element("Ping:Status")])
        self.assertEqual(ping("05ff").tag, "Ping:Ping")

    def test_pageStaysAcrossEnd(self) -> None:
        """The page in force does not go back at END."""
        root = decode(HEADER + bytes.fromhex("45 0011 46033100 01 0a 01"))
        self.assertEqual([child.tag for child in root], ["AirSyncBase:Type", "AirSyncBase:Body"])

    def test_unknownTagIsSkipped(self) -> None:
        """A tag newer than our table is left out with all that it holds, be it its token or its page."""
        for unknown in ("3f", "7f01", "7f 4b033500 01 5f 0b 01 01", "00ff 45 033100 01", "0011 3e"):
            data = HEADER + bytes.fromhex("45" + unknown + "0000 4e033100 01 01")
            self.assertEqual(to_xml(decode(data)), '<Sync xmlns="AirSync:"><Status>1</Status></Sync>')

    def test_unknownTagAsRoot(self) -> None:
        """A document cannot begin with a tag that we do not know."""
        for body in ("3f", "7f0101", "00ff4501", "00ff05"):
            self.assertRaises(WBXMLError, decode, HEADER + bytes.fromhex(body))

    def test_unknownTagInPing(self) -> None:
        """A Ping holds nothing that it does not define, at any depth and of any page."""
        for body in ("45 3f 01", "45 49 4a 3f 01 01 01", "45 00ff 05 01"):
            self.assertRaises(WBXMLError, ping, body)

    def test_forbiddenTokens(self) -> None:
        """Entities, literals, processing instructions, extensions and attributes are refused."""
        for token in (
            0x02,
            0x04,
            0x40,
            0x41,
            0x42,
            0x43,
            0x44,
            0x80,
            0x81,
            0x82,
            0x84,
            0xC0,
            0xC1,
            0xC2,
            0xC4,
            0x85,
            0xC5,
            0xFF,
        ):
            self.assertRaises(WBXMLError, ping, f"4b{token:02x}0001010101")

    def test_nothingBeforeTheRoot(self) -> None:
        """Text or END in place of the root is refused."""
        for body in ("03410045", "01", "0101"):
            self.assertRaises(WBXMLError, ping, body)

    def test_numbers(self) -> None:
        """A number has at most five bytes and 32 bits."""
        for number in ("ffffffff7f", "9080808000", "808080808001", "8080808080"):
            self.assertRaises(WBXMLError, ping, f"4bc3{number}01")
        self.assertEqual(ping("4bc3" + "8080808001" + "41" + "01").value, b"A")

    def test_lengthsBeyondTheData(self) -> None:
        """Lengths that run past the end are refused without taking memory for them."""
        self.assertRaises(WBXMLError, ping, "4bc38fffffff7f41")
        self.assertRaises(WBXMLError, decode, bytes.fromhex("03016a8fffffff7f0005"))

    def test_notWBXML(self) -> None:
        """Nothing, or something else, is refused."""
        for data in (b"", b"<", b"<Ping/>", b"\x1f\x8b\x08", HEADER, HEADER[:2]):
            self.assertRaises(WBXMLError, decode, data)


class StringTableTests(SynchronousTestCase):
    def test_references(self) -> None:
        """A reference gives the text from its offset to the next NUL, also from the middle of a string."""
        header = "03016a06" + b"ab\0cd\0".hex()
        for offset, text in ((0, "ab"), (1, "b"), (3, "cd"), (5, None)):
            self.assertEqual(ping(f"4b83{offset:02x}01", header).value, text)

    def test_offsetsOutsideTheTable(self) -> None:
        """A reference behind the table, or to a string without an end, is refused."""
        header = "03016a04" + b"ab\0c".hex()
        for offset in ("03", "04", "05", "8fffffff7f"):
            self.assertRaises(WBXMLError, ping, f"4b83{offset}01", header)

    def test_expansionIsBounded(self) -> None:
        """References cannot make a small document large."""
        data = (
            bytes.fromhex("03016a8800")
            + b"x" * 1023
            + b"\0"
            + bytes.fromhex("000d45")
            + b"\x4b\x83\x00\x01" * 3
            + b"\x01"
        )
        self.assertEqual(len(decode(data, Limits(expansion=3 * 1023)).children), 3)
        self.assertRaises(WBXMLError, decode, data, Limits(expansion=3 * 1023 - 1))


class LimitTests(SynchronousTestCase):
    def test_size(self) -> None:
        """A document one byte above the limit is refused."""
        data = HEADER + bytes.fromhex("000d05")
        self.assertEqual(decode(data, Limits(size=len(data))).tag, "Ping:Ping")
        self.assertRaises(WBXMLError, decode, data, Limits(size=len(data) - 1))

    def test_depth(self) -> None:
        """Elements can be open inside one another up to the limit, known ones and unknown ones."""
        for tag in (b"\x4a", b"\x7f"):
            data = HEADER + b"\x45" + b"\x00\x0d" + tag * 31 + b"\x01" * 32
            self.assertEqual(decode(data).tag, "AirSync:Sync")
            data = HEADER + b"\x45" + b"\x00\x0d" + tag * 32 + b"\x01" * 33
            self.assertRaises(WBXMLError, decode, data)

    def test_elements(self) -> None:
        """Elements and pieces of text are counted together, those of skipped elements as well."""
        for body in (b"\x0b\x0b", b"\x3f\x3f", b"\x4b\x03A\0\x01", b"\x4b\xc3\x01A\x01"):
            data = HEADER + b"\x45" + b"\x00\x07" + body + b"\x01"
            self.assertEqual(decode(data, Limits(elements=3)).tag, "AirSync:Sync")
            self.assertRaises(WBXMLError, decode, data, Limits(elements=2))

    def test_switches(self) -> None:
        """Two switches of the page for each element are read; very many are refused instead of gone through."""
        data = HEADER + b"\x45" + b"\x00\x0d\x00\x07\x0b" * 3 + b"\x01"
        self.assertEqual(decode(data, Limits(elements=4)).tag, "AirSync:Sync")
        self.assertRaises(WBXMLError, decode, HEADER + b"\x00\x00" * 10 + b"\x05", Limits(elements=4))

    def test_manyPiecesOfText(self) -> None:
        """Text in very many pieces is refused like very many elements, instead of being joined."""
        self.assertRaises(WBXMLError, decode, HEADER + b"\x00\x0d\x4b" + b"\x03A\0" * 100_001 + b"\x01")


TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=20)
LEAVES = st.builds(Element, st.sampled_from(sorted(TOKENS)), st.none() | TEXT | st.binary(max_size=200))
TREES = st.recursive(
    LEAVES,
    lambda children: st.builds(
        lambda tag, content: Element(tag, *content), st.sampled_from(sorted(TOKENS)), st.lists(children, max_size=4)
    ),
    max_leaves=12,
)


def settled(tree: Element) -> Element:
    """The same tree with C{None} for each empty value."""
    result = Element(tree.tag, *map(settled, tree))
    result.value = tree.value or None
    return result


class PropertyTests(SynchronousTestCase):
    @settings(max_examples=60, deadline=None, derandomize=True, database=None)
    @given(TREES)
    def test_roundTrip(self, tree: Element) -> None:
        """Every tree comes back as it was written."""
        self.assertEqual(decode(encode(tree)), settled(tree))

    @settings(max_examples=60, deadline=None, derandomize=True, database=None)
    @given(TREES, st.data())
    def test_mutations(self, tree: Element, data: st.DataObject) -> None:
        """A document with wrong bytes decodes to something that can be written again, or is refused."""
        document = bytearray(encode(tree))
        for _ in range(data.draw(st.integers(1, 4))):
            document[data.draw(st.integers(0, len(document) - 1))] = data.draw(st.integers(0, 255))
        try:
            root = decode(bytes(document))
        except WBXMLError:
            return
        self.assertEqual(decode(encode(root)).tag, root.tag)

    def test_everyTag(self) -> None:
        """Each tag is written with its page and its token, bare and with content."""
        for page, tags in enumerate(TAGS):
            for token, tag in enumerate(tags):
                if tag is not None:
                    switch = bytes((0, page)) if page else b""
                    self.assertEqual(encode(Element(tag)), HEADER + switch + bytes((token,)))
                    self.assertEqual(
                        encode(Element(tag, "1")), HEADER + switch + bytes((token | 0x40,)) + b"\x031\0\x01"
                    )
                    self.assertEqual(decode(encode(Element(tag, "1"))), Element(tag, "1"))
