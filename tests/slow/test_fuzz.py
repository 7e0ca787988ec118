"""20,000 requests that somebody spoilt: each is answered as documented, and the gateway is as before."""

from __future__ import annotations

import gc
import gzip
import json
import tracemalloc
from base64 import b64encode
from pathlib import Path
from random import Random

from attrs import define, field
from twisted.internet.defer import execute
from twisted.trial.unittest import SynchronousTestCase

from gateway.eas import wbxml
from gateway.eas.commands import COMMANDS
from gateway.eas.estimate import GetItemEstimate
from gateway.eas.folders import FolderSync
from gateway.eas.gate import Gate, Rules
from gateway.eas.policydoc import Policy
from gateway.eas.provision import Provision
from gateway.eas.sync import Sync
from gateway.element import Element
from gateway.testing import MemoryMailbox
from tests.eas.lane import query
from tests.support import PATH, Connection, HTTPAnswer, Phone, World, basic, status_of

COUNT = 20_000
SEED = 20051017
#: Memory is traced from the first of these on, so that what is replaced all the time is counted, and compared from the
#: second one on.
TRACED, WARM = 9_000, 14_000
#: What may grow: so much in all, and so much for every partnership that the spoilt DeviceIds have made, in bytes.
MARGIN, PER_DEVICE = 200_000, 4_000

DOCUMENTED = {200, 400, 401, 403, 404, 405, 408, 413, 449, 501, 503, 505, 507}
MAIL = b"From: Bob <bob@example.org>\r\nTo: ann@example.org\r\nSubject: %d\r\n\r\nHello.\r\n"
DATA = Path(__file__).parent.parent / "data"
VERSIONS = ("2.5", "12.0", "12.1", "14.0", "14.1", "16.0", "16.1")
WORDS = (
    b"\x00",
    b"\xff",
    b"\x01",
    b"\x03",
    b"\x45",
    b"\x83",
    b"\xc3",
    b"%00",
    b"%0d%0a",
    b"&",
    b"=",
    b";",
    b"\r\n",
    b"0",
)
NUMBERS = ("-1", "0", "1", "59", "60", "3541", "4294967296", "99999999999999999999", "1e9", "\u0661", "", " 60", "0x10")


def bodies() -> list[tuple[str, bytes]]:
    """Documents of every kind with the command they belong to, right and wrong ones."""
    documents = json.loads((DATA / "command-vectors.json").read_text()) + json.loads(
        (DATA / "ping-vectors.json").read_text()
    )
    forms = json.loads((DATA / "ping-decode-vectors.json").read_text())
    names = {name.lower(): name for name in COMMANDS}
    found = [
        (names.get(vector["name"].partition("-")[0], "Sync"), bytes.fromhex(vector["hex"])) for vector in documents
    ]
    return found + [("Ping", bytes.fromhex(vector["hex"])) for form in forms.values() for vector in form]


