"""Nothing is dropped: phones are parked and mails come while the gateway is killed and started at random moments."""

from __future__ import annotations

import asyncio
import random
import smtplib
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from email import message_from_bytes
from pathlib import Path

from attrs import define, field
from twisted.trial.unittest import SynchronousTestCase

from gateway.element import Element
from tests.functional.phones import Gone, Phone, Reply, delete_command, ping_body, read_command, subject, sync_body
from tests.functional.running import PATIENCE, Running, eventually, played

USERS, DEVICES, MAILS, KILLS = 40, 5, 2000, 6
SEED = 2006
PER_SECOND = 25.0
HEARTBEAT = 900
#: Seconds until a device must have a mail: from the delivery, or from the device's own reconnection if that is later.
BOUND = 5.0
#: What a device asks at most until it has the mail: what was lost once more, a Ping that is answered at once, a Sync.
#: On a machine that is too slow for the seconds above it may take as long as so many of the slowest Syncs of the run.
ASKED = 3
#: What is remembered of a device, for when it had to wait too long.
STORY = 60


@define(eq=False)
class World:
    """What is known outside of the gateway: who was sent what, and what was answered."""

    gateway: Running
    draw: random.Random
    accepted: dict[str, tuple[str, float]] = field(factory=dict)
    tried: set[str] = field(factory=set)
    lives: list[Life] = field(factory=list)
    reads: set[str] = field(factory=set)
    deletions: set[str] = field(factory=set)
    asked_deletions: set[str] = field(factory=set)
    kills: int = 0
    history: dict[str, list[str]] = field(factory=dict)
    delivered: bool = False
    over: bool = False

    def owed(self, user: str) -> set[str]:
        """The mails that every device of a user must see."""
        return {token for token, (owner, _) in self.accepted.items() if owner == user}

    def note(self, token: str, event: str) -> None:
        """Keep what happened to a mail, for when it is missed."""
        self.history.setdefault(token, []).append(f"{time.monotonic():.2f} {event}")

    def everybody_has(self, user: str, token: str) -> bool:
        """Whether all devices of a user have seen a mail."""
        return all(token in life.seen for life in self.lives if life.phone.user == user)


