"""C{pushgw device --script}: a phone at the terminal that does what a file says."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from uuid import uuid4

import click
from twisted.internet.base import ReactorBase
from twisted.internet.defer import Deferred

from gateway.commands.phone import Console, Settings, carried
from gateway.element import Element
from gateway.simulator.connection import Connections, HTTPLine, Route
from gateway.simulator.device import Outcome
from gateway.simulator.errors import GivenUp
from gateway.simulator.journal import Journal
from gateway.simulator.script.player import Player
from gateway.simulator.script.posting import deliver
from gateway.simulator.script.reading import Script, ScriptError, read_script
from gateway.simulator.script.tree import shown

#: Bytes of a file that a step names.
_LARGEST = 64 * 1024 * 1024


def load_script(path: Path, version: str | None, values: dict[str, str]) -> Script:
    """The script in a file; files that its steps name lie beside it.

    @raise click.UsageError: it cannot be read, or something in it is wrong.
    """

    def load(name: str) -> bytes:
        found = path.parent / name
        if found.stat().st_size > _LARGEST:
            raise ValueError(f"it is larger than {_LARGEST} bytes")
        return found.read_bytes()

    try:
        return read_script(path.read_text("utf-8"), path.name, version, values, load)
    except UnicodeDecodeError as error:
        raise click.UsageError(f"{path.name}: this is no UTF-8: {error}") from error
    except (OSError, ScriptError) as error:
        raise click.UsageError(str(error)) from error


async def play(settings: Settings, script: Script, reactor: ReactorBase) -> Outcome:
    """Play a script as the command line asked for it.

    @raise GivenUp: a step was not answered as expected, or nothing helps.
    """
    network, detours = await carried(settings, reactor)
    connections = Connections(Route(reactor, settings.trust, detours))
    line = HTTPLine(settings.account, settings.url, connections.agent, reactor, settings.compact)
    journal = Journal(partial(click.echo, err=settings.as_json), time.time)
    onlooker = Console(settings, lambda: None, None if settings.as_json and not settings.verbose else journal)
    told = _tell if settings.verbose else _keep
    salt = uuid4().hex[:12]
    player = Player(settings.account, line, reactor, onlooker, script, salt, partial(deliver, reactor), told)
    playing = Deferred.fromCoroutine(player.play())
    if settings.duration is not None:
        playing.addTimeout(settings.duration, reactor, _over)
    try:
        await playing
    finally:
        await connections.close()
        if network is not None:
            await network.stop()
    return Outcome.STOPPED


def _over(_result: object, seconds: float) -> object:
    raise GivenUp(f"the script was not through within {seconds:g} s")


def _tell(command: str, document: Element, answer: bool) -> None:
    """Show a document on standard error, indented."""
    click.echo(f"{command} {'is answered' if answer else 'asks'}:", err=True)
    for line in shown(document):
        click.echo(f"  {line}", err=True)


def _keep(_command: str, _document: Element, _answer: bool) -> None:
    """Show no documents."""
