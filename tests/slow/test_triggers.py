"""Every device that should be woken is, whatever happens to the SMSC and to the gateway meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import smtplib
import sqlite3
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from attrs import define, field
from twisted.trial.unittest import SynchronousTestCase

from tests.functional.phones import Gone, Phone, subject
from tests.functional.running import Running, eventually, played
from tests.slow.test_kill import SEED

USERS, DEVICES, ROUNDS = 40, 5, 10
#: Seconds from a mail until each of the user's devices has been woken and has synchronised, the worst case included:
#: an SMSC that falls silent is left after its response time, and the next one is bound to some seconds later.
BOUND = 60.0
SETTINGS = {
    "log": {"access": "false"},
    "policy": {"default_mode": '"sms"'},
    "operators.acme": {
        "system_id": '"pushgw"',
        "response_seconds": "3",
        "enquire_link_seconds": "2",
        "retry_seconds": "1",
        "window": "20",
    },
}


@define(eq=False)
class SmscProcess:
    """One SMSC at a port of its own, through all its lives; C{received} are the SMS by number."""

    number: int
    received: list[dict[str, Any]] = field(factory=list)
    port: int = 0
    lives: int = 0
    came: Any = None
    _process: asyncio.subprocess.Process | None = field(init=False, default=None)
    _reading: asyncio.Task[None] | None = field(init=False, default=None)

    async def start(self) -> None:
        """Listen, at the same port as before; message ids are never given twice."""
        self.lives += 1
        first = (self.number * 100 + self.lives) * 100_000
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "tests.slow.smsc", str(self.port), str(first)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        )
        assert self._process.stdout is not None
        self.port = json.loads(await self._process.stdout.readline())["port"]
        self._reading = asyncio.create_task(self._read(self._process.stdout))

    async def _read(self, lines: asyncio.StreamReader) -> None:
        while line := await lines.readline():
            sms = json.loads(line)
            self.received.append(sms)
            self.came(sms["sms"], sms["guid"])

    async def kill(self) -> None:
        """End it at once."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
        if self._reading is not None:
            await self._reading

    async def behave(self, **misbehaviour: Any) -> None:
        """Misbehave like that from now on."""
        assert self._process is not None and self._process.stdin is not None
        self._process.stdin.write(json.dumps(misbehaviour).encode() + b"\n")
        await self._process.stdin.drain()


@define(eq=False)
class Pager:
    """A device that synchronises when it is told to by an SMS, and not otherwise."""

    phone: Phone
    number: str
    told: asyncio.Event = field(factory=asyncio.Event)
    guids: list[str] = field(factory=list)
    mails: set[str] = field(factory=set)
    waiting: bool = True

    def has(self, mail: str) -> bool:
        """Whether it has fetched a mail, and will fetch nothing before the next SMS."""
        return mail in self.mails and self.waiting and not self.told.is_set()

    async def live(self) -> None:
        """Wait for an SMS, synchronise until there is no more, wait again."""
        while True:
            await self.told.wait()
            self.told.clear()
            self.waiting = False
            while not await self._fetched():
                await asyncio.sleep(0.3)
            self.waiting = True

    async def _fetched(self) -> bool:
        """Whether everything is here; not if the gateway is away."""
        try:
            while True:
                reply = await self.phone.sync()
                if reply.status != 200:
                    return False
                added = [] if not reply.body else [subject(data) for _, data in reply.commands("Add")]
                self.mails.update(added)
                if not added:
                    return True
        except (Gone, OSError, TimeoutError):
            self.phone.close()
            return False


