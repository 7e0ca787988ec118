"""The service that twistd runs: start, reload and stop of a gateway."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Callable, Set
from typing import Any

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import LoopingCall, deferLater
from twisted.logger import Logger

import gateway.service.reloading as reloading
from gateway import __version__
from gateway.admin.control import Control
from gateway.config import Config, ConfigError, needs_restart
from gateway.cred.accounts import BadAccounts
from gateway.service.alone import Taken, take
from gateway.service.assembly import assemble, wall_clock
from gateway.service.listening import Listeners
from gateway.service.parts import Parts
from gateway.store import CannotOpen
from gateway.tls import BadCertificate

#: Which keys were given: losing that costs a device one look for nothing.
FLUSH_SECONDS = 1.0
#: When devices were seen last: losing that costs nobody anything.
NOTES_SECONDS = 30.0
COMPACT_SECONDS = 3600.0
#: How often it is looked for what was left half-written, and when first: that goes through all mailboxes, while just
#: after the start the devices come back.
SWEEP_SECONDS = 6 * 3600.0
FIRST_SWEEP_SECONDS = 15 * 60.0
#: How often it is looked whether triggers were obeyed and leases lapse.
LOOK_SECONDS = 60.0
#: Between slices of a farewell, in seconds.
FAREWELL_STEP = 0.05
#: How long answers may take to leave after the farewell, in seconds.
FAREWELL_PATIENCE = 5.0
#: What keeps a gateway from starting and is not its fault: told in one line, without a traceback.
EXPECTED = (OSError, CannotListenError, ConfigError, BadAccounts, BadCertificate, CannotOpen, Taken)


# Without a representation: when a handler of signals is replaced, Python makes one of the old handler, and so of
# everything that a service of attrs holds, which took half a minute with a thousand devices.
@define(eq=False, slots=False, repr=False)
class GatewayService(Service):
    """One gateway from its configuration to its end.

    C{load} reads the configuration again, raising L{ConfigError}.
    """

    log = Logger()

    config: Config
    load: Callable[[], Config]
    reactor: Any
    parts: Parts | None = field(init=False, default=None)
    listeners: Listeners | None = field(init=False, default=None)
    _starting: Deferred[None] | None = field(init=False, default=None)
    _lock: int | None = field(init=False, default=None)
    _loops: list[LoopingCall] = field(init=False, factory=list)
    _first_sweep: IDelayedCall | None = field(init=False, default=None)
    _hurried: bool = field(init=False, default=False)

    # Start.

    def startService(self) -> None:
        """Begin; what cannot be started ends the process with a clear line."""
        super().startService()
        self._starting = ensureDeferred(self._start())
        self._starting.addErrback(self._failed)

    async def _start(self) -> None:
        began = self.reactor.seconds()
        self.log.info(
            "event 3002: pushgw {version} started with process id {pid}",
            event_id=3002,
            version=__version__,
            pid=os.getpid(),
        )
        self._lock = take(self.config.data.folder)
        parts = self.parts = assemble(self.config, self.reactor)
        parts.accounts.changed = self._accounts_changed
        parts.addresses.look()
        reloading.check_heartbeats(self.config)
        await parts.marks.start()
        await parts.orders.modes.load()
        await parts.orders.entry.load()
        self._gauges(parts)
        # Before the first survey, which may take a while: a signal that nobody takes ends the process.
        signal.signal(signal.SIGHUP, self._hangup)
        control = Control(parts.orders, self.status, self.reload)
        self.listeners = Listeners(parts, control)
        await self.listeners.admin()
        await parts.knocking.start()
        parts.source.startService()
        await parts.source.whenStarted()
        await self.listeners.doors()
        self.begin_loops()
        if parts.indexer is not None:
            parts.indexer.start()
        # Everything that is here now stays: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 100)
        accounts = len(parts.accounts.names())
        self.log.info(
            "ready after {seconds:.1f} s, accounts: {accounts}",
            seconds=self.reactor.seconds() - began,
            accounts=accounts,
        )

    def _failed(self, failure: Any) -> None:
        if failure.check(CancelledError):
            return
        if failure.check(*EXPECTED):
            self.log.critical("pushgw cannot start: {why}", why=failure.getErrorMessage())
        else:
            self.log.failure("pushgw cannot start", failure=failure)
        # What fails at once fails before the reactor runs, which cannot be stopped then.
        self.reactor.callWhenRunning(self._give_up)

    def _give_up(self) -> None:
        # twistd itself always ends with 0; whoever started it has to see that it did not start.
        self.reactor.addSystemEventTrigger("after", "shutdown", os._exit, 1)
        self.reactor.stop()

    def begin_loops(self) -> None:
        """Begin with what is done again and again, first when the time between two turns is over; sweeping sooner."""
        self._loop(self._flush, FLUSH_SECONDS)
        self._loop(self._note, NOTES_SECONDS)
        self._loop(self._trace, FLUSH_SECONDS)
        self._loop(self._look_after, LOOK_SECONDS)
        self._loop(self._compact, COMPACT_SECONDS)
        self._first_sweep = self.reactor.callLater(FIRST_SWEEP_SECONDS, self._loop, self._sweep, SWEEP_SECONDS, True)

    def end_loops(self) -> None:
        """End all that L{begin_loops} began; a turn that is under way goes on."""
        loops, self._loops = self._loops, []
        for loop in loops:
            loop.stop()
        if self._first_sweep is not None and self._first_sweep.active():
            self._first_sweep.cancel()

    def _loop(self, work: Callable[[], Any], seconds: float, now: bool = False) -> None:
        def turn() -> Deferred[Any]:
            # A loop whose turn fails would stop for good.
            return maybeDeferred(work).addErrback(
                lambda failure: self.log.failure("{work} failed", failure, work=work.__name__)
            )

        loop = LoopingCall(turn)
        loop.clock = self.reactor
        loop.start(seconds, now=now)
        self._loops.append(loop)

    async def _write_back(self, parts: Parts) -> None:
        """Write all that is collected in memory; what cannot be written is logged."""
        for flush in (parts.knocking.flush, parts.partnerships.flush, parts.store.flush, parts.marks.note):
            try:
                await flush()
            except CancelledError:
                raise
            except Exception:
                self.log.failure("notes could not be written")

    def _flush(self) -> Deferred[None]:
        assert self.parts is not None
        # A file that nobody asks for is looked at all the same: a parked device asks nothing.
        self.parts.accounts.look()
        return self.parts.store.flush()

    def _note(self) -> Deferred[None]:
        return ensureDeferred(self._noted())

    async def _noted(self) -> None:
        assert self.parts is not None
        await self.parts.partnerships.flush()
        await self.parts.marks.note()

    def _trace(self) -> Deferred[None]:
        assert self.parts is not None
        return ensureDeferred(self.parts.knocking.flush())

    def _look_after(self) -> Deferred[None]:
        assert self.parts is not None
        return ensureDeferred(self.parts.knocking.look_after())

    def _compact(self) -> Deferred[None]:
        return ensureDeferred(self._forget_old())

    def _sweep(self) -> Deferred[None]:
        assert self.parts is not None
        return self.parts.source.sweep()

    async def _forget_old(self) -> None:
        parts = self.parts
        assert parts is not None
        await parts.store.compact(wall_clock() - parts.config.ledger.keep * 86400)
        await parts.knocking.forget_old()
        if parts.indexer is not None:
            await parts.indexer.look()

    def _gauges(self, parts: Parts) -> None:
        metrics, board = parts.metrics, parts.board
        metrics.gauge("pushgw_parked", "Requests parked now", lambda: board.parked)
        metrics.gauge("pushgw_heartbeat_average_seconds", "Mean of the last heartbeats", lambda: parts.window.average)
        metrics.gauge("pushgw_heartbeat_alarm", "1 while heartbeats are too short", lambda: int(parts.window.alarmed))
        if (indexer := parts.indexer) is not None:
            metrics.gauge("pushgw_search_folders_behind", "Folders the index lacks mails of", lambda: indexer.behind)
        metrics.gauge("pushgw_accounts", "Enabled accounts", lambda: len(parts.accounts.names()))

    def status(self) -> dict[str, Any]:
        """What the running gateway says of itself."""
        parts = self.parts
        assert parts is not None
        return {
            "version": __version__,
            "pid": os.getpid(),
            "parked": parts.board.parked,
            "accounts": len(parts.accounts.names()),
            "heartbeat_average": parts.window.average,
            "listening": self.listeners.addresses() if self.listeners else {},
        }

    # Reload.

    def _hangup(self, *args: object) -> None:
        self.reactor.callFromThread(self.reload)

    def reload(self) -> str:
        """Read configuration, accounts and certificates again while devices stay parked.

        What is wrong keeps what was there; the text says what was wrong, and is empty if nothing was.
        """
        parts = self.parts
        assert parts is not None
        try:
            config = self.load()
            reloading.reload_files(parts, config)
        except (ConfigError, BadAccounts, BadCertificate) as error:
            self.log.error("reload: what was in force stays in force: {why}", why=str(error))
            return str(error)
        later = needs_restart(parts.config, config)
        reloading.apply(parts, config)
        self.log.info("reloaded{later}", later=f"; only a restart changes {', '.join(later)}" if later else "")
        return ""

    def _accounts_changed(self, names: Set[str]) -> None:
        """Other accounts were read: their mail is looked after, and devices of who may not come in any more go."""
        assert self.parts is not None
        self.parts.board.recall(lambda key: key.user in names, "account")
        self.parts.source.accounts_changed()
        self.parts.addresses.refresh()

    # Stop.

    async def stopService(self) -> None:
        """End every Watch politely, over a few seconds, then close everything."""
        super().stopService()
        # The reactor's own takers of these would stop it a second time, and complain that it is not running.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._told_again)
        if self._starting is not None:
            self._starting.cancel()
        parts = self.parts
        if parts is None:
            return
        self.end_loops()
        if self.listeners is not None:
            await self.listeners.close()
        await self._farewell(parts)
        if parts.indexer is not None:
            parts.indexer.stop()
        await parts.source.stopService()
        await parts.knocking.stop()
        await self._write_back(parts)
        if self.listeners is not None:
            await self.listeners.close_admin()
        await parts.pools.stop()
        parts.store.close()
        self.log.info("stopped")

    def _told_again(self, *args: object) -> None:
        self.reactor.callFromThread(self._hurry)

    def _hurry(self) -> None:
        """Cut the farewell short: who is still parked is answered at once."""
        if not self._hurried:
            self.log.info("told again to stop: the farewell is cut short")
        self._hurried = True

    async def _farewell(self, parts: Parts) -> None:
        """Answer the parked requests in slices, so that the devices do not come back all at once."""
        parts.dispatcher.closing = True
        claims = parts.board.claims()
        if claims:
            self.log.info("farewell: {count} requests in hand", count=len(claims))
        steps = max(1, int(parts.config.direct_push.farewell_seconds / FAREWELL_STEP))
        size = -(-len(claims) // steps)
        for first in range(0, len(claims), max(1, size)):
            if self._hurried:
                break
            parts.board.recall_claims(claims[first : first + size], "shutdown")
            await deferLater(self.reactor, FAREWELL_STEP)
        patience = self.reactor.seconds() + FAREWELL_PATIENCE
        while parts.board.claims() and self.reactor.seconds() < patience:
            # Who was just being let in when the doors were closed has parked meanwhile.
            parts.board.recall_claims(parts.board.claims(), "shutdown")
            await deferLater(self.reactor, FAREWELL_STEP)
