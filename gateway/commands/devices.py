"""C{pushgw devices}, C{wipe} and C{forget}: what is known of devices, and what can be ordered."""

from __future__ import annotations

import getpass
import json
import time
from pathlib import Path
from typing import Any

import click

from gateway.commands.options import config_option, read_config
from gateway.commands.orders import order
from gateway.commands.tables import ago, clock, print_table
from gateway.config import Config


def _cells(row: dict[str, Any]) -> list[str]:
    parked = "-" if row["parked_seconds"] is None else f"{row['parked_seconds']} s"
    heartbeat = "-" if row["heartbeat"] is None else f"{row['heartbeat']} s"
    wipe = f" WIPE {row['wipe']['state']}" if row["wipe"] else ""
    return [
        row["user"],
        row["device"],
        row["type"] or "-",
        row["version"] or "-",
        row["access"] + ("*" if row["access_by"] else ""),
        row["mode"] + ("*" if row["mode_from"]["by"] else ""),
        _reached(row["line"]),
        parked,
        heartbeat,
        str(len(row["folders"])),
        ago(row["first_seen"]),
        ago(row["last_ping"]),
        ago(row["last_sync"]) + wipe,
    ]


def _reached(line: dict[str, Any] | None) -> str:
    """Where an SMS reaches a device."""
    if line is None:
        return "-"
    lapsed = " (lapsed)" if line["expires"] and line["expires"] <= time.time() else ""
    return f"{line['number'] or line['address']}{lapsed}"


HEAD = ["USER", "DEVICE", "TYPE", "EAS", "ACCESS", "MODE", "SMS", "PARKED", "HEARTBEAT", "FOLDERS"]
HEAD += ["FIRST SEEN", "LAST PING", "LAST SYNC"]


class _Listing(click.Group):
    """A group that lists when what follows is none of its commands."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the name of the command that lists before what belongs to it."""
        first = args[0] if args else ""
        if first not in self.commands and first not in ctx.help_option_names:
            args = ["list", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_Listing)
def devices() -> None:
    """List devices, and decide which of them may synchronise.

    Without a command: list [USER [DEVICE]].
    """


@devices.command("list")
@click.argument("user", required=False)
@click.argument("device", required=False)
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--autd-state", is_flag=True, help="Print the device's Ping parameters as AutdState.xml.")
@click.option("--recovery-password", is_flag=True, help="Print the password that unlocks the device.")
def list_devices(
    user: str | None, device: str | None, file: Path, as_json: bool, autd_state: bool, recovery_password: bool
) -> None:
    """List devices: access, mode, number, parked since, heartbeat, folders, last Ping, last sync, versions."""
    config = read_config(file)
    if autd_state or recovery_password:
        if not user or not device:
            raise click.UsageError("--autd-state and --recovery-password want USER and DEVICE")
        _print_one(config, user, device, autd_state)
        return
    rows = order(config, "devices", lambda ops: ops.devices.list(user), user=user)
    rows = [row for row in rows if device is None or row["device"] == device.lower()]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
    elif rows:
        print_table(HEAD, [_cells(row) for row in rows])
        _notes(rows)
    else:
        whose = f"User '{user}' has no device" if user else "No devices"
        click.echo(f"{whose}{f' {device!r}' if device else ''} yet: a device appears here after its first request.")


def _print_one(config: Config, user: str, device: str, autd_state: bool) -> None:
    """Print the AUTD state of a device, or else its recovery password."""
    if autd_state:
        text = order(config, "autd-state", lambda ops: ops.devices.state(user, device), user=user, device=device)
        click.echo(text, nl=False)
        return
    by = getpass.getuser()
    click.echo(
        order(config, "recovery", lambda ops: ops.devices.recovery(user, device, by), user=user, device=device, by=by)
    )


def _notes(rows: list[dict[str, Any]]) -> None:
    """What the stars in the table mean, and what keeps devices out."""
    if any(row["mode_from"]["by"] for row in rows):
        click.echo("* set by command: 'pushgw mode USER [DEVICE]' tells by whom, --default undoes it")
    if any(row["access_by"] for row in rows):
        click.echo("* decided by command: --json tells by whom, 'pushgw devices reset USER DEVICE' undoes it")
    for row in rows:
        if row["access"] != "allow":
            decided = f", {clock(row['access_at'])}" if row["access_at"] else ""
            click.echo(f"{row['device']} of {row['user']}: {row['access']} ({row['access_from']}{decided})")


def _decide(user: str, device: str, file: Path, access: str) -> None:
    config, by = read_config(file), getpass.getuser()
    fields = {"user": user, "device": device, "access": access, "by": by}
    row = order(config, "access", lambda ops: ops.entry.decide(user, device, access, by), **fields)
    unseen = "" if row["known"] else "; it has not come yet"
    click.echo(f"{row['device']} of {row['user']}: {row['access']} ({row['access_from']}){unseen}")


@devices.command()
@click.argument("user")
@click.argument("device")
@config_option
def allow(user: str, device: str, file: Path) -> None:
    """Let DEVICE of USER synchronise, whatever the rules say."""
    _decide(user, device, file, "allow")


@devices.command()
@click.argument("user")
@click.argument("device")
@config_option
def block(user: str, device: str, file: Path) -> None:
    """Keep DEVICE of USER out, at once."""
    _decide(user, device, file, "block")


@devices.command()
@click.argument("user")
@click.argument("device")
@config_option
def quarantine(user: str, device: str, file: Path) -> None:
    """Keep DEVICE of USER out until it is decided."""
    _decide(user, device, file, "quarantine")


@devices.command()
@click.argument("user")
@click.argument("device")
@config_option
def reset(user: str, device: str, file: Path) -> None:
    """Take back what was decided of DEVICE of USER: the rules hold again."""
    _decide(user, device, file, "")


@click.command()
@click.argument("user")
@click.argument("device")
@config_option
@click.option("--cancel", is_flag=True, help="Take the wipe back, or clear it after it is done.")
@click.option("--account-only", is_flag=True, help="Erase this account only (devices that speak 16.1).")
def wipe(user: str, device: str, file: Path, cancel: bool, account_only: bool) -> None:
    """Ask for a remote wipe of DEVICE of USER."""
    config, by = read_config(file), getpass.getuser()
    if cancel:
        names = (user, device, by)
        order(config, "cancel-wipe", lambda ops: ops.devices.cancel_wipe(*names), user=user, device=device, by=by)
        click.echo(f"The wipe of {device} of {user} is cancelled.")
        return
    fields = {"user": user, "device": device, "by": by, "account_only": "yes" if account_only else "no"}
    order(config, "wipe", lambda ops: ops.devices.wipe(user, device, by, account_only), **fields)
    click.echo(f"{device} of {user} will be erased at its next contact; 'pushgw devices {user}' shows when it was.")


@click.command()
@click.argument("user")
@click.argument("device")
@config_option
def forget(user: str, device: str, file: Path) -> None:
    """End the partnership with DEVICE of USER: it has to begin anew."""
    config, by = read_config(file), getpass.getuser()
    order(config, "forget", lambda ops: ops.devices.forget(user, device, by), user=user, device=device, by=by)
    click.echo(f"{device} of {user} is forgotten.")
