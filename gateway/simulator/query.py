"""How a phone writes the request line: the plain and the base64 form of the query ([MS-ASHTTP] 2.2.1.1.1)."""

from __future__ import annotations

import base64
from urllib.parse import quote, urlsplit, urlunsplit

from gateway.simulator.line import Account, Post

PATH = "/Microsoft-Server-ActiveSync"
ENGLISH = 0x0409
_OPTIONS_TAG = 7
_USER_TAG = 8
_SAVE_IN_SENT = 0x01
_MULTIPART = 0x02
#: The tags of the parameters that commands have ([MS-ASHTTP] 2.2.1.1.1.1.3).
_TAGS = {"AttachmentName": 0, "CollectionId": 1, "ItemId": 3, "LongId": 4, "Occurrence": 6}
#: The codes that have a meaning in the base64 form, in their order from 0; 5 to 8 have none any more.
_COMMANDS = (
    *("Sync", "SendMail", "SmartForward", "SmartReply", "GetAttachment", "", "", "", "", "FolderSync", "FolderCreate"),
    *("FolderDelete", "FolderUpdate", "MoveItems", "GetItemEstimate", "MeetingResponse", "Search", "Settings", "Ping"),
    *("ItemOperations", "Provision", "ResolveRecipients", "ValidateCert", "Find"),
)


def endpoint_url(text: str) -> str:
    """The address of the server's one page from what a person types: a host, host:port or a whole URL.

    @raise ValueError: that is no such address.
    """
    parts = urlsplit(text if "://" in text else f"https://{text}")
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(f"{text!r} is no address of a server: give HOST, HOST:PORT or https://HOST/PATH")
    if parts.port == 0 or parts.username is not None or not parts.netloc.isascii():
        raise ValueError(f"{text!r} is no address of a server: give HOST, HOST:PORT or https://HOST/PATH")
    path = parts.path if parts.path.strip("/") else PATH
    return urlunsplit((parts.scheme, parts.netloc, quote(path, safe="/%."), "", ""))


def plain_query(account: Account, command: str, parameters: tuple[tuple[str, str], ...] = ()) -> str:
    """C{Cmd=...&User=...&DeviceId=...&DeviceType=...}, and what a command has besides."""
    pairs = {
        "Cmd": command,
        "User": account.user,
        "DeviceId": account.device_id,
        "DeviceType": account.device_type,
        **dict(parameters),
    }
    return "&".join(f"{name}={quote(value, safe='@')}" for name, value in pairs.items())


def base64_query(account: Account, post: Post) -> str | None:
    """The compact form, or C{None} if this command and version have none (below 12.1 there is none), or one of the
    parameters has no place in it."""
    version = int(post.version.replace(".", ""))
    parameters = _tagged(post)
    if version < 121 or post.command not in _COMMANDS or parameters is None:
        return None
    key = b"" if post.policy_key is None else post.policy_key.to_bytes(4, "little")
    out = bytes((version, _COMMANDS.index(post.command))) + ENGLISH.to_bytes(2, "little")
    for part in (account.device_id.encode(), key, account.device_type.encode()):
        out += bytes((len(part),)) + part
    user = account.user.encode()
    if len(user) < 256:
        out += bytes((_USER_TAG, len(user))) + user
    return base64.b64encode(out + parameters).decode("ascii")


def _tagged(post: Post) -> bytes | None:
    """The parameters of a command in the compact form, or C{None} if one is too long for it or has no tag."""
    given = dict(post.parameters)
    options = (given.pop("SaveInSent", "") == "T") * _SAVE_IN_SENT | post.multipart * _MULTIPART
    out = bytes((_OPTIONS_TAG, 1, options)) if options else b""
    for name, text in given.items():
        value = text.encode()
        if name not in _TAGS or len(value) > 255:
            return None
        out += bytes((_TAGS[name], len(value))) + value
    return out
