"""The binds to one SMSC, kept up with back-off."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import random

from attrs import define, field
from twisted.application.internet import ClientService, backoffPolicy
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IAddress, IProtocol, IProtocolFactory, IReactorTime, IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import Interface, implementer

from gateway.sms.bind import Bind, Parting
from gateway.sms.pdu import Pdu
from gateway.sms.session import ISessionUser, Session
from gateway.sms.settings import Binding, OperatorSettings
from gateway.sms.status import Remedy, action


class ICentreUser(Interface):
    """Who has SMSCs."""

    def changed(centre: Centre) -> None:
        """A bind came or went."""

    def refused(centre: Centre, status: int) -> None:
        """The SMSC has refused the account; nothing but a change of it will help."""

    def message(session: Session, pdu: Pdu) -> None:
        """See L{ISessionUser.message}."""

    def congested(session: Session, state: int) -> None:
        """See L{ISessionUser.congested}."""


def commands(binding: Binding) -> tuple[str, ...]:
    """What makes up one bind."""
    return ("bind_transceiver",) if binding is Binding.TRANSCEIVER else ("bind_transmitter", "bind_receiver")


@implementer(IStreamClientEndpoint)
@define(eq=False)
class _Noting:
    """An endpoint that tells why it could not connect."""

    endpoint: IStreamClientEndpoint
    failed: Callable[[Failure], None]

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """See L{IStreamClientEndpoint}."""
        connecting: Deferred[IProtocol] = self.endpoint.connect(protocolFactory)
        return connecting.addErrback(self._note)

    def _note(self, failure: Failure) -> Failure:
        self.failed(failure)
        return failure

    def __str__(self) -> str:
        return str(self.endpoint)


@implementer(ISessionUser)
class _KeptBind(Factory):
    """One bind that is made again whenever it is gone."""

    noisy = False

    def __init__(self, centre: Centre, bind: Bind, clock: IReactorTime, jitter: Callable[[], float]) -> None:
        self._centre = centre
        self._bind = bind
        self._clock = clock
        patience = centre.settings.patience
        self._policy = backoffPolicy(patience.first, patience.longest, jitter=jitter)
        self._failures = 0
        self._account = False
        self._since: float | None = None
        self.session: Session | None = None
        endpoint = _Noting(centre.endpoint, self._unreachable)
        self.service = ClientService(endpoint, self, self._wait, clock)

    def buildProtocol(self, addr: IAddress | None) -> Session:
        """See L{IProtocolFactory}."""
        settings = self._centre.settings
        session = Session(self._bind, self, self._clock, settings.window, settings.timing, self._centre.name)
        self.session = session
        return session

    def _wait(self, attempt: int) -> float:
        """How long to wait for the next attempt, of which ClientService counts those that got no connection only."""
        if self._account:
            return self._centre.settings.patience.account
        self._failures += 1
        return self._policy(self._failures)

    def _unreachable(self, failure: Failure) -> None:
        self._account = False
        self._centre.lost(None, failure.getErrorMessage() or repr(failure.value))

    # ISessionUser.

    def bound(self, session: Session) -> None:
        """See L{ISessionUser}."""
        self._since = self._clock.seconds()
        self._account = False
        self._centre.gained(session)

    def message(self, session: Session, pdu: Pdu) -> None:
        """See L{ISessionUser}."""
        self._centre.user.message(session, pdu)

    def willing(self, session: Session) -> None:
        """See L{ISessionUser}."""
        self._centre.user.changed(self._centre)

    def congested(self, session: Session, state: int) -> None:
        """See L{ISessionUser}."""
        self._centre.user.congested(session, state)

    def ended(self, session: Session) -> None:
        """See L{ISessionUser}."""
        self.session = None
        lasted = 0.0 if self._since is None else self._clock.seconds() - self._since
        self._since = None
        if lasted >= self._centre.settings.patience.failback:
            self._failures = 0
        refused = session.parting is Parting.REFUSED and action(session.bind_status).remedy is Remedy.ACCOUNT
        if refused and not self._account:
            self._centre.refuse(session.bind_status)
        self._account = refused
        assert session.parting is not None
        self._centre.lost(
            session, f"{session.parting.value}: {session.trouble}" if session.trouble else session.parting.value
        )


@define(eq=False)
class Centre:
    """One SMSC: as many binds as the settings say, between L{start} and L{stop}.

    C{name} is for logs; C{trouble} says why the last bind was lost or could not be made, empty if all is well;
    C{suspect_until}: it has taken submits without answering, and is the last choice until then, or until it has
    answered one; C{refused}: it has refused the account, and has taken no bind since.
    """

    log = Logger()

    name: str
    endpoint: IStreamClientEndpoint
    settings: OperatorSettings
    user: ICentreUser
    _clock: IReactorTime
    _jitter: Callable[[], float] = random
    trouble: str = field(default="", init=False)
    suspect_until: float = field(default=0.0, init=False)
    last_used: float = field(default=0.0, init=False)
    bound: list[Session] = field(factory=list, init=False)
    refused: bool = field(default=False, init=False)
    _kept: list[_KeptBind] = field(factory=list, init=False)

    @property
    def running(self) -> bool:
        """Whether binds are kept."""
        return bool(self._kept)

    @property
    def up(self) -> bool:
        """Whether anything can be submitted."""
        return any(session.transmits for session in self.bound)

    @property
    def good(self) -> bool:
        """Whether it may be expected that submits are answered."""
        trusted = self._clock.seconds() >= self.suspect_until
        return any(session.transmits and (trusted or session.proven) for session in self.bound)

    @property
    def outstanding(self) -> int:
        """How many submits wait for their answer."""
        return sum(session.outstanding for session in self.bound)

    def start(self) -> None:
        """Begin to bind."""
        if self._kept:
            return
        settings = self.settings
        make = partial(
            Bind,
            system_id=settings.system_id,
            password=settings.password,
            system_type=settings.system_type,
            interface_version=settings.interface_version,
            address_range=settings.address_range,
        )
        for command in commands(settings.binding) * settings.binds:
            self._kept.append(_KeptBind(self, make(command), self._clock, self._jitter))
        for kept in self._kept:
            kept.service.startService()

    async def stop(self) -> None:
        """Unbind, and close all connections."""
        ended, self._kept = self._kept, []
        await DeferredList([kept.session.leave() for kept in ended if kept.session is not None])
        await DeferredList([kept.service.stopService() for kept in ended])

    def gained(self, session: Session) -> None:
        """A bind is there."""
        self.bound.append(session)
        self.trouble = ""
        self.refused = False
        self.log.info(
            "{name}: {command}, interface version {version}",
            name=self.name,
            command=session.bind.command,
            version="unknown" if session.version is None else f"{session.version:#x}",
        )
        self.user.changed(self)

    def refuse(self, status: int) -> None:
        """The account was refused; told once for all binds."""
        if not self.refused:
            self.refused = True
            self.user.refused(self, status)

    def lost(self, session: Session | None, why: str) -> None:
        """A bind is gone, or could not be made."""
        if session is not None and session in self.bound:
            self.bound.remove(session)
        if session is None or session.parting is not Parting.LEFT:
            self.trouble = why
            self.log.warn("{name}: no bind: {why}", name=self.name, why=why)
        if session is not None and session.parting in (Parting.MUTE, Parting.DEAD):
            self.suspect_until = self._clock.seconds() + self.settings.patience.suspect
        self.user.changed(self)
