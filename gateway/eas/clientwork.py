"""What a client wants done in a collection, as commands for the ledger ([MS-ASCMD] 2.2.3.32)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import frozen

from gateway.convert.message import ConversionError, amendment
from gateway.eas.collection import Command, Verb, item_id
from gateway.eas.syncanswer import CONVERSION, NOT_FOUND, SUCCESS, Response
from gateway.model import Amend, Folder, Item, Remove, SyncOutcome

State = tuple[str, Mapping[str, Any]]
"""The letters of an item, and what is kept beside them."""


@frozen
class Work:
    """The client commands of a collection: those for the ledger, and which of the request they were.

    C{refused} holds the Status of commands that fail without it, by their place in the request. A command that the
    ledger may get depends on the bytes of the request alone, so that results kept for a repetition fit it.
    """

    commands: tuple[Amend | Remove, ...]
    places: tuple[int, ...]
    refused: Mapping[int, int]


def prepared(commands: Sequence[Command], folder: Folder, known: Mapping[int, Item]) -> Work:
    """The work that commands make; C{known} are the items that they name, by id."""
    states: dict[int, State] = {id: (item.state, item.extra) for id, item in known.items()}
    given: list[Amend | Remove] = []
    places: list[int] = []
    refused: dict[int, int] = {}
    for place, command in enumerate(commands):
        if command.verb is Verb.FETCH:
            continue
        status = _refusal(command, folder)
        if status is None:
            made, status = _ledger_command(command, item_id(command.id, folder.id) or 0, states)
            given.append(made)
            places.append(place)
        if status is not None:
            refused[place] = status
    return Work(tuple(given), tuple(places), refused)


def answered(commands: Sequence[Command], work: Work, outcome: SyncOutcome) -> list[Response]:
    """The answers to Add, Change and Delete: those that failed, and every Add."""
    statuses = {work.places[result.index]: result.status for result in outcome.results}
    statuses = {place: status for place, status in statuses.items() if status != SUCCESS}
    statuses.update(work.refused)
    return [
        Response(commands[place].verb, commands[place].id, status, commands[place].item_class)
        for place, status in sorted(statuses.items())
    ]


def _refusal(command: Command, folder: Folder) -> int | None:
    """The Status of a command that fails by what it is, or C{None}: mails are not added, and are no series."""
    if command.verb is Verb.ADD:
        return CONVERSION
    if item_id(command.id, folder.id) is None:
        return NOT_FOUND
    if command.instance or (command.verb is Verb.CHANGE and command.data is None):
        return CONVERSION
    return None


def _ledger_command(command: Command, item: int, states: dict[int, State]) -> tuple[Amend | Remove, int | None]:
    """The command for the ledger, and the Status if it cannot be done; then it is one that changes nothing."""
    if command.verb is Verb.DELETE:
        return Remove(item), None
    assert command.data is not None
    state, extra = states.get(item, ("", {}))
    try:
        add, remove, changed = amendment(command.data, state, extra)
    except ConversionError:
        return Amend(item), CONVERSION
    states[item] = ("".join(sorted((set(state) | set(add)) - set(remove))), extra if changed is None else changed)
    return Amend(item, add, remove, changed), None
