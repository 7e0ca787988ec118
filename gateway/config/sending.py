"""The sections for who takes what goes out: operators of SMS, and the relay for mail."""

# ruff: noqa: RUF009 (a declaration of an option is meant to be made once, when the class is)

from __future__ import annotations

from enum import Enum
from pathlib import Path

from attrs import frozen

from gateway.config.kinds import (
    Choice,
    Decimal,
    Dialled,
    Flag,
    Location,
    Network,
    Number,
    Secret,
    Several,
    Span,
    Text,
)
from gateway.config.option import option
from gateway.config.texts import address, ascii_up_to, digits, host, number_rule, pattern, prefix, sender, source
from gateway.config.triggering import TriggerFormat


class Bind(Enum):
    """How an ESME binds: one connection for both ways, or one for each."""

    TRANSCEIVER = "transceiver"
    TRANSMITTER_RECEIVER = "transmitter-receiver"


class InterfaceVersion(Enum):
    """The version of SMPP that a bind asks for."""

    V3_4 = "3.4"
    V5_0 = "5.0"


class MessageId(Enum):
    """What the message ids in receipts look like beside those in the answers to submits."""

    AUTO = "auto"
    AS_IS = "as-is"
    HEX = "hex"
    DECIMAL = "decimal"


class Concatenation(Enum):
    """How a long message goes out."""

    UDH8 = "udh8"
    UDH16 = "udh16"
    SAR = "sar"
    PAYLOAD = "payload"


class Encoding(Enum):
    """How text is written."""

    GSM = "gsm"
    ASCII = "ascii"
    LATIN1 = "latin1"
    UCS2 = "ucs2"


class Receipts(Enum):
    """Which delivery receipts are asked for."""

    NONE = "none"
    FAILURES = "failures"
    ALL = "all"


class NumberForm(Enum):
    """How a number is written in a mail address."""

    PLUS = "plus"
    DIGITS = "digits"
    ZEROS = "00"


