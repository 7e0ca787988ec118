"""C{pushgw compare}: what SMS and Direct Push did for real users in mode C{both}."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from gateway.commands.moving import criteria, criteria_options
from gateway.commands.options import config_option, read_config
from gateway.commands.rehearse import deliver
from gateway.config import Config
from gateway.model import DeviceKey
from gateway.rehearsal.comparing import Compared, Tracks, Waits, compare
from gateway.rehearsal.comparison import Comparison, as_json, document
from gateway.rehearsal.criteria import Criteria
from gateway.rehearsal.deferreds import at_once, result
from gateway.store import CannotOpen, Store, open_store
from gateway.trigger import Hop

DAY = 86400
#: So much of the trace, or so many letters, are read at once.
PORTION, LETTERS = 5000, 1_000_000
_OUT = click.Path(dir_okay=False, path_type=Path, allow_dash=True)


@click.command("compare", context_settings={"show_default": True})
@click.argument("users", metavar="USER...", nargs=-1)
@config_option
@click.option("--all", "everybody", is_flag=True, help="All users with a trace.")
@click.option("--past", type=click.FloatRange(0, 3650), default=30.0, help="Days to look back.")
@criteria_options
@click.option("--price", type=click.FloatRange(0), help="Of an SMS, in place of operators.NAME.price.")
@click.option("--json", "as_json_to", type=_OUT, help="Write everything as JSON there; - is the terminal.")
@click.option("--html", type=_OUT, help="Write a page with plots there.")
def compare_command(users: tuple[str, ...], file: Path, everybody: bool, **options: Any) -> None:
    """Tell from the trace which of SMS and Direct Push told the devices of USER first, how late, and what it cost.

    It says something of users in mode both: there each change goes both ways. It reads the store; the gateway may be
    running.
    """
    if bool(users) == everybody:
        raise click.UsageError("name users, or give --all")
    config = read_config(file)
    try:
        store = open_store(config.store_url, at_once)
    except (OSError, CannotOpen) as error:
        raise click.ClickException(str(error)) from error
    try:
        found = compare_users(
            store,
            users,
            prices(config, options["price"]),
            criteria(options, config),
            time.time() - options["past"] * DAY,
        )
    finally:
        store.close()
    if not found.devices:
        raise click.ClickException("the trace has nothing of that: a device needs a number, and its user mode both")
    deliver(lambda pictures: document(found, pictures), lambda: as_json(found), options["as_json_to"], options["html"])


def prices(config: Config, price: float | None) -> Mapping[str, float]:
    """What an SMS costs by route."""
    return {
        f"{kind}:{name}": operator.price if price is None else price
        for name, operator in config.operators.items()
        for kind in ("smpp", "smtp")
    }


def compare_users(
    store: Store, users: Sequence[str], price: Mapping[str, float], criteria: Criteria, since: float
) -> Comparison:
    """Compare for the devices of these users, or of all if none is named, from a time on."""
    found: list[tuple[Compared, Waits]] = []
    chosen = {user.lower() for user in users}
    known = {device.key: device.heartbeat for device in result(store.devices(None))}
    keys = {*known, *(line.key for line in result(store.triggers.lines(None)))}
    for key in sorted(key for key in keys if not chosen or key.user.lower() in chosen):
        one = _device(store, key, known.get(key), price, criteria, since)
        if one is not None:
            found.append(one)
    return Comparison([one for one, _ in found], [waits for _, waits in found], criteria)


def _device(
    store: Store,
    key: DeviceKey,
    heartbeat: int | None,
    price: Mapping[str, float],
    criteria: Criteria,
    since: float,
) -> tuple[Compared, Waits] | None:
    """One device, if its trace has changes."""
    letters = result(store.outbox.letters(key.user, key.device, LETTERS))
    tracks = Tracks({letter.id: letter.state for letter in letters})
    tracks.read(hop for hop in _hops(store, key) if hop.at >= since)
    if not tracks.tracks:
        return None
    return compare(key.user, key.device, tracks, price, criteria, heartbeat)


def _hops(store: Store, key: DeviceKey) -> Iterator[Hop]:
    after = 0
    while True:
        hops = result(store.trace.read(key.user, key.device, after, PORTION))
        yield from hops
        if len(hops) < PORTION:
            return
        after = hops[-1].id
