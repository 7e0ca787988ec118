"""One command and its answer, and what the HTTP and common statuses ask of a phone ([MS-ASHTTP] 2.2.2.1.1)."""

from __future__ import annotations

from attrs import define

from gateway.eas import wbxml
from gateway.element import Element
from gateway.simulator.errors import (
    AccessDenied,
    Garbled,
    GivenUp,
    Later,
    Moved,
    NotAServer,
    PolicyWanted,
    SignInRefused,
    StateGone,
    VersionStale,
)
from gateway.simulator.line import VERSIONS, ILine, Post, Reply
from gateway.simulator.memory import Memory

#: Seconds that a server may ask a phone to wait at most.
LONGEST_WAIT = 3600.0
_COMMON = 101
_POLICY = frozenset({140, 141, 142, 143, 144})
_DENIED = frozenset({112, 123, 125, 126, 127, 128, 129, 130, 131, 139, 145, 165, 177})
_STATE = frozenset({132, 134, 136})
_FATAL = frozenset({*range(101, 110), 137, 146, 147, 149})


@define(eq=False)
class Conversation:
    """Asks the server, with the version and the policy key of the memory; seconds of patience for each answer."""

    line: ILine
    memory: Memory
    patience: float = 60.0

    async def offered(self) -> tuple[str, ...]:
        """The versions that the server offers, as it lists them; every error of L{ask}.

        @raise NotAServer: it lists none.
        """
        reply = await self.line.options(self.patience)
        _judge("OPTIONS", reply)
        listed = reply.headers.get("ms-asprotocolversions", "")
        versions = tuple(version.strip() for version in listed.split(",") if version.strip())
        if not versions:
            raise NotAServer("OPTIONS is answered without MS-ASProtocolVersions: no ActiveSync server")
        return versions

    async def ask(self, command: str, element: Element | None, patience: float | None = None) -> Element | None:
        """The root of the answer, C{None} for an empty one; C{patience} in seconds, if not the usual.

        The policy key goes with every command but Ping.

        @raise Setback: what is to be done before asking again.
        @raise GivenUp: nothing helps.
        """
        post = Post(
            command,
            self.memory.version,
            wbxml.encode(element) if element is not None else b"",
            None if command == "Ping" else self.memory.policy_key,
            self.patience if patience is None else patience,
        )
        reply = await self.line.post(post)
        _judge(command, reply)
        if not reply.body:
            return None
        try:
            root = wbxml.decode(reply.body)
        except wbxml.WBXMLError as error:
            raise Garbled(f"the answer to {command} is no WBXML: {error}") from error
        _judge_common(command, root)
        return root


def choose_version(offered: tuple[str, ...], wanted: str | None) -> str:
    """The version to speak: the one wanted, or the highest that both sides know.

    @raise NotAServer: the server does not offer it.
    """
    known = [version for version in VERSIONS if version in offered]
    if wanted is not None and wanted not in offered:
        raise NotAServer(f"the server does not offer version {wanted}, only {', '.join(offered)}")
    if not known:
        raise NotAServer(f"the server offers only versions that we do not speak: {', '.join(offered)}")
    return wanted or known[-1]


def _judge(command: str, reply: Reply) -> None:
    """Raise what an HTTP status other than 200 means."""
    status = reply.status
    if status == 200:
        return
    what = f"{command} was answered with HTTP {status}"
    if status == 401:
        raise SignInRefused("the server refuses the user name or the password (HTTP 401)")
    if status == 449:
        raise PolicyWanted(what)
    if status == 403:
        if command == "Provision":
            raise AccessDenied("the server keeps this user or phone out (Provision was answered with HTTP 403)")
        raise PolicyWanted(what, forbidden=True)
    if status == 451:
        _follow(reply)
    if status == 505:
        raise VersionStale(what)
    if status in (408, 429, 500, 502, 503, 504, 507):
        raise Later(what, _retry_after(reply))
    if status == 400:
        raise GivenUp(f"the server calls {command} malformed (HTTP 400)")
    raise NotAServer(f"{what}: no ActiveSync server at this address, or one without this command")


def _follow(reply: Reply) -> None:
    location = reply.headers.get("x-ms-location", "")
    if not location:
        raise GivenUp("the mailbox has moved (HTTP 451), and the server does not say where")
    raise Moved(location)


def _retry_after(reply: Reply) -> float | None:
    """The seconds of Retry-After; a date there is not understood."""
    text = reply.headers.get("retry-after", "").strip()
    return min(float(text), LONGEST_WAIT) if text.isdecimal() else None


def _judge_common(command: str, root: Element) -> None:
    """Raise what one of the statuses that any command may give means ([MS-ASCMD] 2.2.2)."""
    text = root.text_of(f"{root.tag.partition(':')[0]}:Status", "")
    status = int(text) if text and text.isdecimal() else 0
    if status < _COMMON:
        return
    what = f"{command} status {status}"
    if status in _POLICY:
        raise PolicyWanted(what)
    if status in _STATE:
        raise StateGone(what, everything=True)
    if status == 124:
        raise SignInRefused(what)
    if status in _DENIED:
        raise AccessDenied(f"the server keeps this user or phone out ({what})")
    if status == 138:
        raise VersionStale(what)
    if status in _FATAL:
        raise GivenUp(f"the server does not take our {command} ({what})")
    raise Later(what)
