"""Steps that look for mails and people, and about the user: Search, Find, ResolveRecipients, Settings, ValidateCert,
and C{Command} for whatever has no step of its own."""

from __future__ import annotations

from typing import Any

from gateway.element import Element
from gateway.simulator.script.fields import FOLDER, Choice, Flag, Several, Table, Text, Whole, Wrong
from gateway.simulator.script.phone import Given, Kind, Phone, Request
from gateway.simulator.script.syncoptions import BODY, preferences
from gateway.simulator.script.tree import Tree, elements

_RANGE = Text(1, 24)
_SEARCH_ID = "{00000000-0000-0000-0000-000000000001}"
_WORD = Text(1, 1024)


def _search(phone: Phone, given: Given) -> Request:
    people = given["store"] == "GAL"
    if not people:
        phone.least(12.0, "Search in the mailbox")
    flags = {"RebuildResults": "rebuild", "DeepTraversal": "deep"}
    options = [Element(f"Search:{tag}") for tag, key in flags.items() if given.get(key)]
    options += [Element("Search:Range", given["range"])] if "range" in given else []
    options += preferences(given)
    store = (
        Element("Search:Name", given["store"]),
        Element("Search:Query", given.get("query", "")) if people else _mailbox_query(phone, given),
        Element("Search:Options", *options) if options else None,
    )
    return Request("Search", Element("Search:Search", Element("Search:Store", *store)))


def _mailbox_query(phone: Phone, given: Given) -> Element:
    conditions = [Element("AirSync:Class", given["class"])] if "class" in given else []
    if "folder" in given:
        conditions.append(Element("AirSync:CollectionId", phone.place(given["folder"])))
    if "query" in given:
        conditions.append(Element("Search:FreeText", given["query"]))
    for tag, key in {"GreaterThan": "after", "LessThan": "before"}.items():
        if key in given:
            received = Element("Email:DateReceived"), Element("Search:Value", given[key])
            conditions.append(Element(f"Search:{tag}", *received))
    conditions += elements(given.get("conditions", {}))
    return Element("Search:Query", Element("Search:And", *conditions))


def _check_search(given: Given) -> None:
    if given["store"] == "GAL":
        wrong = sorted({"folder", "class", "after", "before", "conditions", "deep", "rebuild", *BODY} & set(given))
        if wrong:
            raise Wrong("this key is for the store Mailbox only", (wrong[0],))


def _find(phone: Phone, given: Given) -> Request:
    options = [Element("Find:Range", given["range"])] if "range" in given else []
    options += [Element("Find:DeepTraversal")] if given.get("deep") else []
    chosen = Element("Find:Options", *options) if options else None
    if given.get("people"):
        criterion = Element("Find:GalSearchCriterion", Element("Find:Query", given["query"]), chosen)
    else:
        query = (
            Element("AirSync:Class", given.get("class", "Email")),
            Element("AirSync:CollectionId", phone.place(given["folder"])) if "folder" in given else None,
            Element("Find:FreeText", given["query"]),
        )
        criterion = Element("Find:MailBoxSearchCriterion", Element("Find:Query", *query), chosen)
    content = Element("Find:SearchId", given.get("id", _SEARCH_ID)), Element("Find:ExecuteSearch", criterion)
    return Request("Find", Element("Find:Find", *content))


def _resolve(_phone: Phone, given: Given) -> Request:
    def part(name: str, *content: Element | str | int) -> Element:
        return Element(f"ResolveRecipients:{name}", *content)

    numbers = {"CertificateRetrieval": "certificates", "MaxAmbiguousRecipients": "most"}
    options = [part(tag, given[key]) for tag, key in numbers.items() if key in given]
    if "busy" in given:
        times = given["busy"]
        options.append(part("Availability", part("StartTime", times["from"]), part("EndTime", times["to"])))
    options += [part("Picture")] if given.get("picture") else []
    content = [part("To", one) for one in given["to"]] + ([part("Options", *options)] if options else [])
    return Request("ResolveRecipients", part("ResolveRecipients", *content))


def _settings(phone: Phone, given: Given) -> Request:
    def part(name: str, *content: Element | str | int) -> Element:
        return Element(f"Settings:{name}", *content)

    found = []
    if "information" in given:
        told = [part(name, text) for name, text in given["information"].items()]
        found.append(part("DeviceInformation", part("Set", *told)))
    if "password" in given:
        found.append(part("DevicePassword", part("Set", part("Password", given["password"]))))
    if "away" in given:
        found.append(part("Oof", part("Set", *_away(given["away"]))))
    for name in given.get("get", ()):
        form = [part("BodyType", "Text")] if name == "Oof" else []
        found += [part(name, part("Get", *form))]
    return Request("Settings", part("Settings", *found))


