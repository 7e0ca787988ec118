"""What a command gives a device while a request of the device may be parked."""

from __future__ import annotations

from collections.abc import Awaitable

from attrs import evolve

from gateway.core.levels import Levels
from gateway.eas.call import Answer
from gateway.model import DeviceKey


async def giving(levels: Levels, device: DeviceKey, answering: Awaitable[Answer]) -> Answer:
    """The answer of a command that may give the device something, or change something itself.

    The device's Watch is held from now on until the answer was written, which is when it is known what the device
    has; C{written} of the answer that is returned has to be called.
    """
    begun = levels.begin(device)
    try:
        answer = await answering
    except BaseException:
        levels.over(device, begun)
        raise
    finally:
        # Another request of the device may have looked meanwhile, before the command did what it does.
        levels.end(device, begun)

    def written(live: bool) -> None:
        try:
            if live and answer.levels is not None:
                levels.finish(device, begun, answer.levels)
            if answer.written is not None:
                answer.written(live)
        finally:
            levels.over(device, begun)

    return evolve(answer, written=written)
