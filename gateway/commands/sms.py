"""C{pushgw sms}: which number wakes which device."""

from __future__ import annotations

import getpass
import json
import time
from pathlib import Path
from typing import Any

import click

from gateway.commands.options import config_option, read_config
from gateway.commands.orders import order
from gateway.commands.tables import ago, print_table, span

HEAD = ["USER", "DEVICE", "NUMBER", "OPERATOR", "FORMAT", "LAPSES IN", "SINCE", "BY", "NAME"]


@click.group()
def sms() -> None:
    """Say which number wakes which device by SMS."""


@sms.command()
@click.argument("user")
@click.argument("device")
@click.argument("number", default="")
@click.argument("operator", default="")
@config_option
@click.option("--address", default="", help="A mail address of the user's own, in place of NUMBER.")
@click.option("--format", "form", default="", help="What its triggers are: text, si, emn or binary.")
@click.option("--name", default="", help="What the device is called.")
def register(
    user: str, device: str, number: str, operator: str, file: Path, address: str, form: str, name: str
) -> None:
    """Register DEVICE of USER with NUMBER, in the form +491701234567.

    Its triggers go by OPERATOR, or by the one that the configuration has for that number.
    """
    config, by = read_config(file), getpass.getuser()
    wanted = {"number": number, "operator": operator, "address": address, "format": form, "name": name}
    row = order(
        config,
        "register",
        lambda ops: ops.lines.register(user, device, by, **wanted),
        user=user,
        device=device,
        by=by,
        **wanted,
    )
    where = f"{row['number']} by {row['operator']}" if row["number"] else f"{row['address']} by the relay"
    lease = f"; without a sync this lapses in {span(row['expires'] - row['since'])}" if row["expires"] else ""
    click.echo(f"{row['device']} of {row['user']} is reached at {where}{lease}.")


@sms.command()
@click.argument("user")
@click.argument("device")
@config_option
def remove(user: str, device: str, file: Path) -> None:
    """End the registration of DEVICE of USER."""
    config, by = read_config(file), getpass.getuser()
    order(config, "unregister", lambda ops: ops.lines.remove(user, device, by), user=user, device=device, by=by)
    click.echo(f"{device} of {user} is not reached by SMS any more.")


@sms.command("list")
@click.argument("user", required=False)
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_lines(user: str | None, file: Path, as_json: bool) -> None:
    """List the registrations of USER, or of all."""
    rows = order(read_config(file), "lines", lambda ops: ops.lines.list(user), user=user)
    if as_json:
        click.echo(json.dumps(rows, indent=2))
    elif rows:
        print_table(HEAD, [_cells(row) for row in rows])
    else:
        click.echo("Nothing is registered: 'pushgw sms register USER DEVICE NUMBER' does that.")


def _cells(row: dict[str, Any]) -> list[str]:
    taken = row["operator"] or ("relay" if row["address"] else "NONE TAKES IT")
    return [
        row["user"],
        row["device"],
        row["number"] or row["address"],
        taken,
        row["format"] or "-",
        _lapses(row["expires"]),
        ago(row["since"]),
        row["by"],
        row["name"] or "-",
    ]


def _lapses(expires: int) -> str:
    if not expires:
        return "never"
    left = expires - time.time()
    return span(left) if left > 0 else "LAPSED"
