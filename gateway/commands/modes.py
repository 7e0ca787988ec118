"""C{pushgw mode}: which way a device is told of changes."""

from __future__ import annotations

import getpass
import json
from pathlib import Path
from typing import Any

import click

from gateway.commands.options import config_option, read_config
from gateway.commands.orders import order
from gateway.commands.tables import clock, print_table
from gateway.model import Mode

MODES = tuple(mode.value for mode in Mode)


@click.command()
@click.argument("user")
@click.argument("words", nargs=-1, metavar="[DEVICE] [MODE]")
@config_option
@click.option("--default", "undo", is_flag=True, help="Take back what was set by command.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def mode(user: str, words: tuple[str, ...], file: Path, undo: bool, as_json: bool) -> None:
    """Set the mode of USER, or of one DEVICE; without MODE, tell the one in force.

    MODE is off, direct-push, sms, both or auto. It goes over the configuration until --default takes it back, and holds
    at once, for parked devices too.
    """
    device, wanted = _meant(words, undo)
    config, by = read_config(file), getpass.getuser()
    if wanted is None:
        found = order(config, "mode", lambda ops: ops.modes.show(user, device), user=user, device=device)
    else:
        fields = {"user": user, "device": device, "mode": wanted, "by": by}
        found = order(config, "set-mode", lambda ops: ops.modes.set(user, device, wanted, by), **fields)
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        _tell(found)


def _meant(words: tuple[str, ...], undo: bool) -> tuple[str, str | None]:
    """Device (empty: all of the user) and mode (empty: the default, C{None}: only tell) that the words mean."""
    if len(words) > (1 if undo else 2):
        raise click.UsageError("wanted is USER [DEVICE] MODE, or USER [DEVICE] --default")
    if undo:
        return (words[0] if words else ""), ""
    if len(words) == 2:
        if words[1] not in MODES:
            raise click.UsageError(f"{words[1]!r} is no mode: it is one of {', '.join(MODES)}")
        return words[0], words[1]
    if words and words[0] in MODES:
        return "", words[0]
    return (words[0] if words else ""), None


def _tell(found: dict[str, Any]) -> None:
    whose = f"{found['device']} of {found['user']}" if found["device"] else found["user"]
    click.echo(f"{whose}: {found['mode']} ({_origin(found)})")
    if found["in_force"] != found["mode"]:
        click.echo(f"In force is {found['in_force']}: direct_push.enabled or sms.enabled is false.")
    if found.get("devices"):
        click.echo("")
        rows = [[row["device"], row["mode"], row["in_force"], _origin(row)] for row in found["devices"]]
        print_table(["DEVICE", "MODE", "IN FORCE", "FROM"], rows)


def _origin(found: dict[str, Any]) -> str:
    return f"{found['from']}, {clock(found['at'])}" if found["at"] else str(found["from"])
