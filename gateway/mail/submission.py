"""Handing mail over to a server: one connection for as many mails as there are."""

from __future__ import annotations

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred, DeferredLock
from twisted.internet.endpoints import wrapClientTLS
from twisted.internet.interfaces import (
    IDelayedCall,
    IOpenSSLClientConnectionCreator,
    IProtocol,
    IReactorTime,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Factory
from twisted.logger import Logger

from gateway.mail.server import Mail, Result, Security, Server, Unreachable
from gateway.mail.session import Session

STOPPED = "the connection was ended as we have to stop"


class _Sessions(Factory):
    """Makes the session of one connection."""

    noisy = False

    def __init__(self, session: Session) -> None:
        self.session = session

    def buildProtocol(self, addr: object) -> Session:
        return self.session


@define(eq=False)
class Submission:
    """Hands mail over to one server; its connection is kept for a while for the next mail.

    @param clock: monotonic time.
    @raise ValueError: the certificates to trust cannot be read.
    """

    log = Logger()

    server: Server
    clock: IReactorTime
    _endpoint: IStreamClientEndpoint = field(init=False)
    _tls: IOpenSSLClientConnectionCreator = field(init=False)
    _session: Session | None = field(init=False, default=None)
    _connecting: Deferred[IProtocol] | None = field(init=False, default=None)
    _idle: IDelayedCall | None = field(init=False, default=None)
    _aborted: bool = field(init=False, default=False)
    _turn: DeferredLock = field(init=False, factory=DeferredLock)

    def __attrs_post_init__(self) -> None:
        self._tls = self.server.tls()
        self._endpoint = self.server.endpoint
        if self.server.security is Security.TLS:
            self._endpoint = wrapClientTLS(self._tls, self._endpoint)

    async def send(self, mail: Mail) -> Result:
        """Send one mail; several are sent one after the other.

        @raise Unreachable: it was not even offered, as there is no connection.
        """
        await self._turn.acquire()
        try:
            return await self._send(mail)
        finally:
            self._turn.release()

    async def close(self) -> None:
        """Leave politely; fires when the connection is closed, within the time-out."""
        session = self._let_go()
        if session is not None:
            session.leave()
            await session.gone

    def abort(self) -> None:
        """Close at once: the mail that is being sent ends with what is known of it."""
        self._aborted = True
        if self._connecting is not None:
            self._connecting.cancel()
        session = self._let_go()
        if session is not None:
            session.abort(STOPPED)

    async def _send(self, mail: Mail) -> Result:
        self._aborted = False
        session = self._let_go()
        if session is not None and session.usable:
            # Servers close what is idle, and that may just have happened: then nothing was said about this mail.
            self._session = session
            result = await session.send(mail)
            if session.usable or session.heard or self._aborted:
                return self._keep(session, result)
        session = self._session = await self._open()
        return self._keep(session, await session.send(mail))

    def _keep(self, session: Session, result: Result) -> Result:
        """Keep a connection for the next mail, unless it is worn out."""
        self._session = None
        if not session.usable:
            return result
        if self.server.mails and session.mails >= self.server.mails:
            session.leave()
        else:
            self._session = session
            self._idle = self.clock.callLater(self.server.timeouts.idle, self._leave)
        return result

    def _leave(self) -> None:
        session = self._let_go()
        if session is not None:
            session.leave()

    def _let_go(self) -> Session | None:
        if self._idle is not None and self._idle.active():
            self._idle.cancel()
        self._idle = None
        session, self._session = self._session, None
        return session

    async def _open(self) -> Session:
        session = Session(self.server, self._tls, self.clock)
        connecting = self._connecting = self._endpoint.connect(_Sessions(session))
        connecting.addTimeout(self.server.timeouts.connect, self.clock)
        try:
            await connecting
            self._session = session
            await session.open()
        except CancelledError:
            if not self._aborted:
                raise
            raise Unreachable(f"{self.server.name}: {STOPPED}") from None
        except Unreachable:
            raise
        except Exception as error:
            raise Unreachable(f"{self.server.name}: no connection: {_words(error)}") from None
        finally:
            self._connecting = self._session = None
        return session


def _words(error: Exception) -> str:
    return " ".join((str(error) or type(error).__name__).split())
