"""Making the parts of a gateway and putting them together."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import gateway.service.settings as settings
from gateway.config import Config
from gateway.core.admission import Admission
from gateway.core.berths import Berths
from gateway.core.cuts import Cuts
from gateway.core.heartbeat import HeartbeatWindow
from gateway.core.partnerships import Partnerships
from gateway.core.rate import Rate
from gateway.core.switchboard import Switchboard
from gateway.cred.accounts import Accounts
from gateway.cred.authenticator import Authenticator
from gateway.cred.checker import AccountsChecker
from gateway.cred.throttle import Throttle
from gateway.cred.verifier import Verifier
from gateway.eas.access import AccessLog
from gateway.eas.call import Command
from gateway.eas.conversations import PATIENCE, ConversationMoves, Diverting
from gateway.eas.dispatch import Dispatcher
from gateway.eas.drafts import Drafts
from gateway.eas.estimate import GetItemEstimate
from gateway.eas.foldercommands import FolderCreate, FolderDelete, FolderUpdate
from gateway.eas.folderoperations import FolderOperations
from gateway.eas.folders import FolderSync, GetHierarchy
from gateway.eas.gate import Gate, Rules
from gateway.eas.getattachment import GetAttachment
from gateway.eas.http import ActiveSync, Root, TrustedProxies, make_site
from gateway.eas.itemoperations import ItemOperations
from gateway.eas.moveitems import MoveItems
from gateway.eas.moving import Moving
from gateway.eas.notify import Notify
from gateway.eas.parked import Parking
from gateway.eas.ping import Ping
from gateway.eas.provision import Provision
from gateway.eas.reading import Reading
from gateway.eas.sending import COMMANDS as SENDING
from gateway.eas.settings import Settings
from gateway.eas.spool import Spools
from gateway.eas.sync import Sync
from gateway.eas.validatecert import ValidateCert
from gateway.mail.returns import Returns
from gateway.metrics import Metrics
from gateway.model import DeviceKey
from gateway.service.admitting import Doorkeeper, admission_terms, envelope
from gateway.service.examining import make_live, note_cut
from gateway.service.indexing import Indexer, mail_searchers
from gateway.service.knocking import make_knocking
from gateway.service.mail import host_name, make_doors, make_post
from gateway.service.mailout import MailOut
from gateway.service.marks import MarksFile
from gateway.service.orders import make_orders
from gateway.service.parts import Parts, Pools, Reporter, counted, ended
from gateway.service.people import (
    Notes,
    make_addresses,
    make_autodiscover,
    make_deputy,
    make_meetings,
    make_resolving,
    search_commands,
    told,
)
from gateway.service.posting import make_local, make_sending, our_addresses
from gateway.service.smsout import SmsOut, meters_of
from gateway.service.trusting import TrustFile
from gateway.sources.maildir import MaildirOptions, MaildirSource, directory_events
from gateway.store import Store, open_store
from gateway.tls import KeyPair, ServerContext
from gateway.trigger import Line

#: Threads that read mail, turn it into properties and change files.
FILE_THREADS = 4


def wall_clock() -> int:
    """Seconds since the epoch."""
    return int(time.time())


def make_authenticator(config: Config, accounts: Accounts, reactor: Any, verifier: Verifier) -> Authenticator:
    """Who is it: the accounts file behind a memory of what was right."""
    cred = config.cred
    return Authenticator(
        AccountsChecker(accounts, verifier),
        accounts,
        Throttle(reactor, cred.slow_after, cred.slow_seconds),
        reactor,
        cred.cache_seconds,
        cred.cache_size,
    )


def make_source(
    config: Config, store: Store, reporter: Reporter, accounts: Accounts, reactor: Any, run: Any
) -> MaildirSource:
    """The Maildirs below the data folder."""
    maildir = config.maildir
    config.data.mail.mkdir(mode=0o700, exist_ok=True)
    return MaildirSource(
        str(config.data.mail),
        store,
        reporter,
        reactor,
        run,
        accounts.names,
        directory_events(reactor),
        MaildirOptions(maildir.create_special, settle=maildir.settle_seconds, rescan=maildir.rescan_seconds),
    )


def assemble(config: Config, reactor: Any) -> Parts:
    """Make a gateway; nothing listens yet, and the mail source is not started."""
    metrics = Metrics()
    pools = Pools(reactor, {"store": config.store.threads, "files": FILE_THREADS, "cred": config.cred.threads})
    accounts = Accounts(config.data.accounts, reactor, config.smtp.domains)
    https = config.https
    context = ServerContext([KeyPair(https.certificate, https.private_key)], https.minimum_tls.value)
    pools.start()
    store = open_store(config.store_url, pools.run("store"), connections=config.store.threads)
    policy = settings.modes(config)
    board = Switchboard(reactor)
    knocking = make_knocking(config, store, policy, board, metrics, reactor, wall_clock)
    cuts = Cuts()
    board.ended = partial(ended, metrics, (knocking.ended, partial(note_cut, cuts)))
    reporter = Reporter(board, knocking.waker, metrics)
    source = make_source(config, store, reporter, accounts, reactor, pools.run("files"))
    ours = knocking.limits.ours = our_addresses(config, accounts)
    local = make_local(config, source, ours)
    mail_out = MailOut(config, store.outbox, reactor, time.time, host_name(config), knocking.settled, local)
    knocking.senders += [SmsOut(config, store.outbox, store.trace, reactor, meters=meters_of(metrics)), mail_out]
    partnerships = Partnerships(store)
    rules = Rules()
    settings.apply_rules(rules, config)
    admission = Admission(admission_terms(config))
    policy.barred = admission.barred
    doorkeeper = Doorkeeper(
        admission, partnerships, source, metrics, wall_clock, envelope(config), knocking.waker.dropped
    )
    gate = Gate(rules, wall_clock, admission.verdict)
    limits, _ = settings.parking_limits(config)
    parking = Parking(
        clock=reactor,
        now=wall_clock,
        ledger=store,
        partnerships=partnerships,
        board=board,
        policy=policy,
        stands=gate.stands,
        window=HeartbeatWindow(
            config.direct_push.sample_size, config.direct_push.alert_threshold, metrics.heartbeats.observe
        ),
        berths=Berths(settings.berth_limits(config)),
        limits=limits,
        delivered=metrics.latency.observe,
        announced=knocking.announced,
    )
    commands: dict[str, Command] = {"Ping": Ping(parking)}
    verifier = Verifier(reactor, pools.run("cred"), config.cred.threads, config.cred.queue)
    authenticator = make_authenticator(config, accounts, reactor, verifier)
    dispatcher = Dispatcher(
        clock=reactor,
        now=wall_clock,
        authenticator=authenticator,
        partnerships=doorkeeper.newcomers,
        commands=commands,
        gate=gate.check,
        levels=parking.levels,
        access=AccessLog(config.log.access, partial(counted, metrics)),
        rate=Rate(config.limits.requests_per_second, config.limits.request_burst),
        limits=settings.body_limits(config),
        realm=https.server_name,
        came=knocking.waker.came,
    )

    async def synced(key: DeviceKey) -> str | None:
        partnerships.synced(key, wall_clock())
        return await knocking.synced(key)

    sync = Sync(
        parking,
        store,
        source,
        reporter,
        wall_clock,
        pools.run("files"),
        rules,
        settings.sync_limits(config),
        synced,
        config.sms.notify_guid,
    )
    commands["Sync"] = sync
    commands["FolderSync"] = FolderSync(store, dispatcher.greeting)
    estimate = GetItemEstimate(store, wall_clock, rules, config.limits.estimate_collections)
    commands["GetItemEstimate"] = estimate
    moving = Moving(store, source, reporter, wall_clock, sync.changes)
    commands["MoveItems"] = MoveItems(moving)
    sending = make_sending(config, moving, store.postings, ours, pools.run("files"), mail_out.kick)
    commands.update(dict.fromkeys(SENDING, sending))
    sync.drafts = Drafts(source, sending)
    commands["FolderCreate"] = FolderCreate(moving)
    commands["FolderUpdate"] = FolderUpdate(moving)
    commands["FolderDelete"] = FolderDelete(moving)
    commands["GetHierarchy"] = GetHierarchy(store)
    reading = Reading(source, pools.run("files"), large=sync.reading.large)
    spools = dispatcher.spools = sync.spools = Spools(str(config.data.folder), run=pools.run("files"))
    patience = PATIENCE if config.search.index else 0
    moves = ConversationMoves(moving, store.index, store.diversions, reactor, patience)
    others = {
        "ItemOperations:EmptyFolderContents": FolderOperations(moving).empty,
        "ItemOperations:Move": moves.move,
    }
    commands["ItemOperations"] = ItemOperations(store, reading, spools, rules, others, moving.own)
    commands["GetAttachment"] = GetAttachment(store, reading, spools, rules)
    notify = Notify(
        store.triggers,
        knocking.notify_terms(),
        wall_clock,
        knocking.guid_of,
        knocking.waker.registered,
        knocking.waker.dropped,
    )
    commands["Notify"] = notify
    commands["Provision"] = Provision(partnerships, rules, wall_clock)
    addresses = make_addresses(config, accounts, reactor, pools.run("files"))
    index = Diverting(store.index, store.diversions, moving)
    indexer = Indexer(index, source, reactor, pools.run("files")) if config.search.index else None
    mails, finds = ({}, {}) if indexer is None else mail_searchers(store, reading, rules, wall_clock)
    reporter.others += [] if indexer is None else [indexer]
    commands.update(search_commands(addresses, pools.run("files"), mails, finds))
    commands["Settings"] = Settings(partnerships, store.absences, addresses.of, rules, wall_clock)
    notes = Notes(store.outbox, ours, mail_out.kick)
    commands["MeetingResponse"] = make_meetings(config, moving, reading, store.postings, addresses, notes)
    trust = TrustFile(config.smime.ca)
    commands["ValidateCert"] = ValidateCert(pools.run("files"), time.time, trust)
    commands["ResolveRecipients"] = make_resolving(addresses, pools.run("files"))
    local.delivered = partial(told, make_deputy(store.absences, addresses, notes, host_name(config)))
    returns = Returns(store.outbox, mail_out.routes, time.time, knocking.received)

    async def knock(line: Line, guid: str, content: bytes) -> None:
        # The older server says that a mailbox has changed; if it is one of ours too, its folders are looked at.
        source.look_again(line.key.user)
        await knocking.waker.knock(line, guid, content)

    doors = make_doors(
        config,
        store.triggers,
        knock,
        returns.take,
        reactor,
        wall_clock,
        lambda: knocking.waker.settings.lease,
        lambda operator, result: metrics.door.labels(operator, result).inc(),
    )
    proxies = TrustedProxies(https.trusted_proxies)
    autodiscover = make_autodiscover(config, dispatcher, addresses, accounts, ours)
    root = Root(ActiveSync(dispatcher, proxies), autodiscover)
    orders = make_orders(config, store, partnerships, policy, accounts, wall_clock, board, admission)
    orders.lines.registered, orders.lines.dropped = knocking.waker.registered, knocking.waker.dropped
    orders.modes.changed = orders.entry.changed = knocking.modes_changed
    orders.examination.live = make_live(authenticator.throttle, source, parking.window, cuts, knocking.senders)
    return Parts(
        config=config,
        reactor=reactor,
        metrics=metrics,
        pools=pools,
        store=store,
        partnerships=partnerships,
        board=board,
        policy=policy,
        window=parking.window,
        rules=rules,
        accounts=accounts,
        addresses=addresses,
        autodiscover=autodiscover,
        trust=trust,
        verifier=verifier,
        authenticator=authenticator,
        context=context,
        source=source,
        parking=parking,
        sync=sync,
        estimate=estimate,
        notify=notify,
        dispatcher=dispatcher,
        proxies=proxies,
        site=make_site(root, reactor, settings.channel_limits(config), https.idle_timeout),
        orders=orders,
        sending=sending,
        ours=ours,
        post=make_post(config, accounts, source, reactor, context, doors, local.delivered),
        knocking=knocking,
        doorkeeper=doorkeeper,
        marks=MarksFile(config.data.marks, store),
        indexer=indexer,
    )
