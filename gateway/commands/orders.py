"""Having the running gateway do something, or doing it on its store."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import click
from attrs import frozen
from twisted.internet.defer import Deferred, ensureDeferred, execute
from twisted.python.failure import Failure
from zope.interface import implementer

from gateway.admin.errors import Refused, Unknown
from gateway.admin.orders import Orders
from gateway.commands.gateway_socket import Declined, GatewaySocket, NotRunning
from gateway.config import Config
from gateway.cred.accounts import BadAccounts, load_accounts
from gateway.interfaces import IAccounts
from gateway.service.orders import make_orders
from gateway.service.settings import modes
from gateway.store import CannotOpen, open_store

Offline = Callable[[Orders], Coroutine[Any, Any, Any]]


def order(config: Config, name: str, offline: Offline, /, **fields: str | None) -> Any:
    """Have the running gateway do it, or, with none running, do it in the store, and say so."""
    try:
        return GatewaySocket(config.admin.socket).ask(name, **fields)
    except NotRunning:
        click.echo("No gateway is running; working on its store.", err=True)
    except Declined as error:
        raise click.ClickException(str(error)) from error
    try:
        store = open_store(config.store_url, _execute)
    except (OSError, CannotOpen) as error:
        raise click.ClickException(str(error)) from error
    orders = make_orders(config, store, store, modes(config), _Stored(config.data.accounts), lambda: int(time.time()))
    try:
        return _now(ensureDeferred(_alone(orders, offline)))
    except (Unknown, Refused, BadAccounts) as error:
        raise click.ClickException(str(error)) from error
    finally:
        store.close()


async def _alone(orders: Orders, offline: Offline) -> Any:
    await orders.modes.load()
    await orders.entry.load()
    return await offline(orders)


@implementer(IAccounts)
@frozen
class _Stored:
    """The accounts of a file."""

    path: Path

    def names(self) -> list[str]:
        """See L{IAccounts}."""
        return sorted(name for name, account in load_accounts(self.path)[0].items() if not account.disabled)


def _execute(work: Callable[..., Any], *args: Any, **kwargs: Any) -> Deferred[Any]:
    return execute(work, *args, **kwargs)


def _now(done: Deferred[Any]) -> Any:
    """The result of what needs no reactor, raising what it failed with."""
    results: list[Any] = []
    done.addBoth(results.append)
    if isinstance(results[0], Failure):
        results[0].raiseException()
    return results[0]
