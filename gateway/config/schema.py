"""The whole schema of the configuration file."""

# ruff: noqa: RUF009 (a declaration of an option is meant to be made once, when the class is)

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from attrs import Factory, field, frozen

from gateway.config.devices import Devices
from gateway.config.listening import Admin, Data, Https, Smtp
from gateway.config.option import section, table
from gateway.config.people import Directory, Smime
from gateway.config.pushing import NO_POLICY, DirectPush, Group, ModePolicy, Provisioning, User
from gateway.config.rehearsing import Moving
from gateway.config.running import Cred, Ledger, Limits, Log, Maildir, Store
from gateway.config.search import Search
from gateway.config.sending import Operator, Relay
from gateway.config.triggering import Auto, Sms, Trace


@frozen(kw_only=True)
class Config:
    """The whole configuration, as it is in force.

    C{file} is where it came from; C{origins} tells for each dotted key that was given where from: the file or
    C{--set}. What is not in it has its default.
    """

    file: Path = Path("pushgw.toml")
    data: Data = section(Data, "Where the gateway keeps what it has to keep.")
    https: Https = section(Https, "Where devices connect.")
    smtp: Smtp = section(Smtp, "Where mail for local accounts comes in.")
    admin: Admin = section(Admin, "Metrics, and the commands that talk to the running gateway.")
    direct_push: DirectPush = section(DirectPush, "Direct Push: the parked requests, Ping and hanging Sync.")
    policy: ModePolicy = section(
        ModePolicy,
        "How users are told of changes: the mode of everybody for whom nothing else is said, and what may wake a "
        "device by SMS.",
    )
    groups: Mapping[str, Group] = table(Group, "What differs for a group of users.", example="field")
    users: Mapping[str, User] = table(User, "What differs for one user.", example="ann@example.org")
    sms: Sms = section(Sms, "Triggers by SMS, for devices that cannot hold a connection.")
    auto: Auto = section(Auto, "When devices in mode auto are reached by SMS instead of Direct Push.")
    operators: Mapping[str, Operator] = table(
        Operator,
        "Who takes SMS: an SMSC that speaks SMPP (smpp), or a gateway that makes an SMS of a mail (smtp_address): one "
        "of the two.",
        example="examplenet",
    )
    relay: Relay = section(Relay, "The server that takes the mails that the gateway sends.")
    trace: Trace = section(Trace, "The record of what happened to each change on its way to each device.")
    moving: Moving = section(
        Moving,
        "When pushgw rehearse and pushgw compare call a user safe to be moved from SMS to Direct Push.",
    )
    directory: Directory = section(Directory, "Whom users can find besides each other.")
    search: Search = section(Search, "Searching mails.")
    smime: Smime = section(Smime, "Whose signatures on certificates for mail are believed.")
    provisioning: Provisioning = section(
        Provisioning, "The policy that devices must apply before they may synchronise."
    )
    devices: Devices = section(Devices, "Which devices may synchronise, and how many of a user.")
    limits: Limits = section(Limits, "What a device may send.")
    store: Store = section(Store, "The database.")
    ledger: Ledger = section(Ledger, "The record of what changed in each folder.")
    cred: Cred = section(Cred, "The check of passwords.")
    log: Log = section(Log, "What is logged, and how.")
    maildir: Maildir = section(Maildir, "The mail folders.")
    origins: Mapping[str, str] = field(default=Factory(dict), eq=False, repr=False)

    @property
    def store_url(self) -> str:
        """The SQLAlchemy URL of the database in force: that of the SQLite file if C{store.url} is empty."""
        return self.store.url or f"sqlite:///{self.data.database}"

    @property
    def sends_sms(self) -> bool:
        """Whether there is anybody who takes SMS."""
        return bool(self.operators) or bool(self.relay.endpoint and self.sms.allow_own_addresses)

    def operator_of(self, number: str) -> str:
        """The name of the operator that takes SMS for a number in E.164 form, or C{""}."""
        digits = number.lstrip("+")
        best = max(
            (
                (len(prefix), name)
                for name, operator in self.operators.items()
                for prefix in (given.lstrip("+") for given in operator.prefixes)
                if digits.startswith(prefix)
            ),
            default=(0, ""),
        )
        only = next(iter(self.operators)) if len(self.operators) == 1 else ""
        return best[1] or self.sms.default_operator or only

    def excepted(self, name: str) -> bool:
        """Whether a user gets no policy because the exceptions name them, and no line of their own says otherwise."""
        user = self.users.get(name)
        return name in self.provisioning.exceptions and not (user and user.provisioning)

    def policy_name(self, name: str) -> str:
        """The name of the policy of a user, or C{"none"}; a line for the user comes before the exceptions."""
        user = self.users.get(name)
        if user and user.provisioning:
            return user.provisioning
        return NO_POLICY if self.excepted(name) else self.provisioning.policy