def _away(given: dict[str, Any]) -> list[Element]:
    """An absence: on or off, when, and what is answered to whom."""
    times = {"StartTime": "from", "EndTime": "to"}
    found = [Element("Settings:OofState", given["state"])]
    found += [Element(f"Settings:{tag}", given[key]) for tag, key in times.items() if key in given]
    audiences = {"Internal": "inside", "ExternalKnown": "known", "ExternalUnknown": "outside"}
    for tag, key in audiences.items():
        if key in given:
            message = (
                Element(f"Settings:AppliesTo{tag}"),
                Element("Settings:Enabled", 1),
                Element("Settings:ReplyMessage", given[key]),
                Element("Settings:BodyType", "Text"),
            )
            found.append(Element("Settings:OofMessage", *message))
    return found


def _check_settings(given: Given) -> None:
    if not given:
        raise Wrong("give at least one of get, information, password, away")
    if "away" in given and "Oof" in given.get("get", ()):
        raise Wrong("one request cannot both set and get Oof: make two steps", ("get",))


def _validate(_phone: Phone, given: Given) -> Request:
    # The documents have the certificates as base64 text; white space between is for people.
    found = [Element("ValidateCert:Certificate", "".join(one.split())) for one in given["certificates"]]
    chain = [Element("ValidateCert:Certificate", "".join(one.split())) for one in given.get("chain", ())]
    content = (
        Element("ValidateCert:CertificateChain", *chain) if chain else None,
        Element("ValidateCert:Certificates", *found),
        Element("ValidateCert:CheckCRL", 1) if given.get("revoked") else None,
    )
    return Request("ValidateCert", Element("ValidateCert:ValidateCert", *content))


def _command(_phone: Phone, given: Given) -> Request:
    parameters = tuple(given.get("query", {}).items())
    root: list[Element] = elements(given.get("document", {}))
    body: Element | bytes | None = root[0] if root else None
    if "text" in given:
        body = given["text"].encode()
    return Request(
        given["command"],
        body,
        parameters,
        given.get("content_type", ""),
        given.get("multipart", False),
        given.get("parked", 0),
    )


def _check_command(given: Given) -> None:
    document = given.get("document", {})
    if len(document) > 1 or any(isinstance(one, list) for one in document.values()):
        raise Wrong("a document has one root", ("document",))
    if document and "text" in given:
        raise Wrong("give document or text, not both", ("text",))


_INFORMATION = (
    *("Model", "IMEI", "FriendlyName", "OS", "OSLanguage", "PhoneNumber", "UserAgent", "EnableOutboundSMS"),
    "MobileOperator",
)
_AWAY = Table(
    {
        "state": Whole(0, 9),
        "from": _WORD,
        "to": _WORD,
        "inside": Text(0, 65536),
        "known": Text(0, 65536),
        "outside": Text(0, 65536),
    },
    ("state",),
)
_READABLE = ("Oof", "UserInformation", "RightsManagementInformation")

STEPS = {
    "Search": Kind(
        _search,
        {
            **BODY,
            "store": Choice(("Mailbox", "GAL")),
            "query": Text(0),
            "folder": FOLDER,
            "class": _WORD,
            "range": _RANGE,
            "after": _WORD,
            "before": _WORD,
            "conditions": Tree(),
            "deep": Flag(),
            "rebuild": Flag(),
        },
        ("store",),
        check=_check_search,
    ),
    "Find": Kind(
        _find,
        {
            "query": Text(0),
            "people": Flag(),
            "folder": FOLDER,
            "class": _WORD,
            "range": _RANGE,
            "deep": Flag(),
            "id": _WORD,
        },
        ("query",),
        versions=("16.1", "16.1"),
    ),
    "ResolveRecipients": Kind(
        _resolve,
        {
            "to": Several(Text()),
            "certificates": Whole(0, 9),
            "most": Whole(0, 9999),
            "busy": Table({"from": _WORD, "to": _WORD}, ("from", "to")),
            "picture": Flag(),
        },
        ("to",),
    ),
    "Settings": Kind(
        _settings,
        {
            "get": Several(Choice(_READABLE)),
            "information": Table({name: Text(0, 4096) for name in _INFORMATION}),
            "password": Text(0, 4096),
            "away": _AWAY,
        },
        versions=("12.0", "16.1"),
        check=_check_settings,
    ),
    "ValidateCert": Kind(
        _validate,
        {"certificates": Several(Text(1, 65536)), "chain": Several(Text(1, 65536)), "revoked": Flag()},
        ("certificates",),
    ),
    "Command": Kind(
        _command,
        {
            "command": Text(1, 32),
            "document": Tree(),
            "text": Text(0, 65536),
            "query": Table(
                {name: _WORD for name in ("AttachmentName", "CollectionId", "ItemId", "LongId", "SaveInSent")}
            ),
            "content_type": _WORD,
            "multipart": Flag(),
            "parked": Whole(0, 3600),
        },
        ("command",),
        check=_check_command,
        parks=True,
    ),
}
