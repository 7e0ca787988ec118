"""C{pushgw doctor}: walks the chain from a change to a device, and names the first hop that is broken."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from attrs import evolve, frozen

from gateway.admin.doctor import Finding, Health, examine, first_broken
from gateway.admin.facts import Facts
from gateway.commands.gateway_socket import Declined, GatewaySocket
from gateway.commands.options import config_option, read_config
from gateway.commands.orders import order
from gateway.commands.outside import Door, look, read_address
from gateway.config import Config

_MARKS = {Health.GOOD: "ok", Health.NOTE: "note", Health.BROKEN: "BROKEN"}


@frozen
class Chain:
    """All hops on the way to one device."""

    device: str
    findings: Sequence[Finding]

    @property
    def broken(self) -> Finding | None:
        """What to mend first."""
        return first_broken(self.findings)

    def row(self) -> dict[str, Any]:
        """As JSON has it."""
        broken = self.broken
        return {
            "device": self.device,
            "broken": broken.hop if broken else None,
            "hops": [finding.row() for finding in self.findings],
        }


@click.command()
@click.argument("user")
@click.argument("device", default="")
@config_option
@click.option("--at", metavar="HOST:PORT", help="Look at this door, which phones connect to, not at the gateway's own.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor(user: str, device: str, file: Path, at: str | None, as_json: bool) -> None:
    """Find out why changes do not reach USER, or one DEVICE: the first broken hop, and its remedy.

    Exits with 0 if the chain is whole, with 1 if something is broken.
    """
    config = read_config(file)
    wanted = _door(at) if at else None
    rows = order(config, "doctor", lambda ops: _facts(ops.examination, user, device), user=user, device=device)
    facts = _seen(config, [Facts.read(row) for row in rows], wanted)
    chains = [Chain(each.device["device"] if each.device else device.lower(), examine(each)) for each in facts]
    if as_json:
        click.echo(json.dumps({"user": user.lower(), "devices": [chain.row() for chain in chains]}, indent=2))
    else:
        click.echo("\n\n".join("\n".join(_lines(user.lower(), chain)) for chain in chains))
    sys.exit(1 if any(chain.broken for chain in chains) else 0)


async def _facts(examination: Any, user: str, device: str) -> list[dict[str, Any]]:
    """As the running gateway answers."""
    return [facts.row() for facts in await examination.facts(user, device)]


# The door.


def _door(address: str) -> Door:
    try:
        host, port = read_address(address)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--at") from error
    return Door(host, port, host)


def _seen(config: Config, facts: Sequence[Facts], wanted: Door | None) -> list[Facts]:
    """The facts with what is seen of the door from here."""
    if not all(each.running for each in facts):
        return list(facts)
    name = facts[0].server_name
    try:
        listening = GatewaySocket(config.admin.socket).listening()
    except Declined as error:
        raise click.ClickException(str(error)) from error
    if wanted is not None:
        doors, name = [wanted], wanted.name
    else:
        doors = list(own_doors(config, listening, name))
    sight = look(doors)
    return [
        evolve(
            each,
            listening=bool(doors),
            probe=sight.trouble,
            certificate=sight.certificate,
            server_name=_comparable(name),
            intake=bool(listening.get("smtp")),
        )
        for each in facts
    ]


def _comparable(name: str) -> str:
    """The name that a certificate has to be for; an address that somebody gave is compared with none."""
    return "" if name.replace(".", "").isdecimal() or ":" in name else name


def own_doors(config: Config, listening: Mapping[str, Sequence[str]], name: str) -> Iterator[Door]:
    """Where the gateway listens for phones: with TLS, or, if it does nowhere, in the clear for a proxy in front."""
    https = listening.get("https", ())
    found, configured = (https, config.https.listen) if https else (listening.get("http", ()), config.https.plain)
    for number, address in enumerate(found):
        if address.startswith("/"):
            continue
        host, port = read_address(address)
        proxied = len(found) == len(configured) and configured[number].startswith("haproxy:")
        yield Door(host, port, name, bool(https), proxied)


# What is printed.


def _lines(user: str, chain: Chain) -> Iterator[str]:
    yield f"{chain.device} of {user}" if chain.device else user
    width = max(len(finding.hop) for finding in chain.findings)
    for finding in chain.findings:
        yield f"  {_MARKS[finding.health]:<6}  {finding.hop:<{width}}  {finding.text}"
        if finding.health is Health.NOTE and finding.remedy:
            yield f"  {'':<6}  {'':<{width}}  {finding.remedy}"
    yield ""
    broken = chain.broken
    if broken is None:
        yield "Nothing is broken."
    else:
        yield f"First broken hop: {broken.hop}: {broken.text}."
        yield f"Remedy: {broken.remedy}."
