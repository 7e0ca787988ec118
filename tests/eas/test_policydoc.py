"""The policy documents ([MS-ASPROV] 2.2.2.28, 2.2.2.24.2)."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from gateway.eas.call import Version
from gateway.eas.policydoc import Policy, Setting, provision_doc, restrict, satisfiable, wap_document
from gateway.model import BodyPreference, SyncOptions
from tests.eas.support import decoded, text

VECTOR: dict[str, Setting] = {
    "DevicePasswordEnabled": True,
    "AlphanumericDevicePasswordRequired": False,
    "AttachmentsEnabled": True,
    "MinDevicePasswordLength": 4,
    "MaxInactivityTimeDeviceLock": 900,
    "MaxDevicePasswordFailedAttempts": 8,
    "MaxAttachmentSize": None,
    "AllowSimpleDevicePassword": True,
}
"""The policy of the vectors."""


class PolicyTests(SynchronousTestCase):
    def test_hash(self) -> None:
        """The hash changes with every value, and with nothing else."""
        one = Policy({"DevicePasswordEnabled": True, "MinDevicePasswordLength": 4})
        turned = Policy({"MinDevicePasswordLength": 4, "DevicePasswordEnabled": True})
        self.assertEqual(one.hash, turned.hash)
        others = [
            Policy({"DevicePasswordEnabled": True, "MinDevicePasswordLength": 5}),
            Policy({"DevicePasswordEnabled": True, "MinDevicePasswordLength": None}),
            Policy({"DevicePasswordEnabled": True}),
            Policy({}),
        ]
        self.assertEqual(len({one.hash, *(other.hash for other in others)}), 5)

    def test_unknown(self) -> None:
        """A name that the specification does not know is an error, and is named."""
        self.assertIn("AllowFun", str(self.assertRaises(ValueError, Policy, {"AllowFun": True})))


class ProvisionDocTests(SynchronousTestCase):
    def test_vector(self) -> None:
        """A policy becomes the document of the vector, in whatever order it was written down."""
        found = decoded("provision-response-1-12.1").child("Provision:Policies")
        assert found is not None
        data = found.children[0].child("Provision:Data")
        assert data is not None
        policy = Policy(dict(reversed(VECTOR.items())))
        self.assertEqual(provision_doc(policy, Version.V12_1), data.children[0])

    def test_newerElements(self) -> None:
        """A client of 12.0 is not told of elements that came with 12.1."""
        policy = Policy({"DevicePasswordEnabled": True, "AllowCamera": False, "RequireStorageCardEncryption": True})
        self.assertEqual(text(provision_doc(policy, Version.V12_0)), "EASProvisionDoc(DevicePasswordEnabled=1)")
        self.assertEqual(
            text(provision_doc(policy, Version.V12_1)),
            "EASProvisionDoc(DevicePasswordEnabled=1 RequireStorageCardEncryption=1 AllowCamera=0)",
        )

    def test_lists(self) -> None:
        """The lists of applications hold names and hashes."""
        policy = Policy({"ApprovedApplicationList": ("2jmj",), "UnapprovedInROMApplicationList": ("a.exe", "b.exe")})
        self.assertEqual(
            text(provision_doc(policy, Version.V14_1)),
            "EASProvisionDoc(UnapprovedInROMApplicationList(ApplicationName=a.exe ApplicationName=b.exe)"
            " ApprovedApplicationList(Hash=2jmj))",
        )


class WAPTests(SynchronousTestCase):
    LASSD = r"HKLM\Comm\Security\Policy\LASSD"

    def test_noPassword(self) -> None:
        """Without a password nothing is said but that none is required, as in the vector."""
        policies = decoded("provision-response-1-2.5").child("Provision:Policies")
        assert policies is not None
        expected = policies.children[0].text_of("Provision:Data")
        self.assertEqual(wap_document(Policy({"DevicePasswordEnabled": False, "MinDevicePasswordLength": 6})), expected)
        self.assertEqual(wap_document(Policy({})), expected)

    def test_everything(self) -> None:
        """Every setting that 2.5 knows, on one line: minutes for seconds, a code word at half of the attempts."""
        self.assertEqual(
            wap_document(
                Policy(
                    {
                        "DevicePasswordEnabled": True,
                        "AlphanumericDevicePasswordRequired": True,
                        "MinDevicePasswordLength": 5,
                        "MaxInactivityTimeDeviceLock": 330,
                        "MaxDevicePasswordFailedAttempts": 8,
                    }
                )
            ),
            '<wap-provisioningdoc><characteristic type="SecurityPolicy"><parm name="4131" value="0"/></characteristic>'
            '<characteristic type="Registry">'
            f'<characteristic type="{self.LASSD}\\AE\\{{50C13377-C66D-400C-889E-C316FC4AB374}}">'
            '<parm name="AEFrequencyType" value="1"/><parm name="AEFrequencyValue" value="5"/></characteristic>'
            f'<characteristic type="{self.LASSD}"><parm name="DeviceWipeThreshold" value="8"/></characteristic>'
            f'<characteristic type="{self.LASSD}"><parm name="CodewordFrequency" value="4"/></characteristic>'
            f'<characteristic type="{self.LASSD}\\LAP\\lap_pw">'
            '<parm name="MinimumPasswordLength" value="5"/></characteristic>'
            f'<characteristic type="{self.LASSD}\\LAP\\lap_pw">'
            '<parm name="PasswordComplexity" value="0"/></characteristic>'
            "</characteristic></wap-provisioningdoc>",
        )

    def test_passwordAlone(self) -> None:
        """What is not limited is not sent: no time, no attempts, no length, any characters."""
        document = wap_document(Policy({"DevicePasswordEnabled": True}))
        self.assertIn('name="AEFrequencyType" value="0"', document)
        self.assertIn('name="PasswordComplexity" value="2"', document)
        for absent in ("AEFrequencyValue", "DeviceWipeThreshold", "CodewordFrequency", "MinimumPasswordLength"):
            self.assertNotIn(absent, document)

    def test_inactivity(self) -> None:
        """Less than a minute is a minute, and 9999 seconds or more are no lock."""
        for seconds, expected in ((20, 'Value" value="1"'), (9998, 'Value" value="166"'), (9999, 'Type" value="0"')):
            policy = Policy({"DevicePasswordEnabled": True, "MaxInactivityTimeDeviceLock": seconds})
            self.assertIn(f"AEFrequency{expected}", wap_document(policy))


class SatisfiableTests(SynchronousTestCase):
    def versions(self, **elements: Setting) -> list[str]:
        """The versions whose clients can be told of every restriction."""
        return [str(version) for version in Version if satisfiable(Policy(elements), version)]

    ALL = [str(version) for version in Version]

    def test_password(self) -> None:
        """What 2.5 has its own words for can be demanded of everybody."""
        self.assertEqual(
            self.versions(
                DevicePasswordEnabled=True,
                AlphanumericDevicePasswordRequired=True,
                MinDevicePasswordLength=8,
                MaxInactivityTimeDeviceLock=60,
                MaxDevicePasswordFailedAttempts=4,
            ),
            self.ALL,
        )

    def test_from120(self) -> None:
        """What came with 12.0 cannot be demanded of 2.5."""
        self.assertEqual(self.versions(AttachmentsEnabled=False), self.ALL[1:])
        self.assertEqual(self.versions(DevicePasswordEnabled=True, DevicePasswordHistory=3), self.ALL[1:])

    def test_from121(self) -> None:
        """What came with 12.1 cannot be demanded of 12.0."""
        restrictions: list[dict[str, Setting]] = [
            {"AllowCamera": False},
            {"RequireDeviceEncryption": True},
            {"AllowBluetooth": 1},
            {"MaxEmailAgeFilter": 2},
            {"MaxEmailBodyTruncationSize": 0},
            {"ApprovedApplicationList": ("2jmj",)},
        ]
        for restriction in restrictions:
            self.assertEqual(self.versions(**restriction), self.ALL[2:], restriction)

    def test_noRestriction(self) -> None:
        """A value that forbids nothing need not be known."""
        free: list[dict[str, Setting]] = [
            {"AllowCamera": True},
            {"RequireDeviceEncryption": False},
            {"AllowBluetooth": 2},
            {"MaxEmailAgeFilter": 0},
            {"MaxEmailBodyTruncationSize": -1},
            {"ApprovedApplicationList": ()},
            {"MaxAttachmentSize": None},
            {"DevicePasswordEnabled": False, "DevicePasswordHistory": 3},
        ]
        for elements in free:
            self.assertEqual(self.versions(**elements), self.ALL, elements)


class RestrictTests(SynchronousTestCase):
    def test_noPolicy(self) -> None:
        """Without a policy, and with one that does not speak of mail, options stay as they are."""
        options = SyncOptions(filter=0, mime_support=2, bodies=(BodyPreference(2), BodyPreference(4)))
        self.assertEqual(restrict(options, None), options)
        self.assertEqual(restrict(options, Policy({"DevicePasswordEnabled": True, "AllowHTMLEmail": True})), options)
        self.assertEqual(restrict(SyncOptions(), Policy({"MaxEmailBodyTruncationSize": -1})), SyncOptions())

    def test_age(self) -> None:
        """A wider window than MaxEmailAgeFilter becomes that; a narrower stays."""
        policy = Policy({"MaxEmailAgeFilter": 3})
        asked = {filter: restrict(SyncOptions(filter=filter), policy).filter for filter in range(6)}
        self.assertEqual(asked, {0: 3, 1: 1, 2: 2, 3: 3, 4: 3, 5: 3})
        self.assertEqual(restrict(SyncOptions(filter=0), Policy({"MaxEmailAgeFilter": 0})).filter, 0)

    def test_noHTML(self) -> None:
        """Where HTML is forbidden, plain text is what is left, also for who asked for nothing else."""
        policy = Policy({"AllowHTMLEmail": False})
        options = SyncOptions(
            mime_support=2,
            bodies=(BodyPreference(2, 10), BodyPreference(1, 20), BodyPreference(4)),
            part=BodyPreference(2),
        )
        self.assertEqual(restrict(options, policy), SyncOptions(bodies=(BodyPreference(1, 20),)))
        self.assertEqual(
            restrict(SyncOptions(bodies=(BodyPreference(2, 10),)), policy), SyncOptions(bodies=(BodyPreference(1),))
        )

    def test_size(self) -> None:
        """Bodies are cut at the size of their format; what was asked for in less stays."""
        policy = Policy({"MaxEmailBodyTruncationSize": 100, "MaxEmailHTMLBodyTruncationSize": 0})
        options = SyncOptions(bodies=(BodyPreference(2, 5), BodyPreference(1), BodyPreference(4, 500)))
        expected = (BodyPreference(2, 0), BodyPreference(1, 100), BodyPreference(4, 500))
        self.assertEqual(restrict(options, policy).bodies, expected)
        less = SyncOptions(bodies=(BodyPreference(1, 99),))
        self.assertEqual(restrict(less, policy), less)
        self.assertEqual(restrict(SyncOptions(), policy).bodies, (BodyPreference(1, 100),))
