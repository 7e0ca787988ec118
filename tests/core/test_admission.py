"""Which devices may synchronise."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from gateway.core.admission import Admission, AdmissionTerms, DeviceRule, Verdict
from gateway.model import Access, Decision, Device, DeviceKey

PHONE = DeviceKey("ann", "phone1")
ALLOW, QUARANTINE, BLOCK = Access.ALLOW, Access.QUARANTINE, Access.BLOCK


def rule(access: Access, name: str = "rule", **patterns: str) -> DeviceRule:
    """A rule with one pattern of each sort."""
    return DeviceRule(name, access, **{sort: (pattern,) for sort, pattern in patterns.items()})


class RuleTests(SynchronousTestCase):
    def fits(self, device: Device, **patterns: str) -> bool:
        return rule(BLOCK, **patterns).fits(device)

    def test_sorts(self) -> None:
        """A rule goes by the type, the User-Agent, the user and the DeviceId."""
        device = Device(PHONE, "iPhone", "Apple-iPhone9C1/1402.92")
        for sort, right, wrong in (
            ("types", "iP*", "iPad"),
            ("agents", "Apple-iPhone?C1/*", "Apple"),
            ("users", "a[mn]n", "bob"),
            ("ids", "phone1", "phone"),
        ):
            self.assertTrue(self.fits(device, **{sort: right}), sort)
            self.assertFalse(self.fits(device, **{sort: wrong}), sort)

    def test_case(self) -> None:
        """The case of letters means nothing, in the pattern and in what the device says."""
        self.assertTrue(self.fits(Device(PHONE, "IPHONE"), types="iPhone"))
        self.assertTrue(self.fits(Device(PHONE, "iphone"), types="IPHONE"))

    def test_allSorts(self) -> None:
        """A device must fit each sort of pattern that is given, and of each one pattern."""
        both = DeviceRule("x", BLOCK, types=("SP", "iPad"), users=("ann", "bob"))
        self.assertTrue(both.fits(Device(PHONE, "iPad")))
        self.assertTrue(both.fits(Device(PHONE, "SP")))
        self.assertFalse(both.fits(Device(PHONE, "iPhone")))
        self.assertFalse(both.fits(Device(DeviceKey("cem", "phone1"), "SP")))

    def test_patternsStandForThemselves(self) -> None:
        """What is no wildcard stands for itself, also where a regular expression would read it otherwise."""
        self.assertTrue(self.fits(Device(PHONE, "a.b|c"), types="a.b|c"))
        self.assertFalse(self.fits(Device(PHONE, "axb"), types="a.b"))

    def test_hostileText(self) -> None:
        """A long text that nearly fits a pattern with many stars is judged at once."""
        self.assertFalse(self.fits(Device(PHONE, agent="a" * 256), agents="*a" * 20 + "b"))


class VerdictTests(SynchronousTestCase):
    def verdict(self, terms: AdmissionTerms, device: Device | None = None, *decisions: Decision) -> Verdict:
        admission = Admission(terms)
        admission.load(decisions)
        return admission.verdict(device or Device(PHONE, "SP"))

    def test_everybody(self) -> None:
        """With nothing configured every device comes in."""
        self.assertTrue(self.verdict(AdmissionTerms()).admits)

    def test_new(self) -> None:
        """A device that is not known is judged by C{devices.new}."""
        for access in Access:
            verdict = self.verdict(AdmissionTerms(access))
            self.assertEqual((verdict.access, str(verdict)), (access, "devices.new"))

    def test_known(self) -> None:
        """Who was let in before stays in, whatever becomes of new devices."""
        for access in Access:
            verdict = self.verdict(AdmissionTerms(access), Device(PHONE, admitted=True))
            self.assertEqual((verdict.access, str(verdict)), (ALLOW, "let in before"))

    def test_rules(self) -> None:
        """The first rule that fits holds, for known devices too, over what becomes of new ones."""
        rules = (rule(ALLOW, "no", types="x"), rule(BLOCK, "first", types="S*"), rule(ALLOW, "second", types="SP"))
        for device in (Device(PHONE, "SP"), Device(PHONE, "SP", admitted=True)):
            verdict = self.verdict(AdmissionTerms(QUARANTINE, rules), device)
            self.assertEqual((verdict.access, str(verdict)), (BLOCK, "devices.rules.first"))

    def test_decision(self) -> None:
        """A decision about the device comes before all rules, and concerns no other device and no other user."""
        terms = AdmissionTerms(ALLOW, (rule(ALLOW, users="*"),))
        decision = Decision(PHONE, BLOCK, "root", 7)
        verdict = self.verdict(terms, None, decision)
        self.assertEqual((verdict.access, verdict.decision, str(verdict)), (BLOCK, decision, "decided by root"))
        for other in (DeviceKey("ann", "phone2"), DeviceKey("bob", "phone1")):
            self.assertTrue(self.verdict(terms, Device(other), decision).admits)

    def test_decide(self) -> None:
        """A decision holds until it is replaced or taken away."""
        admission, device = Admission(AdmissionTerms(QUARANTINE)), Device(PHONE)
        for access, barred in ((ALLOW, False), (BLOCK, True), (QUARANTINE, True)):
            admission.decide(PHONE, Decision(PHONE, access, "root", 7))
            self.assertIs(admission.verdict(device).access, access)
            self.assertIs(admission.barred(PHONE), barred)
        for _ in range(2):
            admission.decide(PHONE, None)
            self.assertEqual(str(admission.verdict(device)), "devices.new")
            self.assertFalse(admission.barred(PHONE))

    def test_ofUser(self) -> None:
        """It is told apart whether all devices of the user fare alike, or this one."""
        for patterns, expected in (
            ({"users": "ann"}, True),
            ({"users": "ann", "types": "*"}, False),
            ({"ids": "*"}, False),
        ):
            self.assertIs(self.verdict(AdmissionTerms(ALLOW, (rule(BLOCK, **patterns),))).of_user, expected)
        self.assertFalse(self.verdict(AdmissionTerms(BLOCK)).of_user)
