"""The sections for triggers by SMS: when they go, what they are, and when mode C{auto} takes to them."""

# ruff: noqa: RUF009 (a declaration of an option is meant to be made once, when the class is)

from __future__ import annotations

from enum import Enum

from attrs import frozen

from gateway.config.kinds import Choice, Decimal, Flag, Number, Text
from gateway.config.option import option
from gateway.config.texts import address, ascii_up_to, filled, trigger_bytes, trigger_text

_SECONDS = Number(0, 604800)
_COUNT = Number(0, 10000000)


class TriggerFormat(Enum):
    """What a trigger looks like."""

    TEXT = "text"
    SI = "si"
    EMN = "emn"
    BINARY = "binary"


@frozen(kw_only=True)
class Sms:
    """Triggers by SMS."""

    enabled: bool = option(
        True,
        Flag(),
        "Whether triggers are sent at all; with false nobody gets one, whatever the mode",
        live=True,
    )
    batch_seconds: int = option(
        900,
        _SECONDS,
        "After so long without a sync a trigger counts as lost, and the next change sends one again; 0: every change "
        "sends one",
        unit="seconds",
        live=True,
    )
    repeats: int = option(
        0,
        Number(0, 100),
        "How often a trigger that counts as lost is sent again without a further change",
        live=True,
    )
    adds_only: bool = option(
        True, Flag(), "Whether only new items send a trigger, not changed or removed ones", live=True
    )
    settle_seconds: int = option(
        60,
        Number(1, 3600),
        "So long after a sync of a woken device it is looked whether it still lacks something",
        unit="seconds",
        live=True,
    )
    default_operator: str = option(
        "",
        Text(empty=True),
        "The operator of numbers that no other claims with its prefixes; empty: the only one, if there is one only",
        example="examplenet",
        live=True,
    )
    trigger_format: TriggerFormat = option(
        TriggerFormat.TEXT,
        Choice(TriggerFormat),
        "What a trigger is: a text, a WAP Push service indication, an OMA e-mail notification, or octets for a port",
        live=True,
    )
    text_template: str = option(
        "PUSHGW {guid}",
        Text(trigger_text),
        "The text of a trigger of format text; {guid} is the GUID that the device compares",
        live=True,
    )
    binary_port: int = option(
        50000, Number(1, 65535), "The port on the device that a trigger of format binary is for", live=True
    )
    binary_content: str = option(
        "{guid}",
        Text(trigger_bytes),
        "The octets of a trigger of format binary, in hexadecimal digits; {guid} stands for the 16 of the GUID",
        example="5057{guid}",
        live=True,
    )
    si_href: str = option(
        "",
        Text(filled("guid"), empty=True),
        "The address in a trigger of format si; empty: none. The GUID is its si-id",
        example="https://mail.example.org/",
        live=True,
    )
    si_text: str = option("New mail", Text(ascii_up_to(40)), "The words in a trigger of format si", live=True)
    emn_mailbox: str = option(
        "mailat:{guid}@push.invalid",
        Text(filled("guid")),
        "The mailbox in a trigger of format emn",
        live=True,
    )
    lease_days: int = option(
        30,
        Number(0, 3650),
        "How long a registered number is used without a sync of the device; any sync renews it; 0: for ever",
        unit="days",
        live=True,
    )
    lease_warning_days: int = option(
        3,
        Number(0, 3650),
        "How long before its end the log warns of a registration that lapses",
        unit="days",
        live=True,
    )
    per_device_day: int = option(
        0, _COUNT, "Triggers of one device in a day; more changes wait for the next day; 0: any number", live=True
    )
    per_user_day: int = option(0, _COUNT, "Triggers of all devices of one user in a day; 0: any number", live=True)
    per_day: int = option(0, _COUNT, "Triggers of everybody in a day; 0: any number", live=True)
    budget_day: float = option(
        0.0,
        Decimal(0, 100000),
        "What the triggers of a day may cost, in the currency of the operators' prices; 0: any sum",
        live=True,
    )
    limit_tells_user: bool = option(
        True,
        Flag(),
        "Whether users get a mail, once a day, when per_device_day or per_user_day keeps triggers back from their "
        "devices",
        live=True,
    )
    limit_tells: str = option(
        "",
        Text(address, empty=True),
        "Who gets a mail, once a day for each limit, when one of these or of an operator is reached; empty: nobody",
        example="postmaster@example.org",
        live=True,
    )
    late_seconds: int = option(
        600,
        Number(10, 604800),
        "An alarm is raised if a device has not synchronised so long after its trigger was delivered",
        unit="seconds",
        live=True,
    )
    allow_own_addresses: bool = option(
        False,
        Flag(),
        "Whether a device may be registered with a mail address of the user's own, to which the relay sends its "
        "triggers",
        live=True,
    )
    notify_guid: bool = option(
        False,
        Flag(),
        "Whether Sync answers of protocol 2.5 and before tell registered devices their GUID (NotifyGUID)",
        live=True,
    )


@frozen(kw_only=True)
class Auto:
    """When mode C{auto} takes to SMS."""

    absent_seconds: int = option(
        900,
        _SECONDS,
        "A change is sent by SMS if no parked Ping of the device has been seen for so long",
        unit="seconds",
        live=True,
    )
    young_seconds: int = option(
        300,
        Number(1, 3540),
        "A parked Ping that breaks before this has died young: somebody on the way cuts connections",
        unit="seconds",
        live=True,
    )
    young_parks: int = option(
        3, Number(1, 1000), "After so many in a row SMS is used; the next Ping that succeeds ends it", live=True
    )


@frozen(kw_only=True)
class Trace:
    """The record of what happened to each change on its way to each device."""

    keep_days: int = option(
        14, Number(1, 3650), "How long it is kept, and what was sent with it", unit="days", live=True
    )
    direct_push: bool = option(
        False,
        Flag(),
        "Whether devices that no SMS wakes are in it too; a phone that is busy has some hundred entries a day",
        live=True,
    )
