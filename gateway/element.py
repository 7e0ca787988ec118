"""The tree that an EAS document is: what WBXML encodes, commands read and conversions write."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Union

from attrs import define

Content = Union["Element", str, bytes, int, None]


@define(slots=True, init=False)
class Element:
    """One element: a tag C{"Namespace:Name"} and either children or one value.

    The namespace is the name of the WBXML code page without its trailing colon (C{"AirSync"}, C{"Ping"});
    C{value} is C{None} for an element without content, text as C{str}, opaque data as C{bytes}.
    """

    tag: str
    children: list[Element]
    value: str | bytes | None

    def __init__(self, tag: str, *content: Content) -> None:
        """Build an element; C{None} among the content is left out, numbers become decimal text."""
        self.tag = tag
        self.children = []
        self.value = None
        for part in content:
            if isinstance(part, Element):
                self.children.append(part)
            elif isinstance(part, int):
                self.value = str(int(part))
            elif part is not None:
                self.value = part

    @property
    def name(self) -> str:
        """The local name, without the namespace."""
        return self.tag.partition(":")[2]

    @property
    def text(self) -> str:
        """The value as text: opaque data is read as UTF-8, an empty element is the empty string."""
        if isinstance(self.value, bytes):
            return self.value.decode("utf-8", "replace")
        return self.value or ""

    def child(self, tag: str) -> Element | None:
        """The first child with that tag, or C{None}."""
        return next((c for c in self.children if c.tag == tag), None)

    def all(self, tag: str) -> list[Element]:
        """All children with that tag, in order."""
        return [c for c in self.children if c.tag == tag]

    def text_of(self, tag: str, default: str | None = None) -> str | None:
        """The text of the first child with that tag, or the default if there is none."""
        found = self.child(tag)
        return default if found is None else found.text

    def __iter__(self) -> Iterator[Element]:
        return iter(self.children)
