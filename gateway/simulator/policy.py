"""Provision from the phone's side ([MS-ASPROV] 3.1.5.1): both phases, and the wipe."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

from gateway.element import Element
from gateway.simulator.errors import AccessDenied, Garbled, Later
from gateway.simulator.hierarchy import number

_OK = 1
_NO_POLICY = 2
_SERVER_ERROR = 3
#: The largest policy key there is: an unsigned 32-bit number.
_LARGEST = 0xFFFFFFFF
_REFUSALS = {139: "it does not let in phones that cannot apply all of its policy", 145: "it manages all phones itself"}


@frozen
class PolicyGiven:
    """What an answer to Provision says; C{key} C{None} when there is no policy for this phone.

    C{wipe} is C{""}, C{"RemoteWipe"} or C{"AccountOnlyRemoteWipe"}.
    """

    key: int | None = None
    wipe: str = ""


def policy_type(version: str) -> str:
    """The document that phones of this version take."""
    return "MS-WAP-Provisioning-XML" if version == "2.5" else "MS-EAS-Provisioning-WBXML"


def ask_policy(version: str, information: Mapping[str, str]) -> Element:
    """The first request; from 14.1 on with the information about the phone."""
    policy = Element("Provision:Policy", Element("Provision:PolicyType", policy_type(version)))
    policies = Element("Provision:Policies", policy)
    if float(version) < 14.1:
        return Element("Provision:Provision", policies)
    told = [Element(f"Settings:{name}", value) for name, value in information.items()]
    return Element(
        "Provision:Provision", Element("Settings:DeviceInformation", Element("Settings:Set", *told)), policies
    )


def acknowledge_policy(version: str, key: int, status: int = 1) -> Element:
    """The second request: the policy with the temporary key is applied, or what else [MS-ASPROV] 2.2.2.54.2 has."""
    parts = (
        Element("Provision:PolicyType", policy_type(version)),
        Element("Provision:PolicyKey", str(key)),
        Element("Provision:Status", status),
    )
    return Element("Provision:Provision", Element("Provision:Policies", Element("Provision:Policy", *parts)))


def acknowledge_wipe(kind: str) -> Element:
    """The report that the wipe was carried out."""
    return Element("Provision:Provision", Element(f"Provision:{kind}", Element("Provision:Status", 1)))


def read_policy(answer: Element) -> PolicyGiven:
    """What an answer, of either phase, gives.

    @raise AccessDenied: the server will have no such phone.
    @raise Later: the server cannot now, or another policy has come between.
    @raise Garbled: the answer has no policy.
    """
    for wipe in ("RemoteWipe", "AccountOnlyRemoteWipe"):
        if answer.child(f"Provision:{wipe}") is not None:
            return PolicyGiven(wipe=wipe)
    status = number(answer, "Provision:Status", _OK)
    if status == _SERVER_ERROR:
        raise Later("Provision status 3")
    if status != _OK:
        raise AccessDenied(f"Provision status {status}: {_REFUSALS.get(status, 'the server will not have this phone')}")
    policies = answer.child("Provision:Policies")
    policy = policies and policies.child("Provision:Policy")
    if policy is None:
        raise Garbled("the answer to Provision has no policy")
    return _read_one(policy)


def _read_one(policy: Element) -> PolicyGiven:
    status = number(policy, "Provision:Status", _OK)
    if status == _NO_POLICY:
        return PolicyGiven()
    if status == 3:
        raise AccessDenied(f"the server has no policy of the type {policy.text_of('Provision:PolicyType')}")
    if status != _OK:
        raise Later(f"policy status {status}")
    key = number(policy, "Provision:PolicyKey")
    if not 0 <= key <= _LARGEST:
        raise Garbled(f"{key} is no policy key")
    return PolicyGiven(key)
