"""HTML of strangers to plain text, and plain text to HTML.

The HTML is read by lxml's streaming parser (libxml2) and laid out here, without a tree. Compared on 10,000 nested
elements, on a megabyte of C{<} or C{&}, and on 10 MB of paragraphs:

  - html2text needs 6 s for the megabyte, 13 s and 100 MB for nested lists, and stops at C{<![x};
  - inscriptis and html-text lose the text below 255 levels (a limit of libxml2's trees), and need 3 s for the 10 MB;
  - BeautifulSoup needs 10 s for the 10 MB; nh3 only strips tags, and needs 6 s for the megabyte;
  - selectolax is quick, but needs 10 s for 100,000 levels and has no layout;
  - the parser of the standard library stops at C{<![x} too.

lxml as an event stream needs 0.3 s for the 10 MB, keeps all text at any depth, and is well kept.
"""

from __future__ import annotations

import re
from html import escape

from attrs import define, field
from lxml import etree
from twisted.logger import Logger

from gateway.convert.charset import clean

MAX_SOURCE = 2**20
"""Characters of HTML that are laid out as text: 0.3 s of CPU, 0.8 s for nothing but C{<}. A common mail has below
100,000 of them."""

_CHUNK = 2**15
_MAX_QUOTES = 8

_HIDDEN = frozenset(
    ("script", "style", "title", "template", "select", "object", "applet", "audio", "video", "canvas", "svg", "math")
)
_ROWS = ("dd", "div", "dt", "li", "tbody", "tfoot", "thead", "tr")
_SECTIONS = ("address", "article", "aside", "details", "figure", "footer", "form", "header", "main", "nav", "section")
_LINES = ("caption", "center", "dir", "dl", "fieldset", "figcaption", "legend", "menu", "summary")
_LINE = frozenset((*_ROWS, *_SECTIONS, *_LINES))
_PARAGRAPH = frozenset(("blockquote", "h1", "h2", "h3", "h4", "h5", "h6", "ol", "p", "pre", "table", "ul"))
_SPACE = re.compile(r"[ \t\r\n\f]+")
_INVISIBLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden|mso-hide\s*:\s*all", re.IGNORECASE)
_LINK = re.compile(r"(?:https?|ftp|mailto|tel):", re.IGNORECASE)


@define(eq=False)
class _Layout:
    """The target of the parser: collects the text as a reader would see it."""

    pieces: list[str] = field(factory=list)
    length: int = 0
    lines: int = 0
    space: bool = False
    hidden: int = 0
    quotes: int = 0
    level: int = 0
    verbatim: int = 0
    lists: list[int] = field(factory=list)
    links: list[tuple[str, int]] = field(factory=list)

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """An element begins."""
        if self.hidden or tag in _HIDDEN or _is_hidden(attributes):
            self.hidden += 1
            return
        if tag in _LINE:
            self._break(1)
        elif tag in _PARAGRAPH:
            self._break(2)
        special = _STARTS.get(tag)
        if special is not None:
            special(self, attributes)

    def end(self, tag: str) -> None:
        """An element ends; the parser gives an end for each start."""
        if self.hidden:
            self.hidden -= 1
            return
        special = _ENDS.get(tag)
        if special is not None:
            special(self)
        if tag in _LINE:
            self._break(1)
        elif tag in _PARAGRAPH:
            self._break(2)

    def data(self, text: str) -> None:
        """Text, entities already resolved."""
        if self.hidden:
            return
        if self.verbatim:
            self._verbatim(text)
            return
        squeezed = _SPACE.sub(" ", text)
        if squeezed.startswith(" "):
            self.space = True
            squeezed = squeezed[1:]
        if squeezed:
            ends = squeezed.endswith(" ")
            self._write(squeezed[:-1] if ends else squeezed)
            self.space = ends

    def close(self) -> str:
        """The text so far."""
        return "".join(self.pieces)

    def _break(self, lines: int) -> None:
        self.lines = max(self.lines, lines)
        self.space = False

    def _verbatim(self, text: str) -> None:
        for count, line in enumerate(text.replace("\r\n", "\n").split("\n")):
            if count:
                self.lines += 1
            if line:
                self._write(line)

    def _write(self, text: str) -> None:
        level = min(self.quotes, _MAX_QUOTES)
        if self.pieces and self.lines:
            between = "\n" + ("> " * min(self.level, level)).rstrip()
            self._put(between * (self.lines - 1) + "\n" + "> " * level)
        elif not self.pieces:
            self._put("> " * level)
        elif self.space:
            self._put(" ")
        self.lines = 0
        self.level = level
        self.space = False
        self._put(text)

    def _put(self, text: str) -> None:
        self.pieces.append(text)
        self.length += len(text)

    def _line_break(self, attributes: dict[str, str]) -> None:
        self.lines = min(self.lines + 1, 20)
        self.space = False

    def _rule(self, attributes: dict[str, str]) -> None:
        self._break(1)
        self._write("-" * 20)
        self._break(1)

    def _item(self, attributes: dict[str, str]) -> None:
        number = self.lists[-1] if self.lists else -1
        if number < 0:
            self._write("-")
        else:
            self.lists[-1] = number + 1
            self._write(f"{number + 1}.")
        self.space = True

    def _image(self, attributes: dict[str, str]) -> None:
        text = " ".join(attributes.get("alt", "").split())
        if text:
            self._write(f"[{text}]")

    def _link(self, attributes: dict[str, str]) -> None:
        self.links.append((attributes.get("href", "").strip(), len(self.pieces)))

    def _link_end(self) -> None:
        target, begin = self.links.pop() if self.links else ("", 0)
        if len(target) > 2000 or not _LINK.match(target) or len(self.pieces) == begin:
            return
        shown = "".join(self.pieces[begin : begin + 50]).strip(" \n>")
        if shown and shown.rstrip("/") not in target:
            self._put(f" <{target.removeprefix('mailto:')}>")

    def _cell_end(self) -> None:
        self.space = True

    def _list(self, attributes: dict[str, str]) -> None:
        self.lists.append(-1)

    def _numbers(self, attributes: dict[str, str]) -> None:
        self.lists.append(0)

    def _list_end(self) -> None:
        if self.lists:
            self.lists.pop()

    def _quote(self, attributes: dict[str, str]) -> None:
        self.quotes += 1

    def _quote_end(self) -> None:
        self.quotes -= 1

    def _pre(self, attributes: dict[str, str]) -> None:
        self.verbatim += 1

    def _pre_end(self) -> None:
        self.verbatim -= 1


