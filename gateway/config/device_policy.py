"""A device policy: the elements of EASProvisionDoc ([MS-ASPROV] 2.2.2.28) under the names of the specification."""

from __future__ import annotations

from typing import Any

import attrs
from attrs import frozen

from gateway.config.kinds import Flag, Kind, Number, Several, Text
from gateway.config.option import option

_UNSIGNED = Number(0, 2**32 - 1)
_SIZE = Number(-1, 2**31 - 1)


def _element(since: str, kind: Kind, text: str, example: Any, unit: str = "") -> Any:
    return option(None, kind, f"{text} (from {since})", unit=unit, example=example, live=True)


def _flag(since: str, text: str, example: bool = True) -> bool | None:
    flag: bool | None = _element(since, Flag(), text, example)
    return flag


def _number(since: str, kind: Kind, text: str, example: int, unit: str = "") -> int | None:
    number: int | None = _element(since, kind, text, example, unit)
    return number


def _list(since: str, text: str, example: tuple[str, ...]) -> tuple[str, ...] | None:
    texts: tuple[str, ...] | None = _element(since, Several(Text()), text, example)
    return texts


@frozen(kw_only=True)
class Policy:
    """One named policy, in the order of the tokens; C{None} leaves an element out.

    Numbers are in the units of the specification: seconds, days, bytes.
    """

    DevicePasswordEnabled: bool | None = _flag("12.0", "the device needs a password")
    AlphanumericDevicePasswordRequired: bool | None = _flag("12.0", "the password needs letters and digits", False)
    RequireStorageCardEncryption: bool | None = _flag(
        "12.1", "the storage card is encrypted; 12.0 calls it DeviceEncryptionEnabled", False
    )
    PasswordRecoveryEnabled: bool | None = _flag("12.0", "the device stores a recovery password here", False)
    AttachmentsEnabled: bool | None = _flag("12.0", "attachments may be fetched")
    MinDevicePasswordLength: int | None = _number(
        "12.0", Number(1, 16), "shortest password, 1 for any", 6, "characters"
    )
    MaxInactivityTimeDeviceLock: int | None = _number(
        "12.0", _UNSIGNED, "the device locks after so long without use, 9999 and more: never", 900, "seconds"
    )
    MaxDevicePasswordFailedAttempts: int | None = _number(
        "12.0", Number(4, 16), "wrong passwords until the device erases or locks itself", 8, "attempts"
    )
    MaxAttachmentSize: int | None = _number("12.0", _UNSIGNED, "largest attachment", 10485760, "bytes")
    AllowSimpleDevicePassword: bool | None = _flag("12.0", "passwords such as 1234 are allowed", False)
    DevicePasswordExpiration: int | None = _number("12.0", _UNSIGNED, "age of a password, 0: any", 0, "days")
    DevicePasswordHistory: int | None = _number(
        "12.0", _UNSIGNED, "earlier passwords that may not be used again", 0, "passwords"
    )
    AllowStorageCard: bool | None = _flag("12.1", "the storage card may be used")
    AllowCamera: bool | None = _flag("12.1", "the camera may be used")
    RequireDeviceEncryption: bool | None = _flag("12.1", "the memory of the device is encrypted", False)
    AllowUnsignedApplications: bool | None = _flag("12.1", "unsigned applications may run")
    AllowUnsignedInstallationPackages: bool | None = _flag("12.1", "unsigned packages may be installed")
    MinDevicePasswordComplexCharacters: int | None = _number(
        "12.1", Number(1, 4), "how many of lower case, upper case, digits and others a password needs", 2, "groups"
    )
    AllowWiFi: bool | None = _flag("12.1", "wireless networks may be used")
    AllowTextMessaging: bool | None = _flag("12.1", "text messages may be used")
    AllowPOPIMAPEmail: bool | None = _flag("12.1", "POP and IMAP accounts may be set up")
    AllowBluetooth: int | None = _number("12.1", Number(0, 2), "Bluetooth: 0 off, 1 hands-free only, 2 on", 2)
    AllowIrDA: bool | None = _flag("12.1", "infrared may be used")
    RequireManualSyncWhenRoaming: bool | None = _flag("12.1", "no push while roaming", False)
    AllowDesktopSync: bool | None = _flag("12.1", "the device may synchronise with a computer")
    MaxCalendarAgeFilter: int | None = _number(
        "12.1", Number(0, 7, only=(0, 4, 5, 6, 7)), "calendar window: 0 all, 4 to 7: 2 weeks, 1, 3, 6 months", 0
    )
    AllowHTMLEmail: bool | None = _flag("12.1", "mail may be fetched as HTML")
    MaxEmailAgeFilter: int | None = _number(
        "12.1", Number(0, 5), "mail window: 0 all, 1 to 5: 1, 3 days, 1, 2 weeks, 1 month", 0
    )
    MaxEmailBodyTruncationSize: int | None = _number(
        "12.1", _SIZE, "largest text body: -1 whole, 0 headers only, else the size", -1
    )
    MaxEmailHTMLBodyTruncationSize: int | None = _number(
        "12.1", _SIZE, "largest HTML body: -1 whole, 0 headers only, else the size", -1
    )
    RequireSignedSMIMEMessages: bool | None = _flag("12.1", "mail is sent with an S/MIME signature", False)
    RequireEncryptedSMIMEMessages: bool | None = _flag("12.1", "mail is sent encrypted with S/MIME", False)
    RequireSignedSMIMEAlgorithm: int | None = _number("12.1", Number(0, 1), "signatures: 0 SHA-1, 1 MD5", 0)
    RequireEncryptionSMIMEAlgorithm: int | None = _number(
        "12.1", Number(0, 4), "encryption: 0 triple DES, 1 DES, 2, 3, 4: RC2 with 128, 64, 40 bits", 0
    )
    AllowSMIMEEncryptionAlgorithmNegotiation: int | None = _number(
        "12.1", Number(0, 2), "another algorithm than required: 0 never, 1 a strong one, 2 any", 2
    )
    AllowSMIMESoftCerts: bool | None = _flag("12.1", "S/MIME certificates may be kept in software")
    AllowBrowser: bool | None = _flag("12.1", "the browser may be used")
    AllowConsumerEmail: bool | None = _flag("12.1", "private mail accounts may be used")
    AllowRemoteDesktop: bool | None = _flag("12.1", "remote desktop may be used")
    AllowInternetSharing: bool | None = _flag("12.1", "the device may share its connection")
    UnapprovedInROMApplicationList: tuple[str, ...] | None = _list(
        "12.1", "built-in applications that may not run, by file name", ("example.exe",)
    )
    ApprovedApplicationList: tuple[str, ...] | None = _list(
        "12.1", "the only applications that may run, by SHA-1 hash", ("2jmj7l5rSw0yVb/vlWAYkK/YBwk=",)
    )

    def elements(self) -> dict[str, bool | int | tuple[str, ...]]:
        """The elements that are set, by name, in the order in which they are sent."""
        values = attrs.asdict(self, recurse=False)
        return {name: value for name, value in values.items() if value is not None}
