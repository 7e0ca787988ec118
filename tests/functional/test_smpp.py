"""Triggers by SMPP to the SMSC of the npm package C{smpp}, with a SQLite file, over real sockets."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from attrs import evolve
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.ssl import Certificate, optionsForClientTLS, trustRootFromCertificates
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from gateway.model import DeviceKey
from gateway.sms.formats import Carriage, TriggerFormat, letter_parts
from gateway.sms.pump import Pump
from gateway.sms.settings import IdForm, OperatorSettings, Patience, Timing
from gateway.sms.udh import Part
from gateway.store import open_store
from gateway.tls import utc_now
from gateway.trigger import Hop, Letter, LetterState
from tests.functional.smsc import NodeSmsc, missing
from tests.test_tls import write_pair

SETTINGS = OperatorSettings(
    "acme",
    "test",
    "secret",
    source="pushgw",
    window=50,
    retry_seconds=2.0,
    id_form=IdForm.AS_IS,
    timing=Timing(bind=5, response=2, silence=1, partial=2, unbind=2, linger=0.5),
    patience=Patience(first=0.1, longest=0.5, account=2, failover=0.5, failback=1.0, suspect=3, retire=2, drain=3),
)
OVER = {LetterState.SENT, LetterState.DELIVERED}


def settings(**changes: Any) -> OperatorSettings:
    """The settings of the operator, with changes."""
    return evolve(SETTINGS, **changes)


class SmppTests(TestCase):
    timeout = 240
    skip = missing()

    def setUp(self) -> None:
        folder = Path(self.mktemp()).resolve()
        folder.mkdir(parents=True)
        self.folder = folder
        self.store = open_store(f"sqlite:///{folder}/store.sqlite", deferToThread)
        self.smscs: list[NodeSmsc] = []
        self.pump: Pump | None = None
        self.alarms: list[str] = []

    async def tearDown(self) -> None:
        if self.pump is not None and self.pump.running:
            await self.pump.stopService()
        for smsc in self.smscs:
            await smsc.kill()
            self.assertEqual(smsc.errors, b"")
        self.store.close()

    async def smsc(self, **told: Any) -> NodeSmsc:
        """A running SMSC, each with message ids of its own."""
        smsc = NodeSmsc()
        self.smscs.append(smsc)
        await smsc.start(reactor, **{"first": 0x100000 * len(self.smscs)} | told)  # type: ignore[arg-type]
        return smsc

    def plain(self, port: int) -> IStreamClientEndpoint:
        return HostnameEndpoint(reactor, "127.0.0.1", port)

    def start(self, settings: OperatorSettings, *places: IStreamClientEndpoint) -> Pump:
        form, carriage = TriggerFormat(), Carriage()

        def render(letter: Letter) -> Sequence[Part]:
            return letter_parts(letter, form, carriage, time.time())

        named = [(f"smsc{n}", place) for n, place in enumerate(places)]
        self.pump = Pump(settings, named, self.store.outbox, self.store.trace, render, reactor, time.time)
        self.pump.startService()
        return self.pump

    async def put(self, count: int, first: int = 0) -> None:
        """Queue triggers, one for each device."""
        now = time.time()
        letters = [
            Letter(
                DeviceKey(f"u{n}", "phone"),
                "smpp:acme",
                f"+49170{n:07}",
                guid=f"{n:08x}-0000-4000-8000-000000000000",
                created=now,
                expires=now + 900,
            )
            for n in range(first, first + count)
        ]
        await self.store.outbox.put(letters)
        if self.pump is not None:
            self.pump.kick()

    async def states(self) -> Counter[LetterState]:
        return Counter(letter.state for letter in await self.store.outbox.letters(None, None, 100_000))

    async def until(self, wanted: Callable[[Counter[LetterState]], bool], seconds: float = 120) -> None:
        """Wait until the states of the letters are as wanted."""
        end = time.monotonic() + seconds
        while not wanted(states := await self.states()):
            if time.monotonic() > end:
                self.fail(f"it stayed at {states}, with {self.pump.states() if self.pump is not None else None}")
            await self.rest(0.1)

    def rest(self, seconds: float) -> Deferred[None]:
        return deferLater(reactor, seconds, lambda: None)  # type: ignore[arg-type]

    async def all_delivered(self, count: int, smsc: NodeSmsc) -> None:
        """Every trigger was taken once, and every receipt was matched, acknowledged and traced."""
        await self.until(lambda states: states[LetterState.DELIVERED] == count)
        self.assertEqual(set(smsc.taken.values()), {1})
        self.assertEqual(len(smsc.taken), count)
        assert self.pump is not None
        await self.pump.stopService()
        counts = await smsc.count()
        self.assertEqual((counts["receipts"], counts["acknowledged"], counts["refused"]), (count, count, 0))
        hops: list[Hop] = await self.store.trace.read("u7", None, 0, 10)
        self.assertEqual([hop.kind for hop in hops], ["taken", "receipt"])

    async def test_plain(self) -> None:
        """5,000 triggers in the clear are all delivered, with ids in hexadecimal digits on both sides."""
        smsc = await self.smsc()
        await self.put(5000)
        self.start(SETTINGS, self.plain(smsc.port))
        await self.all_delivered(5000, smsc)

    async def test_tls(self) -> None:
        """5,000 triggers over TLS are all delivered, with receipts in text alone and in decimal digits, which is found
        out."""
        pair = write_pair(self.folder / "tls", "smsc.example", now=utc_now())
        smsc = await self.smsc(key=str(pair.key), cert=str(pair.certificate), receipts="decimal", tlvs=False)
        trust = trustRootFromCertificates([Certificate.loadPEM(pair.certificate.read_bytes())])
        creator = optionsForClientTLS("smsc.example", trust)
        await self.put(5000)
        self.start(settings(id_form=IdForm.AUTO), wrapClientTLS(creator, self.plain(smsc.port)))
        await self.all_delivered(5000, smsc)

    async def test_decimal(self) -> None:
        """Answers in decimal digits and receipts in hexadecimal ones are matched; several binds share the work."""
        smsc = await self.smsc(answers="decimal", receipts="hex", delay=0)
        await self.put(1000)
        self.start(settings(id_form=IdForm.HEX, binds=3, window=10), self.plain(smsc.port))
        await self.all_delivered(1000, smsc)

    async def test_wrongName(self) -> None:
        """An SMSC whose certificate has another name gets nothing, and the state says why."""
        pair = write_pair(self.folder / "tls", "other.example", now=utc_now())
        smsc = await self.smsc(key=str(pair.key), cert=str(pair.certificate))
        trust = trustRootFromCertificates([Certificate.loadPEM(pair.certificate.read_bytes())])
        await self.put(1)
        pump = self.start(SETTINGS, wrapClientTLS(optionsForClientTLS("smsc.example", trust), self.plain(smsc.port)))
        end = time.monotonic() + 20
        while not pump.states()[0].trouble:
            self.assertLess(time.monotonic(), end)
            await self.rest(0.05)
        self.assertIn("smsc.example", pump.states()[0].trouble)
        self.assertEqual((await smsc.count())["binds"], 0)
        self.assertEqual(await self.states(), {LetterState.QUEUED: 1})

    async def test_wrongPassword(self) -> None:
        """A wrong password is said to be one, and what was queued waits."""
        smsc = await self.smsc()
        await self.put(1)
        pump = self.start(settings(password="wrong"), self.plain(smsc.port))
        end = time.monotonic() + 20
        while "RINVPASWD" not in pump.states()[0].trouble:
            self.assertLess(time.monotonic(), end)
            await self.rest(0.05)
        self.assertEqual(await self.states(), {LetterState.QUEUED: 1})

    async def accounted(self, count: int) -> None:
        """Every device was woken, none more than once more than it should; the trace accounts for every SMS."""
        taken: Counter[str] = Counter()
        for smsc in self.smscs:
            taken.update(smsc.taken)
        self.assertEqual(len(taken), count)
        self.assertLessEqual(max(taken.values()), 2)
        for n in range(count):
            hops = await self.store.trace.read(f"u{n}", None, 0, 1000)
            sent = sum(hop.kind == "taken" or hop.text.startswith("in doubt") for hop in hops)
            self.assertLessEqual(taken[f"49170{n:07}"], sent, hops)

    async def test_troubles(self) -> None:
        """While the SMSC is throttling, killed, started again, silent, and replaced by a second one, 2,000 triggers
        all wake their devices."""
        first = await self.smsc()
        second = await self.smsc()
        pump = self.start(settings(rate=400.0, window=10), self.plain(first.port), self.plain(second.port))
        await self.put(2000)
        await self.until(lambda states: states[LetterState.DELIVERED] >= 200)

        first.tell(throttle=0.5)
        await self.until(lambda states: states[LetterState.DELIVERED] >= 400)
        first.tell(throttle=0)

        await first.kill()
        await self.until(lambda states: states[LetterState.DELIVERED] >= 600)
        self.assertIn("smsc1", [state.name.split()[-1] for state in pump.states() if state.used])

        again = await self.smsc(port=first.port)
        await self.until(lambda states: len(again.taken) >= 100)
        again.tell(silent=True)
        before = len(second.taken)
        await self.until(lambda states: len(second.taken) >= before + 100)

        await second.kill()
        again.tell(silent=False)
        await self.until(lambda states: states[LetterState.QUEUED] + states[LetterState.DOUBT] == 0)
        await self.rest(0.5)
        states = await self.states()
        self.assertEqual(sum(states[state] for state in OVER), 2000)
        await pump.stopService()
        await self.accounted(2000)

    async def test_killedWhileSending(self) -> None:
        """An SMSC that is killed again and again, in the middle of things, gets every trigger at last."""
        port = (await self.smsc(delay=1)).port
        pump = self.start(settings(window=20, rate=1000.0), self.plain(port))
        await self.put(1000)
        for _ in range(2):
            await self.until(lambda states: len(self.smscs[-1].taken) >= 150)
            await self.smscs[-1].kill()
            await self.smsc(port=port, delay=1)
        await self.until(lambda states: sum(states[state] for state in OVER) == 1000)
        await pump.stopService()
        await self.accounted(1000)

    def child(self, port: int) -> subprocess.Popen[bytes]:
        """A pump in a process of its own."""
        command = [sys.executable, "-m", "tests.functional.pumping", f"{self.folder}/store.sqlite", str(port)]
        child = subprocess.Popen(command, cwd=Path(__file__).parents[2])
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        return child

    async def test_killed(self) -> None:
        """A pump that is killed twice among 2,000 triggers, while the SMSC throttles now and then, sends them all; what
        was in doubt is sent again once, and the rest once."""
        smsc = await self.smsc(throttle=0.1)
        await self.put(2000)
        for enough in (400, 900):
            child = self.child(smsc.port)
            await self.until(lambda states, enough=enough: len(smsc.taken) >= enough)
            child.kill()
            child.wait()
        self.child(smsc.port)
        await self.until(lambda states: sum(states[state] for state in OVER) == 2000)
        self.assertEqual(len(smsc.taken), 2000)
        self.assertLessEqual(max(smsc.taken.values()), 2)
        self.assertLessEqual(smsc.taken.total(), 2000 + 2 * 20)
