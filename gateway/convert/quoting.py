"""The text of a mail as it stands below the answer to it."""

from __future__ import annotations

import re
from html import escape

from gateway.convert.body import HTML_TYPE, PLAIN_TYPE, Body
from gateway.convert.headers import addresses, words
from gateway.convert.mime import Part

MAX_QUOTED = 2**20
"""Bytes of the other mail's text that are quoted: more than people read."""

_MAX_VALUE = 2000
_LINE = "-----Original Message-----"
_FIELDS = (("From", "from"), ("Sent", "date"), ("To", "to"), ("Cc", "cc"), ("Subject", "subject"))
_BODY = re.compile(r"<body\b", re.IGNORECASE)
_HEAD_END = re.compile(r"</head\s*>", re.IGNORECASE)
_BODY_END = re.compile(r"</body\s*>", re.IGNORECASE)
_STYLE = re.compile(r"<style\b", re.IGNORECASE)
_STYLE_END = re.compile(r"</style\s*>", re.IGNORECASE)
_FRAME = re.compile(r"<!doctype\b[^>]{0,500}>|</?(?:html|head|body)\b[^>]{0,500}>", re.IGNORECASE)
_QUOTE = "margin:0 0 0 .8ex;border-left:1px solid #ccc;padding-left:1ex"


def plain(text: str, original: Body) -> str:
    """A plain text with the other mail below it, as it is: its full text is to be sent ([MS-ASCMD] 2.2.1.20)."""
    rendered = original.rendered(PLAIN_TYPE, MAX_QUOTED)
    head = [f"{name}: {value}" for name, value in _head(original.outline.root)]
    cut = ["[...]"] if rendered.truncated else []
    return "\r\n".join([text.rstrip(), "", _LINE, *head, "", rendered.text.rstrip(), *cut, ""])


def rich(text: str, original: Body, reply: bool) -> str:
    """A HTML text with the other mail below it; in a reply it is set in."""
    rendered = original.rendered(HTML_TYPE, MAX_QUOTED)
    inner = inside(rendered.text) + ("<br>[...]" if rendered.truncated else "")
    head = "<br>\r\n".join(
        f"<b>{name}:</b> {escape(value, quote=False)}" for name, value in _head(original.outline.root)
    )
    quoted = f'<blockquote style="{_QUOTE}">{inner}</blockquote>' if reply else f"<div>{inner}</div>"
    block = f"<br>\r\n<hr>\r\n<div>{head}</div>\r\n<br>\r\n{quoted}\r\n"
    ends = list(_BODY_END.finditer(text))
    place = ends[-1].start() if ends else len(text)
    return text[:place] + block + text[place:]


def inside(document: str) -> str:
    """What is in the body of a HTML document, after its styles: to be put into another one."""
    begin = _BODY.search(document)
    start = document.find(">", begin.end()) + 1 if begin else 0
    if not start:
        ended = _HEAD_END.search(document)
        start = ended.end() if ended else 0
    ends = list(_BODY_END.finditer(document, start))
    body = document[start : ends[-1].start() if ends else len(document)]
    return _styles(document[:start]) + _FRAME.sub("", body)


def _styles(head: str) -> str:
    found = []
    begin = _STYLE.search(head)
    while begin:
        end = _STYLE_END.search(head, begin.end())
        if end is None:
            break
        found.append(head[begin.start() : end.end()])
        begin = _STYLE.search(head, end.end())
    return "".join(found)


def _head(root: Part) -> list[tuple[str, str]]:
    """The fields that say what the other mail was, for people."""
    found = []
    for shown, name in _FIELDS:
        values = [str(value) for value in root.get_all(name, [])]
        if name in ("from", "to", "cc"):
            text = "; ".join(str(address) for address in addresses(values))
        else:
            text = " ".join(words(values[0]).split()) if values else ""
        if text:
            found.append((shown, text if len(text) <= _MAX_VALUE else f"{text[:_MAX_VALUE]}..."))
    return found
