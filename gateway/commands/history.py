"""C{pushgw trace} and C{pushgw outbox}: what happened to changes, and what went out."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from attrs import define, field

from gateway.commands.gateway_socket import Declined, GatewaySocket, NotRunning
from gateway.commands.options import config_option, read_config
from gateway.commands.orders import order
from gateway.commands.tables import clock, print_table
from gateway.config import Config

#: Between questions with --follow, in seconds.
PAUSE = 1.0
OUTBOX = ["NO", "DEVICE", "ROUTE", "TO", "STATE", "CREATED", "TRIES", "MESSAGE ID", "RESULT"]


@define
class Story:
    """One change on its way to one device: its hops in their order."""

    number: int
    hops: list[dict[str, Any]] = field(factory=list)

    def takes(self, hop: dict[str, Any]) -> bool:
        """Whether a hop belongs to it: another change begins another story once something was made of this one."""
        return hop["kind"] != "noticed" or all(known["kind"] == "noticed" for known in self.hops)


@define
class Stories:
    """Sorts hops by what they are about."""

    latest: dict[tuple[str, str], Story] = field(factory=dict)
    letters: dict[int, Story] = field(factory=dict)
    count: int = 0

    def add(self, hop: dict[str, Any]) -> Story:
        """The story that a hop belongs to; that of its letter, if it has one that was seen."""
        key = (hop["user"], hop["device"])
        story = self.letters.get(hop["letter"]) if hop["letter"] else None
        if story is None:
            story = self.latest.get(key)
        if story is None or not story.takes(hop):
            self.count += 1
            story = self.latest[key] = Story(self.count)
        if hop["letter"]:
            self.letters[hop["letter"]] = story
        story.hops.append(hop)
        return story


def lines(hops: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Hops in lines to read, one story after the other."""
    stories = Stories()
    found = {}
    for hop in hops:
        story = stories.add(hop)
        found[story.number] = story
    for story in found.values():
        yield from ("", *headed(story, story.hops))


def headed(story: Story, hops: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Some hops of a story below its head; times count from its beginning."""
    first = story.hops[0]
    yield f"{clock(first['at'])}  {first['device']} of {first['user']}"
    for hop in hops:
        yield line(hop, hop["at"] - first["at"])


def line(hop: dict[str, Any], since: float) -> str:
    """One hop, so many seconds after the first one of its story."""
    about = [hop["text"]] if hop["text"] else []
    if hop["folder"]:
        about.append(f"folder {hop['folder']} change {hop['number']}")
    if hop["letter"]:
        about.append(f"letter {hop['letter']}")
    return f"  {since:+10.3f} s  {hop['kind']:<12}  {', '.join(about)}".rstrip()


@click.command()
@click.argument("user")
@click.argument("device", required=False)
@config_option
@click.option("--follow", is_flag=True, help="Go on with what happens from now on.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
@click.option("--last", default=200, show_default=True, help="How many of the newest hops.")
def trace(user: str, device: str | None, file: Path, follow: bool, as_json: bool, last: int) -> None:
    """Tell what happened to each change on its way to the devices of USER."""
    config = read_config(file)
    fields = {"user": user, "device": device, "after": "-1", "most": str(last)}
    hops = order(config, "trace", lambda ops: ops.records.trace(user, device, -1, last), **fields)
    if as_json:
        for hop in hops:
            click.echo(json.dumps(hop))
    else:
        for text in lines(hops):
            click.echo(text)
    if follow:
        _follow(config, user, device, hops, as_json)
    elif not hops and not as_json:
        click.echo("Nothing has happened yet: a change appears here when a device with a number is concerned.")


def _follow(config: Config, user: str, device: str | None, seen: list[dict[str, Any]], as_json: bool) -> None:
    """Print what happens until somebody has seen enough."""
    stories, shown = Stories(), 0
    for hop in seen:
        shown = stories.add(hop).number
    after = seen[-1]["id"] if seen else 0
    for hop in _news(config, user, device, after, time.sleep):
        if as_json:
            click.echo(json.dumps(hop))
            continue
        story = stories.add(hop)
        if story.number != shown:
            shown = story.number
            click.echo("\n" + "\n".join(headed(story, [hop])))
        else:
            click.echo(line(hop, hop["at"] - story.hops[0]["at"]))


def _news(
    config: Config, user: str, device: str | None, after: int, sleep: Callable[[float], None]
) -> Iterator[dict[str, Any]]:
    socket = GatewaySocket(config.admin.socket)
    while True:
        sleep(PAUSE)
        try:
            hops = socket.ask("trace", user=user, device=device, after=str(after), most="1000")
        except NotRunning as error:
            raise click.ClickException("no gateway is running: nothing will happen") from error
        except Declined as error:
            raise click.ClickException(str(error)) from error
        for hop in hops:
            after = hop["id"]
            yield hop


@click.command()
@click.argument("user", required=False)
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--last", default=100, show_default=True, help="How many of the newest letters.")
def outbox(user: str | None, file: Path, as_json: bool, last: int) -> None:
    """List what went out, or is to go, to the devices of USER or of all: newest first."""
    rows = order(
        read_config(file), "outbox", lambda ops: ops.records.letters(user, None, last), user=user, most=str(last)
    )
    if as_json:
        click.echo(json.dumps(rows, indent=2))
    elif rows:
        print_table(OUTBOX, [_cells(row) for row in rows])
    else:
        click.echo("Nothing has gone out yet.")


def _cells(row: dict[str, Any]) -> list[str]:
    state = row["state"]
    if state == "queued":
        state += f" for {datetime.fromtimestamp(row['due']).astimezone():%H:%M:%S}"
    return [
        str(row["id"]),
        f"{row['device']} of {row['user']}",
        row["route"],
        row["to"] or "-",
        state,
        clock(row["created"]),
        str(row["attempts"]),
        row["message_id"] or "-",
        row["result"] or "-",
    ]
