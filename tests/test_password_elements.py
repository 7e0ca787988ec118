"""The configuration and the policy document agree on which elements need a password ([MS-ASPROV] 2.2.2.28)."""

from __future__ import annotations

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from gateway.config.device_policy import Policy
from gateway.config.rules import broken
from gateway.config.schema import Config, Provisioning
from gateway.eas.call import Version
from gateway.eas.policydoc import Policy as Document
from gateway.eas.policydoc import satisfiable
from gateway.model import PASSWORD_ELEMENTS

#: Values that restrict a device, by element.
STRICT: dict[str, bool | int] = {
    "AlphanumericDevicePasswordRequired": True,
    "PasswordRecoveryEnabled": True,
    "MinDevicePasswordLength": 6,
    "MaxInactivityTimeDeviceLock": 60,
    "MaxDevicePasswordFailedAttempts": 4,
    "AllowSimpleDevicePassword": False,
    "DevicePasswordExpiration": 30,
    "DevicePasswordHistory": 3,
    "MinDevicePasswordComplexCharacters": 3,
}


class PasswordElementTests(SynchronousTestCase):
    def wrong(self, **elements: bool | int) -> list[str]:
        """The elements of a policy in the file that a rule forbids."""
        config = Config(provisioning=evolve(Provisioning(), policies={"a": Policy(**elements)}))  # type: ignore[arg-type]
        return [key[-1] for key, _ in broken(config) if key[:2] == ("provisioning", "policies")]

    def test_file(self) -> None:
        """Each of them is refused while DevicePasswordEnabled is not set, and no other element is."""
        self.assertEqual(STRICT.keys(), PASSWORD_ELEMENTS)
        for name, value in STRICT.items():
            self.assertEqual(self.wrong(**{name: value}), [name])
            self.assertEqual(self.wrong(**{name: value}, DevicePasswordEnabled=False), [])
        self.assertEqual(self.wrong(AllowCamera=False, AttachmentsEnabled=False, MaxAttachmentSize=1), [])

    def test_document(self) -> None:
        """None of them is demanded of a device that needs no password."""
        for name, value in STRICT.items():
            self.assertTrue(satisfiable(Document({"DevicePasswordEnabled": False, name: value}), Version.V2_5), name)
