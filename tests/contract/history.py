"""Random histories: phones, a mail server and a network that loses things, against a ledger.

The phones here are told nothing but what a real one would be told, and believe it to the letter; at any moment the
ledger must know what they lack, and in the end each must hold exactly its window of what is there.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from attrs import define, evolve, field

from gateway.model import (
    Amend,
    Change,
    DeviceKey,
    FolderType,
    Found,
    FoundFolder,
    Intent,
    IntentKind,
    Item,
    Op,
    Remove,
    Standing,
    SyncOptions,
    SyncOutcome,
    SyncRequest,
)
from tests.stores import result_of

DAY = 24 * 3600
DAYS = {0: 100_000, 1: 1, 2: 3, 3: 7, 4: 14, 5: 30, 6: 90, 7: 180}
WINDOWS = (1, 2, 3, 5, 10, 10_000)


@define(eq=False)
class Collection:
    """What one phone knows of one folder."""

    device: DeviceKey
    folder: int
    key: str = "0"
    filter: int = 0
    held: dict[int, str] = field(factory=dict)
    # Ids that the phone deleted itself, or whose addition was left out of a repeated answer because they were gone:
    # only of these may it be told that they are deleted although it does not hold them.
    excused: set[int] = field(factory=set)
    # The last request and what the ledger said, if the phone never got the answer.
    lost: SyncRequest | None = None
    unheard: SyncOutcome | None = None
    misled: bool = False


@define(eq=False)
class World:
    """A mailbox with two folders on disk, the ledger, and phones.

    C{restart} gives another ledger on the same database, C{aged} lets removals go that some phone still needs,
    C{clock} holds the time, which is the ledger's too.
    """

    ledger: Any
    restart: Callable[[], Any]
    random: Random
    aged: bool = False
    clock: list[int] = field(factory=lambda: [1_700_000_000])
    disk: dict[int, dict[str, str]] = field(factory=dict)
    received: dict[str, int] = field(factory=dict)
    collections: list[Collection] = field(factory=list)
    inbox: int = 0
    trash: int = 0
    paths: dict[str, int] = field(factory=dict)
    undone: list[Intent] = field(factory=list)
    serial: int = 0
    heads: dict[int, int] = field(factory=dict)
    live: dict[int, Item] | None = None

    @property
    def now(self) -> int:
        return self.clock[0]

    def begin(self, phones: int) -> None:
        """Make the folders and the phones."""
        found = [FoundFolder("", "Inbox", FolderType.INBOX), FoundFolder(".Trash", "Trash", FolderType.DELETED)]
        folders, _ = result_of(self.ledger.record_hierarchy("ann", found))
        self.paths = {one.path: one.id for one in folders}
        self.inbox, self.trash = self.paths[""], self.paths[".Trash"]
        self.disk = {self.inbox: {}, self.trash: {}}
        for n in range(phones):
            device = DeviceKey("ann", f"phone{n}")
            self.collections += [Collection(device, self.inbox), Collection(device, self.trash)]

    def run(self, steps: int) -> None:
        """Let things happen, check after each, and bring it to rest."""
        deeds: list[tuple[int, Callable[[], None]]] = [
            (6, self.deliver),
            (4, self.flag),
            (3, self.expunge),
            (2, self.move),
            (2, self.rescan),
            (2, self.carry_out),
            (2, self.pass_time),
            (2, self.compact),
            (1, self.flush),
            (1, self.start_again),
            (24, self.talk),
        ]
        weights = [weight for weight, _ in deeds]
        for _ in range(steps):
            [(_, deed)] = self.random.choices(deeds, weights)
            deed()
            for collection in self.collections:
                self.look(collection)
        self.rest()

    # What the mail server and other programs do.

    def record(self, folder: int, found: list[Found], gone: list[str]) -> None:
        self.reported(result_of(self.ledger.record({folder: (found, gone)})))
        self.live = None

    def reported(self, changes: Any) -> None:
        """A change's number is higher than any before it."""
        for change in changes:
            assert isinstance(change, Change)
            assert change.version > self.heads.get(change.folder, 0), (change, self.heads)
            self.heads[change.folder] = change.version

    def deliver(self) -> None:
        """New mail, or old mail moved here by somebody."""
        found = []
        folder = self.random.choice([self.inbox, self.inbox, self.trash])
        for _ in range(self.random.choice([1, 1, 1, 2, 7])):
            self.serial += 1
            age = self.random.choice([0, 0, 0, self.random.randrange(10), self.random.randrange(200)]) * DAY
            name = f"{self.serial}.mail,S=7"
            # Whole hours, so that many are of the same second.
            self.received[name] = (self.now - age) // 3600 * 3600
            self.disk[folder][name] = self.random.choice(["", "S", "FS"])
            found.append(self._found(folder, name))
        self.record(folder, found, [])

    def _found(self, folder: int, name: str) -> Found:
        return Found(name, self.disk[folder][name], self.received[name])

    def _some(self, folder: int) -> list[str]:
        names = sorted(self.disk[folder])
        return self.random.sample(names, min(len(names), self.random.choice([1, 1, 2, 5])))

    def flag(self) -> None:
        """Another program sets or clears letters."""
        folder = self.random.choice([self.inbox, self.trash])
        names = self._some(folder)
        for name in names:
            letters = set(self.disk[folder][name]) ^ {self.random.choice("FRS")}
            self.disk[folder][name] = "".join(sorted(letters))
        self.record(folder, [self._found(folder, name) for name in names], [])

    def expunge(self) -> None:
        """Another program deletes."""
        folder = self.random.choice([self.inbox, self.trash])
        names = self._some(folder)
        for name in names:
            del self.disk[folder][name]
        self.record(folder, [], names)

    def move(self) -> None:
        """Another program moves, and the two folders are seen one after the other."""
        here, there = self.random.sample([self.inbox, self.trash], 2)
        names = [name for name in self._some(here) if name not in self.disk[there]]
        for name in names:
            self.disk[there][name] = self.disk[here].pop(name)
        self.record(there, [self._found(there, name) for name in names], [])
        self.record(here, [], names)

    def rescan(self) -> None:
        """The source lists a folder completely and reports what is there and what is not."""
        folder = self.random.choice([self.inbox, self.trash])
        known = result_of(self.ledger.listing(folder))
        gone = [name for name in known if name not in self.disk[folder]]
        self.record(folder, [self._found(folder, name) for name in self.disk[folder]], gone)

    def carry_out(self) -> None:
        """The source does what the ledger asked for."""
        for intent in self.undone:
            here = self.disk[self.paths[intent.path]]
            if intent.name not in here:
                if intent.kind is IntentKind.MOVE:
                    self.undone_move(intent)
                continue
            if intent.kind is IntentKind.FLAGS:
                here[intent.name] = "".join(sorted((set(here[intent.name]) | set(intent.add)) - set(intent.remove)))
            elif intent.kind is IntentKind.MOVE:
                self.disk[self.paths[intent.to]][intent.to_name] = here.pop(intent.name)
                self.received[intent.to_name] = self.received[intent.name]
            else:
                del here[intent.name]
        result_of(self.ledger.done([intent.id for intent in self.undone]))
        gone = [intent for intent in self.undone if intent.kind is IntentKind.MOVE]
        self.undone = []
        for intent in gone:
            there = self.paths[intent.to]
            if intent.to_name not in self.disk[there]:
                self.record(there, [], [intent.to_name])

    def undone_move(self, intent: Intent) -> None:
        """The file was gone before it could be moved."""

    def pass_time(self) -> None:
        """Hours or days go by, and windows move."""
        self.clock[0] += self.random.choice([3600, DAY // 2, DAY, 5 * DAY])

    def compact(self) -> None:
        """Removal rows that no key needs are forgotten, and old ones if the history allows it."""
        result_of(self.ledger.compact(self.now - 10 * DAY if self.aged else 0))

    def flush(self) -> None:
        """The keys given are written down."""
        result_of(self.ledger.flush())

    def start_again(self) -> None:
        """The process is killed and started again."""
        self.ledger = self.restart()
        pending = result_of(self.ledger.pending())
        assert pending == self.undone, (pending, self.undone)

    # What the phones do.

    def talk(self) -> None:
        """One phone sends a Sync, which may get lost, or its answer may."""
        if self.random.random() < 0.5:
            self.carry_out()
        collection = self.random.choice(self.collections)
        if collection.key == "0":
            self.prime(collection)
            return
        request = self.choose(collection)
        fate = self.random.choice(["fine"] * 6 + ["answer lost"] * 2 + ["answer lost on the way", "request lost"])
        if fate == "request lost":
            return
        estimated = self.estimate(collection, request)
        calm = collection.lost is None and not self.news(collection)
        outcome = self.send(collection, request)
        if outcome.status == 3:
            assert self.aged
            self.forget(collection)
            return
        assert outcome.status == 1
        assert len(outcome.batch) <= request.window, outcome
        if estimated is not None and not outcome.replayed:
            assert estimated == len(outcome.batch), (estimated, outcome)
        if fate == "fine":
            self.receive(collection, request, outcome)
            self.judge(collection, request, outcome, calm)
        elif outcome.advanced:
            collection.lost = request
            collection.unheard = collection.unheard if outcome.replayed else outcome
            if fate == "answer lost on the way":
                # Written to the connection, and never seen: nobody can know, but the phone asks again.
                self.ledger.given(collection.device, collection.folder, outcome.key)
                collection.misled = True
        else:
            collection.filter = outcome.options.filter

    def prime(self, collection: Collection) -> None:
        options = SyncOptions(filter=self.random.choice([0, 0, 1, 2, 3]))
        request = SyncRequest("0", b"0", self.now, options=options, get_changes=False)
        outcome = self.send(collection, request)
        assert (outcome.status, outcome.batch) == (1, ()), outcome
        if self.random.random() < 0.8:
            collection.key, collection.filter = outcome.key, options.filter
            self.ledger.given(collection.device, collection.folder, outcome.key)

    def choose(self, collection: Collection) -> SyncRequest:
        """A request: after a loss the same again, or one that makes the same changes and more, or quite another."""
        lost = collection.lost
        if lost is not None and self.random.random() < 0.5:
            return lost
        commands: list[Amend | Remove] = []
        if lost is not None and self.random.random() < 0.5:
            commands = [command for command in lost.commands if self.random.random() < 0.8]
        ids = sorted(collection.held)
        if self.random.random() < 0.5 and ids:
            for id in self.random.choices(ids, k=self.random.choice([1, 1, 2, 4])):
                commands.append(self.random.choice([self._amend, self._amend, Remove])(id))
        options = None
        if self.random.random() < 0.3:
            filter = self.random.choice([collection.filter, 0, 1, 2, 3, 4])
            options = SyncOptions(filter=filter, conflict=self.random.choice([0, 1]))
        return SyncRequest(
            collection.key,
            self.random.randbytes(8),
            self.now,
            window=self.random.choice(WINDOWS),
            get_changes=not commands or self.random.random() < 0.5,
            options=options,
            commands=tuple(commands),
            trash=self.random.choice([None, self.trash]),
        )

    def _amend(self, id: int) -> Amend:
        add = self.random.choice(["", "S", "F", "FS"])
        remove = "".join(letter for letter in self.random.choice(["", "S", "F", "R"]) if letter not in add)
        return Amend(id, add, remove)

    def send(self, collection: Collection, request: SyncRequest) -> SyncOutcome:
        outcome: SyncOutcome = result_of(
            self.ledger.sync(collection.device, collection.folder, evolve(request, now=self.now))
        )
        self.live = None
        self.reported(outcome.changes)
        self.undone += outcome.intents
        return outcome

    def estimate(self, collection: Collection, request: SyncRequest) -> int | None:
        if request.commands or not request.get_changes or request.window < 1000:
            return None
        if collection.lost is not None and collection.lost.commands:
            return None
        status, count = result_of(
            self.ledger.estimate(collection.device, collection.folder, collection.key, request.options, self.now)
        )
        return count if status == 1 else None

    def receive(self, collection: Collection, request: SyncRequest, outcome: SyncOutcome) -> None:
        """The phone gets the answer and believes it."""
        self.ledger.given(collection.device, collection.folder, outcome.key)
        if outcome.replayed and collection.unheard is not None:
            said = {row.id for row in collection.unheard.batch}
            collection.excused |= said - {row.id for row in outcome.batch}
        failed = {one.index: one.status for one in outcome.results}
        held = collection.held
        for index, command in enumerate(request.commands):
            if isinstance(command, Remove):
                held.pop(command.item, None)
                collection.excused.add(command.item)
            elif index not in failed and command.item in held:
                letters = (set(held[command.item]) | set(command.add)) - set(command.remove)
                held[command.item] = "".join(sorted(letters))
        for row in outcome.batch:
            if row.op is Op.ADD:
                assert row.item is not None and row.id not in held, row
                held[row.id] = row.item.state
            elif row.op is Op.CHANGE:
                assert row.item is not None and row.id in held, row
                held[row.id] = row.item.state
            else:
                assert row.id in held or row.id in collection.excused, row
                held.pop(row.id, None)
        collection.key, collection.filter = outcome.key, outcome.options.filter
        collection.lost, collection.unheard, collection.misled = None, None, False

    def forget(self, collection: Collection) -> None:
        """The key was refused: begin anew."""
        fresh = Collection(collection.device, collection.folder)
        self.collections[self.collections.index(collection)] = fresh

    # What must be true.

    def judge(self, collection: Collection, request: SyncRequest, outcome: SyncOutcome, calm: bool) -> None:
        """An answer without MoreAvailable leaves nothing to be told; own changes are no news."""
        if outcome.replayed:
            return
        if request.get_changes and not outcome.more:
            self.equal(collection)
            assert not self.news(collection), (collection, outcome)
        if outcome.level:
            self.equal(collection)
            looked = result_of(self.ledger.look(collection.device, [collection.folder], False))
            assert looked.folders[collection.folder].number == outcome.level, (looked, outcome)
        refiltered = request.options is not None and not request.get_changes
        if calm and not outcome.results and not outcome.more and not refiltered:
            assert not self.news(collection), (collection, request, outcome)

    def window(self, folder: int, filter: int = 0) -> dict[int, str]:
        """What a phone should hold: the window of what is live."""
        if self.live is None:
            items = result_of(self.ledger.items("ann", range(1, self.serial * 6 + 10)))
            self.live = {item.id: item for item in items}
            for place in self.disk:
                names = {item.name: item.state for item in items if item.folder == place}
                assert result_of(self.ledger.listing(place)) == names
        edge = self.now - DAYS[filter] * DAY
        live = self.live.values()
        return {item.id: item.state for item in live if item.folder == folder and item.received >= edge}

    def equal(self, collection: Collection) -> None:
        window = self.window(collection.folder, collection.filter)
        assert collection.held == window, (collection, window)

    def news(self, collection: Collection) -> bool:
        looked = result_of(self.ledger.look(collection.device, [collection.folder], False)).folders[collection.folder]
        assert looked.standing is not Standing.UNKNOWN
        return looked.news or looked.standing is Standing.UNSYNCED

    def look(self, collection: Collection) -> None:
        """Whoever lacks something is told so, if he did not believe he had it."""
        if collection.key == "0" or collection.misled:
            return
        filters = {collection.filter}
        if collection.lost is not None and collection.lost.options is not None:
            filters.add(collection.lost.options.filter)
        window = self.window(collection.folder, min(filters, key=DAYS.__getitem__))
        everything = self.window(collection.folder)
        lacking = {id for id, state in window.items() if collection.held.get(id) != state}
        stale = {id for id, state in collection.held.items() if everything.get(id) != state}
        if lacking or stale:
            assert self.news(collection), (collection, lacking, stale)

    def rest(self) -> None:
        """The network is fine again and everybody synchronises: each holds exactly its window, and no more is new."""
        self.carry_out()
        for folder, files in self.disk.items():
            known = result_of(self.ledger.listing(folder))
            gone = [name for name in known if name not in files]
            self.record(folder, [self._found(folder, name) for name in files], gone)
            assert result_of(self.ledger.listing(folder)) == files
        for place in range(len(self.collections)):
            self.settle(place)
        for collection in self.collections:
            self.equal(collection)
            assert not self.news(collection), collection

    def settle(self, place: int) -> None:
        for _ in range(2000):
            collection = self.collections[place]
            if collection.key == "0":
                self.prime(collection)
                continue
            request = SyncRequest(
                collection.key, self.random.randbytes(8), self.now, window=self.random.choice(WINDOWS)
            )
            outcome = self.send(collection, request)
            if outcome.status == 3:
                assert self.aged
                self.forget(collection)
                continue
            self.receive(collection, request, outcome)
            if not outcome.more:
                return
        raise AssertionError("a phone is never done")
