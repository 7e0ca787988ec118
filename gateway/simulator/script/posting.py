"""How a script has mail delivered: by SMTP, past the phone."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.error import ConnectError, ConnectionClosed, TimeoutError
from twisted.mail.smtp import ESMTPSenderFactory, SMTPClientError

from gateway.simulator.errors import Hindered
from gateway.simulator.script.fields import Wrong

_PATIENCE = 60


async def deliver(reactor: Any, server: str, sender: str, recipients: list[str], message: bytes) -> None:
    """Hand a mail to the mail server at C{"host:port"}, without signing in.

    @raise Wrong: that is no address of a server.
    @raise Hindered: it was not taken.
    """
    host, _, port = server.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise Wrong(f"{server!r} is no mail server: give host:port", ("smtp",))
    done: Deferred[Any] = Deferred()
    factory = ESMTPSenderFactory(
        "",
        "",
        sender,
        recipients,
        # The sender makes the line ends of mail itself.
        BytesIO(message.replace(b"\r\n", b"\n")),
        done,
        retries=0,
        timeout=_PATIENCE,
        requireAuthentication=False,
        requireTransportSecurity=False,
    )
    try:
        await HostnameEndpoint(reactor, host.strip("[]"), int(port)).connect(factory)
        await done
    except (SMTPClientError, ConnectError, ConnectionClosed, TimeoutError, OSError) as error:
        # What is said first; the whole conversation follows it.
        why = str(error).partition("\n")[0]
        raise Hindered(f"{server} did not take the mail: {why}") from error
