"""From the configuration to what goes out by SMPP."""

from __future__ import annotations

from pathlib import Path

from attrs import evolve
from twisted.internet.defer import ensureDeferred
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from gateway.config import (
    Bind,
    Concatenation,
    Config,
    Encoding,
    InterfaceVersion,
    MessageId,
    Operator,
    Receipts,
    Sms,
    TriggerFormat,
)
from gateway.model import DeviceKey
from gateway.service.smsout import SmsOut, carriage, contacts, operator_settings, trigger_format
from gateway.sms.alphabet import GSM, UCS2
from gateway.sms.settings import Binding, IdForm
from gateway.sms.udh import Concatenation as Carried
from gateway.tls import BadCertificate
from gateway.trigger import Letter
from tests.simulator.certificates import self_signed
from tests.stores import new_store

SMSC = Operator(smpp=("tcp:192.0.2.1:2775", "tcp:192.0.2.2:2775"), system_id="push", password="geheim")
LETTER = Letter(DeviceKey("ann", "phone1"), "smpp:one", "+491701234567", guid="35395ce4-1504-4ac4-9721-f152c646ea35")


def configured(**operators: Operator) -> Config:
    """A configuration with these operators."""
    return Config(operators=operators)


class ConversionTests(SynchronousTestCase):
    def test_settings(self) -> None:
        """Every option of an operator arrives where it is used."""
        operator = evolve(
            SMSC,
            system_type="t",
            interface_version=InterfaceVersion.V5_0,
            bind=Bind.TRANSMITTER_RECEIVER,
            binds=2,
            window=3,
            rate=4.0,
            service_type="WAP",
            source_address="pushgw",
            source_ton=5,
            source_npi=6,
            destination_ton=2,
            destination_npi=8,
            number_strip="49",
            number_add="0",
            validity_seconds=7,
            replace_if_present=True,
            receipts=Receipts.FAILURES,
            message_id=MessageId.HEX,
            retries=9,
            retry_seconds=10.0,
            response_seconds=11.0,
            enquire_link_seconds=12.0,
        )
        made = operator_settings(configured(one=operator), "one")
        self.assertEqual((made.route, made.system_id, made.password), ("smpp:one", "push", "geheim"))
        self.assertEqual((made.system_type, made.interface_version, made.binding), ("t", 0x50, Binding.PAIR))
        self.assertEqual((made.binds, made.window, made.rate, made.service_type), (2, 3, 4.0, "WAP"))
        self.assertEqual((made.source, made.source_ton, made.source_npi), ("pushgw", 5, 6))
        self.assertEqual((made.destination_ton, made.destination_npi), (2, 8))
        self.assertEqual((made.number_strip, made.number_add), ("49", "0"))
        self.assertEqual((made.validity, made.replace_if_present, made.receipts), (7, True, 2))
        self.assertEqual((made.id_form, made.retries, made.retry_seconds), (IdForm.HEX, 9, 10.0))
        self.assertEqual((made.timing.response, made.timing.silence), (11.0, 12.0))
        self.assertNotIn("geheim", repr(made))

    def test_choices(self) -> None:
        """Every member of a choice means something to who sends."""
        for field, choice in (("bind", Bind), ("interface_version", InterfaceVersion), ("message_id", MessageId)):
            for member in choice:
                operator_settings(configured(one=evolve(SMSC, **{field: member})), "one")
        registered = [operator_settings(configured(one=evolve(SMSC, receipts=r)), "one").receipts for r in Receipts]
        self.assertEqual(sorted(registered), [0, 1, 2])
        for encoding in Encoding:
            for concatenation in Concatenation:
                made = carriage(evolve(SMSC, encoding=encoding, concatenation=concatenation))
                self.assertEqual(made.concatenation.value, concatenation.value)
        for format in TriggerFormat:
            self.assertEqual(trigger_format(Config(), evolve(SMSC, trigger_format=format)).kind, format.value)

    def test_validity(self) -> None:
        """A trigger is valid for as long as it is not lost, unless something else is said."""
        config = Config(operators={"one": SMSC}, sms=Sms(batch_seconds=60))
        self.assertEqual(operator_settings(config, "one").validity, 60)

    def test_format(self) -> None:
        """The format is that of the operator, else the common one; its words are the common ones."""
        sms = Sms(
            trigger_format=TriggerFormat.BINARY,
            text_template="x {guid}",
            binary_port=7,
            binary_content="00{guid}",
            si_href="https://a/",
            si_text="b",
            emn_mailbox="mailat:{guid}@c",
            batch_seconds=5,
        )
        made = trigger_format(Config(sms=sms), SMSC)
        self.assertEqual((made.kind, made.template, made.port, made.binary), ("binary", "x {guid}", 7, "00{guid}"))
        self.assertEqual((made.si_href, made.si_text, made.si_seconds), ("https://a/", "b", 5))
        self.assertEqual(made.emn_mailbox, "mailat:{guid}@c")
        own = trigger_format(Config(sms=sms), evolve(SMSC, trigger_format=TriggerFormat.SI))
        self.assertEqual(own.kind, "si")

    def test_carriage(self) -> None:
        """Coding and ports are as the operator wants them."""
        self.assertEqual(carriage(SMSC).alphabet, GSM)
        made = carriage(
            evolve(SMSC, encoding=Encoding.UCS2, binary_coding=245, port_fields=True, concatenation=Concatenation.UDH16)
        )
        self.assertEqual((made.alphabet, made.binary_coding, made.port_tlvs), (UCS2, 245, True))
        self.assertIs(made.concatenation, Carried.UDH16)

    def test_certificates(self) -> None:
        """Certificates that cannot be read are told with their file."""
        folder = Path(self.mktemp())
        folder.mkdir()
        bad = folder / "bad.pem"
        bad.write_text("no certificate")
        for path in (bad, folder / "none.pem"):
            error = self.assertRaises(BadCertificate, contacts, configured(one=evolve(SMSC, ca=path)))
            self.assertIn(str(path), str(error))


class SmsOutTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.store = new_store()
        self.reactor = MemoryReactorClock()
        self.reactor.advance(1.0)

    def made(self, config: Config) -> SmsOut:
        out = SmsOut(config, self.store.outbox, self.store.trace, self.reactor, self.reactor.seconds)
        self.addCleanup(self.stopped, out)
        return out

    def stopped(self, out: SmsOut) -> None:
        """Whatever was begun is ended."""
        done = ensureDeferred(out.stop())
        for _ in range(100):
            self.reactor.advance(1.0)
        self.successResultOf(done)

    def dialled(self) -> list[int]:
        """The ports that connections are being made to."""
        self.reactor.advance(0.1)
        return [port for _, port, *_ in self.reactor.tcpClients]

    def test_start(self) -> None:
        """Each operator with SMPP is bound to, and none before the start."""
        mail = Operator(smtp_address="{number}@sms.example.net")
        out = self.made(configured(one=SMSC, two=mail))
        self.assertEqual((list(out.pumps), self.dialled()), (["smpp:one"], []))
        out.start()
        self.assertEqual(self.dialled(), [2775])
        self.assertEqual([state.wanted for state in out.states()["smpp:one"]], [1, 0])
        out.kick("smpp:one")
        out.kick("smtp:two")

    def test_apply(self) -> None:
        """Only operators that have changed are bound to anew, added ones are begun and removed ones ended."""
        out = self.made(configured(one=SMSC, two=SMSC, three=SMSC))
        out.start()
        before = dict(out.pumps)
        moved = evolve(SMSC, password="new")
        same = evolve(SMSC, price=1.0, per_day=5, trigger_format=TriggerFormat.SI)
        out.apply(configured(one=same, two=moved, four=SMSC))
        self.assertEqual(set(out.pumps), {"smpp:one", "smpp:two", "smpp:four"})
        self.assertIs(out.pumps["smpp:one"], before["smpp:one"])
        self.assertIsNot(out.pumps["smpp:two"], before["smpp:two"])
        self.assertEqual([bool(pump.running) for pump in out.pumps.values()], [True, True, True])
        self.assertEqual([bool(before[f"smpp:{name}"].running) for name in ("two", "three")], [False, False])

    def test_applyWrong(self) -> None:
        """A configuration that cannot be put in force leaves everything as it was."""
        out = self.made(configured(one=SMSC))
        wrong = configured(one=evolve(SMSC, ca=Path("/nonexistent/ca.pem")))
        self.assertRaises(BadCertificate, out.check, wrong)
        self.assertRaises(BadCertificate, out.apply, wrong)
        self.assertEqual((list(out.pumps), out.config), (["smpp:one"], configured(one=SMSC)))

    def test_tls(self) -> None:
        """An SMSC is connected to by TLS where that is asked for, with certificates of its own or the system's."""
        folder = Path(self.mktemp())
        folder.mkdir()
        (folder / "ca.pem").write_bytes(self_signed("smsc.example.net")[0])
        for ca in (None, folder / "ca.pem"):
            self.reactor.tcpClients.clear()
            operator = evolve(SMSC, smpp=("tls:192.0.2.9:3550",), ca=ca, server_name="smsc.example.net")
            self.made(configured(one=operator)).start()
            self.assertEqual(self.dialled(), [3550])

    def test_ipv6(self) -> None:
        """Trap: the blocking client of smpplib knows IPv4 alone. Here an SMSC may have an address of IPv6."""
        found = contacts(configured(one=evolve(SMSC, smpp=("tcp:\\:\\:1:2775",))))
        ((_, place),) = found["smpp:one"].endpoints(self.reactor)
        self.assertIn("[::1]:2775", repr(place))

    def test_render(self) -> None:
        """A letter is rendered by what is configured when it goes: its own format, the operator's, the common one."""
        out = self.made(configured(one=SMSC))
        (part,) = out.render(LETTER)
        self.assertEqual(part.short_message, b"PUSHGW " + LETTER.guid.encode())
        self.assertFalse(part.udhi)
        self.assertTrue(out.render(evolve(LETTER, format="binary"))[0].udhi)
        out.apply(configured(one=evolve(SMSC, trigger_format=TriggerFormat.SI)))
        self.assertTrue(out.render(LETTER)[0].udhi)
        out.apply(Config())
        self.assertRaises(ValueError, out.render, LETTER)
