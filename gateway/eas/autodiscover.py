"""Autodiscover: telling a phone that knows nothing but a mail address where to go ([MS-ASCMD] 2.2.1.1).

There are two ways of asking: the XML of the mobilesync schema, with a password, and the JSON that newer programs ask
for first, without one. Neither says who has an account: the first one only of who asks, the second one answers for
every address of our domains.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import parse_qs, unquote

from attrs import define
from lxml import etree
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import CancelledError
from twisted.logger import Logger

from gateway.core.directory import Directory
from gateway.eas.access import Entry
from gateway.eas.content import Header
from gateway.eas.dispatch import RETRY_LATER, Dispatcher, Reply
from gateway.eas.users import parse_basic
from gateway.interfaces import BackendDown, Busy

XML_PATH = "/autodiscover/autodiscover.xml"
JSON_PATH = "/autodiscover/autodiscover.json"
ENDPOINT = "/Microsoft-Server-ActiveSync"

REQUEST = "http://schemas.microsoft.com/exchange/autodiscover/mobilesync/requestschema/2006"
RESPONSE = "http://schemas.microsoft.com/exchange/autodiscover/mobilesync/responseschema/2006"
FRAME = "http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006"

INVALID_REQUEST, NO_PROVIDER = 600, 601

#: Bytes of a request in XML, and characters of an address.
LARGEST, LONGEST = 65_536, 320

_HOST = re.compile(
    rb"[0-9A-Za-z]([0-9A-Za-z.-]{0,251}[0-9A-Za-z])?(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:[0-9]{1,5})?"
)
_ADDRESS = re.compile(r"[^\s@<>,;\"/]{1,64}@[^\s@<>,;\"/]{1,253}")
_PROTOCOLS = {"activesync": ("ActiveSync", ENDPOINT), "autodiscoverv1": ("AutodiscoverV1", XML_PATH)}


class _Invalid(Exception):
    """The request is answered with an ErrorCode of the framework ([MS-ASCMD] 2.2.3.64)."""

    def __init__(self, code: int, why: str) -> None:
        super().__init__(why)
        self.code = code


@define(eq=False)
class Autodiscover:
    """Both ways of asking; what is configured may be replaced while it is asked.

    @param resolve: the account that a user name or an address means, if there is one.
    @param serves: whether an address is in a domain that is served here.
    @param public_url: where this gateway is reached (C{https://push.example.org}), or empty: under the name that is
        asked.
    """

    log = Logger()

    dispatcher: Dispatcher
    directory: Directory
    resolve: Callable[[str], str | None]
    serves: Callable[[str], bool]
    primary: Callable[[str], str]
    public_url: str = ""

    def url(self, host: bytes | None, path: str) -> str:
        """Where a path is found by everybody."""
        if self.public_url:
            return self.public_url + path
        name = host.decode("ascii") if host and _HOST.fullmatch(host) else "localhost"
        return f"https://{name}{path}"

    # XML.

    async def xml(self, method: bytes, header: Header, content: bytes, address: str) -> Reply:
        """Answer a request in XML: 401 to who has not said who it is, else what was asked or what is wrong."""
        entry = Entry(self.dispatcher.clock.seconds(), address, command="Autodiscover", received=len(content))
        try:
            entry.user = user = await self._user(header, address)
            try:
                found, own = self._asked(method, content, user)
                document = self._settings(found, user, header) if own else _no_user(found)
            except _Invalid as wrong:
                entry.fields = {"St": wrong.code, "E": str(wrong)}
                document = self._framework_error(wrong)
            return _reply(200, "text/xml; charset=utf-8", document, entry)
        except CancelledError:
            self.dispatcher.access.write(entry, 0, 0, self.dispatcher.clock.seconds())
            raise
        except UnauthorizedLogin:
            challenge = {"WWW-Authenticate": f'Basic realm="{self.dispatcher.realm}"'}
            return Reply(401, challenge, b"", entry)
        except BackendDown as error:
            entry.fields = {"E": str(error)}
            later = error.retry_after if isinstance(error, Busy) else RETRY_LATER
            return Reply(503, {"Retry-After": str(later)}, b"", entry)

    async def _user(self, header: Header, address: str) -> str:
        if self.dispatcher.closing:
            raise Busy("the gateway is being stopped", 5)
        basic = parse_basic(header(b"Authorization"))
        if basic is None:
            raise UnauthorizedLogin("no credentials")
        return await self.dispatcher.authenticator.check(basic.user, basic.password, address)

    def _asked(self, method: bytes, content: bytes, user: str) -> tuple[str, bool]:
        """The address that is asked about, and whether it is the user's.

        There are phones that post nothing at all: they ask about who they are.

        @raise _Invalid: this cannot be answered.
        """
        if method == b"POST" and not content.strip():
            return self.primary(user), True
        address = _address(content)
        return address, self.resolve(address) == user

    def _settings(self, address: str, user: str, header: Header) -> bytes:
        url = self.url(header(b"Host"), ENDPOINT)
        person = self.directory.at(address)
        server = (("Type", "MobileSync"), ("Url", url), ("Name", url))
        root, response = _frame(RESPONSE)
        _text(response, "Culture", "en:us")
        _about(response, address, person.name if person is not None else user)
        settings = _child(_child(response, "Action"), "Settings")
        found = _child(settings, "Server")
        for name, value in server:
            _text(found, name, value)
        return _written(root)

    def _framework_error(self, wrong: _Invalid) -> bytes:
        root, response = _frame(FRAME)
        error = _child(response, "Error")
        now = datetime.fromtimestamp(self.dispatcher.now(), UTC)
        error.set("Time", now.strftime("%H:%M:%S.0000000"))
        error.set("Id", str(zlib.crc32(self.dispatcher.realm.encode())))
        _text(error, "ErrorCode", str(wrong.code))
        said = {INVALID_REQUEST: "Invalid Request", NO_PROVIDER: "Provider is not available"}
        _text(error, "Message", said[wrong.code])
        _child(error, "DebugData")
        return _written(root)

    # JSON.

    def json(self, path: str, query: str, host: bytes | None, address: str) -> Reply:
        """Answer a request in JSON; C{path} is what follows L{JSON_PATH}. Who asks is not asked for a password."""
        entry = Entry(self.dispatcher.clock.seconds(), address, command="Autodiscover")
        fields = _fields(query)
        status, said = self._json(_mailbox(path) or fields.get("email", ""), fields.get("protocol", ""), host)
        entry.fields = {"E": said["ErrorCode"]} if status != 200 else {}
        return _reply(status, "application/json; charset=utf-8", json.dumps(said).encode(), entry)

    def _json(self, mailbox: str, protocol: str, host: bytes | None) -> tuple[int, dict[str, str]]:
        if not mailbox or not protocol:
            name = "Protocol" if mailbox else "Email"
            return 400, _fault("MandatoryParameterMissing", f"A valid value is needed for the parameter '{name}'")
        known = _PROTOCOLS.get(protocol.lower())
        if known is None:
            names = ", ".join(name for name, _ in _PROTOCOLS.values())
            return 400, _fault("InvalidProtocol", f"The protocol '{protocol[:64]}' is not one of: {names}")
        if len(mailbox) > LONGEST or not _ADDRESS.fullmatch(mailbox):
            return 400, _fault("InvalidUserId", "This is no mail address")
        if not self.serves(mailbox):
            return 404, _fault("UserNotFound", "No mailbox of that domain is here")
        return 200, {"Protocol": known[0], "Url": self.url(host, known[1])}


def _fields(query: str) -> dict[str, str]:
    """The parameters of a query by their names in lower case; none of one that has too many."""
    try:
        found = parse_qs(query, max_num_fields=20)
    except ValueError:
        return {}
    return {name.lower(): values[0] for name, values in found.items()}


def _fault(code: str, message: str) -> dict[str, str]:
    return {"ErrorCode": code, "ErrorMessage": message}


def _mailbox(path: str) -> str:
    """The address in C{/v1.0/EMAIL}, if there is one."""
    parts = path.strip("/").split("/")
    return unquote(parts[1]) if len(parts) == 2 and parts[0].lower() in ("v1.0", "v1") else ""


def _address(content: bytes) -> str:
    """The EMailAddress of a request.

    @raise _Invalid: it is none, or wants an answer that is not given here.
    """
    requests = [child for child in _document(content) if _name(child) == "Request"]
    if len(requests) != 1:
        raise _Invalid(INVALID_REQUEST, f"there are {len(requests)} Requests")
    said = {_name(child): (child.text or "").strip() for child in requests[0]}
    address = said.get("EMailAddress", "")
    if not _ADDRESS.fullmatch(address) or len(address) > LONGEST:
        raise _Invalid(INVALID_REQUEST, "there is no EMailAddress")
    if said.get("AcceptableResponseSchema") != RESPONSE:
        raise _Invalid(NO_PROVIDER, "another schema is wanted")
    return address


def _document(content: bytes) -> etree._Element:
    """The root of a request. Nothing outside of it is looked at, and nothing in it is expanded."""
    if len(content) > LARGEST:
        raise _Invalid(INVALID_REQUEST, "it is too large")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(content, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise _Invalid(INVALID_REQUEST, "it is not well-formed") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise _Invalid(INVALID_REQUEST, "it has a document type")
    if _name(root) != "Autodiscover":
        raise _Invalid(INVALID_REQUEST, "it is something else")
    return root


def _name(element: etree._Element) -> str:
    """The local name; that of a comment is empty."""
    return etree.QName(element).localname if isinstance(element.tag, str) else ""


def _frame(schema: str) -> tuple[etree._Element, etree._Element]:
    root = etree.Element(f"{{{FRAME}}}Autodiscover", nsmap={None: FRAME})
    return root, etree.SubElement(root, f"{{{schema}}}Response", nsmap={None: schema})


def _child(parent: etree._Element, name: str) -> etree._Element:
    return etree.SubElement(parent, f"{{{etree.QName(parent).namespace}}}{name}")


def _text(parent: etree._Element, name: str, value: str) -> None:
    _child(parent, name).text = value


def _written(root: etree._Element) -> bytes:
    return bytes(etree.tostring(root, xml_declaration=True, encoding="utf-8"))


def _about(response: etree._Element, address: str, name: str | None = None) -> None:
    """The User, which stands in every answer of the schema."""
    about = _child(response, "User")
    if name is not None:
        _text(about, "DisplayName", name)
    _text(about, "EMailAddress", address)


def _no_user(address: str) -> bytes:
    """The address is not one of who asks ([MS-ASCMD] 2.2.3.177.1): whether it is anybody's is not said."""
    root, response = _frame(RESPONSE)
    _text(response, "Culture", "en:us")
    _about(response, address)
    error = _child(_child(response, "Action"), "Error")
    _text(error, "Status", "2")
    _text(error, "Message", "The address is not one of this account")
    _text(error, "DebugData", "MailUser")
    return _written(root)


def _reply(status: int, kind: str, body: bytes, entry: Entry) -> Reply:
    return Reply(status, {"Content-Type": kind, "Cache-Control": "private"}, body, entry)
