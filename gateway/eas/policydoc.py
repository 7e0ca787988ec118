"""The policy documents that Provision carries: EASProvisionDoc and, for 2.5, the WAP provisioning XML ([MS-ASPROV])."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from hashlib import sha256
from types import MappingProxyType
from xml.sax.saxutils import quoteattr

from attrs import evolve, field, frozen

from gateway.eas.call import Version
from gateway.element import Element
from gateway.model import PASSWORD_ELEMENTS, BodyPreference, SyncOptions

Setting = bool | int | tuple[str, ...] | None
"""The value of an element: C{None} sends it empty, which means that there is no such limit."""

_Restricts = Callable[[int], bool]


def _never(value: int) -> bool:
    return False


def _forbids(value: int) -> bool:
    return value == 0


def _demands(value: int) -> bool:
    return value != 0


# Every element in the order of the schema, with the version that brought it and when its value restricts the device
# ([MS-ASPROV] 2.2.2.28). The algorithms of S/MIME restrict nothing by themselves.
_ELEMENTS: Mapping[str, tuple[Version, _Restricts]] = MappingProxyType(
    {
        "DevicePasswordEnabled": (Version.V12_0, _demands),
        "AlphanumericDevicePasswordRequired": (Version.V12_0, _demands),
        "PasswordRecoveryEnabled": (Version.V12_0, _never),
        "RequireStorageCardEncryption": (Version.V12_1, _demands),
        "AttachmentsEnabled": (Version.V12_0, _forbids),
        "MinDevicePasswordLength": (Version.V12_0, lambda value: value > 1),
        "MaxInactivityTimeDeviceLock": (Version.V12_0, lambda value: value < 9999),
        "MaxDevicePasswordFailedAttempts": (Version.V12_0, _demands),
        "MaxAttachmentSize": (Version.V12_0, lambda value: True),
        "AllowSimpleDevicePassword": (Version.V12_0, _forbids),
        "DevicePasswordExpiration": (Version.V12_0, _demands),
        "DevicePasswordHistory": (Version.V12_0, _demands),
        "AllowStorageCard": (Version.V12_1, _forbids),
        "AllowCamera": (Version.V12_1, _forbids),
        "RequireDeviceEncryption": (Version.V12_1, _demands),
        "AllowUnsignedApplications": (Version.V12_1, _forbids),
        "AllowUnsignedInstallationPackages": (Version.V12_1, _forbids),
        "MinDevicePasswordComplexCharacters": (Version.V12_1, lambda value: value > 1),
        "AllowWiFi": (Version.V12_1, _forbids),
        "AllowTextMessaging": (Version.V12_1, _forbids),
        "AllowPOPIMAPEmail": (Version.V12_1, _forbids),
        "AllowBluetooth": (Version.V12_1, lambda value: value < 2),
        "AllowIrDA": (Version.V12_1, _forbids),
        "RequireManualSyncWhenRoaming": (Version.V12_1, _demands),
        "AllowDesktopSync": (Version.V12_1, _forbids),
        "MaxCalendarAgeFilter": (Version.V12_1, _demands),
        "AllowHTMLEmail": (Version.V12_1, _forbids),
        "MaxEmailAgeFilter": (Version.V12_1, _demands),
        "MaxEmailBodyTruncationSize": (Version.V12_1, lambda value: value >= 0),
        "MaxEmailHTMLBodyTruncationSize": (Version.V12_1, lambda value: value >= 0),
        "RequireSignedSMIMEMessages": (Version.V12_1, _demands),
        "RequireEncryptedSMIMEMessages": (Version.V12_1, _demands),
        "RequireSignedSMIMEAlgorithm": (Version.V12_1, _never),
        "RequireEncryptionSMIMEAlgorithm": (Version.V12_1, _never),
        "AllowSMIMEEncryptionAlgorithmNegotiation": (Version.V12_1, _never),
        "AllowSMIMESoftCerts": (Version.V12_1, _forbids),
        "AllowBrowser": (Version.V12_1, _forbids),
        "AllowConsumerEmail": (Version.V12_1, _forbids),
        "AllowRemoteDesktop": (Version.V12_1, _forbids),
        "AllowInternetSharing": (Version.V12_1, _forbids),
        "UnapprovedInROMApplicationList": (Version.V12_1, _never),
        "ApprovedApplicationList": (Version.V12_1, _never),
    }
)
_LISTS = {"UnapprovedInROMApplicationList": "ApplicationName", "ApprovedApplicationList": "Hash"}
_IN_WAP = frozenset(
    {
        "DevicePasswordEnabled",
        "AlphanumericDevicePasswordRequired",
        "MinDevicePasswordLength",
        "MaxInactivityTimeDeviceLock",
        "MaxDevicePasswordFailedAttempts",
    }
)
_NO_LOCK = 9999


def _digest(policy: Policy) -> str:
    return sha256(json.dumps(sorted(policy.elements.items())).encode()).hexdigest()


@frozen
class Policy:
    """What the devices of a user must apply: values by the element names of EASProvisionDoc.

    C{hash} is that of the values: a device whose key was given for another hash has to provision again.

    @raise ValueError: an element that the specification does not know.
    """

    elements: Mapping[str, Setting]
    hash: str = field(init=False)

    def __attrs_post_init__(self) -> None:
        unknown = self.elements.keys() - _ELEMENTS.keys()
        if unknown:
            raise ValueError(f"no element of EASProvisionDoc: {', '.join(sorted(unknown))}")
        object.__setattr__(self, "hash", _digest(self))

    def number(self, name: str) -> int | None:
        """The value of an element that is set to a number or a flag, else C{None}."""
        value = self.elements.get(name)
        return None if value is None or isinstance(value, tuple) else int(value)


OPEN = Policy({"DevicePasswordEnabled": False})
"""The policy that asks for nothing."""


def satisfiable(policy: Policy, version: Version) -> bool:
    """Whether a device of that version can be told of every restriction of the policy."""
    return all(_told(name, version) for name in policy.elements if _restricts(policy, name))


def _told(name: str, version: Version) -> bool:
    return name in _IN_WAP if version < Version.V12_0 else _ELEMENTS[name][0] <= version


def _restricts(policy: Policy, name: str) -> bool:
    if name in _LISTS:
        return bool(policy.elements[name])
    value = policy.number(name)
    if value is None or (name in PASSWORD_ELEMENTS and not policy.number("DevicePasswordEnabled")):
        return False
    return _ELEMENTS[name][1](value)


def provision_doc(policy: Policy, version: Version) -> Element:
    """The EASProvisionDoc for a client of that version: what it knows, in the order of the schema."""
    names = [name for name in _ELEMENTS if name in policy.elements and _told(name, version)]
    return Element("Provision:EASProvisionDoc", *(_setting(name, policy.elements[name]) for name in names))


def _setting(name: str, value: Setting) -> Element:
    if isinstance(value, tuple):
        return Element(f"Provision:{name}", *(Element(f"Provision:{_LISTS[name]}", text) for text in value))
    return Element(f"Provision:{name}", value)


def wap_document(policy: Policy) -> str:
    """The policy as MS-WAP-Provisioning-XML for 2.5, on one line.

    Of a policy that demands no password nothing is left but to say so.
    """
    demanded = bool(policy.number("DevicePasswordEnabled"))
    parts = [_characteristic("SecurityPolicy", {"4131": 0 if demanded else 1})]
    if demanded:
        parts.append(f'<characteristic type="Registry">{"".join(_registry(policy))}</characteristic>')
    return f"<wap-provisioningdoc>{''.join(parts)}</wap-provisioningdoc>"


def _registry(policy: Policy) -> list[str]:
    lassd = r"HKLM\Comm\Security\Policy\LASSD"
    parts = [_characteristic(lassd + r"\AE\{50C13377-C66D-400C-889E-C316FC4AB374}", _inactivity(policy))]
    attempts = policy.number("MaxDevicePasswordFailedAttempts")
    if attempts:
        parts.append(_characteristic(lassd, {"DeviceWipeThreshold": attempts}))
        parts.append(_characteristic(lassd, {"CodewordFrequency": attempts // 2}))
    length = policy.number("MinDevicePasswordLength")
    if length:
        parts.append(_characteristic(lassd + r"\LAP\lap_pw", {"MinimumPasswordLength": length}))
    letters = policy.number("AlphanumericDevicePasswordRequired")
    parts.append(_characteristic(lassd + r"\LAP\lap_pw", {"PasswordComplexity": 0 if letters else 2}))
    return parts


def _inactivity(policy: Policy) -> dict[str, int]:
    seconds = policy.number("MaxInactivityTimeDeviceLock")
    if seconds is None or seconds >= _NO_LOCK:
        return {"AEFrequencyType": 0}
    return {"AEFrequencyType": 1, "AEFrequencyValue": max(1, seconds // 60)}


def _characteristic(kind: str, parameters: Mapping[str, int]) -> str:
    inner = "".join(f'<parm name="{name}" value="{value}"/>' for name, value in parameters.items())
    return f"<characteristic type={quoteattr(kind)}>{inner}</characteristic>"


def restrict(options: SyncOptions, policy: Policy | None) -> SyncOptions:
    """What a client asked for, cut down to what the policy lets it have of mail ([MS-ASPROV] 2.2.2.34 to 38).

    Of a policy that forbids HTML only plain text is left: MIME would bring the HTML along.
    """
    if policy is None:
        return options
    window = policy.number("MaxEmailAgeFilter")
    if window and (options.filter == 0 or options.filter > window):
        options = evolve(options, filter=window)
    plain_only = policy.number("AllowHTMLEmail") == 0
    if plain_only:
        options = evolve(options, mime_support=0, part=None, bodies=tuple(b for b in options.bodies if b.type == 1))
    limits = {1: policy.number("MaxEmailBodyTruncationSize"), 2: policy.number("MaxEmailHTMLBodyTruncationSize")}
    bodies = options.bodies
    if not bodies and (plain_only or _limit(limits[1]) is not None):
        bodies = (BodyPreference(1),)
    return evolve(options, bodies=tuple(_cut(body, _limit(limits.get(body.type))) for body in bodies))


def _limit(size: int | None) -> int | None:
    return None if size is None or size < 0 else size


def _cut(body: BodyPreference, limit: int | None) -> BodyPreference:
    if limit is None or (body.truncation is not None and body.truncation <= limit):
        return body
    return evolve(body, truncation=limit)