_STARTS = {
    "br": _Layout._line_break,
    "hr": _Layout._rule,
    "li": _Layout._item,
    "img": _Layout._image,
    "a": _Layout._link,
    "ul": _Layout._list,
    "ol": _Layout._numbers,
    "blockquote": _Layout._quote,
    "pre": _Layout._pre,
}
_ENDS = {
    "td": _Layout._cell_end,
    "th": _Layout._cell_end,
    "a": _Layout._link_end,
    "ul": _Layout._list_end,
    "ol": _Layout._list_end,
    "blockquote": _Layout._quote_end,
    "pre": _Layout._pre_end,
}


def _is_hidden(attributes: dict[str, str]) -> bool:
    if not attributes:
        return False
    style = attributes.get("style")
    return "hidden" in attributes or (style is not None and _INVISIBLE.search(style[:1000]) is not None)


def to_text(source: str, wanted: int | None = None) -> tuple[str, bool]:
    """The text of a HTML document with line ends LF, and whether it is all of it.

    At most L{MAX_SOURCE} characters are read, and no more once C{wanted} characters of text are there.
    """
    layout = _Layout()
    # The encoding given here overrides what the document says of itself.
    parser = etree.HTMLParser(target=layout, encoding="utf-8", huge_tree=True)
    position = 0
    end = min(len(source), MAX_SOURCE)
    try:
        while position < end and (wanted is None or layout.length <= wanted):
            parser.feed(source[position : min(position + _CHUNK, end)].encode("utf-8", "replace"))
            position += _CHUNK
        parser.close()
    except etree.LxmlError as error:
        # A document without any text ends so too.
        _log.debug("HTML was read up to character {position} only: {why}", position=position, why=str(error))
    # A character reference can mean what no document may hold.
    return clean(layout.close()), position >= len(source)


def from_text(text: str) -> str:
    """A HTML document that shows the text; its line ends are CRLF."""
    return "<html><body>" + escape(text, quote=False).replace("\r\n", "<br>\r\n") + "</body></html>"


_META = re.compile(r"(<meta\b[^>]{0,300}?charset\s*=\s*[\"']?)[\w:.-]{1,40}", re.IGNORECASE)


def declared_utf8(source: str) -> str:
    """The document saying of itself that it is UTF-8, if it names a charset: that is what the device gets."""
    return _META.sub(r"\1utf-8", source[:4096]) + source[4096:]


_log = Logger()
