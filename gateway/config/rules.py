"""What must hold between several options."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

import gateway.config.sending_rules as sending
from gateway.config.device_policy import Policy
from gateway.config.devices import DeviceRule
from gateway.config.kinds import Broken, Wrong, quoted
from gateway.config.pushing import NO_POLICY
from gateway.config.schema import Config
from gateway.model import PASSWORD_ELEMENTS, Mode

_WITHOUT_SMS = (Mode.OFF, Mode.DIRECT_PUSH)


def broken(config: Config) -> Iterator[Broken]:
    """The rules that a configuration breaks: the key, and what is wrong."""
    if set("?%") & set(str(config.data.folder)):
        yield (
            ("data", "folder"),
            Wrong("a path with ? or % in it cannot be given to the database", "Choose another folder"),
        )
    yield from _modes(config)
    yield from _groups(config)
    yield from sending.broken(config)
    yield from _policy_names(config)
    for name, policy in config.provisioning.policies.items():
        yield from _policy(name, policy)
    for name, rule in config.devices.rules.items():
        yield from _device_rule(name, rule)


def _modes(config: Config) -> Iterator[Broken]:
    if config.sends_sms:
        return
    modes: dict[tuple[str, ...], Mode | None] = {("policy", "default_mode"): config.policy.default_mode}
    modes.update({("groups", name, "mode"): group.mode for name, group in config.groups.items()})
    for name, user in config.users.items():
        modes["users", name, "mode"] = user.mode
        modes.update({("users", name, "devices", id, "mode"): device.mode for id, device in user.devices.items()})
    for key, mode in modes.items():
        if mode not in (None, *_WITHOUT_SMS):
            assert mode is not None
            yield (
                key,
                Wrong(
                    f"mode {quoted(mode.value)} needs somebody who takes SMS, and there is no operator",
                    "Add a section [operators.NAME], or [relay] and sms.allow_own_addresses = true; or use "
                    '"direct-push" or "off"',
                ),
            )


def _groups(config: Config) -> Iterator[Broken]:
    first: dict[str, str] = {}
    for name, group in config.groups.items():
        for member in group.members:
            if first.setdefault(member, name) != name:
                yield (
                    ("groups", name, "members"),
                    Wrong(f"{quoted(member)} is in the group {quoted(first[member])} too", "Take it out of one"),
                )


def _policy_names(config: Config) -> Iterator[Broken]:
    names: dict[tuple[str, ...], str] = {("provisioning", "policy"): config.provisioning.policy}
    names.update(
        {("users", name, "provisioning"): user.provisioning for name, user in config.users.items() if user.provisioning}
    )
    defined = config.provisioning.policies
    for key, name in names.items():
        if name == NO_POLICY or name in defined:
            continue
        near = get_close_matches(name, [NO_POLICY, *defined], 1)
        yield (
            key,
            Wrong(
                f"no policy is called {quoted(name)}",
                f"Did you mean {quoted(near[0])}?" if near else f"Add a section [provisioning.policies.{quoted(name)}]",
            ),
        )


def _policy(name: str, policy: Policy) -> Iterator[Broken]:
    key = ("provisioning", "policies", name)
    if name == NO_POLICY:
        yield key, Wrong('the name "none" stands for no policy', "Choose another name")
    if policy.DevicePasswordEnabled is None:
        for element in policy.elements():
            if element in PASSWORD_ELEMENTS:
                yield (
                    (*key, element),
                    Wrong(
                        "devices ignore it while DevicePasswordEnabled is not set", "Add DevicePasswordEnabled = true"
                    ),
                )


def _device_rule(name: str, rule: DeviceRule) -> Iterator[Broken]:
    key = ("devices", "rules", name)
    if rule.access is None:
        yield (*key, "access"), Wrong("the rule does not say what becomes of the devices", 'Add access = "block"')
    if not (rule.types or rule.agents or rule.users or rule.ids):
        yield (
            (*key, "types"),
            Wrong("the rule does not say which devices it is about", "Add types, agents, users or ids"),
        )