@define(eq=False)
class Life:
    """A phone that synchronises and parks until the world is over, and repeats what got no answer.

    C{story} is what it did last, with the time. The clock of L{BOUND} starts with the first connection after a kill
    of the gateway; neither an answer that puts the phone off nor one that never comes starts it anew.
    """

    world: World
    phone: Phone
    held: dict[str, tuple[str, bool]] = field(factory=dict)
    seen: dict[str, set[str]] = field(factory=dict)
    learnt: dict[str, tuple[float, float]] = field(factory=dict)
    story: deque[str] = field(factory=lambda: deque(maxlen=STORY))
    replays: int = 0
    repeats: int = 0
    slowest: float = 0.0
    _since: float = 0.0
    _due: bool = True
    _told: bool = False
    _kills: int = -1
    _unanswered: Element | None = None
    _reading: str = ""
    _deleting: str = ""

    @property
    def idle(self) -> bool:
        """Whether nothing is to be synchronised."""
        return not self._due and self._unanswered is None

    def _tell(self, event: str) -> None:
        self.story.append(f"{time.monotonic():.2f} {event}")

    async def live(self) -> None:
        """Go on until the world is over, through every loss of the connection."""
        while not self.world.over:
            try:
                await self._step()
            except (Gone, OSError, TimeoutError) as error:
                if not isinstance(error, ConnectionRefusedError):
                    self._tell(f"lost: {type(error).__name__}")
                self.phone.close()
                self._told = False
                await asyncio.sleep(self.world.draw.uniform(0.02, 0.3))

    async def _step(self) -> None:
        phone, draw = self.phone, self.world.draw
        if not phone.connected:
            await phone.connect()
            self._tell("connected")
            if self._kills != self.world.kills:
                self._kills, self._since = self.world.kills, time.monotonic()
        if phone.hierarchy == "0":
            await phone.folder_sync()
        # A Sync that may have carried a command is repeated first; before another one a phone may as well Ping, until
        # it is told. Who is told and pings all the same is held back, and waits for as long as it has chosen to.
        commanding = self._reading or self._deleting
        trusting = self._unanswered is not None and not (commanding or self._told) and draw.random() < 0.3
        if trusting or self.idle:
            await self._ping()
        else:
            await self._sync()

    async def _ping(self) -> None:
        self._tell("Ping")
        await self.phone.send("Ping", ping_body(HEARTBEAT, self.phone.inbox))
        reply = await self.phone.receive()
        if await self._put_off(reply):
            return
        assert reply.status == 200, reply
        assert reply.ping in ("1", "2"), reply.element
        self._tell(f"Ping answered {reply.ping}")
        self._told = reply.ping == "2"
        self._due = self._due or self._told

    async def _sync(self) -> None:
        key = self.phone.keys.get(self.phone.inbox, "0")
        if self._unanswered is None:
            self._unanswered = sync_body(self.phone.inbox, key, *self._commands(key))
        else:
            self.repeats += 1
        self._tell(f"Sync {key}")
        asked = time.monotonic()
        reply = await self.phone.ask("Sync", self._unanswered)
        if await self._put_off(reply):
            return
        assert reply.status == 200, reply
        self.slowest = max(self.slowest, time.monotonic() - asked)
        self._tell(f"Sync answered, {len(reply.body)} bytes")
        self._unanswered, self._told = None, False
        if not reply.body:
            self._due = False
            return
        assert reply.collection.text_of("AirSync:Status") == "1", (key, reply.element)
        self.phone.keys[self.phone.inbox] = reply.collection.text_of("AirSync:SyncKey") or ""
        self._acknowledged(reply.collection.child("AirSync:Responses"))
        for name in ("Add", "Change", "Delete"):
            for id, data in reply.commands(name):
                self._apply(name, id, data)
        self._due = key == "0" or reply.collection.child("AirSync:MoreAvailable") is not None
        self._due = self._due or self._wants_more()

    async def _put_off(self, reply: Reply) -> bool:
        """Whether the gateway wants to be asked later; then it is later already."""
        if reply.status != 503:
            return False
        self._tell(f"put off for {reply.headers['retry-after']} s")
        await asyncio.sleep(float(reply.headers["retry-after"]))
        return True

    def _wants_more(self) -> bool:
        """Now and then the owner reads a mail, or deletes one that all the devices have."""
        draw, world = self.world.draw, self.world
        unread = [id for id, (_, read) in self.held.items() if not read]
        if unread and draw.random() < 0.1:
            self._reading = draw.choice(unread)
        deletable = [
            id
            for id, (token, _) in self.held.items()
            if token not in world.asked_deletions and world.everybody_has(self.phone.user, token)
        ]
        if deletable and draw.random() < 0.03:
            self._deleting = draw.choice([id for id in deletable if id != self._reading] or [""])
        if self._deleting:
            world.asked_deletions.add(self.held[self._deleting][0])
        return bool(self._reading or self._deleting)

    def _commands(self, key: str) -> Iterator[Element]:
        for id, command, what in ((self._reading, read_command, "read"), (self._deleting, delete_command, "delete")):
            if id in self.held:
                self.world.note(self.held[id][0], f"{self.phone.device} {what} sent with {key}")
                yield command(id)

    def _acknowledged(self, responses: Element | None) -> None:
        """What has no response was carried out ([MS-ASCMD] 2.2.3.154)."""
        refused = {response.text_of("AirSync:ServerId") for response in responses or ()}
        for id in (self._reading, self._deleting):
            if id in self.held:
                self.world.note(self.held[id][0], f"{self.phone.device} answered, refused: {id in refused}")
        if self._reading in self.held and self._reading not in refused:
            token, _ = self.held[self._reading]
            self.held[self._reading] = (token, True)
            self.world.reads.add(token)
        if self._deleting in self.held and self._deleting not in refused:
            self.world.deletions.add(self.held.pop(self._deleting)[0])
        self._reading = self._deleting = ""

    def _apply(self, name: str, id: str, data: Element | None) -> None:
        if name == "Delete":
            self.held.pop(id, None)
            return
        read = data is not None and data.text_of("Email:Read") == "1"
        if name == "Change":
            self.held[id] = (self.held[id][0], read)
            return
        token = subject(data)
        self.replays += id in self.seen.get(token, ())
        self.seen.setdefault(token, set()).add(id)
        self.learnt.setdefault(token, (time.monotonic(), self._since))
        self.held[id] = (token, read)


