"""C{pushgw init}: a folder with all that a gateway needs to run."""

from __future__ import annotations

import json
import re
import shlex
import socket
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

import click
from attrs import frozen
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from gateway.config import ConfigError, load
from gateway.cred.editing import write_whole
from gateway.tls import self_signed

Address = IPv4Address | IPv6Address

_LISTEN = re.compile(r"(?:(?P<host>[^:\[\]]*|\[[^\[\]]+\]):)?(?P<port>[0-9]{1,5})")
_DOCUMENTATION = {socket.AF_INET: "192.0.2.1", socket.AF_INET6: "2001:db8::1"}

ACCOUNTS = "# Accounts, one a line: NAME:HASH or NAME:HASH:disabled. Change them with: pushgw user\n"


@frozen
class Listen:
    """Where to listen; without an address everywhere."""

    port: int
    address: Address | None = None

    def endpoint(self) -> str:
        """The endpoint string."""
        if isinstance(self.address, IPv6Address):
            return f"tcp6:{self.port}:interface=" + str(self.address).replace(":", "\\:")
        return f"tcp:{self.port}" + (f":interface={self.address}" if self.address else "")


def read_listen(ctx: click.Context, param: click.Parameter, value: str | None) -> Listen | None:
    """The place that ADDRESS:PORT means, with an IPv6 address in brackets.

    C{*:PORT}, C{:PORT} and C{PORT} are everywhere.
    @raise click.BadParameter: if it means none.
    """
    if value is None:
        return None
    found = _LISTEN.fullmatch(value)
    if found is None or int(found["port"]) > 65535:
        raise click.BadParameter(f"{value!r} is not ADDRESS:PORT, such as 0.0.0.0:8443 or [::1]:8443")
    host = (found["host"] or "*").strip("[]")
    if host == "*":
        return Listen(int(found["port"]))
    try:
        return Listen(int(found["port"]), ip_address("127.0.0.1" if host == "localhost" else host))
    except ValueError as error:
        raise click.BadParameter(f"{host!r} is no IP address (an IPv6 address goes in brackets)") from error


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--https",
    metavar="ADDR:PORT",
    callback=read_listen,
    help="Where devices connect.  [default: every address, port 8443]",
)
@click.option(
    "--smtp", metavar="ADDR:PORT", callback=read_listen, help="Where mail comes in.  [default: 127.0.0.1:2525]"
)
@click.option("--domain", "domains", multiple=True, help="A domain whose mail is taken; may be given again.")
def init(folder: Path, https: Listen | None, smtp: Listen | None, domains: tuple[str, ...]) -> None:
    """Make DIR: a configuration, a self-signed certificate, a file for accounts and a folder for mail."""
    domains = tuple(dict.fromkeys(domain.strip().lower() for domain in domains))
    try:
        made = _make(folder, configuration(https, smtp, domains), https, domains)
    except (OSError, ConfigError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    file = shlex.quote(str(folder / "pushgw.toml"))
    click.echo(f"Made in {folder}: {', '.join(made)}")
    click.echo(f"Fingerprint of the certificate (SHA-256): {_fingerprint(folder / 'certificate.pem')}")
    click.echo("")
    click.echo("Next, give somebody an account, and start the gateway:")
    click.echo(f"  pushgw user add NAME --config {file}")
    click.echo(f"  twistd -n pushgw --config {file}")


def configuration(https: Listen | None, smtp: Listen | None, domains: tuple[str, ...]) -> str:
    """The text of the configuration file: what was asked for, and the most wanted defaults as comments."""

    def listen(place: Listen | None, default: str) -> str:
        return f"listen = {json.dumps([place.endpoint()])}" if place else f'# listen = ["{default}"]'

    return "\n".join(
        [
            "# pushgw: what differs from the defaults. All keys: pushgw config sample",
            "# What is in force: pushgw config show --config THIS_FILE",
            "# Relative paths are relative to this file. After a change: pushgw reload, or SIGHUP.",
            "",
            "[https]",
            listen(https, "tcp:8443"),
            'certificate = "certificate.pem"',
            'private_key = "private_key.pem"',
            "",
            "[smtp]",
            listen(smtp, "tcp:2525:interface=127.0.0.1"),
            f"domains = {json.dumps(list(domains))}" if domains else '# domains = ["localhost"]',
            "",
            "[data]",
            'folder = "."',
            'accounts = "accounts"',
            "",
        ]
    )


def _make(folder: Path, text: str, https: Listen | None, domains: tuple[str, ...]) -> list[str]:
    """Write everything, the configuration last; what is there already is never touched."""
    files = ["pushgw.toml", "certificate.pem", "private_key.pem", "accounts"]
    there = [name for name in files if (folder / name).exists()]
    if there:
        raise click.ClickException(f"{folder} has {', '.join(there)} already; nothing was changed")
    folder.mkdir(parents=True, exist_ok=True)
    _check(folder, text)
    certificate, key = self_signed(*hosts(https, domains))
    (folder / "mail").mkdir(mode=0o700, exist_ok=True)
    write_whole(folder / "private_key.pem", key, 0o600)
    write_whole(folder / "certificate.pem", certificate, 0o644)
    write_whole(folder / "accounts", ACCOUNTS.encode(), 0o600)
    write_whole(folder / "pushgw.toml", text.encode(), 0o644)
    return [*files, "mail/"]


def _check(folder: Path, text: str) -> None:
    """See that the gateway would take the configuration, before anything is in place."""
    draft = folder / ".pushgw.toml.draft"
    draft.write_text(text)
    try:
        load(draft)
    finally:
        draft.unlink()


def hosts(https: Listen | None, domains: tuple[str, ...]) -> tuple[list[str], list[Address]]:
    """The names and addresses that phones may know this gateway by.

    With a domain also the names below it, as phones ask for C{mail.} or C{autodiscover.} something.
    """
    names = [name for domain in domains for name in ([domain, f"*.{domain}"] if "." in domain else [domain])]
    names += [name for name in (socket.getfqdn(), socket.gethostname()) if name.isascii() and _is_name(name)]
    listening = https.address if https else None
    addresses = [ip_address("127.0.0.1"), ip_address("::1")]
    if listening is None or listening.is_unspecified:
        addresses += own_addresses()
    else:
        addresses.append(listening)
    return list(dict.fromkeys([*names, "localhost"])), list(dict.fromkeys(addresses))


def _is_name(text: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", text) is not None and not text.endswith(".arpa")


def own_addresses() -> list[Address]:
    """The addresses that this machine would use on its way out; nothing is sent to find them."""
    found = []
    for family, target in _DOCUMENTATION.items():
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect((target, 9))
            except OSError:
                continue
            found.append(ip_address(probe.getsockname()[0].partition("%")[0]))
    return found


def _fingerprint(path: Path) -> str:
    return x509.load_pem_x509_certificate(path.read_bytes()).fingerprint(hashes.SHA256()).hex(":").upper()
