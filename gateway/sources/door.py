"""The legacy door: an older server sends the mails that it believes an operator makes SMS of, and they are sent here.

The text of such a mail is a trigger. It goes out as it is, since the device obeys only the GUID of its own server.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from email import message_from_bytes
from email.errors import MessageError
from email.message import Message
from functools import partial
from hashlib import sha256
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from attrs import define, evolve, field, frozen
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from gateway.core.numbers import BadNumber, e164, masked
from gateway.core.rate import Rate
from gateway.core.waking import renewed
from gateway.interfaces import ITriggers
from gateway.sources.doors import IMailDoor, Taker
from gateway.sources.smtpto import NotHere
from gateway.trigger import Line

GUID = re.compile(r"(?<![0-9A-Fa-f])[0-9A-Fa-f]{8}-?(?:[0-9A-Fa-f]{4}-?){3}[0-9A-Fa-f]{12}(?![0-9A-Fa-f])")
"""A GUID, with hyphens or without."""
ANYTHING = re.compile(".*")
SEPTETS = 160
#: Bytes of a mail with such a text.
MOST = 64 * 1024
PARTS = 20
_UNREADABLE = (MessageError, ValueError, LookupError, AttributeError, TypeError, RecursionError)
_UNFIT = (554, "5.6.0")


@frozen
class DoorRule:
    """Who may send triggers for the numbers of an operator, and to which domains.

    C{senders} are envelope senders, C{LOCAL@DOMAIN} or C{@DOMAIN}; C{networks} are where they come from. Where both
    are given both must fit; where none is, nobody may. C{per_minute}: triggers in a minute, 0: any number.

    C{number} is what a local part looks like, and C{guid} what a GUID in a text: of both the first group counts, or
    what fits if there is none. C{country} is the code of the country (without a plus sign) in which a number is that
    begins with a single 0; empty: such a number is none.
    """

    operator: str
    domains: tuple[str, ...]
    senders: tuple[str, ...] = ()
    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    per_minute: int = 60
    number: re.Pattern[str] = ANYTHING
    country: str = ""
    guid: re.Pattern[str] = GUID

    def allows(self, sender: str, peer: str) -> bool:
        """Whether that envelope sender (without angle brackets) may send from that address."""
        name = sender.lower()
        named = not self.senders or any(_fits(one.lower(), name) for one in self.senders)
        near = not self.networks or _within(peer, self.networks)
        return bool(self.senders or self.networks) and named and near


def _fits(pattern: str, sender: str) -> bool:
    return sender.endswith(pattern) if pattern.startswith("@") else sender == pattern


def _within(peer: str, networks: Iterable[IPv4Network | IPv6Network]) -> bool:
    try:
        address: IPv4Address | IPv6Address = ip_address(peer.partition("%")[0])
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return any((mapped or address) in network for network in networks)


def read_number(rule: DoorRule, local: str) -> str:
    """The number of a local part, in E.164 form: with a plus sign, with 00 or 0 in front, or just the digits.

    @raise BadNumber: it is none.
    """
    found = rule.number.fullmatch(local)
    if found is None:
        raise BadNumber(f"{local!r} is not written as door_number says")
    number = _group(found).strip()
    if rule.country and number.startswith("0") and not number.startswith("00"):
        number = f"+{rule.country}{number[1:]}"
    try:
        return e164(number)
    except BadNumber:
        return e164(f"+{number}")


def read_guid(rule: DoorRule, text: str) -> str:
    """The GUID in a text. Without one the text itself is what tells one trigger from another."""
    found = rule.guid.search(text)
    return (_group(found) if found else "") or sha256(text.encode()).hexdigest()[:32]


def _group(found: re.Match[str]) -> str:
    """What counts of that which fits a pattern."""
    return (found[1] or "") if found.re.groups else found[0]


def trigger_text(content: bytes) -> str:
    """The text of a trigger mail, without the line ends behind it: its first part of plain text, or all of it.

    @raise NotHere: there is none that can be read.
    """
    if len(content) > MOST:
        raise NotHere(552, "5.3.4", "A trigger is a short text")
    if content.lower().count(b"boundary") > PARTS:
        # Parts within parts take the stdlib a time that grows with the square of their number.
        raise NotHere(*_UNFIT, "There are too many parts in it")
    try:
        return _plain(message_from_bytes(content)).rstrip("\r\n")
    except _UNREADABLE:
        raise NotHere(*_UNFIT, "There is no text in it that can be read") from None


def _plain(message: Message) -> str:
    for number, part in enumerate(message.walk()):
        if number >= PARTS:
            break
        payload = part.get_payload(decode=True)
        if part.get_content_type() == "text/plain" and isinstance(payload, bytes):
            # Without a charset it is what RFC 2046 says; with one that lies it is refused.
            return payload.decode(part.get_content_charset("ascii"))
    raise ValueError("no plain text")


@implementer(IMailDoor)
@define(eq=False)
class TriggerDoor:
    """Takes the trigger mails of older servers, for numbers that are known, and knocks.

    @param rules: who may send what; L{replace} puts others in force.
    @param triggers: the lines, and the GUIDs that came in before.
    @param knock: is given line, GUID and text, and has it decided and safe what becomes of it when it is done.
    @param septets: how many septets a text takes in the GSM alphabet; raises C{ValueError} if that lacks a character.
    @param clock: monotonic time. @param now: seconds since the epoch.
    @param lease: seconds that a lease is renewed to when the device has synchronised with its server, 0: for ever.
    @param counted: told of every mail, with the operator and C{taken}, C{stranger}, C{flood}, C{unknown} or C{unfit}.
    """

    log = Logger()

    rules: Sequence[DoorRule]
    triggers: ITriggers
    knock: Callable[[Line, str, bytes], Awaitable[object]]
    septets: Callable[[str], int]
    clock: IReactorTime
    now: Callable[[], int]
    lease: Callable[[], int]
    counted: Callable[[str, str], None] = lambda operator, what: None
    _rates: dict[str, Rate] = field(init=False, factory=dict)

    def __attrs_post_init__(self) -> None:
        self.replace(self.rules)

    def replace(self, rules: Sequence[DoorRule]) -> None:
        """Put other rules in force, for open sessions too."""
        self.rules = rules
        self._rates = {rule.operator: Rate(rule.per_minute / 60, max(1, rule.per_minute)) for rule in rules}

    def serves(self, local: str, domain: str) -> bool:
        """Whether this is a domain of an operator; its postmaster is a person (RFC 5321 4.5.1)."""
        return self._rule(domain) is not None and local.lower() != "postmaster"

    async def open(self, local: str, domain: str, sender: str, peer: str) -> Taker:
        """The line of the number that the address names.

        @raise NotHere: a stranger sends it (550 5.7.1), there is no such number (550 5.1.1), or there are too many
            (451 4.7.1). @raise gateway.interfaces.BackendDown: the store does not answer.
        """
        rule = self._rule(domain)
        assert rule is not None
        try:
            line = await self._admitted(rule, local, sender, peer)
        except NotHere as refusal:
            self.log.info(
                "A trigger from <{sender}> ({peer}) for {operator} was refused: {why}",
                sender=sender,
                peer=peer,
                operator=rule.operator,
                why=refusal.text,
            )
            raise
        return Taker(f"number {line.number}", partial(self._take, rule, line))

    async def _admitted(self, rule: DoorRule, local: str, sender: str, peer: str) -> Line:
        if not rule.allows(sender, peer):
            raise self._refused(rule, "stranger", NotHere(550, "5.7.1", "You may not send triggers here"))
        if self._rates[rule.operator].wait("", self.clock.seconds()):
            raise self._refused(rule, "flood", NotHere(451, "4.7.1", "Too many triggers, come back in a minute"))
        return await self._line(rule, local)

    def _rule(self, domain: str) -> DoorRule | None:
        wanted = domain.lower()
        return next((rule for rule in self.rules if wanted in map(str.lower, rule.domains)), None)

    async def _line(self, rule: DoorRule, local: str) -> Line:
        try:
            number = read_number(rule, local)
        except BadNumber:
            raise self._refused(rule, "unknown", NotHere(550, "5.1.1", "This is no number")) from None
        lines = await self.triggers.lines_of(number)
        if not lines:
            raise self._refused(rule, "unknown", NotHere(550, "5.1.1", "No device has this number"))
        # A number is one phone: of two registrations the older one was forgotten. But a user cannot have the triggers
        # of somebody else's number by having a device say that it is its own.
        chosen = max(lines, key=lambda line: (line.by != "device", line.since))
        return evolve(chosen, operator=rule.operator, address="")

    def _refused(self, rule: DoorRule, what: str, refusal: NotHere) -> NotHere:
        self.counted(rule.operator, what)
        return refusal

    async def _take(self, rule: DoorRule, line: Line, content: bytes) -> None:
        try:
            text = trigger_text(content)
            self._check(text)
        except NotHere as refusal:
            self.log.info("What came in by {operator} is no trigger: {why}", operator=rule.operator, why=refusal.text)
            raise self._refused(rule, "unfit", refusal) from None
        guid = read_guid(rule, text)
        now, lease = self.now(), self.lease()
        new = await self.triggers.outside_guid(line, guid, now, lease)
        if new:
            line = evolve(line, expires=renewed(line.expires, lease, now))
        await self.knock(line, guid, text.encode())
        self.counted(rule.operator, "taken")
        self.log.info(
            "A trigger for {number} came in by {operator}{new}",
            number=masked(line.number),
            operator=rule.operator,
            new=", with a new GUID" if new else "",
        )

    def _check(self, text: str) -> None:
        if not text:
            raise NotHere(*_UNFIT, "There is no text in it")
        try:
            length = self.septets(text)
        except ValueError:
            raise NotHere(*_UNFIT, "The text has a character that is not in every SMS") from None
        if length > SEPTETS:
            raise NotHere(*_UNFIT, f"The text takes {length} septets, {SEPTETS} are allowed")