@define
class Disk:
    """The mails of a user as they lie in the Maildir: token to whether it is read, by folder; C{twice} are faults."""

    inbox: dict[str, bool]
    trash: dict[str, bool]
    twice: list[str]

    @classmethod
    def of(cls, maildir: Path) -> Disk:
        """Read a mailbox."""
        twice: list[str] = []
        places = []
        for folder in (maildir, maildir / ".Trash"):
            there: dict[str, bool] = {}
            for path in (*folder.glob("new/*"), *folder.glob("cur/*")):
                token = message_from_bytes(path.read_bytes())["Subject"]
                twice += [token] if token in there else []
                there[token] = "S" in path.name.rpartition(":2,")[2] and ":2," in path.name
            places.append(there)
        return cls(places[0], places[1], [*twice, *(places[0].keys() & places[1].keys())])


class KillTests(SynchronousTestCase):
    """Mails and phones beside a gateway that is killed again and again."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="pushgw kill ")
        self.addCleanup(folder.cleanup)
        users = [f"u{number:02d}" for number in range(USERS)]
        settings = {"maildir": {"create_special": "true"}, "log": {"access": "false"}}
        self.gateway = Running(Path(folder.name) / "data", users, settings)
        self.addCleanup(self.gateway.kill)
        self.gateway.make()
        self.gateway.start()
        self.world = World(self.gateway, random.Random(SEED))
        self.world.lives = [
            Life(self.world, Phone(self.gateway, user, f"{user}d{number}"))
            for user in users
            for number in range(DEVICES)
        ]

    @played
    async def test_nothingIsDropped(self) -> None:
        """Every mail that got its 250 ends on every device of its user under one ServerId, in time; every read mark
        and deletion that was acknowledged is in the Maildir; no mail vanishes."""
        living = [asyncio.create_task(life.live()) for life in self.world.lives]
        await eventually(lambda: self.gateway.parked() == len(living), "all phones to park")
        killing = asyncio.create_task(self._kill_and_start())
        await self._send_all()
        self.world.delivered = True
        await killing
        await self._settled(living)
        self.world.over = True
        for life in living:
            life.cancel()
        self._verify()

    async def _kill_and_start(self) -> None:
        """Kill the gateway at random moments, sometimes while it is just starting."""
        gateway, draw = self.gateway, self.world.draw
        while not self.world.delivered:
            await asyncio.sleep(draw.uniform(1.0, 8.0))
            await asyncio.to_thread(gateway.kill)
            self.world.kills += 1
            self.world.note("kills", "")
            await asyncio.sleep(draw.uniform(0.0, 0.5))
            if draw.random() < 0.3:
                gateway.launch()
                await asyncio.sleep(draw.uniform(0.3, 1.5))
                await asyncio.to_thread(gateway.kill)
                self.world.kills += 1
            await asyncio.to_thread(gateway.start)

    async def _send_all(self) -> None:
        numbers = iter(range(MAILS))
        began = time.monotonic()

        async def sender() -> None:
            for number in numbers:
                await asyncio.sleep(began + number / PER_SECOND - time.monotonic())
                await self._send(number)

        await asyncio.gather(*(sender() for _ in range(4)))

    async def _send(self, number: int) -> None:
        """Submit a mail until it gets its 250; each submission is a mail of its own."""
        user = self.world.draw.choice(self.gateway.users)
        for attempt in range(1000):
            token = f"{number}-{attempt}"
            self.world.tried.add(token)
            try:
                await asyncio.to_thread(self.gateway.send_mail, user, token)
            except (OSError, smtplib.SMTPException):
                await asyncio.sleep(0.2)
                continue
            self.world.accepted[token] = (user, time.monotonic())
            return

    async def _settled(self, living: list[asyncio.Task[None]]) -> None:
        """Wait until every device has what the disk has, or has had its time."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            for life in living:
                if life.done():
                    life.result()
            if not self._differences():
                return
            await asyncio.sleep(0.5)

    def _differences(self) -> list[str]:
        """Devices whose Inbox is not that of the disk, or that have something under way."""
        wrong = []
        for user in self.gateway.users:
            inbox = Disk.of(self.gateway.inbox(user)).inbox
            for life in (life for life in self.world.lives if life.phone.user == user):
                held = dict(life.held.values())
                if held != inbox or not life.idle or self.world.owed(user) - life.seen.keys():
                    there = sorted(set(held.items()) ^ set(inbox.items()))
                    wrong.append(f"{life.phone.device}: idle {life.idle}, other than on disk: {there}")
        return wrong

    def _verify(self) -> None:
        world = self.world
        self.assertGreaterEqual(world.kills, KILLS)
        self.assertEqual(len(world.accepted), MAILS)
        self.assertEqual(self._differences(), [])
        for life in world.lives:
            missing = world.owed(life.phone.user) - life.seen.keys()
            self.assertEqual(missing, set(), life.phone.device)
            doubled = {token: ids for token, ids in life.seen.items() if len(ids) > 1}
            self.assertEqual(doubled, {}, life.phone.device)
            self.assertLessEqual(life.seen.keys(), world.tried)
        self._verify_disk()
        late = sorted(self._lateness(), reverse=True)
        slowest = max(life.slowest for life in world.lives)
        repeats, replays = (sum(getattr(life, name) for life in world.lives) for name in ("repeats", "replays"))
        print(
            f"\n{world.kills} kills, {len(world.tried)} submissions, {repeats} Syncs repeated, {replays} Adds replayed,"
            f" {len(world.reads)} read, {len(world.deletions)} deleted, slowest {late[0][0]:.2f} s,"
            f" slowest Sync {slowest:.2f} s"
        )
        stories = {life.phone.device: [*life.story, self.world.history["kills"]] for life in world.lives}
        bound = max(BOUND, ASKED * slowest)
        self.assertEqual([(*each, stories[each[2]]) for each in late if each[0] > bound], [])
        self.assertNotIn("Traceback", self.gateway.log)

    def _verify_disk(self) -> None:
        inbox: dict[str, bool] = {}
        trash: dict[str, bool] = {}
        for user in self.gateway.users:
            disk = Disk.of(self.gateway.inbox(user))
            self.assertEqual(disk.twice, [], user)
            inbox.update(disk.inbox)
            trash.update(disk.trash)
        self.assertEqual(self.world.accepted.keys() - inbox.keys() - trash.keys(), set(), "mails that vanished")
        self.assertLessEqual(self.world.deletions, trash.keys())
        self.assertLessEqual(trash.keys(), self.world.asked_deletions)
        lost = self.world.reads & {token for token, read in {**inbox, **trash}.items() if not read}
        stories = {
            token: [
                "in " + ("Inbox" if token in inbox else "Trash"),
                *self.world.history[token],
                self.world.history["kills"],
            ]
            for token in lost
        }
        self.assertEqual(stories, {}, "read marks that were acknowledged and are not there")

    def _lateness(self) -> Iterator[tuple[float, str, str]]:
        """Seconds that each device had to wait for each mail while it was connected."""
        for life in self.world.lives:
            for token, (at, since) in life.learnt.items():
                if token in self.world.accepted:
                    delivered = self.world.accepted[token][1]
                    yield at - max(delivered, since), token, life.phone.device
