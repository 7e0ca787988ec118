"""The sections for what listens, and where things lie."""

# ruff: noqa: RUF009 (a declaration of an option is meant to be made once, when the class is)

from __future__ import annotations

from enum import Enum
from pathlib import Path

from attrs import frozen

from gateway.config.kinds import (
    Choice,
    Decimal,
    Endpoint,
    Location,
    Neighbour,
    Network,
    Number,
    Several,
    Text,
    Wrong,
    described,
)
from gateway.config.option import option
from gateway.config.texts import host, web_address


class TLSVersion(Enum):
    """The versions of TLS that may be the lowest one."""

    V1_2 = "1.2"
    V1_3 = "1.3"


def _realm(value: str) -> None:
    if '"' in value or "\\" in value or not value.isascii():
        raise Wrong(f"{described(value)} cannot stand in an HTTP header", "Use ASCII without quotes and backslashes")


@frozen(kw_only=True)
class Data:
    """Where the gateway keeps what it has to keep."""

    folder: Path = option(
        Path("."),
        Location(),
        "The data folder: it holds mail/USER/ (a Maildir for each user) and pushgw.sqlite",
    )
    accounts: Path = option(
        Path("accounts"),
        Location(in_data=True),
        "The accounts file, written by `pushgw user`; by default it lies in the data folder",
    )

    @property
    def mail(self) -> Path:
        """The folder that holds one Maildir per user."""
        return self.folder / "mail"

    @property
    def database(self) -> Path:
        """The SQLite file that is used when C{store.url} is empty."""
        return self.folder / "pushgw.sqlite"

    @property
    def marks(self) -> Path:
        """The file in which is noted how far ids were given, whatever the database is."""
        return self.folder / "pushgw.marks"


@frozen(kw_only=True)
class Https:
    """Where devices connect."""

    listen: tuple[str, ...] = option(
        ("tcp:8443",),
        Several(Endpoint()),
        "Endpoints that speak HTTPS; TLS is put on top of them, and haproxy:tcp:PORT takes the PROXY protocol",
    )
    plain: tuple[str, ...] = option(
        (),
        Several(Endpoint()),
        "Endpoints that speak HTTP without TLS, for a proxy in front that ends TLS",
        example=("tcp:8081:interface=127.0.0.1",),
    )
    trusted_proxies: tuple[Network | str, ...] = option(
        (),
        Several(Neighbour()),
        'Addresses and networks of proxies whose X-Forwarded-For is believed; "unix": who comes by a Unix socket',
        example=Several(Neighbour()).read(["127.0.0.1", "192.0.2.0/28", "unix"]),
        live=True,
    )
    public_url: str = option(
        "",
        Text(web_address, empty=True),
        "Where devices reach this gateway from everywhere, which is what Autodiscover tells them; empty: https:// and "
        "server_name, if that has a domain, and else the name that they asked for",
        example="https://push.example.org",
        live=True,
    )
    certificate: Path = option(
        Path("certificate.pem"),
        Location(),
        "The certificate, followed by its intermediate ones, in PEM form; read again on reload",
        live=True,
    )
    private_key: Path = option(
        Path("private_key.pem"), Location(), "The private key of the certificate, in PEM form, not encrypted", live=True
    )
    minimum_tls: TLSVersion = option(TLSVersion.V1_2, Choice(TLSVersion), "The lowest version of TLS", live=True)
    header_timeout: float = option(
        20.0,
        Decimal(1, 600),
        "How long a client may take for a handshake and the headers of a request",
        unit="seconds",
        live=True,
    )
    idle_timeout: float = option(
        120.0,
        Decimal(1, 3600),
        "How long a connection without a request stays open; parked requests are not idle",
        unit="seconds",
        live=True,
    )
    max_header_bytes: int = option(
        16384, Number(1024, 1048576), "The largest request line and headers together", unit="bytes", live=True
    )
    server_name: str = option(
        "pushgw",
        Text(_realm),
        "The name that devices are shown when they are asked for a password (the realm); of one with a domain "
        "`pushgw doctor` expects that the certificate is for it",
        live=True,
    )


@frozen(kw_only=True)
class Smtp:
    """Where mail for local accounts comes in."""

    listen: tuple[str, ...] = option(
        ("tcp:2525:interface=127.0.0.1",), Several(Endpoint(tls=True)), "Endpoints that take mail; [] takes none"
    )
    domains: tuple[str, ...] = option(
        ("localhost",),
        Several(Text(host)),
        "Domains whose mail is taken, for NAME@DOMAIN of each account; mail for others is refused",
        live=True,
    )
    max_message_bytes: int = option(
        26214400, Number(1024, 1073741824), "The largest message; more is refused with 552", unit="bytes", live=True
    )
    max_recipients: int = option(
        100, Number(1, 10000), "Recipients of one message; more are refused with 452", live=True
    )
    messages_per_minute: int = option(
        600,
        Number(0, 1000000),
        "Messages from one address in a minute; more are put off with 451; 0: any number",
        unit="messages",
        live=True,
    )
    connections: int = option(
        20, Number(1, 10000), "Connections of one address at a time; more are put off with 421", live=True
    )
    host_name: str = option(
        "",
        Text(host, empty=True),
        "The name the gateway greets with; empty: that of the machine",
        example="mail.example.org",
    )


LONGEST_SOCKET = 107
"""Bytes that the path of a Unix socket may have on Linux."""


@frozen(kw_only=True)
class Admin:
    """Metrics, and the commands that talk to the running gateway."""

    listen: str = option(
        "tcp:8080:interface=127.0.0.1",
        Endpoint(empty=True, tls=True),
        'Endpoint of the metrics (HTTP, nobody is asked for a password); "" turns it off',
    )
    socket: Path = option(
        Path("pushgw.sock"),
        Location(in_data=True),
        "The Unix socket of the commands; by default it lies in the data folder",
    )
