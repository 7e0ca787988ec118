"""All that an operator may ask and order, made from a store and a configuration."""

from __future__ import annotations

from collections.abc import Callable

from gateway.admin.lines import Lines, LineTerms
from gateway.admin.modes import Modes
from gateway.admin.operations import Operations
from gateway.admin.orders import Orders
from gateway.admin.records import Records
from gateway.config import Config
from gateway.core.policy import Policy
from gateway.core.switchboard import Switchboard
from gateway.interfaces import IAccounts, IDevices
from gateway.service.waking import DAY
from gateway.store import Store


def line_terms(config: Config) -> LineTerms:
    """What may be registered."""
    return LineTerms(
        frozenset(config.operators), config.operator_of, config.sms.allow_own_addresses, config.sms.lease_days * DAY
    )


def make_orders(
    config: Config,
    store: Store,
    devices: IDevices,
    policy: Policy,
    accounts: IAccounts,
    now: Callable[[], int],
    board: Switchboard | None = None,
) -> Orders:
    """Orders on a store; C{board} is that of the running gateway, C{devices} what it knows of partnerships."""
    lines = Lines(store.triggers, accounts, line_terms(config), now)
    return Orders(
        Operations(devices, policy, now, board, lines),
        Modes(store.overrides, store.triggers, devices, policy, accounts, now, board, config.sends_sms),
        lines,
        Records(store.trace, store.outbox),
    )


def apply_orders(orders: Orders, config: Config) -> None:
    """Put a configuration in force that was read anew."""
    orders.lines.terms = line_terms(config)
    orders.modes.sends_sms = config.sends_sms
