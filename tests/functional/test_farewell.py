"""The end of a gateway: everybody who waits is answered, and the process is gone."""

from __future__ import annotations

import asyncio
import signal
import time

from twisted.trial.unittest import SynchronousTestCase

from tests.functional.phones import Gone, Phone, Reply, ping_body
from tests.functional.running import Running, eventually, played, started

#: twistd ends by the signal that ended it, which service managers take for success.
CLEAN = (0, -signal.SIGTERM)


async def fleet(gateway: Running, per_user: int) -> list[Phone]:
    """Phones that are ready to park, some at a time."""
    phones = [Phone(gateway, user, f"{user}d{number}") for user in gateway.users for number in range(per_user)]
    places = asyncio.Semaphore(32)

    async def prepare(phone: Phone) -> None:
        async with places:
            await phone.ready()

    await asyncio.gather(*map(prepare, phones))
    return phones


class FarewellTests(SynchronousTestCase):
    @played
    async def test_thousand(self) -> None:
        """SIGTERM with 1,000 parked answers each of them with Status 1, spread over the configured seconds, and the
        process is gone soon after, without complaint."""
        users = [f"u{number:02d}" for number in range(50)]
        gateway = started(
            self,
            users=users,
            settings={"direct_push": {"farewell_seconds": "3"}, "log": {"access": "false"}},
        )
        phones = await fleet(gateway, 20)
        for phone in phones:
            await phone.send("Ping", ping_body(900, phone.inbox))
        answers = [asyncio.create_task(phone.receive()) for phone in phones]
        await eventually(lambda: gateway.parked() == 1000, "1,000 to park")
        began = time.monotonic()
        gateway.poke(signal.SIGTERM)
        replies = await asyncio.gather(*answers)
        status = await asyncio.to_thread(gateway.wait)
        gone = time.monotonic()
        self.assertEqual({reply.ping for reply in replies}, {"1"})
        self.spread([reply.at - began for reply in replies])
        self.assertIn(status, CLEAN)
        self.assertLess(gone - began, 15.0)
        self.assertNotIn("Traceback", gateway.log)
        self.assertIn("farewell: 1000 requests in hand", gateway.log)

    def spread(self, seconds: list[float]) -> None:
        """The answers came over the whole of the three seconds, and never most of them at once."""
        self.assertGreater(max(seconds), 2.0)
        for start in range(3):
            self.assertLess(sum(start <= second < start + 0.5 for second in seconds), 500)

    @played
    async def test_comeBack(self) -> None:
        """Who comes back during the farewell is put off with 503 and Retry-After, and its connection ends."""
        gateway = started(self, users=["ann", "bob"], settings={"direct_push": {"farewell_seconds": "4"}})
        phones = await fleet(gateway, 2)
        answers = [await phone.park(900) for phone in phones]
        gateway.poke(signal.SIGTERM)
        await asyncio.wait(answers, return_when=asyncio.FIRST_COMPLETED)
        index = next(index for index, answer in enumerate(answers) if answer.done())
        again: Reply = await phones[index].ping(900)
        self.assertEqual(again.status, 503)
        self.assertGreaterEqual(int(again.headers["retry-after"]), 1)
        await asyncio.gather(*answers)
        with self.assertRaises(Gone):
            await phones[index].receive()
        self.assertIn(await asyncio.to_thread(gateway.wait), CLEAN)

    @played
    async def test_toldAgain(self) -> None:
        """A second SIGTERM, or SIGINT, cuts the farewell short: all are answered at once, and nobody complains."""
        for second in (signal.SIGTERM, signal.SIGINT):
            gateway = started(self, users=["ann", "bob"], settings={"direct_push": {"farewell_seconds": "30"}})
            phones = await fleet(gateway, 2)
            answers = [await phone.park(900) for phone in phones]
            began = time.monotonic()
            gateway.poke(signal.SIGTERM)
            await asyncio.wait(answers, return_when=asyncio.FIRST_COMPLETED)
            gateway.poke(second)
            self.assertEqual({reply.ping for reply in await asyncio.gather(*answers)}, {"1"})
            self.assertIn(await asyncio.to_thread(gateway.wait), CLEAN)
            self.assertLess(time.monotonic() - began, 15.0)
            self.assertNotIn("Traceback", gateway.log)
            self.assertIn("the farewell is cut short", gateway.log)

    def test_nobody(self) -> None:
        """With nobody parked it is gone at once, and its socket with it."""
        gateway = started(self, settings={"direct_push": {"farewell_seconds": "60"}})
        began = time.monotonic()
        self.assertIn(gateway.stop(), CLEAN)
        self.assertLess(time.monotonic() - began, 30.0)
        self.assertFalse((gateway.folder / "pushgw.sock").exists())

    def test_whileStarting(self) -> None:
        """SIGTERM while the gateway is starting ends it too, without a traceback."""
        gateway = started(self)
        gateway.stop()
        for delay in (0.3, 0.6, 0.9, 1.2):
            gateway.launch()
            time.sleep(delay)
            self.assertIn(gateway.stop(), CLEAN)
        self.assertNotIn("Traceback", gateway.log)
