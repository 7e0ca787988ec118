"""What happened: the trace of changes, and the letters of the outbox."""

from __future__ import annotations

from typing import Any

from attrs import define

from gateway.interfaces import IOutbox, ITrace
from gateway.trigger import Hop, Letter

#: So many are told at most at a time.
MOST = 10_000


@define(eq=False)
class Records:
    """Reading the trace and the outbox, as JSON values; times in seconds since the epoch."""

    hops: ITrace
    outbox: IOutbox

    async def trace(self, user: str, device: str | None, after: int, most: int) -> list[dict[str, Any]]:
        """The hops of a user or one device with a number above C{after}, oldest first; with C{after} negative the
        newest of all."""
        found = await self.hops.read(user.lower(), device.lower() if device else None, after, min(most, MOST))
        return [_hop_row(hop) for hop in found]

    async def letters(self, user: str | None, device: str | None, most: int) -> list[dict[str, Any]]:
        """The newest letters of a device, of a user or of all, newest first."""
        found = await self.outbox.letters(
            user.lower() if user else None, device.lower() if device else None, min(most, MOST)
        )
        return [_letter_row(letter) for letter in found]


def _hop_row(hop: Hop) -> dict[str, Any]:
    return {
        "id": hop.id,
        "at": hop.at,
        "user": hop.key.user,
        "device": hop.key.device,
        "kind": hop.kind,
        "text": hop.text,
        "folder": hop.folder,
        "number": hop.number,
        "letter": hop.letter,
    }


def _letter_row(letter: Letter) -> dict[str, Any]:
    return {
        "id": letter.id,
        "user": letter.key.user,
        "device": letter.key.device,
        "route": letter.route,
        "to": letter.number or letter.address or ", ".join(letter.recipients),
        "state": letter.state.value,
        "created": letter.created,
        "due": letter.due,
        "expires": letter.expires,
        "attempts": letter.attempts,
        "doubted": letter.doubted,
        "message_id": letter.message_id,
        "result": letter.result,
    }
