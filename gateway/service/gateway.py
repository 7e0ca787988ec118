"""The service that twistd runs: start, reload and stop of a gateway."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Callable
from typing import Any

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import LoopingCall, deferLater
from twisted.logger import Logger

import gateway.service.settings as settings
from gateway import __version__
from gateway.admin.control import Control
from gateway.config import Config, ConfigError, needs_restart
from gateway.cred.accounts import BadAccounts
from gateway.model import DeviceKey
from gateway.service.assembly import assemble, wall_clock
from gateway.service.listening import Listeners
from gateway.service.mail import apply_smtp
from gateway.service.parts import Parts
from gateway.tls import BadCertificate, KeyPair

FLUSH_SECONDS = 1.0
COMPACT_SECONDS = 3600.0
#: Between slices of a farewell, in seconds.
FAREWELL_STEP = 0.05
#: How long answers may take to leave after the farewell, in seconds.
FAREWELL_PATIENCE = 5.0


@define(eq=False, slots=False)
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
    _loops: list[LoopingCall] = field(init=False, factory=list)
    _signal: IDelayedCall | None = field(init=False, default=None)

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
        parts = self.parts = assemble(self.config, self.reactor)
        self._report_limits(self.config)
        self._gauges(parts)
        control = Control(parts.operations, self.status, self.reload)
        self.listeners = Listeners(parts, control)
        await self.listeners.admin()
        parts.source.startService()
        await parts.source.whenStarted()
        await self.listeners.doors()
        self._loop(self._flush, FLUSH_SECONDS)
        self._loop(self._compact, COMPACT_SECONDS)
        # Everything that is here now stays: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 100)
        signal.signal(signal.SIGHUP, self._hangup)
        accounts = len(parts.accounts.names())
        self.log.info(
            "ready after {seconds:.1f} s, accounts: {accounts}",
            seconds=self.reactor.seconds() - began,
            accounts=accounts,
        )

    def _failed(self, failure: Any) -> None:
        if failure.check(CancelledError):
            return
        if failure.check(OSError, ConfigError, BadAccounts, BadCertificate):
            self.log.critical("pushgw cannot start: {why}", why=failure.getErrorMessage())
        else:
            self.log.failure("pushgw cannot start", failure=failure)
        # twistd itself always ends with 0; whoever started it has to see that it did not start.
        self.reactor.addSystemEventTrigger("after", "shutdown", os._exit, 1)
        self.reactor.stop()

    def _loop(self, work: Callable[[], Any], seconds: float) -> None:
        loop = LoopingCall(work)
        loop.clock = self.reactor
        loop.start(seconds, now=False).addErrback(
            lambda failure: self.log.failure("{work}", failure, work=work.__name__)
        )
        self._loops.append(loop)

    async def _write_back(self, parts: Parts) -> None:
        await parts.partnerships.flush()
        await parts.store.flush()

    def _flush(self) -> Deferred[None]:
        assert self.parts is not None
        done = ensureDeferred(self._write_back(self.parts))
        return done.addErrback(lambda failure: self.log.failure("notes could not be written", failure))

    def _compact(self) -> Deferred[None]:
        assert self.parts is not None
        before = wall_clock() - self.parts.config.ledger.keep * 86400
        done: Deferred[Any] = self.parts.store.compact(before)
        return done.addErrback(lambda failure: self.log.failure("the ledger could not be compacted", failure))

    def _gauges(self, parts: Parts) -> None:
        metrics, board = parts.metrics, parts.board
        metrics.gauge("pushgw_parked", "Requests parked now", lambda: board.parked)
        metrics.gauge("pushgw_heartbeat_average_seconds", "Mean of the last heartbeats", lambda: parts.window.average)
        metrics.gauge("pushgw_heartbeat_alarm", "1 while heartbeats are too short", lambda: int(parts.window.alarmed))
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
            parts.accounts.reload()
            self._reload_certificates(parts, config)
        except (ConfigError, BadAccounts, BadCertificate) as error:
            self.log.error("reload: what was in force stays in force: {why}", why=str(error))
            return str(error)
        later = needs_restart(parts.config, config)
        self._apply(parts, config)
        self.log.info("reloaded{later}", later=f"; only a restart changes {', '.join(later)}" if later else "")
        return ""

    def _reload_certificates(self, parts: Parts, config: Config) -> None:
        context, https = parts.context, config.https
        before = (context.pairs, context.minimum)
        context.pairs, context.minimum = [KeyPair(https.certificate, https.private_key)], https.minimum_tls.value
        try:
            context.reload()
        except BadCertificate:
            context.pairs, context.minimum = before
            raise

    def _apply(self, parts: Parts, config: Config) -> None:
        before = {name: parts.rules.policy_for(name) for name in self._users(parts)}
        parts.config = config
        push, limits = config.direct_push, config.limits
        parts.ping.limits, _ = settings.ping_limits(config)
        self._report_limits(config)
        parts.ping.berths.limits = settings.berth_limits(config)
        parts.window.resize(push.sample_size, push.alert_threshold)
        parts.ping.levels.forget_all()
        settings.apply_rules(parts.rules, config)
        parts.dispatcher.limits = settings.body_limits(config)
        parts.dispatcher.rate.per_second = limits.requests_per_second
        parts.dispatcher.rate.burst = limits.request_burst
        parts.dispatcher.access.enabled = config.log.access
        parts.proxies.networks = config.https.trusted_proxies
        parts.sync.limits = settings.sync_limits(config)
        apply_smtp(parts.post, config)
        moved = parts.policy.replace(config.policy.default_mode, settings.modes(config), push.enabled)
        self._recall(parts, before, moved)
        parts.source.accounts_changed()

    def _users(self, parts: Parts) -> set[str]:
        return {claim.device.user for claim in parts.board.claims()}

    def _recall(self, parts: Parts, before: dict[str, Any], moved: set[str]) -> None:
        """End the Pings of those for whom something else holds now; all others stay parked."""
        known, names = set(parts.policy.users) | moved, set(parts.accounts.names())

        def mode_changed(key: DeviceKey) -> bool:
            return key.user in moved or ("" in moved and key.user not in known)

        parts.board.recall(lambda key: key.user not in names, "account")
        parts.board.recall(mode_changed, "mode")
        for user, policy in before.items():
            now = parts.rules.policy_for(user)
            if (policy and policy.hash) != (now and now.hash):
                parts.board.recall_claims([c for c in parts.board.claims() if c.device.user == user], "policy")

    def _report_limits(self, config: Config) -> None:
        limits, right = settings.ping_limits(config)
        if not right:
            self.log.warn(
                "event 3016: direct_push.min_heartbeat {minimum} is above max_heartbeat {maximum};"
                " the defaults {used_minimum} and {used_maximum} are used for both",
                event_id=3016,
                minimum=config.direct_push.min_heartbeat,
                maximum=config.direct_push.max_heartbeat,
                used_minimum=limits.heartbeat.minimum,
                used_maximum=limits.heartbeat.maximum,
            )

    # Stop.

    async def stopService(self) -> None:
        """End every Watch politely, over a few seconds, then close everything."""
        super().stopService()
        if self._starting is not None:
            self._starting.cancel()
        parts = self.parts
        if parts is None:
            return
        for loop in self._loops:
            loop.stop()
        if self.listeners is not None:
            await self.listeners.close()
        await self._farewell(parts)
        await parts.source.stopService()
        await self._write_back(parts)
        if self.listeners is not None:
            await self.listeners.close_admin()
        await parts.pools.stop()
        parts.store.close()
        self.log.info("stopped")

    async def _farewell(self, parts: Parts) -> None:
        """Answer the parked requests in slices, so that the devices do not come back all at once."""
        parts.dispatcher.closing = True
        claims = parts.board.claims()
        if claims:
            self.log.info("farewell: {count} requests in hand", count=len(claims))
        steps = max(1, int(parts.config.direct_push.farewell_seconds / FAREWELL_STEP))
        size = -(-len(claims) // steps)
        for first in range(0, len(claims), max(1, size)):
            parts.board.recall_claims(claims[first : first + size], "shutdown")
            await deferLater(self.reactor, FAREWELL_STEP)
        patience = self.reactor.seconds() + FAREWELL_PATIENCE
        while parts.board.claims() and self.reactor.seconds() < patience:
            await deferLater(self.reactor, FAREWELL_STEP)
