"""What a client wants done in a collection, as commands for the ledger ([MS-ASCMD] 2.2.3.32)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import field, frozen

from gateway.convert.marks import of_the_server
from gateway.convert.message import ConversionError, amendment
from gateway.eas.collection import Command, Verb, item_id, server_id
from gateway.eas.drafts import Prepared
from gateway.eas.syncanswer import CONVERSION, NOT_FOUND, SUCCESS, Response
from gateway.model import Amend, Create, Folder, Item, Remove, SyncOutcome

State = tuple[str, Mapping[str, Any]]
"""The letters of an item, and what is kept beside them."""


@frozen
class Work:
    """The client commands of a collection: those for the ledger, and which of the request they were.

    C{refused} holds the Status of commands that fail without it, by their place in the request. A command that the
    ledger may get depends on the bytes of the request alone, so that results kept for a repetition fit it.
    """

    commands: tuple[Amend | Create | Remove, ...]
    places: tuple[int, ...]
    refused: Mapping[int, int]
    drafts: Mapping[int, Prepared] = field(factory=dict)


def prepared(
    commands: Sequence[Command], folder: Folder, known: Mapping[int, Item], drafts: Mapping[int, Prepared]
) -> Work:
    """The work that commands make; C{known} are the items that they name, by id, C{drafts} what is prepared of them,
    by their places."""
    states: dict[int, State] = {id: (item.state, item.extra) for id, item in known.items()}
    given: list[Amend | Create | Remove] = []
    places: list[int] = []
    refused: dict[int, int] = {}
    for place, command in enumerate(commands):
        if command.verb is Verb.FETCH:
            continue
        draft = drafts.get(place)
        if draft is not None:
            if draft.command is not None:
                given.append(draft.command)
                places.append(place)
            if draft.status != SUCCESS:
                refused[place] = draft.status
            continue
        status = _refusal(command, folder)
        if status is None:
            made, status = _ledger_command(command, item_id(command.id, folder.id) or 0, states)
            given.append(made)
            places.append(place)
        if status is not None:
            refused[place] = status
    return Work(tuple(given), tuple(places), refused, drafts)


def answered(
    commands: Sequence[Command], work: Work, outcome: SyncOutcome, folder: Folder, sent: Mapping[int, int]
) -> list[Response]:
    """The answers to Add, Change and Delete: those that failed, every Add, and a Change with new attachments.

    C{sent} holds the Status of drafts that were to be sent, by their places.
    """
    statuses = {work.places[result.index]: result.status for result in outcome.results}
    items = {work.places[result.index]: result.item for result in outcome.results if result.item}
    statuses.update(work.refused)
    statuses.update(sent)
    found = []
    for place, command in enumerate(commands):
        item = items.get(place) or item_id(command.id, folder.id) or 0
        status = statuses.get(place, SUCCESS)
        draft = work.drafts.get(place)
        data = draft.told(folder, item) if draft is not None and status == SUCCESS else None
        if status == SUCCESS and command.verb is not Verb.ADD and data is None:
            continue
        if command.verb is not Verb.FETCH:
            created = server_id(folder.id, items[place]) if place in items else None
            # What goes without saying is not repeated ([MS-ASCMD] 2.2.3.27.6).
            kind = None if command.item_class == folder.type.item_class else command.item_class
            found.append(Response(command.verb, command.id, status, kind, data, created))
    return found


def _refusal(command: Command, folder: Folder) -> int | None:
    """The Status of a command that fails by what it is, or C{None}: mails are not added, and are no series."""
    if command.verb is Verb.ADD:
        return CONVERSION
    if item_id(command.id, folder.id) is None:
        # What must not be changed is told first, as it is of mails that there are.
        return CONVERSION if command.data is not None and of_the_server(command.data) else NOT_FOUND
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
