"""The JSON API of the running gateway on a Unix socket that only its user may open."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from attrs import define, field
from klein import Klein
from twisted.web.http import BAD_REQUEST, NOT_FOUND
from twisted.web.resource import IResource
from twisted.web.server import Request

from gateway.admin.errors import Refused, Unknown
from gateway.admin.orders import Orders

MOST_BODY = 65536


class BadOrder(ValueError):
    """The body of a request is not what its path asks for."""


def _number(fields: dict[str, str], name: str, default: int) -> int:
    text = fields.get(name, str(default))
    try:
        return int(text)
    except (TypeError, ValueError):
        raise BadOrder(f"{name} is a whole number, written as a text") from None


def _fields(request: Request, *names: str) -> dict[str, str]:
    assert request.content is not None
    try:
        given = json.loads(request.content.read(MOST_BODY))
    except ValueError as error:
        raise BadOrder("the body is no JSON") from error
    if not isinstance(given, dict) or not all(isinstance(given.get(name), str) for name in names):
        raise BadOrder(f"wanted are the texts {', '.join(names)}")
    return given


@define(eq=False)
class Control:
    """What the commands may ask; C{reload} returns what was wrong with the new files, or the empty text."""

    orders: Orders
    status: Callable[[], dict[str, Any]]
    reload: Callable[[], str]
    app: Klein = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.app = Klein()
        for path, answer in {
            "/devices": self._devices,
            "/autd-state": self._autd_state,
            "/recovery": self._recovery,
            "/wipe": self._wipe,
            "/cancel-wipe": self._cancel,
            "/forget": self._forget,
            "/access": self._access,
            "/mode": self._mode,
            "/set-mode": self._set_mode,
            "/lines": self._lines,
            "/register": self._register,
            "/unregister": self._unregister,
            "/trace": self._trace,
            "/outbox": self._outbox,
            "/doctor": self._doctor,
            "/status": self._status,
            "/reload": self._reload,
        }.items():
            self.app.route(path, methods=["POST"])(self._json(answer))

    @property
    def resource(self) -> IResource:
        """The root of the API."""
        resource: IResource = self.app.resource()
        return resource

    def _json(self, answer: Callable[[Request], Awaitable[Any]]) -> Callable[[Request], Awaitable[bytes]]:
        async def respond(request: Request) -> bytes:
            request.setHeader(b"Content-Type", b"application/json")
            try:
                value = await answer(request)
            except Unknown as error:
                request.setResponseCode(NOT_FOUND)
                value = {"error": str(error)}
            except (BadOrder, Refused) as error:
                request.setResponseCode(BAD_REQUEST)
                value = {"error": str(error)}
            return json.dumps(value).encode()

        respond.__name__ = answer.__name__
        return respond

    async def _devices(self, request: Request) -> Any:
        return await self.orders.devices.list(_fields(request).get("user"))

    async def _autd_state(self, request: Request) -> Any:
        given = _fields(request, "user", "device")
        return await self.orders.devices.state(given["user"], given["device"])

    async def _recovery(self, request: Request) -> Any:
        given = _fields(request, "user", "device", "by")
        return await self.orders.devices.recovery(given["user"], given["device"], given["by"])

    async def _wipe(self, request: Request) -> Any:
        given = _fields(request, "user", "device", "by")
        only = given.get("account_only") == "yes"
        return await self.orders.devices.wipe(given["user"], given["device"], given["by"], only)

    async def _cancel(self, request: Request) -> Any:
        given = _fields(request, "user", "device", "by")
        return await self.orders.devices.cancel_wipe(given["user"], given["device"], given["by"])

    async def _forget(self, request: Request) -> Any:
        given = _fields(request, "user", "device", "by")
        await self.orders.devices.forget(given["user"], given["device"], given["by"])
        return {}

    async def _access(self, request: Request) -> Any:
        given = _fields(request, "user", "device", "access", "by")
        return await self.orders.entry.decide(given["user"], given["device"], given["access"], given["by"])

    async def _mode(self, request: Request) -> Any:
        given = _fields(request, "user")
        return await self.orders.modes.show(given["user"], given.get("device", ""))

    async def _set_mode(self, request: Request) -> Any:
        given = _fields(request, "user", "device", "mode", "by")
        return await self.orders.modes.set(given["user"], given["device"], given["mode"], given["by"])

    async def _lines(self, request: Request) -> Any:
        return await self.orders.lines.list(_fields(request).get("user"))

    async def _register(self, request: Request) -> Any:
        given = _fields(request, "user", "device", "by", "number", "operator", "address", "format", "name")
        wanted = {word: given[word] for word in ("number", "operator", "address", "format", "name")}
        return await self.orders.lines.register(given["user"], given["device"], given["by"], **wanted)

    async def _unregister(self, request: Request) -> Any:
        given = _fields(request, "user", "device", "by")
        await self.orders.lines.remove(given["user"], given["device"], given["by"])
        return {}

    async def _trace(self, request: Request) -> Any:
        given = _fields(request, "user")
        after, most = _number(given, "after", -1), _number(given, "most", 1000)
        return await self.orders.records.trace(given["user"], given.get("device"), after, most)

    async def _outbox(self, request: Request) -> Any:
        given = _fields(request)
        most = _number(given, "most", 100)
        return await self.orders.records.letters(given.get("user"), given.get("device"), most)

    async def _doctor(self, request: Request) -> Any:
        given = _fields(request, "user")
        return [facts.row() for facts in await self.orders.examination.facts(given["user"], given.get("device", ""))]

    async def _status(self, request: Request) -> Any:
        return self.status()

    async def _reload(self, request: Request) -> Any:
        return {"error": self.reload()}
