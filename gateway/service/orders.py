"""All that an operator may ask and order, made from a store and a configuration."""

from __future__ import annotations

import re
from collections.abc import Callable

from gateway.admin.access import Entry
from gateway.admin.examination import Examination, ExaminationTerms
from gateway.admin.lines import Lines, LineTerms
from gateway.admin.modes import Modes
from gateway.admin.operations import Operations
from gateway.admin.orders import Orders
from gateway.admin.records import Records
from gateway.config import Config
from gateway.core.admission import Admission
from gateway.core.policy import Policy
from gateway.core.switchboard import Switchboard
from gateway.interfaces import IAccounts, IDevices
from gateway.service.admitting import admission_terms
from gateway.service.waking import DAY, trigger_route
from gateway.store import Store

_HOST = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+\.?")


def line_terms(config: Config) -> LineTerms:
    """What may be registered."""
    return LineTerms(
        frozenset(config.operators), config.operator_of, config.sms.allow_own_addresses, config.sms.lease_days * DAY
    )


def examination_terms(config: Config) -> ExaminationTerms:
    """What the doctor goes by; the realm is a name to connect to only if it looks like one."""
    name = config.https.server_name
    return ExaminationTerms(
        name=name if _HOST.fullmatch(name) else "",
        route=lambda line: trigger_route(config, line),
        late=config.sms.late_seconds,
        door=any(operator.door_domains for operator in config.operators.values()),
    )


def make_orders(
    config: Config,
    store: Store,
    devices: IDevices,
    policy: Policy,
    accounts: IAccounts,
    now: Callable[[], int],
    board: Switchboard | None = None,
    admission: Admission | None = None,
) -> Orders:
    """Orders on a store; C{board} and C{admission} are those of the running gateway, C{devices} what it knows of
    partnerships."""
    admission = admission or Admission(admission_terms(config))
    lines = Lines(store.triggers, accounts, line_terms(config), now)
    operations = Operations(devices, policy, now, board, lines, admission)
    return Orders(
        operations,
        Entry(store.decisions, devices, admission, accounts, now, board),
        Modes(store.overrides, store.triggers, devices, policy, accounts, now, board, config.sends_sms),
        lines,
        Records(store.trace, store.outbox),
        Examination(store, operations, policy, accounts, examination_terms(config), now),
    )


def apply_orders(orders: Orders, config: Config) -> None:
    """Put a configuration in force that was read anew."""
    orders.lines.terms = line_terms(config)
    orders.modes.sends_sms = config.sends_sms
    orders.examination.terms = examination_terms(config)
