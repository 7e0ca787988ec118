"""The configuration: one schema that drives the file, its errors, the sample, the reference and C{config show}."""

from gateway.config.device_policy import Policy
from gateway.config.devices import DeviceRule, Devices
from gateway.config.listening import Admin, Data, Https, Smtp, TLSVersion
from gateway.config.parse import ConfigError, load
from gateway.config.people import Directory, Smime
from gateway.config.pushing import NO_POLICY, DirectPush, Group, ModePolicy, Provisioning, User, UserDevice
from gateway.config.rehearsing import Moving
from gateway.config.render import render_reference, render_sample, show
from gateway.config.running import Cred, Ledger, Limits, Log, LogFormat, Maildir, Store
from gateway.config.schema import Config
from gateway.config.search import Search
from gateway.config.sending import (
    Bind,
    Concatenation,
    Encoding,
    InterfaceVersion,
    MessageId,
    NumberForm,
    Operator,
    Receipts,
    Relay,
    Security,
)
from gateway.config.triggering import Auto, Sms, Trace, TriggerFormat
from gateway.config.waking import ItemClass, WakeDefaults, WakeExceptions
from gateway.config.walk import needs_restart

__all__ = [
    "NO_POLICY",
    "Admin",
    "Auto",
    "Bind",
    "Concatenation",
    "Config",
    "ConfigError",
    "Cred",
    "Data",
    "DeviceRule",
    "Devices",
    "DirectPush",
    "Directory",
    "Encoding",
    "Group",
    "Https",
    "InterfaceVersion",
    "ItemClass",
    "Ledger",
    "Limits",
    "Log",
    "LogFormat",
    "Maildir",
    "MessageId",
    "ModePolicy",
    "Moving",
    "NumberForm",
    "Operator",
    "Policy",
    "Provisioning",
    "Receipts",
    "Relay",
    "Search",
    "Security",
    "Smime",
    "Sms",
    "Smtp",
    "Store",
    "TLSVersion",
    "Trace",
    "TriggerFormat",
    "User",
    "UserDevice",
    "WakeDefaults",
    "WakeExceptions",
    "load",
    "needs_restart",
    "render_reference",
    "render_sample",
    "show",
]
