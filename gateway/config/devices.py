"""The section for which devices may synchronise."""

# ruff: noqa: RUF009 (a declaration of an option is meant to be made once, when the class is)

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

from gateway.config.kinds import Choice, Number, Several, Text
from gateway.config.option import option, table
from gateway.model import Access


@frozen(kw_only=True)
class DeviceRule:
    """What holds for devices of some kind."""

    access: Access | None = option(
        None,
        Choice(Access),
        "What becomes of devices that fit; it must be given",
        unset="none",
        example=Access.BLOCK,
        live=True,
    )
    types: tuple[str, ...] = option(
        (),
        Several(Text()),
        "Patterns for what devices call themselves (DeviceType)",
        example=("TestActive*",),
        live=True,
    )
    agents: tuple[str, ...] = option(
        (), Several(Text()), "Patterns for the User-Agent of devices", example=("Android/2.*",), live=True
    )
    users: tuple[str, ...] = option(
        (), Several(Text()), "Patterns for the names of the accounts", example=("guest*",), live=True
    )
    ids: tuple[str, ...] = option(
        (), Several(Text()), "Patterns for DeviceIds, as pushgw devices shows them", example=("androidc*",), live=True
    )


@frozen(kw_only=True)
class Devices:
    """Which devices may synchronise, and how many of a user."""

    new: Access = option(
        Access.ALLOW,
        Choice(Access),
        "What becomes of a device that comes for the first time; in quarantine it waits for pushgw devices allow. Who "
        "was let in once stays in",
        live=True,
    )
    per_user: int = option(
        100,
        Number(0, 100000),
        "Devices of one user; one more is refused, unless another one makes room; 0: any number",
        unit="devices",
        live=True,
    )
    forget_days: int = option(
        90,
        Number(0, 36500),
        "How long a device must not have come before it is forgotten to make room for a new one; 0: none ever is",
        unit="days",
        live=True,
    )
    contact: str = option(
        "",
        Text(empty=True),
        "Whom to ask, in the mail that users get whose device may not synchronise",
        unset="the administrator",
        example="the help desk, telephone 1234",
        live=True,
    )
    rules: Mapping[str, DeviceRule] = table(
        DeviceRule,
        "A rule for devices of some kind. Patterns are those of a shell (*, ?, [a-z]), for the whole text in any case "
        "of letters. A device must fit one pattern of each sort that is given; of several rules that fit, the first "
        "in the file holds.",
        example="old-androids",
    )
