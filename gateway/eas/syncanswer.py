"""What a Sync answers: the elements, and the fields of the access line ([MS-ASCMD] 2.2.1.21)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from operator import attrgetter

from attrs import frozen

from gateway.eas.collection import Collection, Verb
from gateway.element import Element
from gateway.model import Op

SUCCESS, BAD_KEY, PROTOCOL, FAILED, CONVERSION, NOT_FOUND, NO_FOLDER, RETRY = 1, 3, 4, 5, 6, 8, 12, 16

#: More collections than this are not named one by one in the access line.
LOGGED = 10

_SHORT = {"Email": "Em", "Calendar": "Ca", "Contacts": "Co", "Tasks": "Ta", "Notes": "No"}
_RESPONSES = (Verb.CHANGE, Verb.ADD, Verb.DELETE, Verb.FETCH)


@frozen
class Response:
    """What is answered to a client command; C{created} is the ServerId of what an Add has made."""

    verb: Verb
    id: str
    status: int
    item_class: str | None = None
    data: Element | None = None
    created: str | None = None

    def element(self) -> Element:
        """The child of Responses."""
        name = "ClientId" if self.verb is Verb.ADD else "ServerId"
        return Element(
            f"AirSync:{self.verb.value}",
            self.item_class and Element("AirSync:Class", self.item_class),
            Element(f"AirSync:{name}", self.id),
            self.created and Element("AirSync:ServerId", self.created),
            Element("AirSync:Status", self.status),
            self.data,
        )


@frozen
class Part:
    """The answer to one collection; C{key} is the key that the client shall use next.

    C{counted}: how many changes of the server it holds, C{kinds} of which kinds; C{advanced}: the key is a new one;
    C{level}: the folder's Version up to which the device lacks nothing with it, 0 if it will still lack something.
    """

    collection: Collection
    status: int
    key: str
    advanced: bool = False
    replayed: bool = False
    more: bool = False
    commands: Sequence[Element] = ()
    responses: Sequence[Response] = ()
    kinds: Sequence[Op] = ()
    item_class: str = "Email"
    filter: int = 0
    level: int = 0

    @property
    def counted(self) -> int:
        """How many changes the window was used up by."""
        return len(self.kinds)

    @property
    def news(self) -> bool:
        """Whether there is anything to say."""
        return bool(self.status != SUCCESS or self.advanced or self.more or self.responses)

    def element(self, guid: str | None = None) -> Element:
        """The Collection, in the order that clients have met; C{guid} of the triggers to come, where it is told."""
        collection = self.collection
        responses = [response.element() for verb in _RESPONSES for response in self.responses if response.verb is verb]
        return Element(
            "AirSync:Collection",
            collection.item_class and Element("AirSync:Class", collection.item_class),
            Element("AirSync:SyncKey", self.key),
            Element("AirSync:CollectionId", collection.id),
            Element("AirSync:Status", self.status),
            Element("AirSync:NotifyGUID", guid) if guid else None,
            Element("AirSync:MoreAvailable") if self.more else None,
            Element("AirSync:Commands", *self.commands) if self.commands else None,
            Element("AirSync:Responses", *responses) if responses else None,
        )

    def _kind(self) -> str:
        if self.collection.key == "0":
            return "F"
        if self.status == BAD_KEY:
            return "I"
        return "R" if self.replayed else "S"

    def _client(self) -> str:
        counts = Counter(command.verb for command in self.collection.commands)
        wrong = sum(response.status != SUCCESS for response in self.responses)
        letters = "".join(f"{counts[verb]}{verb.value[0]}" for verb in Verb)
        return f"{letters}{wrong}E"

    def _server(self) -> str:
        counts = Counter(self.kinds)
        return "".join(f"{counts[op]}{op.value[0]}" for op in Op)

    def log(self) -> dict[str, str]:
        """The fields of the access line."""
        return {
            "Ty": _SHORT.get(self.item_class, "NA"),
            "Fid": self.collection.id,
            "Filt": str(self.filter),
            "St": self._kind(),
            "Sk": self.collection.key.rpartition("}")[2],
            "Cli:": self._client(),
            "Svr:": self._server(),
            "Err": str(self.status) if self.status != SUCCESS else "",
        }


def collections(parts: Sequence[Part], guid: str | None = None) -> Element:
    """A Sync with these collections."""
    return Element("AirSync:Sync", Element("AirSync:Collections", *(part.element(guid) for part in parts)))


def whole(status: int, limit: int | None = None) -> Element:
    """A Sync that is refused as a whole."""
    return Element(
        "AirSync:Sync",
        Element("AirSync:Status", status),
        None if limit is None else Element("AirSync:Limit", limit),
    )


def log(parts: Sequence[Part], wait: int | None) -> Mapping[str, str | int]:
    """The fields of the access line; of several collections the values stand one after another."""
    rows = [part.log() for part in sorted(parts, key=attrgetter("news"), reverse=True)[:LOGGED]]
    fields: dict[str, str | int] = {} if wait is None else {"Hb": wait}
    if len(parts) > 1:
        fields["Fc"] = len(parts)
    joined = {name: ",".join(row[name] for row in rows) for name in rows[0]} if rows else {}
    if not joined.get("Err", "").strip(","):
        joined.pop("Err", None)
    return {**fields, **joined}
