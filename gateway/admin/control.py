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

from gateway.admin.operations import Operations, Unknown

MOST_BODY = 65536


class BadOrder(ValueError):
    """The body of a request is not what its path asks for."""


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

    operations: Operations
    status: Callable[[], dict[str, Any]]
    reload: Callable[[], str]
    app: Klein = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.app = Klein()
        for path, answer in {
            "/devices": self._devices,
            "/autd-state": self._autd_state,
            "/wipe": self._wipe,
            "/cancel-wipe": self._cancel,
            "/forget": self._forget,
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
            except BadOrder as error:
                request.setResponseCode(BAD_REQUEST)
                value = {"error": str(error)}
            return json.dumps(value).encode()

        respond.__name__ = answer.__name__
        return respond

    async def _devices(self, request: Request) -> Any:
        return await self.operations.list(_fields(request).get("user"))

    async def _autd_state(self, request: Request) -> Any:
        given = _fields(request, "user", "device")
        return await self.operations.state(given["user"], given["device"])

    async def _wipe(self, request: Request) -> Any:
        given = _fields(request, "user", "device", "by")
        only = given.get("account_only") == "yes"
        return await self.operations.wipe(given["user"], given["device"], given["by"], only)

    async def _cancel(self, request: Request) -> Any:
        given = _fields(request, "user", "device", "by")
        return await self.operations.cancel_wipe(given["user"], given["device"], given["by"])

    async def _forget(self, request: Request) -> Any:
        given = _fields(request, "user", "device", "by")
        await self.operations.forget(given["user"], given["device"], given["by"])
        return {}

    async def _status(self, request: Request) -> Any:
        return self.status()

    async def _reload(self, request: Request) -> Any:
        return {"error": self.reload()}
