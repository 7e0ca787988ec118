"""What a person sees of a mail: which parts are its text, and which are attachments."""

from __future__ import annotations

from attrs import define, field, frozen

from gateway.convert.mime import Part

PLAIN = "text/plain"
HTML = "text/html"


@frozen
class Text:
    """Parts that make up the text, once in the simplest form and once in the richest; both are in order."""

    plain: tuple[Part, ...] = ()
    rich: tuple[Part, ...] = ()

    def __add__(self, other: Text) -> Text:
        return Text(self.plain + other.plain, self.rich + other.rich)

    def __bool__(self) -> bool:
        return bool(self.rich)


@frozen
class Attached:
    """An attachment; C{related} tells that it belongs to a HTML text, as a picture in it does."""

    part: Part
    related: bool = False


@frozen
class Outline:
    """A mail as a person sees it; C{calendar} is the scheduling message in it, if there is one."""

    root: Part
    text: Text
    attachments: tuple[Attached, ...] = ()
    calendar: Part | None = None

    @property
    def is_html(self) -> bool:
        """Whether the text was written as HTML."""
        return any(part.type == HTML for part in self.text.rich)


def outline(root: Part) -> Outline:
    """Sort the parts of a mail into text and attachments."""
    sorting = _Sorting()
    text = sorting.text_of(root)
    return Outline(root, text, tuple(sorting.attachments), sorting.calendar)


@define(eq=False)
class _Sorting:
    attachments: list[Attached] = field(factory=list)
    calendar: Part | None = None
    texts: int = 0

    def text_of(self, part: Part, related: bool = False, choice: bool = False) -> Text:
        """The text in a part; what is no text is put to the attachments, alternatives of the text are passed over."""
        if not part.children:
            return self._leaf(part, related, choice)
        if part.type == "multipart/alternative":
            return self._alternative(part, related)
        if part.type == "multipart/related":
            return self._related(part, choice)
        text = Text()
        for child in part.children:
            text += self.text_of(child, related)
        return text

    def _leaf(self, part: Part, related: bool, choice: bool) -> Text:
        attached = part.get_content_disposition() == "attachment"
        if part.type == "text/calendar" and self.calendar is None and not attached:
            self.calendar = part
        if part.type in (PLAIN, HTML) and not attached and not (self.texts and part.filename):
            self.texts += 1
            return Text((part,), (part,))
        if attached or not (choice and part.type.startswith("text/")):
            self.attachments.append(Attached(part, related))
        return Text()

    def _alternative(self, part: Part, related: bool) -> Text:
        """The first plain alternative and the last HTML one (RFC 2046 5.1.4: the last is the richest)."""
        found = [text for child in part.children if (text := self.text_of(child, related, True))]
        if not found:
            return Text()
        simple = next((text for text in found if all(leaf.type == PLAIN for leaf in text.plain)), found[-1])
        rich = next((text for text in reversed(found) if any(leaf.type == HTML for leaf in text.rich)), found[-1])
        return Text(simple.plain, rich.rich)

    def _related(self, part: Part, choice: bool) -> Text:
        """The root of the relation is text, everything else belongs to it (RFC 2387)."""
        main = _main(part)
        text = self.text_of(main, False, choice)
        for child in part.children:
            if child is not main:
                self._attach(child)
        return text

    def _attach(self, part: Part) -> None:
        self.attachments.extend(Attached(leaf, related=True) for leaf in part.leaves())


def _main(part: Part) -> Part:
    start = part.parameters().get("start", "").strip("<> ")
    for child in part.children if start else ():
        if child.get("content-id", "").strip("<> ") == start:
            return child
    readable = (child for child in part.children if child.children or child.type in (PLAIN, HTML))
    return next(readable, part.children[0])
