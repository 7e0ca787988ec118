"""The ValidateCert command, and how certificates are judged ([MS-ASCMD] 2.2.1.22, 2.2.3.177.18)."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from twisted.internet.defer import execute
from twisted.trial.unittest import SynchronousTestCase

from gateway.eas.certificates import Trust
from gateway.eas.validatecert import ValidateCert
from gateway.element import Element
from gateway.service.trusting import TrustFile
from tests.eas.support import NOW, VECTORS, call_of, decoded, refused, sent, text
from tests.stores import result_of

TODAY = datetime.fromtimestamp(NOW, UTC)
DAY = timedelta(days=1)
MAIL = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
SERVER = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
CA = x509.BasicConstraints(True, None)
PERSON = x509.BasicConstraints(False, None)


@cache
def key(name: str) -> ec.EllipticCurvePrivateKey:
    """The key of somebody."""
    return ec.generate_private_key(ec.SECP256R1())


def name_of(text: str) -> x509.Name:
    """A name."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def usage(**set_: bool) -> x509.KeyUsage:
    """A KeyUsage."""
    names = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    names += ("key_cert_sign", "crl_sign", "encipher_only", "decipher_only")  # type: ignore[assignment]
    return x509.KeyUsage(**{name: set_.get(name, False) for name in names})


