"""C{pushgw rehearse}: what each way of pushing would do for a fleet, before anybody is moved."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click
from attrs import define, evolve, field

from gateway.commands.moving import criteria, criteria_options
from gateway.commands.options import read_config
from gateway.config import Config
from gateway.core.heartbeat import CAP, HeartbeatLimits
from gateway.core.wakerules import Hours
from gateway.rehearsal.deferreds import at_once
from gateway.rehearsal.document import Document, as_html, as_text
from gateway.rehearsal.fleet import Terms, Version
from gateway.rehearsal.networks import DATA_NETWORKS, SMS_NETWORKS, parse
from gateway.rehearsal.plan import Made, Plan, Progress, Recorded, Rehearsal
from gateway.rehearsal.plots import NoPlots
from gateway.rehearsal.recording import recorded
from gateway.rehearsal.report import as_json, document
from gateway.rehearsal.stream import DAY, BadStream, Pattern, read, write
from gateway.simulator.heartbeat import PHONES, WORKED_EXAMPLE, HeartbeatSet
from gateway.store import CannotOpen, open_store
from gateway.trigger import Limits


class Read(click.ParamType[Any]):
    """A parameter read by a function that raises C{ValueError} for what it cannot read."""

    def __init__(self, name: str, convert: Callable[[str], Any]) -> None:
        self.name = name
        self._convert = convert

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """What the function makes of the text."""
        try:
            return self._convert(value) if isinstance(value, str) else value
        except ValueError as error:
            self.fail(str(error), param, ctx)


def heartbeats(text: str) -> HeartbeatSet:
    """C{phones}, C{worked-example}, one heartbeat, or C{INITIAL/MINIMUM/STEP/MAXIMUM} in seconds."""
    named = {"phones": PHONES, "worked-example": WORKED_EXAMPLE}
    if text in named:
        return named[text]
    parts = [int(part) if part.isdecimal() else -1 for part in text.split("/")]
    if len(parts) == 1 and 0 < parts[0] <= CAP:
        return HeartbeatSet.fixed(parts[0])
    if len(parts) == 4 and 0 < parts[1] <= parts[0] <= parts[3] <= CAP and parts[2] >= 0:
        return HeartbeatSet(*parts)
    raise ValueError(
        f"{text!r} is neither phones, worked-example, a number of seconds nor INITIAL/MINIMUM/STEP/MAXIMUM"
    )


def quiet(text: str) -> Hours:
    """C{22:00-06:30} as minutes of the day."""
    ends = []
    for part in text.split("-"):
        hours, _, minutes = part.partition(":")
        if not hours.isdecimal() or not (minutes or "0").isdecimal() or int(hours) > 24 or int(minutes or 0) > 59:
            raise ValueError(f"{text!r} is no span of hours, such as 22:00-06:30")
        ends.append((int(hours) * 60 + int(minutes or 0)) % 1440)
    if len(ends) != 2:
        raise ValueError(f"{text!r} is no span of hours, such as 22:00-06:30")
    return Hours(*ends)


_OUT = click.Path(dir_okay=False, path_type=Path, allow_dash=True)
_IN = click.Path(exists=True, dir_okay=False, path_type=Path)
_SECONDS = click.IntRange(0, 7 * 86400)


@click.command(context_settings={"show_default": True})
@click.option(
    "--config", "file", type=_IN, help="Take settings, of triggers, heartbeats and who is safe to move, from here."
)
@click.option("--record", type=_OUT, help="Write the stream of changes of that gateway's ledger there, and stop.")
@click.option("--past", type=click.FloatRange(0, 3650), default=30.0, help="Days that are recorded.")
@click.option("--play", type=_IN, help="Play a recorded stream instead of a made-up one.")
@click.option("--users", type=click.IntRange(1, 10_000_000), default=50, help="Users of a made-up stream.")
@click.option("--days", type=click.FloatRange(0.1, 3650), default=7.0, help="Days of a made-up stream.")
@click.option("--mails", type=click.FloatRange(0, 10_000), default=30.0, help="Mails of a user and day.")
@click.option("--night", type=click.FloatRange(0, 1), default=0.1, help="Share of the day's rate from 22 to 6 o'clock.")
@click.option("--burst", type=click.FloatRange(0, 1), default=0.15, help="Share of mails that bring others with them.")
@click.option("--sample", type=click.IntRange(0), default=0, help="Let only so many users play; 0: all.")
@click.option("--seed", default="1", help="The same seed gives the same rehearsal.")
@click.option(
    "--version",
    "versions",
    type=click.Choice([one.value for one in Version]),
    multiple=True,
    show_default="all",
    help="A fleet of this version; may be given again.",
)
@click.option(
    "--network",
    "data",
    type=Read("network", partial(parse, presets=DATA_NETWORKS)),
    multiple=True,
    default=("good",),
    help=f"NAME[,key=value...]: {', '.join(DATA_NETWORKS)}; keys idle, cut, gaps, gap, trip, weight.",
)
@click.option(
    "--sms-network",
    "sms",
    type=Read("network", partial(parse, presets=SMS_NETWORKS)),
    multiple=True,
    default=("usual",),
    help=f"NAME[,key=value...]: {', '.join(SMS_NETWORKS)}; keys median, sigma, loss, price, weight.",
)
@click.option(
    "--heartbeat-set",
    type=Read("set", heartbeats),
    default="phones",
    help="phones, worked-example, one heartbeat, or INITIAL/MINIMUM/STEP/MAXIMUM in seconds.",
)
@click.option("--max-heartbeat", type=click.IntRange(60, CAP), help="In place of direct_push.max_heartbeat.")
@click.option("--batch", type=_SECONDS, help="In place of sms.batch_seconds.")
@click.option("--repeats", type=click.IntRange(0, 100), help="In place of sms.repeats.")
@click.option("--coalesce", type=click.FloatRange(0, 3600), default=180.0, help="A phone's longest wait after an SMS.")
@click.option("--quiet", type=Read("hours", quiet), multiple=True, help="Quiet hours in UTC: 22:00-06:30.")
@criteria_options
@click.option("--json", "as_json_to", type=_OUT, help="Write everything as JSON there; - is the terminal.")
@click.option("--html", type=_OUT, help="Write a page with plots there.")
def rehearse(**options: Any) -> None:
    """Play a stream of mailbox changes against simulated phones of each version, on the gateway's own core.

    The stream is made up, or recorded from a gateway with --record and played with --play. Nothing is sent anywhere:
    phones, networks, SMS and time are simulated. The longer and larger, the longer it takes: --sample plays some of
    the users, and says how large the error is.
    """
    config = None if options["file"] is None else read_config(options["file"])
    if options["record"] is not None:
        if config is None:
            raise click.UsageError("--record needs --config")
        _record(config, options["record"], options["past"])
        return
    plan = _plan(options, config)
    outcome = Rehearsal(plan, Meter(sys.stderr.isatty(), partial(click.echo, nl=False, err=True))).play()
    deliver(
        lambda pictures: document(outcome, pictures), lambda: as_json(outcome), options["as_json_to"], options["html"]
    )


def _record(config: Config, path: Path, days: float) -> None:
    """Write the stream of a ledger."""
    try:
        store = open_store(config.store_url, at_once)
    except (OSError, CannotOpen) as error:
        raise click.ClickException(str(error)) from error
    try:
        events = recorded(store.database, time.time() - days * DAY, time.time())
    finally:
        store.close()
    if not events:
        raise click.ClickException(f"nothing came in the last {days:g} days")
    with click.open_file(str(path), "w") as out:
        count = write(events, out)
    users = len({event.user for event in events})
    click.echo(f"{count} changes of {users} users in {path}", err=True)


def _plan(options: dict[str, Any], config: Config | None) -> Plan:
    wanted = criteria(options, config)
    return Plan(
        stream=_stream(options),
        versions=tuple(Version(name) for name in options["versions"]) or tuple(Version),
        sample=options["sample"],
        data=options["data"],
        sms=options["sms"],
        terms=evolve(_terms(options, config), late=wanted.late),
        criteria=wanted,
        seed=options["seed"],
    )


def _stream(options: dict[str, Any]) -> Made | Recorded:
    if options["play"] is None:
        pattern = Pattern(options["mails"], night=options["night"], burst=options["burst"])
        return Made(pattern, options["users"], options["days"])
    try:
        with options["play"].open(encoding="utf-8") as lines:
            events = read(lines)
    except (OSError, UnicodeDecodeError, BadStream) as error:
        raise click.ClickException(f"{options['play']}: {error}") from error
    if not events:
        raise click.ClickException(f"{options['play']} is empty")
    return Recorded(events)


def _terms(options: dict[str, Any], config: Config | None) -> Terms:
    terms = Terms(
        heartbeats=options["heartbeat_set"],
        quiet=options["quiet"],
        coalesce=options["coalesce"],
    )
    if config is not None:
        sms, auto, push = config.sms, config.auto, config.direct_push
        limits, _ = HeartbeatLimits.configured(push.min_heartbeat, push.max_heartbeat)
        terms = evolve(
            terms,
            batch=sms.batch_seconds,
            repeats=sms.repeats,
            adds_only=sms.adds_only,
            settle=sms.settle_seconds,
            limits=Limits(sms.per_device_day, sms.per_user_day),
            absent=auto.absent_seconds,
            young=auto.young_parks,
            young_seconds=float(auto.young_seconds),
            heartbeat_limits=limits,
        )
    given = {name: options[name] for name in ("batch", "repeats") if options[name] is not None}
    if options["max_heartbeat"] is not None:
        given["heartbeat_limits"] = evolve(terms.heartbeat_limits, maximum=options["max_heartbeat"])
    return evolve(terms, **given)


@define(eq=False)
class Meter:
    """Shows how far a rehearsal is; one line a version where that is no terminal. C{write} takes text."""

    terminal: bool
    write: Callable[[str], object]
    _began: float = field(init=False, factory=time.monotonic)
    _shown: str = field(init=False, default="")

    def __call__(self, progress: Progress) -> None:
        """Show it."""
        if self.terminal:
            spent = time.monotonic() - self._began
            left = spent * (progress.whole / progress.done - 1) if progress.done else 0.0
            far = f"{progress.done:,.0f} of {progress.whole:,.0f} device-days"
            text = f"{progress.version.value}: {far}, {left:.0f} s left"
            end = progress.done >= progress.whole
            self.write(f"\r{text:<70}" + ("\n" if end else ""))
        elif progress.version.value != self._shown:
            self._shown = progress.version.value
            self.write(f"{self._shown} ({progress.whole:,.0f} device-days in all)\n")


def deliver(made: Callable[[bool], Document], data: Callable[[], Any], json_to: Path | None, html: Path | None) -> None:
    """Print the report, or write it where it is wanted."""
    if json_to is not None:
        with click.open_file(str(json_to), "w") as out:
            out.write(json.dumps(data(), indent=1) + "\n")
    if html is not None:
        try:
            page = as_html(made(True))
        except NoPlots as why:
            click.echo(f"The page is without plots: {why}.", err=True)
            page = as_html(made(False))
        with click.open_file(str(html), "w") as out:
            out.write(page)
    if json_to is None or str(json_to) != "-":
        click.echo(as_text(made(False)))
