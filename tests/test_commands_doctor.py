"""Tests of C{pushgw doctor} without a running gateway, and of what it makes of doors and certificates."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from attrs import evolve
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from twisted.trial.unittest import SynchronousTestCase

from gateway.commands.doctor import doctor, own_doors
from gateway.commands.outside import Door, names, reachable, read_address
from gateway.config import Config, Https
from gateway.tls import self_signed
from tests.test_commands_sms import NUMBER, OfflineCase


class OfflineTests(OfflineCase):
    """The command on a store alone."""

    def examined(self, *words: str) -> str:
        """What is printed; something is broken."""
        result = self.run_(doctor, *words, "--config", str(self.file))
        self.assertEqual(result.exit_code, 1, result.output)
        self.assertIsInstance(result.exception, SystemExit)
        return result.output

    def test_words(self) -> None:
        """Each hop has a line with its mark; at the end stands what to mend first, and how."""
        self.registered()
        told = self.examined("ann", "phone1")
        self.assertIn("phone1 of ann\n  BROKEN  gateway", told)
        self.assertRegex(told, r"\n  ok +store +it takes changes\n")
        self.assertRegex(told, r"\n  BROKEN +device +it is registered, and has never come\n")
        end = told.splitlines()[-2:]
        self.assertEqual(end[0], "First broken hop: gateway: no gateway is running.")
        self.assertTrue(end[1].startswith("Remedy: Start it: "))

    def test_json(self) -> None:
        """JSON has the same for programs."""
        self.registered()
        told = self.examined("ANN", "--json")
        found = json.loads(told[told.index("{") :])
        (chain,) = found["devices"]
        self.assertEqual((found["user"], chain["device"], chain["broken"]), ("ann", "phone1", "gateway"))
        self.assertEqual(set(chain["hops"][0]), {"hop", "health", "text", "remedy"})
        self.assertNotIn(NUMBER, told)

    def test_nobody(self) -> None:
        """A user that is none, without any device, is told so."""
        self.assertIn("BROKEN  credentials", self.examined("nobody"))

    def test_wrongAddress(self) -> None:
        """What is no address of a door is refused."""
        for bad in ("mail.example", "mail.example:x", ":443", "mail.example:0", "mail.example:65536"):
            self.assertIn("HOST:PORT", self.fails(doctor, "ann", "--at", bad))


class DoorTests(SynchronousTestCase):
    def test_address(self) -> None:
        """An address has a host, which may be one of IPv6 in brackets, and a port; it is written as it was read."""
        for text, read in (
            ("mail.example:443", ("mail.example", 443)),
            ("[::1]:8443", ("::1", 8443)),
            ("127.0.0.1:1", ("127.0.0.1", 1)),
        ):
            self.assertEqual(read_address(text), read)
            self.assertEqual(str(Door(*read)), text)

    def test_everywhere(self) -> None:
        """What listens at every address is looked at where this host itself is."""
        hosts = {"0.0.0.0": "127.0.0.1", "::": "::1", "192.0.2.1": "192.0.2.1", "mail.example": "mail.example"}
        self.assertEqual({host: reachable(host) for host in hosts}, hosts)

    def test_own(self) -> None:
        """The gateway's own doors are those with TLS, each as it was configured; without any those for a proxy."""
        config = Config(https=Https(listen=("tcp:1", "haproxy:tcp:2", "unix:/x"), plain=("tcp:3",)))
        listening = {"https": ["127.0.0.1:1", "127.0.0.1:2", "/x"], "http": ["127.0.0.1:3"], "smtp": ["127.0.0.1:4"]}
        first = Door("127.0.0.1", 1, "n")
        self.assertEqual(list(own_doors(config, listening, "n")), [first, evolve(first, port=2, proxied=True)])
        del listening["https"]
        self.assertEqual(list(own_doors(config, listening, "n")), [evolve(first, port=3, tls=False)])
        self.assertEqual(list(own_doors(config, {}, "n")), [])


class NamesTests(SynchronousTestCase):
    def test_alternative(self) -> None:
        """A certificate is for its alternative names, addresses among them."""
        pem, _ = self_signed(["mail.example", "*.example"], [])
        self.assertEqual(names(x509.load_pem_x509_certificate(pem)), ("mail.example", "*.example"))

    def test_common(self) -> None:
        """One without is for its common name."""
        key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "old.example")])
        made = x509.CertificateBuilder(subject, subject, key.public_key(), 1, now, now + timedelta(1))
        self.assertEqual(names(made.sign(key, hashes.SHA256())), ("old.example",))