class TriggerTests(SynchronousTestCase):
    """Forty users with five devices each, two SMSCs, and ten rounds of mails in which something breaks."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="pushgw triggers ")
        self.addCleanup(folder.cleanup)
        self.draw = random.Random(SEED)
        self.gateway = Running(Path(folder.name) / "data", [f"u{n:02d}" for n in range(USERS)], SETTINGS)
        self.addCleanup(self.gateway.kill)
        self.pagers: dict[str, Pager] = {}
        self.smscs = [SmscProcess(1), SmscProcess(2)]
        for smsc in self.smscs:
            smsc.came = self._came
        self.kills = 0

    def _came(self, number: str, guid: str) -> None:
        pager = self.pagers[number]
        pager.guids.append(guid)
        pager.told.set()

    @played
    async def test_everyDeviceIsWoken(self) -> None:
        """While SMSCs are killed, throttle, fall silent and are replaced, and the gateway is killed twice: every
        device is woken for every mail, none gets a trigger more than once too often for each break, and the trace
        and the outbox account for every SMS."""
        for smsc in self.smscs:
            await smsc.start()
        places = ", ".join(f'"tcp:127.0.0.1:{smsc.port}"' for smsc in self.smscs)
        self.gateway.settings["operators.acme"]["smpp"] = f"[{places}]"
        await asyncio.to_thread(self.gateway.make)
        await asyncio.to_thread(self.gateway.start)
        await self._register()
        living = [asyncio.create_task(pager.live()) for pager in self.pagers.values()]
        troubles = [self._nothing, self._killed_smsc, self._throttling, self._killed_gateway, self._silent]
        for number in range(ROUNDS):
            await self._round(number, troubles[number % len(troubles)])
        for task in living:
            task.cancel()
        await self._settled()
        self._verify()
        for smsc in self.smscs:
            await smsc.kill()

    async def _register(self) -> None:
        for place, user in enumerate(self.gateway.users):
            for device in range(DEVICES):
                digits = f"4917{place:03d}{device:04d}"
                pager = Pager(Phone(self.gateway, user, f"{user}d{device}"), digits)
                await pager.phone.ready()
                self.gateway.ask(
                    "register",
                    user=user,
                    device=pager.phone.device,
                    by="test",
                    number=f"+{digits}",
                    operator="acme",
                    address="",
                    format="",
                    name="",
                )
                self.pagers[digits] = pager

    async def _round(self, number: int, trouble: Any) -> None:
        """A mail for everybody, and trouble in the middle of it; then wait until every device was woken and has it."""
        mail, before = f"mail {number}", {digits: len(pager.guids) for digits, pager in self.pagers.items()}
        breaking = asyncio.create_task(trouble())
        for user in self.draw.sample(self.gateway.users, USERS):
            await self._send(user, mail)
        began = time.monotonic()
        await breaking
        missing: list[str] = []
        while time.monotonic() < began + BOUND:
            missing = [pager.phone.device for pager in self.pagers.values() if not pager.has(mail)]
            if not missing:
                break
            await asyncio.sleep(0.2)
        self.assertEqual(missing, [], f"round {number} ({trouble.__name__})\n{self.gateway.log[-3000:]}")
        asleep = [digits for digits, pager in self.pagers.items() if len(pager.guids) == before[digits]]
        self.assertEqual(asleep, [], f"has {mail}, and no SMS woke it")

    async def _send(self, user: str, subject: str) -> None:
        for _ in range(200):
            try:
                await asyncio.to_thread(self.gateway.send_mail, user, subject)
                return
            except (OSError, smtplib.SMTPException):
                await asyncio.sleep(0.2)
        raise AssertionError("a mail could not be sent")

    # The troubles.

    async def _nothing(self) -> None:
        """A quiet round."""

    async def _killed_smsc(self) -> None:
        """The first SMSC is killed and comes back."""
        await asyncio.sleep(self.draw.uniform(0.1, 0.6))
        await self.smscs[0].kill()
        await asyncio.sleep(self.draw.uniform(0.5, 3.0))
        await self.smscs[0].start()

    async def _throttling(self) -> None:
        """Both say that it is too much for every third submit."""
        for smsc in self.smscs:
            await smsc.behave(throttled=3)
        await asyncio.sleep(3.0)
        for smsc in self.smscs:
            await smsc.behave()

    async def _killed_gateway(self) -> None:
        """The gateway is killed and started again."""
        await asyncio.sleep(self.draw.uniform(0.1, 0.8))
        await asyncio.to_thread(self.gateway.kill)
        self.kills += 1
        await asyncio.to_thread(self.gateway.start)

    async def _silent(self) -> None:
        """The first SMSC falls silent until it is replaced by the second, then is started anew."""
        await self.smscs[0].behave(silent_after=0)
        await asyncio.sleep(12.0)
        await self.smscs[0].kill()
        await self.smscs[0].start()

    # What must hold at the end.

    async def _settled(self) -> None:
        def done() -> bool:
            with sqlite3.connect(self.gateway.folder / "pushgw.sqlite") as database:
                rows = database.execute("SELECT state FROM outbox").fetchall()
            return not {state for (state,) in rows} & {"queued", "in doubt"}

        await eventually(done, "every letter to be settled", 30.0)

    def _verify(self) -> None:
        self.assertEqual(self.kills, 2)
        sms = [one for smsc in self.smscs for one in smsc.received]
        guids = Counter((one["sms"], one["guid"]) for one in sms)
        # Once, and once more where a submit was in doubt: never a third time.
        self.assertLessEqual(max(guids.values()), 2)
        twice = sum(count - 1 for count in guids.values())
        with sqlite3.connect(self.gateway.folder / "pushgw.sqlite") as database:
            letters = database.execute("SELECT id, user, device, guid, state FROM outbox").fetchall()
            hops = database.execute("SELECT letter, kind FROM hop WHERE letter > 0").fetchall()
        by_guid: dict[str, list[Any]] = defaultdict(list)
        for letter in letters:
            by_guid[letter[3]].append(letter)
        devices = {number: pager.phone.device for number, pager in self.pagers.items()}
        strangers = [one for one in sms if devices[one["sms"]] not in {row[2] for row in by_guid[one["guid"]]}]
        self.assertEqual(strangers, [])
        traced = defaultdict(set)
        for number, kind in hops:
            traced[number].add(kind)
        # What is noted in the last second before a kill is lost with it: the trace explains, and decides nothing.
        bare = [row for row in letters if not traced[row[0]]]
        self.assertLessEqual(len(bare), self.kills * USERS * DEVICES)
        self.assertEqual({row[4] for row in letters} - {"sent", "delivered", "folded", "withdrawn"}, set())
        print(f"{len(sms)} SMS, {twice} of them twice, {len(letters)} letters, {len(bare)} without a hop")
