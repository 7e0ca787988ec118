"""One operator: which of its SMSCs is used, how fast, and when another one takes over."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf
from random import random

from attrs import define, field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime, IStreamClientEndpoint
from twisted.logger import Logger
from zope.interface import Interface, implementer

from gateway.sms.centre import Centre, ICentreUser, commands
from gateway.sms.meters import Meters
from gateway.sms.pdu import Pdu
from gateway.sms.rate import Rate
from gateway.sms.session import Session
from gateway.sms.settings import OperatorSettings
from gateway.sms.status import action


class IOperatorUser(Interface):
    """Who has an operator."""

    def ready() -> None:
        """There may be room for submits where there was none, or no transmitter is left."""

    def message(session: Session, pdu: Pdu) -> None:
        """See L{gateway.sms.session.ISessionUser.message}."""


@frozen
class CentreState:
    """How an SMSC does: binds that are there and that should be, and why one is not, in words.

    C{refused}: it does not let the account in, or takes nothing from it; C{throttled}: it has said lately that it was
    sent too much.
    """

    name: str
    running: bool
    used: bool
    bound: int
    wanted: int
    trouble: str
    refused: bool = False
    throttled: bool = False


@implementer(ICentreUser)
@define(eq=False)
class Operator:
    """The SMSCs of an operator in the order in which they are preferred.

    The first one is used while it can be. When it has not been good for C{patience.failover}, the next one is bound to
    as well and is used at once; the better one is used again when it has been good for C{patience.failback}, and the
    other stays bound for a while, as its receipts come there.
    """

    log = Logger()

    settings: OperatorSettings
    _places: Sequence[tuple[str, IStreamClientEndpoint]]
    _user: IOperatorUser
    _clock: IReactorTime
    _meters: Meters = field(factory=Meters)
    _jitter: Callable[[], float] = random
    rate: Rate = field(init=False)
    centres: list[Centre] = field(init=False)
    used: Centre | None = field(default=None, init=False)
    barred: str = field(default="", init=False)
    _barred_until: float = field(default=-inf, init=False)
    _good_since: dict[Centre, float] = field(factory=dict, init=False)
    _lacking_since: float | None = field(default=None, init=False)
    _look: IDelayedCall | None = field(default=None, init=False)
    _stopping: bool = field(default=True, init=False)

    def __attrs_post_init__(self) -> None:
        self.rate = Rate(self._clock, self.settings.rate)
        self.centres = [
            Centre(f"{self.settings.name} at {place}", endpoint, self.settings, self, self._clock, self._jitter)
            for place, endpoint in self._places
        ]

    def start(self) -> None:
        """Bind to the first SMSC, and to others when that is needed."""
        self._stopping = False
        self._lacking_since = self._clock.seconds()
        if self.centres:
            self.centres[0].start()
        self._review()

    async def stop(self) -> None:
        """Unbind everywhere."""
        self._stopping = True
        if self._look is not None:
            self._look.cancel()
            self._look = None
        stopped = [Deferred.fromCoroutine(centre.stop()) for centre in self.centres if centre.running]
        for one in stopped:
            await one

    @property
    def transmitting(self) -> bool:
        """Whether anything can be submitted, now or when an answer makes room for it."""
        return self.used is not None and self.used.up and self._clock.seconds() >= self._barred_until

    @property
    def room(self) -> int:
        """How many messages may be submitted now, if the rate allows it."""
        if self.used is None or not self.transmitting:
            return 0
        return sum(max(0, session.room) for session in self.used.bound)

    def choose(self) -> Session | None:
        """The session to submit by, or C{None} if there is no room; the rate is not asked."""
        if self.used is None or not self.transmitting:
            return None
        best = max(self.used.bound, key=_preference, default=None)
        if best is None or best.room < 1:
            return None
        self.used.last_used = self._clock.seconds()
        return best

    def takes(self, session: Session) -> bool:
        """Whether messages are submitted by that session."""
        return self.used is not None and session in self.used.bound and self._clock.seconds() >= self._barred_until

    def bar(self, status: int) -> None:
        """The SMSC refuses everything of this account: submit nothing for a while."""
        self.barred = action(status).name
        self._barred_until = self._clock.seconds() + self.settings.patience.account
        self._alarm(f"the SMSC refuses the account: {self.barred}")
        self._review()

    def states(self) -> list[CentreState]:
        """How the SMSCs do."""
        return [self._state(one) for one in self.centres]

    def _state(self, centre: Centre) -> CentreState:
        used = centre is self.used
        wanted = len(commands(self.settings.binding)) * self.settings.binds if centre.running else 0
        trouble, refused = centre.trouble, centre.refused
        if used and self._clock.seconds() < self._barred_until:
            trouble, refused = f"it takes nothing from the account: {self.barred}", True
        throttled = used and self.rate.throttled_lately
        return CentreState(centre.name, centre.running, used, len(centre.bound), wanted, trouble, refused, throttled)

    # ICentreUser.

    def changed(self, centre: Centre) -> None:
        """See L{ICentreUser}."""
        self._meters.binds(self.settings.name, sum(len(one.bound) for one in self.centres))
        self._review()

    def refused(self, centre: Centre, status: int) -> None:
        """See L{ICentreUser}."""
        self._alarm(f"{centre.name}: the SMSC refuses the account: {action(status).name}")

    def message(self, session: Session, pdu: Pdu) -> None:
        """See L{ICentreUser}."""
        self._user.message(session, pdu)

    def congested(self, session: Session, state: int) -> None:
        """See L{ICentreUser}."""
        self.rate.congested(state)

    # Which one is used.

    def _alarm(self, text: str) -> None:
        self.log.error("{name}: {text}", name=self.settings.name, text=text)
        self._meters.alarm(self.settings.name, text)

    def _review(self) -> None:
        """Look which SMSC is to be used, and which ones are needed."""
        if self._stopping:
            return
        now = self._clock.seconds()
        if now >= self._barred_until:
            self.barred = ""
        for centre in self.centres:
            if not centre.good:
                self._good_since.pop(centre, None)
            else:
                self._good_since.setdefault(centre, now)
        self._choose_centre(now)
        self._fail_over(now)
        self._retire(now)
        self._look_again(now)
        self._user.ready()

    def _choose_centre(self, now: float) -> None:
        chosen: Centre | None
        good = [centre for centre in self.centres if centre.good]
        if self.used in good:
            steady = now - self.settings.patience.failback
            better = [one for one in good[: good.index(self.used)] if self._good_since[one] <= steady]
            chosen = better[0] if better else self.used
        else:
            up = [centre for centre in self.centres if centre.up]
            chosen = next(iter([*good, *up]), None)
        if chosen is not self.used and chosen is not None:
            self.log.info("{name} is used", name=chosen.name)
        self.used = chosen

    def _fail_over(self, now: float) -> None:
        if any(centre.good for centre in self.centres):
            self._lacking_since = None
            return
        if self._lacking_since is None:
            self._lacking_since = now
        spare = [centre for centre in self.centres if not centre.running]
        if spare and now >= self._lacking_since + self.settings.patience.failover:
            self.log.warn("{name} is bound to, as no SMSC before it answers", name=spare[0].name)
            self._lacking_since = now
            spare[0].start()

    def _retire(self, now: float) -> None:
        if self.used is None or self.used not in self._good_since:
            return
        patience = self.settings.patience
        if now < self._good_since[self.used] + patience.failback:
            return
        for centre in self.centres[self.centres.index(self.used) + 1 :]:
            if centre.running and not centre.outstanding and now >= centre.last_used + patience.retire:
                stopped = Deferred.fromCoroutine(centre.stop())
                stopped.addErrback(lambda failure: self.log.failure("an SMSC could not be left", failure))

    def _look_again(self, now: float) -> None:
        """Only while something may change by time alone."""
        if self._look is not None:
            self._look.cancel()
            self._look = None
        alone = sum(centre.running for centre in self.centres) == 1 and self.used is self.centres[0]
        if alone and self.used is not None and self.used.good and now >= self._barred_until:
            return
        self._look = self._clock.callLater(1.0, self._looked)

    def _looked(self) -> None:
        self._look = None
        self._review()


def _preference(session: Session) -> tuple[bool, int]:
    """One that has to show that it answers comes first, as there is no more room in it until then."""
    return session.room > 0 and not session.proven, session.room
