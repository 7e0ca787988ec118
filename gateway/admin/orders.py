"""All that an operator may ask and order, with and without a running gateway."""

from __future__ import annotations

from attrs import frozen

from gateway.admin.access import Entry
from gateway.admin.examination import Examination
from gateway.admin.lines import Lines
from gateway.admin.modes import Modes
from gateway.admin.operations import Operations
from gateway.admin.records import Records


@frozen
class Orders:
    """Devices, which of them come in, their modes, their registrations, what happened to them, and what ails them."""

    devices: Operations
    entry: Entry
    modes: Modes
    lines: Lines
    records: Records
    examination: Examination
