"""The configuration: one schema that drives the file, its errors, the sample, the reference and C{config show}."""

from gateway.config.device_policy import Policy
from gateway.config.listening import Admin, Data, Https, Smtp, TLSVersion
from gateway.config.parse import ConfigError, load
from gateway.config.pushing import NO_POLICY, DirectPush, ItemClass, ModePolicy, Provisioning, User
from gateway.config.render import render_reference, render_sample, show
from gateway.config.running import Cred, Ledger, Limits, Log, LogFormat, Maildir, Store
from gateway.config.schema import Config
from gateway.config.walk import needs_restart

__all__ = [
    "NO_POLICY",
    "Admin",
    "Config",
    "ConfigError",
    "Cred",
    "Data",
    "DirectPush",
    "Https",
    "ItemClass",
    "Ledger",
    "Limits",
    "Log",
    "LogFormat",
    "Maildir",
    "ModePolicy",
    "Policy",
    "Provisioning",
    "Smtp",
    "Store",
    "TLSVersion",
    "User",
    "load",
    "needs_restart",
    "render_reference",
    "render_sample",
    "show",
]
