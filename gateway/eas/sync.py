"""Sync: what changed on either side, folder by folder ([MS-ASCMD] 2.2.1.21)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial

from attrs import define, evolve, field, frozen
from twisted.internet.defer import CancelledError
from twisted.logger import Logger

from gateway.core.switchboard import Claim
from gateway.eas.call import Answer, Call, Refused, Unavailable, Version
from gateway.eas.clientwork import Work, answered, prepared
from gateway.eas.collection import Collection, Command, Verb, item_id
from gateway.eas.drafts import Drafts
from gateway.eas.gate import Rules
from gateway.eas.giving import giving
from gateway.eas.hanging import Overtaken, discard, hang, overtake
from gateway.eas.notify import GuidOf, no_guid
from gateway.eas.options import Malformed
from gateway.eas.parked import Parking
from gateway.eas.policydoc import restrict
from gateway.eas.reading import Reading, Run
from gateway.eas.rendering import Rendering
from gateway.eas.spool import Shelf, Spools
from gateway.eas.syncanswer import (
    BAD_KEY,
    FAILED,
    NO_FOLDER,
    NOT_FOUND,
    PROTOCOL,
    RETRY,
    SUCCESS,
    Part,
    Response,
    collections,
    log,
    whole,
)
from gateway.eas.syncbody import Asked, Refusal, Requests, SyncLimits, parse
from gateway.eas.turns import Turns, shielded
from gateway.element import Element
from gateway.interfaces import BackendDown, ILedger, IMailbox, IReporter
from gateway.model import (
    DeviceKey,
    Folder,
    FolderType,
    Intent,
    Item,
    SyncOptions,
    SyncOutcome,
    SyncRequest,
)

#: Requests with commands, of all devices of a user, that may wait for each other.
MOST_CHANGES = 100
#: Mails that are in memory at a time, of all devices that synchronise, and how many may wait to be.
AT_ONCE, MOST_WAITING = 4, 100_000


@frozen
class Plan:
    """A collection whose folder was looked up and whose options were read; C{folder} is C{None} if there is none."""

    collection: Collection
    folder: Folder | None
    options: SyncOptions | None = None
    trash: int | None = None


@define(eq=False)
class Sync:
    """The Sync command for mail; one that would wait for changes, and finds none, is parked.

    C{run} takes conversions away from the reactor's thread; C{synced} is told of every device that was served, before
    it is answered, and gives the GUID of its next trigger by SMS, if it has one: with C{tells_guid} clients that know
    of them are told it. A request that brings commands is executed to its end even if the client leaves meanwhile.
    C{spools} are where long texts wait until they have been sent.
    """

    log = Logger()

    parking: Parking
    ledger: ILedger
    mailbox: IMailbox
    reporter: IReporter
    now: Callable[[], int]
    run: Run
    rules: Rules = field(factory=Rules)
    limits: SyncLimits = field(factory=SyncLimits)
    synced: GuidOf = no_guid
    tells_guid: bool = False
    drafts: Drafts | None = None
    requests: Requests = field(factory=Requests)
    spools: Spools | None = None
    turns: Turns = field(init=False, factory=Turns)
    changes: Turns = field(init=False, factory=lambda: Turns(MOST_CHANGES))
    reading: Reading = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.reading = Reading(self.mailbox, self.run, AT_ONCE, MOST_WAITING)

    async def __call__(self, call: Call) -> Answer:
        """Answer a Sync; of one that is parked nothing is held but the names.

        @raise Refused: 101 for a body that is none, or for an empty one before 12.1; 164.
        @raise Unavailable: too many requests of the device, or of the user, are waiting, or are parked.
        """
        try:
            asked = self._asked(call)
        except Refusal as refusal:
            return self._refused(call.device, refusal)
        if asked.wait is None or asked.changes:
            overtake(self.parking, call.device)
        if asked.wait is None:
            return await self._answer(Serving(self, call.device, call.version), asked)
        held = self.parking.take(call.device, call.address, call.command)
        try:
            answer = await self._answer(Serving(self, call.device, call.version), asked)
            kept = self.requests.last(call.device)
            if not answer.empty or kept is None:
                return answer
            discard(answer)
            again = partial(self._again, held.claim, call.version, kept)
            # What waits is as little as possible.
            del call, asked, answer
            return await hang(held, kept, again)
        finally:
            held.leave()

    async def _again(self, claim: Claim, version: Version, kept: Asked) -> Answer:
        """Answer the request of a parked Sync once more, now that something has changed."""
        return await self._answer(Serving(self, claim.device, version, claim), kept)

    def _answer(self, serving: Serving, asked: Asked) -> Awaitable[Answer]:
        return giving(self.parking.levels, serving.device, self._served(serving, asked))

    async def _served(self, serving: Serving, asked: Asked) -> Answer:
        try:
            return await serving.answer(asked)
        except Refusal as refusal:
            return self._refused(serving.device, refusal)

    def _refused(self, device: DeviceKey, refusal: Refusal) -> Answer:
        if refusal.status == NO_FOLDER:
            self.requests.drop(device)
        return Answer(whole(refusal.status, refusal.limit), log={"St": refusal.status, "E": str(refusal)})

    def _asked(self, call: Call) -> Asked:
        asked = None
        if call.body is not None:
            asked = parse(call.body, call.version, self.limits)
        elif call.raw or call.version < Version.V12_1:
            raise Refused(101, "a Sync without a body that says what")
        return self.requests.completed(call.device, asked, self.limits)


@define(eq=False)
class Serving:
    """One Sync request on its way to the answer; C{claim} is that of one that was parked."""

    sync: Sync
    device: DeviceKey
    version: Version
    claim: Claim | None = None
    rendering: Rendering = field(init=False)

    def __attrs_post_init__(self) -> None:
        sync = self.sync
        shelf = Shelf(sync.spools, self.device.user)
        self.rendering = Rendering(sync.reading, self.version, sync.limits.answer_bytes, shelf)

    async def answer(self, asked: Asked) -> Answer:
        """Serve the collections in the order of the request.

        @raise Refusal: the request as a whole cannot be served; nothing was done.
        """
        try:
            return await self._answer(asked)
        except BaseException:
            self.rendering.shelf.close()
            raise

    async def _answer(self, asked: Asked) -> Answer:
        plans = await self._plans(asked)
        parts: list[Part] = []
        for plan in plans:
            window = min(plan.collection.window, self.sync.limits.window)
            if asked.window is not None:
                window = min(window, max(0, asked.window - sum(part.counted for part in parts)))
            parts.append(await self._serve(plan, window))
        if len(parts) == 1 and parts[0].status == NO_FOLDER:
            raise Refusal(NO_FOLDER, "the folder is there no more")
        guid = await self._guid(asked, parts)
        return self._said(asked, parts, guid)

    async def _guid(self, asked: Asked, parts: Sequence[Part]) -> str | None:
        """What the device is to compare with the triggers to come; only clients up to 12.1 have a place for it.

        A request that would wait is not answered for the sake of what the device knows already.
        """
        if all(part.status != SUCCESS for part in parts) or (self.claim and not any(part.news for part in parts)):
            return None
        try:
            guid = await self.sync.synced(self.device)
        except BackendDown as error:
            self.sync.log.warn("{device} was not seen to synchronise: {error}", device=self.device, error=error)
            return None
        if guid is None or not self.sync.tells_guid or self.version > Version.V12_1:
            return None
        known = asked.wait is not None and self.sync.requests.knows(self.device, guid)
        return None if known else guid

    def _said(self, asked: Asked, parts: Sequence[Part], guid: str | None) -> Answer:
        # A GUID is something to say.
        hushed = self.version >= Version.V12_1 and not guid
        saying = [part for part in parts if part.news] if hushed else parts
        if self.version >= Version.V12_1:
            self._keep(asked, saying)
        return evolve(
            self.rendering.shelf.answer(collections(saying, guid)) if saying else Answer(),
            log=log(parts, asked.wait),
            written=lambda live: self._written(saying, guid) if live else None,
            levels={p.collection.folder: p.level for p in parts} if all(p.level for p in parts) else None,
        )

    def _keep(self, asked: Asked, saying: Sequence[Part]) -> None:
        if any(part.status in (BAD_KEY, NO_FOLDER) for part in saying):
            self.sync.requests.drop(self.device)
        else:
            self.sync.requests.keep(self.device, asked, {part.collection.id: part.key for part in saying})

    def _written(self, parts: Sequence[Part], guid: str | None) -> None:
        if guid is not None:
            self.sync.requests.told(self.device, guid)
        for part in parts:
            if part.status == SUCCESS:
                self.sync.ledger.given(self.device, part.collection.folder, part.key)

    # What is asked.

    async def _plans(self, asked: Asked) -> list[Plan]:
        """Check all collections before any is served."""
        try:
            found = await self.sync.ledger.folders(self.device.user)
        except BackendDown as error:
            raise Refusal(RETRY, str(error)) from error
        folders = {folder.id: folder for folder in found}
        trash = next((folder.id for folder in found if folder.type is FolderType.DELETED), None)
        try:
            plans = [self._plan(collection, folders, trash) for collection in asked.collections]
        except Malformed as error:
            raise Refusal(PROTOCOL, str(error)) from error
        if len(plans) == 1 and plans[0].folder is None:
            raise Refusal(NO_FOLDER, "the folder is not there")
        return plans

    def _plan(self, collection: Collection, folders: Mapping[int, Folder], trash: int | None) -> Plan:
        folder = folders.get(collection.folder)
        if folder is None:
            return Plan(collection, None)
        if folder.type.item_class != "Email":
            raise Malformed("a folder of something else than mail")
        options = collection.options(folder, self.version)
        moves = collection.trash and trash != folder.id
        return Plan(collection, folder, options and self._restricted(options), trash if moves else None)

    def _restricted(self, options: SyncOptions) -> SyncOptions:
        return restrict(options, self.sync.rules.policy_for(self.device.user))

    # What is done.

    async def _serve(self, plan: Plan, window: int) -> Part:
        """Serve one collection; trouble in it is told there, and leaves the client its key."""
        collection, folder = plan.collection, plan.folder
        if folder is None:
            return Part(collection, NO_FOLDER, collection.key)
        name = (self.device, folder.id)
        try:
            work, outcome, sent = await shielded(
                self.sync.turns.take(name, lambda: self._executed(plan, folder, window)),
            )
            return await self._part(collection, folder, work, outcome, sent)
        except (CancelledError, Unavailable, Overtaken):
            # What was served before goes unanswered too; the client repeats it with the key that it has.
            raise
        except BackendDown as error:
            self.sync.log.warn("Sync of {folder} for {device}: {error}", folder=folder.id, device=name[0], error=error)
            return Part(collection, RETRY, collection.key)
        except Exception:
            self.sync.log.failure("Sync of {folder} for {device} failed", folder=folder.id, device=name[0])
            return Part(collection, FAILED, collection.key)

    async def _executed(self, plan: Plan, folder: Folder, window: int) -> tuple[Work, SyncOutcome, Mapping[int, int]]:
        """Execute it, and send the drafts that are to be sent."""
        work, outcome = await self._execute(plan, folder, window)
        drafts = self.sync.drafts
        if drafts is None or outcome.status != SUCCESS:
            return work, outcome, {}
        return work, outcome, await drafts.send(self.device, work.drafts)

    async def _execute(self, plan: Plan, folder: Folder, window: int) -> tuple[Work, SyncOutcome]:
        """Have the ledger write down what is asked, the source do it, and the Switchboard hear of it."""
        if self.claim is not None and self.claim.over is not None:
            raise Overtaken
        collection = plan.collection
        work = await self._work(collection, folder)
        verbs = {command.verb for command in collection.commands}
        request = SyncRequest(
            key=collection.key,
            digest=collection.digest,
            now=self.sync.now(),
            window=window,
            get_changes=collection.get_changes,
            options=plan.options,
            commands=work.commands,
            trash=plan.trash,
            responds=bool(work.refused) or bool(verbs & {Verb.FETCH, Verb.ADD}),
        )
        if not request.commands:
            return work, await self._record(folder, request, work)
        # What several devices do to a mail must be done to its file in the order in which it was written down.
        return work, await self.sync.changes.take(folder.user, lambda: self._record(folder, request, work))

    async def _record(self, folder: Folder, request: SyncRequest, work: Work) -> SyncOutcome:
        outcome = await self.sync.ledger.sync(self.device, folder.id, request)
        if outcome.status != SUCCESS and self.sync.drafts is not None:
            await self.sync.drafts.discard(folder, work.drafts)
        try:
            await self._carry_out(outcome.intents)
        finally:
            self.sync.reporter.changed(*outcome.changes)
        return outcome

    async def _carry_out(self, intents: Sequence[Intent]) -> None:
        """Do to the files what the ledger says already; what fails stays pending there."""
        if not intents:
            return
        try:
            await self.sync.ledger.done(await self.sync.mailbox.carry_out(intents))
        except CancelledError:
            raise
        except Exception:
            self.sync.log.failure("{count} changes of files are left to be done", count=len(intents))

    async def _work(self, collection: Collection, folder: Folder) -> Work:
        commands, drafts = collection.commands, self.sync.drafts
        wanted = [item_id(command.id, folder.id) for command in commands if command.verb is Verb.CHANGE]
        known = await self._items(folder, [id for id in wanted if id is not None])
        if drafts is None or not drafts.serves(folder, self.version):
            return prepared(commands, folder, known, {})
        return prepared(commands, folder, known, await drafts.prepare(self.device, folder, collection, known))

    async def _items(self, folder: Folder, ids: Sequence[int]) -> dict[int, Item]:
        if not ids:
            return {}
        found = await self.sync.ledger.items(folder.user, list(dict.fromkeys(ids)))
        return {item.id: item for item in found if item.folder == folder.id}

    # What is answered.

    async def _part(
        self, collection: Collection, folder: Folder, work: Work, outcome: SyncOutcome, sent: Mapping[int, int]
    ) -> Part:
        if outcome.status != SUCCESS:
            key = "0" if outcome.status == BAD_KEY else collection.key
            return Part(collection, outcome.status, key, item_class=folder.type.item_class)
        options = self._restricted(outcome.options)
        responses = answered(collection.commands, work, outcome, folder, sent)
        responses += await self._fetched(collection.commands, folder, options)
        return Part(
            collection,
            SUCCESS,
            outcome.key,
            advanced=outcome.advanced,
            replayed=outcome.replayed,
            more=outcome.more,
            commands=await self.rendering.commands(folder, outcome.batch, options),
            responses=responses,
            kinds=[row.op for row in outcome.batch],
            item_class=folder.type.item_class,
            filter=outcome.options.filter,
            level=outcome.level,
        )

    async def _fetched(self, commands: Sequence[Command], folder: Folder, options: SyncOptions) -> list[Response]:
        fetches = [command.id for command in commands if command.verb is Verb.FETCH]
        ids = {name: item_id(name, folder.id) for name in fetches}
        items = await self._items(folder, [id for id in ids.values() if id is not None])
        found = []
        for name in fetches:
            item = items.get(ids[name] or 0)
            data = None if item is None else await self.rendering.item(folder, item, options, whole=True)
            if data is None:
                found.append(Response(Verb.FETCH, name, NOT_FOUND))
            else:
                found.append(Response(Verb.FETCH, name, SUCCESS, data=Element("AirSync:ApplicationData", *data)))
        return found
