"""Mail that a gateway sends: triggers that become SMS, and mail of users."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from attrs import define, field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.logger import Logger

from gateway.config import Config
from gateway.core.bounces import Bounces
from gateway.core.retrying import Retry
from gateway.interfaces import IOutbox
from gateway.mail.pump import MOST, Pump, Sender
from gateway.mail.server import Login, Security, Server, certificates
from gateway.mail.submission import Submission
from gateway.mail.undelivered import LOCAL, undelivered
from gateway.sms.formats import TriggerFormat, letter_text
from gateway.sms.smtpout import MailRule, trigger_mail
from gateway.tls import BadCertificate
from gateway.trigger import Letter, Outcome

RELAY = "relay"
#: A trigger that could not be sent for a day wakes nobody.
TRIGGERS = Retry(longest=86400.0)
#: A mailbox that takes nothing now does so in a moment, or its disk is full.
HERE = Retry((5.0, 60.0, 300.0, 900.0, 1800.0))
_TCP = re.compile(r"tcp:((?:[^:\\]|\\:)+):(\d+)")


@frozen(kw_only=True)
class Way:
    """What is configured of a server that takes mail; C{trust} are certificates in PEM form."""

    host: str
    port: int
    security: str
    trust: bytes = field(repr=False)
    name: str
    user: str
    password: str = field(repr=False)
    identity: str

    def server(self, reactor: Any) -> Server:
        """The server."""
        return Server(
            name=self.name,
            endpoint=HostnameEndpoint(reactor, self.host, self.port),
            security=Security(self.security),
            login=Login(self.user, self.password) if self.user else None,
            trust=self.trust,
            identity=self.identity,
        )


def ways(config: Config, host: str) -> dict[str, Way]:
    """The servers that take mail, by route; C{host} is the name of this host.

    @raise BadCertificate: the certificates to trust cannot be read.
    """
    relay, found = config.relay, {}
    identity = relay.hello_name or config.smtp.host_name or host
    if relay.endpoint:
        login = (relay.user, relay.password)
        found[RELAY] = _way(relay.endpoint, relay.security.value, relay.ca, relay.server_name, login, identity)
    for name, operator in config.operators.items():
        if not operator.smtp_address:
            continue
        if operator.smtp_server:
            login = (operator.smtp_user, operator.smtp_password)
            security = operator.smtp_security.value
            way = _way(operator.smtp_server, security, operator.ca, operator.server_name, login, identity)
            found[f"smtp:{name}"] = way
        elif RELAY in found:
            found[f"smtp:{name}"] = found[RELAY]
    return found


def trusted(ca: Path | None) -> bytes:
    """The certificates in a file, in PEM form; nothing if C{ca} is C{None}.

    @raise BadCertificate: they cannot be read.
    """
    if ca is None:
        return b""
    try:
        trust = ca.read_bytes()
        certificates(trust)
    except OSError as error:
        raise BadCertificate(f"{ca}: {error.strerror}. Put the certificates there") from error
    except ValueError as error:
        raise BadCertificate(f"{ca}: {error}. Put certificates in PEM form there") from error
    return trust


def _way(endpoint: str, security: str, ca: Any, name: str, login: tuple[str, str], identity: str) -> Way:
    match = _TCP.fullmatch(endpoint)
    assert match is not None
    host = match[1].replace("\\:", ":")
    trust = trusted(ca) if security != Security.NONE.value else b""
    return Way(
        host=host,
        port=int(match[2]),
        security=security,
        trust=trust,
        name=name or host,
        user=login[0],
        password=login[1],
        identity=identity,
    )


def _bounces(config: Config, sender: str) -> Bounces | None:
    """How bounces to that envelope sender are told apart, where they come to this gateway."""
    local, _, domain = sender.rpartition("@")
    ours = {name.lower() for name in config.smtp.domains}
    return Bounces(local, domain) if domain.lower() in ours else None


def bounce_addresses(config: Config) -> tuple[Bounces, ...]:
    """Where bounces come to."""
    senders = [config.relay.sender, *(operator.smtp_sender for operator in config.operators.values())]
    found = (_bounces(config, sender) for sender in dict.fromkeys(senders) if sender)
    return tuple(bounces for bounces in found if bounces is not None)


@define(eq=False)
class MailOut:
    """The pumps of all routes by which mail goes out.

    @param now: seconds since the epoch. @param host: the name of this host.
    @param settled: told what became of each letter.
    @param local: puts mail into our own mailboxes, if there are any.
    @raise BadCertificate: see L{ways}.
    """

    log = Logger()

    config: Config
    outbox: IOutbox
    reactor: Any
    now: Callable[[], float]
    host: str
    settled: Callable[[Letter, Outcome], None]
    local: Sender | None = None
    pumps: dict[str, Pump] = field(init=False, factory=dict)
    _ways: dict[str, Way] = field(init=False)
    _running: bool = field(init=False, default=False)
    _ending: list[Deferred[None]] = field(init=False, factory=list)

    def __attrs_post_init__(self) -> None:
        self._ways = ways(self.config, self.host)
        if self.local is not None:
            self.pumps[LOCAL] = self._made(LOCAL, self.local, HERE)
        self.pumps.update({route: self._pump(route, way) for route, way in self._ways.items()})

    def routes(self) -> list[str]:
        """The routes by which mail goes out."""
        return list(self._ways)

    def start(self) -> None:
        """Begin with what is due."""
        self._running = True
        for pump in self.pumps.values():
            pump.start()

    def kick(self, route: str) -> None:
        """Letters were queued for a route, perhaps one of these."""
        pump = self.pumps.get(route)
        if pump is not None:
            pump.kick()

    def check(self, config: Config) -> None:
        """Whether a configuration could be put in force.

        @raise BadCertificate: it could not, see L{ways}.
        """
        ways(config, self.host)

    def apply(self, config: Config) -> None:
        """Put another configuration in force: where a server has changed mail goes to the new one.

        @raise BadCertificate: see L{ways}; all stays as it was.
        """
        now = ways(config, self.host)
        before, self._ways, self.config = self._ways, now, config
        for route in [route for route, way in before.items() if now.get(route) != way]:
            self._end(self.pumps.pop(route))
        for route in [route for route in now if route not in self.pumps]:
            pump = self.pumps[route] = self._pump(route, now[route])
            if self._running:
                pump.start()

    async def stop(self) -> None:
        """Finish the mails that are being sent, within some seconds."""
        self._running = False
        for pump in self.pumps.values():
            self._end(pump)
        for end in list(self._ending):
            await end

    def _end(self, pump: Pump) -> None:
        end = Deferred.fromCoroutine(pump.stop())
        self._ending.append(end)
        end.addErrback(lambda failure: self.log.failure("a pump did not stop", failure))
        end.addCallback(lambda _: self._ending.remove(end))

    def _pump(self, route: str, way: Way) -> Pump:
        sender = Submission(way.server(self.reactor), self.reactor)
        return self._made(route, sender, Retry() if route == RELAY else TRIGGERS)

    def _made(self, route: str, sender: Sender, retry: Retry) -> Pump:
        return Pump(
            route,
            self.outbox,
            sender,
            self.render,
            self.reactor,
            self.now,
            retry,
            self.settled,
            # Mails of users are large, and triggers that take the same way are few.
            most=1 if route in (RELAY, LOCAL) else MOST,
            undelivered=self.undelivered,
            queued=self.kick,
        )

    def undelivered(self, letter: Letter, faults: Mapping[str, str]) -> Letter | None:
        """The letter that tells the sender of a mail who did not get it."""
        return undelivered(letter, faults, self.host, datetime.now().astimezone())

    # What a letter looks like.

    def render(self, letter: Letter) -> tuple[str, tuple[str, ...], bytes]:
        """Envelope sender, envelope recipients and message of a letter.

        @raise ValueError: no mail can be made of it.
        """
        if letter.recipients:
            return letter.sender, letter.recipients, letter.content
        if letter.address:
            return self._trigger(letter, letter.address, self.config.relay.sender, "")
        operator = self.config.operators.get(letter.route.partition(":")[2])
        if operator is None or not operator.smtp_address:
            raise ValueError("its operator is no longer reached by mail")
        rule = MailRule(operator.smtp_address, operator.number_form.value, operator.smtp_subject)
        return self._trigger(letter, rule.recipient(letter.number), operator.smtp_sender, operator.smtp_subject)

    def _trigger(self, letter: Letter, recipient: str, sender: str, subject: str) -> tuple[str, tuple[str, ...], bytes]:
        bounces = _bounces(self.config, sender) if sender else None
        author = sender or f"pushgw@{self.host}"
        names = bounces or Bounces("pushgw", author.rpartition("@")[2])
        text = letter_text(letter, TriggerFormat(template=self.config.sms.text_template))
        message = trigger_mail(text, recipient, author, names.message_id(letter), letter.created, subject)
        return bounces.sender(letter) if bounces else sender, (recipient,), message