class Security(Enum):
    """How a connection to a submission server is secured."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


_TON = Number(0, 6)
_NPI = Number(0, 18, only=(0, 1, 3, 4, 6, 8, 9, 10, 14, 18))
_SMSC = Dialled(("tcp", "tls"))
_SERVER = Dialled(("tcp",), empty=True)


@frozen(kw_only=True)
class Operator:
    """Who takes SMS: an SMSC that speaks SMPP, or a gateway that makes an SMS of a mail."""

    title: str = option(
        "",
        Text(ascii_up_to(40), empty=True),
        "The name that devices are shown as a carrier profile by the Notify command; empty: they are not shown it",
        live=True,
    )
    prefixes: tuple[str, ...] = option(
        (),
        Several(Text(prefix)),
        "Beginnings of the numbers that go to this operator where none is named; the longest one counts",
        example=("+4917",),
        live=True,
    )
    price: float = option(
        0.0, Decimal(0, 1000), "The price of one SMS, in a currency that is the same for all operators", live=True
    )
    per_day: int = option(0, Number(0, 10000000), "Triggers by this operator in a day; 0: any number", live=True)
    trigger_format: TriggerFormat | None = option(
        None,
        Choice(TriggerFormat),
        "What a trigger is here",
        unset="as sms.trigger_format",
        example=TriggerFormat.TEXT,
        live=True,
    )
    smpp: tuple[str, ...] = option(
        (),
        Several(_SMSC),
        "The SMSC, by TLS or in the clear; the second and further ones are used while those before do not answer",
        example=("tls:smsc.example.net:3550", "tls:smsc2.example.net:3550"),
        live=True,
    )
    system_id: str = option(
        "",
        Text(ascii_up_to(15), empty=True),
        "The name of the account at the SMSC (up to 15 characters)",
        example="pushgw",
        live=True,
    )
    password: str = option("", Secret(8), "The password of that account", secret=True, live=True)
    system_type: str = option(
        "", Text(ascii_up_to(12), empty=True), "What the operator calls this kind of account, if anything", live=True
    )
    interface_version: InterfaceVersion = option(
        InterfaceVersion.V3_4, Choice(InterfaceVersion), "The version of SMPP that is asked for", live=True
    )
    bind: Bind = option(
        Bind.TRANSCEIVER,
        Choice(Bind),
        "One connection for both ways, or one to send and one to receive",
        live=True,
    )
    binds: int = option(
        1, Number(1, 100), "How many such connections, or pairs of them, are kept", unit="connections", live=True
    )
    window: int = option(
        10, Number(1, 1000), "Submits of one connection that may wait for their answer at a time", live=True
    )
    rate: float = option(
        0.0,
        Decimal(0, 100000),
        "Submits to this operator; halved when it says that it is too much, and grown again; 0: any number",
        unit="per second",
        live=True,
    )
    enquire_link_seconds: float = option(
        30.0,
        Decimal(1, 3600),
        "After so long without a sign the SMSC is asked for one; a connection that gives none is dropped",
        unit="seconds",
        live=True,
    )
    response_seconds: float = option(
        60.0, Decimal(1, 3600), "How long the SMSC may take for an answer", unit="seconds", live=True
    )
    ca: Path | None = option(
        None,
        Location(),
        "Certificates, in PEM form, of which one must have signed that of the SMSC or server",
        unset="those of the system",
        example=Path("operator-ca.pem"),
        live=True,
    )
    server_name: str = option(
        "",
        Text(host, empty=True),
        "The name that its certificate must have; empty: the one that is connected to",
        live=True,
    )
    service_type: str = option("", Text(ascii_up_to(5), empty=True), "The service_type of submits", live=True)
    source_address: str = option(
        "",
        Text(source, empty=True),
        "Who an SMS is from: a number, a short code, or a name of up to 11 characters; empty: left to the SMSC",
        example="pushgw",
        live=True,
    )
    source_ton: int | None = option(None, _TON, "Its type of number", unset="by its form", example=5, live=True)
    source_npi: int | None = option(None, _NPI, "Its numbering plan", unset="by its form", example=0, live=True)
    destination_ton: int = option(1, _TON, "The type of the number that an SMS is for", live=True)
    destination_npi: int = option(1, _NPI, "The numbering plan of that number", live=True)
    number_strip: str = option(
        "",
        Text(digits, empty=True),
        "Digits that are taken away from the front of a number, which begins with the code of its country, such as 49",
        live=True,
    )
    number_add: str = option(
        "",
        Text(digits, empty=True),
        "Digits that are put in front where some were taken away, or everywhere if number_strip is empty",
        live=True,
    )
    validity_seconds: int | None = option(
        None,
        Number(0, 604800),
        "How long the SMSC tries to deliver a trigger; 0: as long as it likes",
        unit="seconds",
        unset="as sms.batch_seconds",
        example=900,
        live=True,
    )
    replace_if_present: bool = option(
        False,
        Flag(),
        "Whether a newer trigger takes the place of one that the SMSC has not delivered, where it can do that",
        live=True,
    )
    receipts: Receipts = option(Receipts.ALL, Choice(Receipts), "Which delivery receipts are asked for", live=True)
    message_id: MessageId = option(
        MessageId.AUTO,
        Choice(MessageId),
        "How receipts write the message id: as the answer to the submit had it, in hexadecimal or decimal digits, or "
        "any of these",
        live=True,
    )
    encoding: Encoding = option(
        Encoding.GSM, Choice(Encoding), "How the SMSC wants text; gsm is what nearly all do", live=True
    )
    binary_coding: int = option(
        4, Number(2, 245, only=(2, 4, 244, 245)), "The data_coding of triggers that are not text", live=True
    )
    port_fields: bool = option(
        False,
        Flag(),
        "Whether ports go in fields of their own (destination_port, source_port), of which the SMSC makes the header",
        live=True,
    )
    concatenation: Concatenation = option(
        Concatenation.UDH8,
        Choice(Concatenation),
        "How a trigger goes out that is too long for one SMS: in parts with a header that has a reference of 8 or 16 "
        "bits, in parts with sar_* fields, or whole as message_payload",
        live=True,
    )
    retries: int = option(
        20, Number(0, 1000), "How often a submit is tried again that was refused for the time being", live=True
    )
    retry_seconds: float = option(
        30.0, Decimal(1, 3600), "The wait before the first of these; each next one is longer", unit="seconds", live=True
    )
    smtp_address: str = option(
        "",
        Text(number_rule, empty=True),
        "Instead of smpp: the mail address that the operator turns into an SMS for a number",
        live=True,
    )
    number_form: NumberForm = option(
        NumberForm.PLUS,
        Choice(NumberForm),
        "How the number is written there: +491701234567, 491701234567 or 00491701234567",
        live=True,
    )
    smtp_sender: str = option(
        "",
        Text(address, empty=True),
        "The envelope sender of these mails, where failures come back to; empty: the null sender",
        example="sms@example.org",
        live=True,
    )
    smtp_subject: str = option(
        "", Text(ascii_up_to(78), empty=True), "Their subject; many gateways put it in front of the text", live=True
    )
    smtp_server: str = option(
        "",
        _SERVER,
        "The server of the operator that takes them; empty: the relay",
        example="tcp:smtp.example.net:587",
        live=True,
    )
    smtp_security: Security = option(
        Security.STARTTLS, Choice(Security), "How the connection to that server is secured", live=True
    )
    smtp_user: str = option("", Text(empty=True), "The account at that server; empty: none is needed", live=True)
    smtp_password: str = option("", Secret(), "The password of that account", secret=True, live=True)
    door_domains: tuple[str, ...] = option(
        (),
        Several(Text(host)),
        "Domains of NUMBER@DOMAIN for which the SMTP intake takes triggers of an older server; they go out here",
        example=("sms.example.org",),
        live=True,
    )
    door_senders: tuple[str, ...] = option(
        (),
        Several(Text(sender)),
        "Envelope senders that may send them: addresses, or @DOMAIN for all of a domain",
        example=("@old.example.org",),
        live=True,
    )
    door_networks: tuple[Network, ...] = option(
        (),
        Several(Span()),
        "Addresses and networks that may send them; where both are given, both must fit",
        example=Several(Span()).read(["192.0.2.0/28"]),
        live=True,
    )
    door_per_minute: int = option(
        60, Number(0, 1000000), "Triggers in a minute; more are put off with 451; 0: any number", live=True
    )
    door_number: str = option(
        "",
        Text(pattern, empty=True),
        "What stands before the @ in the addresses of that server, as a regular expression whose group is the number; "
        "empty: the number",
        example="sms\\.([0-9]+)",
        live=True,
    )
    door_country: str = option(
        "",
        Text(digits, empty=True),
        "The code of the country of numbers that begin with one 0 there; empty: such a number is none",
        example="49",
        live=True,
    )
    door_guid: str = option(
        "",
        Text(pattern, empty=True),
        "What tells one of its triggers from the one before, as a regular expression that is searched in the text, and "
        "whose group counts if it has one; empty: 32 hexadecimal digits, with the hyphens of a GUID or without",
        example="SYNC=([0-9]+)",
        live=True,
    )


@frozen(kw_only=True)
class Relay:
    """The server that takes the mails that the gateway sends."""

    endpoint: str = option(
        "", _SERVER, "The submission server; empty: there is none", example="tcp:mail.example.org:587", live=True
    )
    security: Security = option(
        Security.STARTTLS,
        Choice(Security),
        "How the connection is secured: by STARTTLS, by TLS from the beginning (port 465), or not",
        live=True,
    )
    ca: Path | None = option(
        None,
        Location(),
        "Certificates, in PEM form, of which one must have signed that of the server",
        unset="those of the system",
        example=Path("relay-ca.pem"),
        live=True,
    )
    server_name: str = option(
        "",
        Text(host, empty=True),
        "The name that its certificate must have; empty: the one that is connected to",
        example="mail.example.org",
        live=True,
    )
    user: str = option("", Text(empty=True), "The account there; empty: none is needed", example="pushgw", live=True)
    password: str = option("", Secret(), "The password of that account", secret=True, live=True)
    sender: str = option(
        "",
        Text(address, empty=True),
        "The envelope sender of triggers to addresses of users' own; empty: the null sender",
        example="pushgw@example.org",
        live=True,
    )
    all_mail: bool = option(
        False,
        Flag(),
        "Whether what users send to each other goes there too, so that its filters and aliases see it, and not "
        "straight into their mailboxes",
        live=True,
    )
    delay_warning_hours: int = option(
        4,
        Number(0, 96),
        "After how long a mail that still waits for the server is told of in the Inbox of its sender, once; 0: never",
        unit="hours",
        live=True,
    )
    hello_name: str = option(
        "",
        Text(host, empty=True),
        "The name the gateway greets with; empty: that of the machine",
        example="mail.example.org",
        live=True,
    )