def made(
    subject: str,
    issuer: str,
    *extensions: x509.ExtensionType,
    start: timedelta = -DAY,
    end: timedelta = DAY,
    signer: str = "",
) -> x509.Certificate:
    """A certificate, signed by its issuer or by somebody else."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(name_of(subject))
        .issuer_name(name_of(issuer))
        .public_key(key(subject).public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(TODAY + start)
        .not_valid_after(TODAY + end)
    )
    known = [x509.SubjectKeyIdentifier.from_public_key(key(subject).public_key())]
    known.append(x509.AuthorityKeyIdentifier.from_issuer_public_key(key(issuer).public_key()))  # type: ignore[arg-type]
    for extension in (*known, *extensions):
        builder = builder.add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
    return builder.sign(key(signer or issuer), SHA256())


ROOT = made("root", "root", CA, usage(key_cert_sign=True))
MIDDLE = made("middle", "root", CA, usage(key_cert_sign=True))
ANN = made("ann", "root", PERSON, MAIL, usage(digital_signature=True))


def encoded(certificate: x509.Certificate) -> str:
    """A certificate as a client sends it."""
    return base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()


def part(name: str, *content: Element | str | int | None) -> Element:
    """An element of ValidateCert."""
    return Element(f"ValidateCert:{name}", *content)


def validate(*certificates: str, chain: Sequence[str] | None = None, revocation: str | None = None) -> Element:
    """The body of a ValidateCert."""
    others = None if chain is None else part("CertificateChain", *(part("Certificate", each) for each in chain))
    asked = part("Certificates", *(part("Certificate", each) for each in certificates))
    return part("ValidateCert", others, asked, None if revocation is None else part("CheckCRL", revocation))


class ValidateCertTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.trusted: list[x509.Certificate] = [ROOT]
        self.command = ValidateCert(execute, lambda: NOW, lambda: Trust.of(self.trusted))

    def ask(self, body: Element) -> str:
        return text(result_of(self.command(call_of("ValidateCert", body))).element)

    def status(self, certificate: x509.Certificate, *chain: x509.Certificate, revocation: str | None = None) -> int:
        """The Status of one certificate."""
        answer = self.ask(
            validate(encoded(certificate), chain=[encoded(each) for each in chain], revocation=revocation)
        )
        start, end = "ValidateCert(Status=1 Certificate(Status=", "))"
        self.assertTrue(answer.startswith(start) and answer.endswith(end), answer)
        return int(answer.removeprefix(start).removesuffix(end))

    def test_status1(self) -> None:
        """Status 1: signed by somebody who is trusted, or through others, in whatever order these come."""
        person = made("bob", "lowest", MAIL)
        lowest = made("lowest", "middle", CA)
        for certificate, chain in ((ANN, []), (ANN, [ROOT]), (person, [MIDDLE, lowest]), (person, [lowest, MIDDLE])):
            self.assertEqual(self.status(certificate, *chain), 1)

    def test_plain(self) -> None:
        """Status 1 also for one without restrictions, and for one that is trusted itself."""
        self.assertEqual(self.status(made("ann", "root")), 1)
        own = made("own", "own", MAIL)
        self.trusted = [own]
        self.assertEqual(self.status(own), 1)

    def test_anyPurpose(self) -> None:
        """Status 1 for a certificate for anything, and for one that signs what cannot be denied."""
        self.assertEqual(
            self.status(made("ann", "root", x509.ExtendedKeyUsage([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE]))), 1
        )
        self.assertEqual(self.status(made("ann", "root", usage(content_commitment=True))), 1)

    def test_status3(self) -> None:
        """Status 3: no certificate at all, one that another key signed than that of its issuer, trusted or in the
        chain, and one that says to have signed itself and did not."""
        for broken in ("MIIB", "?", "", base64.b64encode(b"\x30\x03\x02\x01\x01").decode(), encoded(ANN)[:-60]):
            self.assertEqual(self.ask(validate(broken)), "ValidateCert(Status=1 Certificate(Status=3))")
        self.assertEqual(self.status(made("ann", "root", signer="other")), 3)
        self.assertEqual(self.status(made("ann", "middle", signer="other"), MIDDLE), 3)
        self.assertEqual(self.status(made("own", "own", signer="other")), 3)

    def test_status4(self) -> None:
        """Status 4: nobody who is trusted stands behind it, as behind one that vouches for itself."""
        self.assertEqual(self.status(made("ann", "stranger", MAIL)), 4)
        self.assertEqual(self.status(made("bob", "middle", MAIL)), 4)
        self.assertEqual(self.status(made("own", "own", MAIL)), 4)
        self.trusted = []
        self.assertEqual(self.status(ANN, ROOT), 4)

    def test_vectors(self) -> None:
        """The documented request is understood; one of an untrusted source is answered as documented."""
        self.assertEqual(self.ask(decoded("validatecert-request")), "ValidateCert(Status=1 Certificate(Status=3))")
        answer = result_of(self.command(call_of("ValidateCert", validate(encoded(made("own", "own"))))))
        self.assertEqual(sent(answer), VECTORS["validatecert-response"])

    def test_status5(self) -> None:
        """Status 5: more authorities in the chain than one of them allows, a chain without end, and a circle."""
        narrow = made("narrow", "root", x509.BasicConstraints(True, 0))
        self.assertEqual(self.status(made("ann", "middle"), made("middle", "narrow", CA), narrow), 5)
        links = [made(f"ca{n}", f"ca{n + 1}", CA) for n in range(12)]
        self.assertEqual(self.status(made("ann", "ca0"), *links), 5)

    def test_circle(self) -> None:
        """A circle of certificates ends: nobody who is trusted is in it."""
        self.assertEqual(self.status(made("ann", "a"), made("a", "b", CA), made("b", "a", CA)), 4)

    def test_libraryDecides(self) -> None:
        """Status 5: what nobody here looked at, and the library refuses, such as a critical extension unknown to it."""
        odd = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
        builder = (
            x509.CertificateBuilder()
            .subject_name(name_of("ann"))
            .issuer_name(name_of("root"))
            .public_key(key("ann").public_key())
            .serial_number(1)
            .not_valid_before(TODAY - DAY)
            .not_valid_after(TODAY + DAY)
            .add_extension(odd, critical=True)
        )
        certificate = builder.sign(key("root"), SHA256())
        for revocation in ("0", "1"):
            self.assertEqual(self.status(certificate, revocation=revocation), 5)

    def test_status6(self) -> None:
        """Status 6: it is for something else than mail."""
        self.assertEqual(self.status(made("ann", "root", SERVER)), 6)

    def test_status7(self) -> None:
        """Status 7: it has expired, or is not valid yet."""
        self.assertEqual(self.status(made("ann", "root", start=-2 * DAY, end=-DAY)), 7)
        self.assertEqual(self.status(made("ann", "root", start=DAY, end=2 * DAY)), 7)

    def test_status8(self) -> None:
        """Status 8: an authority in the chain has expired."""
        self.assertEqual(self.status(made("bob", "old"), made("old", "root", CA, start=-2 * DAY, end=-DAY)), 8)
        self.trusted = [made("root", "root", CA, start=-2 * DAY, end=-DAY)]
        self.assertEqual(self.status(ANN), 8)

    def test_status9(self) -> None:
        """Status 9: its key is not for signing, or that of an authority is not for certificates."""
        self.assertEqual(self.status(made("ann", "root", usage(key_encipherment=True))), 9)
        self.assertEqual(self.status(made("bob", "odd"), made("odd", "root", CA, usage(crl_sign=True))), 9)

    def test_status11(self) -> None:
        """Status 11: a person's certificate is used as that of an authority, or the other way round."""
        self.assertEqual(self.status(made("bob", "ann"), ANN), 11)
        self.assertEqual(self.status(made("bob", "plain"), made("plain", "root")), 11)
        self.assertEqual(self.status(MIDDLE), 11)

    def test_status14(self) -> None:
        """Status 14: it says where it is told whether it was revoked, which is not asked; only if that counts."""
        point = x509.DistributionPoint([x509.UniformResourceIdentifier("http://192.0.2.1/x.crl")], None, None, None)
        certificate = made("ann", "root", x509.CRLDistributionPoints([point]))
        self.assertEqual([self.status(certificate, revocation=each) for each in ("1", "0", None)], [14, 1, 1])

    def test_status16(self) -> None:
        """Status 16: nothing is known of whether it was revoked; only if that counts, and nothing else is the matter."""
        self.assertEqual([self.status(ANN, revocation=each) for each in ("1", "", "0")], [16, 16, 1])
        self.assertEqual(self.status(made("ann", "root", SERVER), revocation="1"), 6)

    def test_status17(self) -> None:
        """Status 17 of the whole: whom to trust cannot be said."""
        self.command.trust = TrustFile(Path(self.mktemp()))
        self.assertEqual(self.ask(validate(encoded(ANN))), "ValidateCert(Status=17)")

    def test_status2(self) -> None:
        """Status 2 of the whole: no certificate, more than 100 with those of the chain, or malformed."""
        one = encoded(ANN)
        for body in (
            validate(),
            validate(*["x"] * 101),
            validate(*["x"] * 50, chain=["x"] * 51),
            validate(one, revocation="2"),
            part("ValidateCert", part("CheckCRL", "1")),
            part("ValidateCert", part("Certificates", part("Certificate", one)), part("Certificates")),
            Element("Ping:Ping"),
        ):
            self.assertEqual(self.ask(body), "ValidateCert(Status=2)", text(body)[:80])
        self.assertEqual(self.ask(validate(*["x"] * 50, chain=["x"] * 50)).count("Certificate("), 50)

    def test_empty(self) -> None:
        """A request without anything in it is no error: there is nothing to judge."""
        self.assertEqual(self.ask(part("ValidateCert")), "ValidateCert(Status=1)")

    def test_order(self) -> None:
        """Each certificate has its Status, in order; those beside it may be in its chain."""
        bob = made("bob", "middle", MAIL)
        answer = self.ask(validate(encoded(bob), "?", encoded(MIDDLE)))
        self.assertEqual([each[0] for each in answer.split("Status=")[2:]], ["1", "3", "1"])
        self.assertIn("Status=11", answer)

    def test_refused(self) -> None:
        """101 without a body."""
        self.assertEqual(refused(self.command(call_of("ValidateCert", None))).status, 101)

    def test_sameNames(self) -> None:
        """Of many authorities of one name only some are tried."""
        others = [made("middle", "root", CA, signer="other") for _ in range(3)]
        person = made("bob", "middle", MAIL)
        self.assertEqual(self.status(person, MIDDLE, *others), 1)


class TrustFileTests(SynchronousTestCase):
    """Whom to believe."""

    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        self.path.write_bytes(ROOT.public_bytes(Encoding.PEM) + MIDDLE.public_bytes(Encoding.PEM))

    def names(self, trust: TrustFile) -> list[str]:
        return sorted(name.rfc4514_string() for name in trust().anchors)

    def test_file(self) -> None:
        """The certificates are those in the file, and of another file once it is another."""
        trust = TrustFile(self.path)
        self.assertEqual(self.names(trust), ["CN=middle", "CN=root"])
        self.path.write_bytes(ANN.public_bytes(Encoding.PEM))
        self.assertEqual(self.names(trust), ["CN=ann"])

    def test_readOnce(self) -> None:
        """A file that has not changed is not read again."""
        trust = TrustFile(self.path)
        self.assertIs(trust(), trust())

    def test_wrong(self) -> None:
        """A file without certificates is an error."""
        self.path.write_text("nonsense")
        self.assertRaises(ValueError, TrustFile(self.path))

    def test_system(self) -> None:
        """Without a file they are those of the system."""
        system: Any = TrustFile(None)
        try:
            self.assertTrue(system().anchors)
        except FileNotFoundError:
            self.skipTest("this system trusts nobody")