@define(eq=False)
class Spoiler:
    """Makes requests, and spoils most of them in one place or in several."""

    random: Random
    folders: list[int]
    keys: dict[str, str] = field(factory=dict)
    bodies: list[tuple[str, bytes]] = field(factory=bodies)

    def request(self) -> bytes:
        """A request as it goes over the wire."""
        pick = self.random
        command, body = self.document()
        if pick.random() < 0.5:
            body = self.spoilt(body)
        target = f"{PATH}?{self.query(command)}".encode("latin-1")
        if pick.random() < 0.1:
            target = self.spoilt(target)
        fields = self.fields()
        if pick.random() < 0.1:
            body = gzip.compress(body)
            fields.append(("Content-Encoding", "gzip"))
            body = self.spoilt(body) if pick.random() < 0.3 else body
        method = pick.choice(["POST"] * 60 + ["OPTIONS", "GET", "HEAD", "PUT", "post", "P\0ST"])
        head = [f"{method} ".encode() + target + pick.choice([b" HTTP/1.1"] * 60 + [b" HTTP/1.0", b" HTTP/2", b""])]
        framing, body = self.framed(body)
        head += [f"{name}: {value}".encode("utf-8", "replace") for name, value in fields + framing]
        data = b"\r\n".join(head) + b"\r\n\r\n" + body
        return self.spoilt(data) if pick.random() < 0.07 else data

    def document(self) -> tuple[str, bytes]:
        """A command with a body: one of the vectors, or one made of what is there."""
        pick = self.random
        if pick.random() < 0.4:
            return pick.choice(self.bodies)
        folder = pick.choice([*self.folders * 3, "0", "x" * 65, ""])
        if pick.random() < 0.5:
            ping = Element("Ping:Folder", Element("Ping:Id", str(folder)), Element("Ping:Class", "Email"))
            interval = Element("Ping:HeartbeatInterval", pick.choice((*NUMBERS, *["480"] * len(NUMBERS))))
            return "Ping", wbxml.encode(Element("Ping:Ping", interval, Element("Ping:Folders", ping)))
        item = Element("AirSync:ServerId", str(pick.randrange(1, 20)))
        parts = [
            Element("AirSync:SyncKey", pick.choice([*[self.keys.get(str(folder), "0")] * 4, "0", "{x}1", "-1"])),
            Element("AirSync:CollectionId", str(folder)),
            Element("AirSync:WindowSize", pick.choice((*NUMBERS, "5", "100", "512"))),
            Element("AirSync:Options", Element("AirSync:FilterType", pick.choice((*NUMBERS, "2", "3", "5")))),
            Element("AirSync:Commands", Element("AirSync:" + pick.choice(["Fetch", "Delete", "Change", "Add"]), item)),
        ]
        parts = parts[: pick.randrange(6)]
        if pick.random() < 0.3:
            pick.shuffle(parts)
        collection = Element("AirSync:Collection", *parts)
        return "Sync", wbxml.encode(Element("AirSync:Sync", Element("AirSync:Collections", collection)))

    def query(self, command: str) -> str:
        """A query in one of its forms."""
        pick = self.random
        if pick.random() < 0.8:
            return query(command, DeviceId=pick.choice(["phone1", "phone2", "Phone3"]))
        code = COMMANDS[command].code or 0
        data = bytes((pick.choice((121, 140, 141, 160, 161, 99)), code)) + b"\x09\x04\x06phone1\x00\x02SP"
        return b64encode(self.spoilt(data) if pick.random() < 0.5 else data).decode()

    def fields(self) -> list[tuple[str, str]]:
        """Header fields, some of them strange, missing or there twice."""
        pick = self.random
        fields = [
            ("Host", "mail.example.org"),
            ("Authorization", basic() if pick.random() < 0.97 else pick.choice(["", "Basic", "Basic =", "Bearer x"])),
            ("MS-ASProtocolVersion", pick.choice(VERSIONS) if pick.random() < 0.95 else pick.choice(NUMBERS)),
            ("Content-Type", "application/vnd.ms-sync.wbxml" if pick.random() < 0.95 else "text/plain"),
            ("X-MS-PolicyKey", pick.choice(NUMBERS)),
            ("Accept-Encoding", "gzip"),
            ("Connection", pick.choice(["keep-alive", "close", "upgrade"])),
            ("Expect", pick.choice(["100-continue", "x"])),
            ("X-Forwarded-For", "1.2.3.4, ::1, x"),
            ("Transfer-Encoding", pick.choice(["identity", "gzip"])),
            ("X-Long", "x" * pick.choice([10, 1000, 20_000])),
        ]
        kept = fields[:4] + [field for field in fields[4:] if pick.random() < 0.06]
        if pick.random() < 0.05:
            kept.append(pick.choice(kept))
        if pick.random() < 0.05:
            kept.remove(pick.choice(kept))
        return kept

    def framed(self, body: bytes) -> tuple[list[tuple[str, str]], bytes]:
        """The length of a body, right or wrong, or the body in chunks."""
        pick = self.random
        way = pick.random()
        if way < 0.92:
            return [("Content-Length", str(len(body)))], body
        if way < 0.94:
            return [("Content-Length", pick.choice([*NUMBERS, str(len(body) + 1), "9" * 5000]))], body
        chunks = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"
        return [("Transfer-Encoding", "chunked")], self.spoilt(chunks) if way > 0.97 else chunks

    def spoilt(self, data: bytes) -> bytes:
        """The data with one to four changes."""
        pick, spoilt = self.random, bytearray(data)
        for _ in range(pick.randrange(1, 5)):
            at, end = sorted((pick.randrange(len(spoilt) + 1), pick.randrange(len(spoilt) + 1)))
            what = pick.randrange(6)
            if what == 0 and spoilt:
                spoilt[at % len(spoilt)] ^= 1 << pick.randrange(8)
            elif what == 1:
                spoilt[at:at] = pick.choice(WORDS) * pick.choice((1, 1, 1, 50))
            elif what == 2:
                del spoilt[at : min(end, at + 8)]
            elif what == 3:
                spoilt[at:at] = spoilt[at : min(end, at + 64)]
            elif what == 4 and pick.random() < 0.3:
                del spoilt[at:]
            else:
                other = pick.choice(self.bodies)[1]
                spoilt[at : at + 4] = other[: pick.randrange(len(other) + 1)]
        return bytes(spoilt)


class FuzzTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.world = world = World()
        self.mailbox = MemoryMailbox()
        rules = Rules(lambda user: Policy({"DevicePasswordEnabled": "1"}) if self.strict else None)
        self.strict = False
        world.dispatcher.gate = world.parking.stands = None  # type: ignore[assignment]
        gate = Gate(rules, world.now)
        world.dispatcher.gate, world.parking.stands = gate.check, gate.stands
        world.commands["Sync"] = Sync(world.parking, world.store, self.mailbox, world.board, world.now, execute, rules)
        world.commands["FolderSync"] = FolderSync(world.store, world.dispatcher.greeting)
        world.commands["GetItemEstimate"] = GetItemEstimate(world.store, world.now, rules)
        world.commands["Provision"] = Provision(world.partnerships, rules, world.now)
        world.dispatcher.access.enabled = False
        self.folders = world.mailbox()
        for number in range(10):
            self.mailbox.put("ann", "", f"{number}.a", MAIL % number)
            world.found(self.folders[""], f"{number}.a")
        self.statuses: dict[int, int] = {}

    def test_spoiltRequests(self) -> None:
        """No traceback, no undocumented answer, no memory; and then a good Ping is answered as ever."""
        random = Random(SEED)
        spoiler = Spoiler(random, list(self.folders.values()))
        connection = Connection(self.world)
        for number in range(COUNT):
            if number == TRACED:
                tracemalloc.start()
                self.addCleanup(tracemalloc.stop)
            if number == WARM:
                before = self.weigh()
            self.strict = random.random() < 0.05
            data = spoiler.request()
            try:
                connection = self.send(connection, data, random)
                self.learn(spoiler, connection.answers())
                self.assertEqual(self.flushLoggedErrors(), [])
            except Exception as error:
                raise AssertionError(f"request {number}: {data!r}") from error
            if random.random() < 0.4:
                connection.lose()
                connection = Connection(self.world)
            self.world.clock.advance(random.choice((0, 0, 0, 1, 30)))
        connection.lose()
        self.world.clock.pump([100] * 40)
        after = self.weigh()
        self.assertEqual(self.world.board.claims(), [])
        self.assertEqual(self.world.clock.getDelayedCalls(), [])
        self.assertLess(after - before, MARGIN)
        self.good()
        # Every kind of answer was met, and most requests came as far as a command.
        self.assertTrue({200, 400, 401, 403, 404, 405, 449, 501} <= self.statuses.keys(), self.statuses)
        self.assertGreater(self.statuses[200], COUNT / 4)

    def send(self, connection: Connection, data: bytes, random: Random) -> Connection:
        """Send a request in one piece or in several, on a new connection if the old one has ended."""
        if connection.closing or connection.protocol._closing:
            connection.lose()
            connection = Connection(self.world)
        while data:
            size = len(data) if random.random() < 0.8 else random.randrange(1, len(data) + 1)
            connection.send(data[:size])
            data = data[size:]
        return connection

    def learn(self, spoiler: Spoiler, answers: list[HTTPAnswer]) -> None:
        """Check what is common to all answers; keep the newest keys."""
        for answer in answers:
            if answer.status == 100:
                continue
            self.assertIn(answer.status, DOCUMENTED)
            self.assertEqual(int(answer.headers["content-length"]), len(answer.body), answer)
            self.statuses[answer.status] = self.statuses.get(answer.status, 0) + 1
            if answer.headers.get("content-type", "").startswith("application/vnd.ms-sync"):
                packed = answer.headers.get("content-encoding") == "gzip"
                root = wbxml.decode(gzip.decompress(answer.body) if packed else answer.body)
                for collection in root.child("AirSync:Collections") or ():
                    folder = collection.text_of("AirSync:CollectionId") or ""
                    spoiler.keys[folder] = collection.text_of("AirSync:SyncKey") or "0"

    def weigh(self) -> int:
        """Bytes of Python objects, without those that belong to partnerships."""
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - PER_DEVICE * len(self.world.partnerships._known)

    def good(self) -> None:
        """A phone that does everything right is parked, and told of the mail that comes."""
        inbox = self.folders[""]
        phone = Phone(self.world, device="good")
        phone.synchronise(inbox)
        self.assertEqual(phone.ping(60, inbox), [])
        self.world.found(inbox, "new.a")
        self.assertEqual(status_of(phone.connection.answers()), "2")
        phone.connection.lose()
