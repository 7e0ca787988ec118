"""The XML text of the test vectors as L{Element} trees, and back.

A namespace is written as in WBXML tools: C{xmlns="Ping:"}, where it differs from that of the parent.
"""

from __future__ import annotations

from xml.etree import ElementTree
from xml.sax.saxutils import escape

from gateway.element import Element

OPAQUE = frozenset(
    {
        "ComposeMail:Mime",
        "Email2:ConversationId",
        "Email2:ConversationIndex",
        "Search:ConversationId",
        "ItemOperations:ConversationId",
        "AirSyncBase:Content",
        "Gal:Data",
        "ResolveRecipients:Data",
    }
)
"""The elements of byte arrays ([MS-ASWBXML] 2.1.2.1): their text becomes C{bytes}."""


def from_xml(text: str) -> Element:
    """The tree of an XML document."""
    return _element(ElementTree.fromstring(text))


def _element(node: ElementTree.Element) -> Element:
    namespace, _, name = node.tag.removeprefix("{").partition(":}")
    element = Element(f"{namespace}:{name}", *map(_element, node))
    if node.text and not element.children:
        element.value = node.text.encode() if element.tag in OPAQUE else node.text
    return element


def to_xml(element: Element, namespace: str = "") -> str:
    """The XML text of a tree; opaque values are read as UTF-8."""
    here, _, name = element.tag.partition(":")
    start = name if here == namespace else f'{name} xmlns="{here}:"'
    inner = "".join(to_xml(child, here) for child in element) + escape(element.text, {"\r": "&#13;", "\n": "&#10;"})
    return f"<{start}>{inner}</{name}>" if inner else f"<{start}/>"
