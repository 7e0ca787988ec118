"""C{pushgw devices}, C{wipe} and C{forget}: what is known of devices, and what can be ordered."""

from __future__ import annotations

import getpass
import json
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import click
from twisted.internet.defer import Deferred, ensureDeferred, execute
from twisted.python.failure import Failure

from gateway.admin.operations import Operations, Unknown
from gateway.commands.gateway_socket import Declined, GatewaySocket, NotRunning
from gateway.commands.options import config_option, read_config
from gateway.config import Config
from gateway.service.settings import modes
from gateway.store import CannotOpen, open_store


def order(
    config: Config, name: str, offline: Callable[[Operations], Coroutine[Any, Any, Any]], **fields: str | None
) -> Any:
    """Have the running gateway do it, or, with none running, do it in the store, and say so."""
    try:
        return GatewaySocket(config.admin.socket).ask(name, **fields)
    except NotRunning:
        click.echo("No gateway is running; working on its store.", err=True)
    except Declined as error:
        raise click.ClickException(str(error)) from error
    try:
        store = open_store(config.store_url, _execute)
    except (OSError, CannotOpen) as error:
        raise click.ClickException(str(error)) from error
    policy = modes(config)
    try:
        return _now(ensureDeferred(offline(Operations(store, policy, lambda: int(time.time())))))
    except Unknown as error:
        raise click.ClickException(str(error)) from error
    finally:
        store.close()


def _execute(work: Callable[..., Any], *args: Any, **kwargs: Any) -> Deferred[Any]:
    return execute(work, *args, **kwargs)


def _now(done: Deferred[Any]) -> Any:
    """The result of what needs no reactor, raising what it failed with."""
    results: list[Any] = []
    done.addBoth(results.append)
    if isinstance(results[0], Failure):
        results[0].raiseException()
    return results[0]


def _ago(then: int) -> str:
    if not then:
        return "never"
    seconds = max(0, int(time.time()) - then)
    for span, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= span:
            return f"{seconds // span} {unit} ago"
    return f"{seconds} s ago"


def _cells(row: dict[str, Any]) -> list[str]:
    parked = "-" if row["parked_seconds"] is None else f"{row['parked_seconds']} s"
    heartbeat = "-" if row["heartbeat"] is None else f"{row['heartbeat']} s"
    wipe = f" WIPE {row['wipe']['state']}" if row["wipe"] else ""
    return [
        row["user"],
        row["device"],
        row["type"] or "-",
        row["version"] or "-",
        row["mode"],
        parked,
        heartbeat,
        str(len(row["folders"])),
        _ago(row["last_ping"]),
        _ago(row["last_sync"]) + wipe,
    ]


HEAD = ["USER", "DEVICE", "TYPE", "EAS", "MODE", "PARKED", "HEARTBEAT", "FOLDERS", "LAST PING", "LAST SYNC"]


def _print_table(rows: list[list[str]]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


@click.command()
@click.argument("user", required=False)
@click.argument("device", required=False)
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--autd-state", is_flag=True, help="Print the device's Ping parameters as AutdState.xml.")
def devices(user: str | None, device: str | None, file: Path, as_json: bool, autd_state: bool) -> None:
    """List devices: mode, parked since, heartbeat, folders, last Ping, last sync, versions."""
    config = read_config(file)
    if autd_state:
        if not user or not device:
            raise click.UsageError("--autd-state wants USER and DEVICE")
        names = (user, device)
        click.echo(order(config, "autd-state", lambda ops: ops.state(*names), user=user, device=device), nl=False)
        return
    rows = order(config, "devices", lambda ops: ops.list(user), user=user)
    rows = [row for row in rows if device is None or row["device"] == device.lower()]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
    elif rows:
        _print_table([HEAD, *(_cells(row) for row in rows)])
    else:
        click.echo("No devices yet: a device appears here after its first request.")


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
        order(config, "cancel-wipe", lambda ops: ops.cancel_wipe(*names), user=user, device=device, by=by)
        click.echo(f"The wipe of {device} of {user} is cancelled.")
        return
    fields = {"user": user, "device": device, "by": by, "account_only": "yes" if account_only else "no"}
    order(config, "wipe", lambda ops: ops.wipe(user, device, by, account_only), **fields)
    click.echo(f"{device} of {user} will be erased at its next contact; 'pushgw devices {user}' shows when it was.")


@click.command()
@click.argument("user")
@click.argument("device")
@config_option
def forget(user: str, device: str, file: Path) -> None:
    """End the partnership with DEVICE of USER: it has to begin anew."""
    config, by = read_config(file), getpass.getuser()
    order(config, "forget", lambda ops: ops.forget(user, device, by), user=user, device=device, by=by)
    click.echo(f"{device} of {user} is forgotten.")
