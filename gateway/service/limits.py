"""Who is told of a limit that keeps triggers back: the log, the metrics, and by mail the user and the administrator."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from gateway.config import Config
from gateway.interfaces import IPostings
from gateway.mail.limitreached import OWN, reached_mail, waiting_mail
from gateway.mail.notice import Envelope
from gateway.mail.undelivered import LOCAL, OWN_INBOX
from gateway.metrics import Metrics
from gateway.model import DeviceKey
from gateway.posting import Posting, Reception
from gateway.service.admitting import envelope
from gateway.service.mailout import RELAY
from gateway.service.posting import OurAddresses
from gateway.trigger import Decided, Letter

#: So much is remembered as said; what is forgotten is told of no second time by mail, but may be logged once more.
MOST = 10_000


@define(eq=False)
class LimitNotices:
    """Tells once a day of each limit that is met.

    The log tells of it for each device, user or operator that meets it. A user gets a mail of a limit that is the
    user's own or that of a device; the administrator, if one is named, of each limit, whoever meets it first. That a
    mail was written is kept in the store: a restart writes no second one.

    C{kick} is told of the routes for which mails were queued; C{now} is wall clock in seconds. C{ours} knows the
    addresses of this server; until it is set nobody is told by mail.
    """

    log = Logger()

    config: Config
    postings: IPostings
    metrics: Metrics
    kick: Callable[[str], None]
    now: Callable[[], int]
    ours: OurAddresses | None = None
    _said: dict[tuple[str, str], int] = field(init=False, factory=dict)

    def reached(self, decided: Decided) -> None:
        """A limit keeps a trigger back."""
        key, day = decided.order.line.key, decided.order.rule.day
        whose = {
            "device": f"device {key.device} of {key.user}",
            "user": f"user {key.user}",
            "operator": decided.order.route,
        }.get(decided.limit, "everybody")
        if self._first(decided.limit, whose, day):
            self._log(decided, whose)
        sms = self.config.sms
        if sms.limit_tells_user and decided.limit in OWN and self._first(f"mail {decided.limit}", key.user, day):
            self._tell_user(decided, envelope(self.config))
        named = f"{decided.limit} {decided.order.route}" if decided.limit == "operator" else decided.limit
        if sms.limit_tells and self._first(f"mail {named}", "", day):
            self._tell_administrator(decided, named, envelope(self.config))

    def _first(self, what: str, whose: str, day: int) -> bool:
        """Whether that was not said on this day; from now on it was."""
        if self._said.get((what, whose)) == day:
            return False
        if len(self._said) >= MOST or day not in self._said.values():
            self._said.clear()
        self._said[what, whose] = day
        return True

    def _log(self, decided: Decided, whose: str) -> None:
        self.log.warn(
            "event 3103: triggers of {whose} wait for the next day: {reason}",
            event_id=3103,
            whose=whose,
            limit=decided.limit,
            reason=decided.reason,
        )
        self.metrics.alarms.labels("limit").inc()

    def _tell_user(self, decided: Decided, envelope: Envelope) -> None:
        key = decided.order.line.key
        mail = waiting_mail(key, decided.limit, self._at(decided.order.rule.tomorrow), self._at(self.now()), envelope)
        self._post(decided, key.user, decided.limit, LOCAL, OWN_INBOX, mail)

    def _tell_administrator(self, decided: Decided, named: str, envelope: Envelope) -> None:
        to = self.config.sms.limit_tells
        route = self._route(to)
        if not route:
            self.log.warn("There is no relay, so nobody at {recipient} is told of limits", recipient=to)
            return
        until = self._at(decided.order.rule.tomorrow)
        key = decided.order.line.key
        mail = reached_mail(to, key, decided.limit, decided.reason, until, self._at(self.now()), envelope)
        self._post(decided, "", named, route, to, mail)

    def _route(self, address: str) -> str:
        """By which way a mail to an address goes, empty: by none."""
        ours = self.ours
        if ours is None:
            return ""
        if ours.account(address) is not None and not ours.all_by_relay:
            return LOCAL
        return RELAY if ours.relay else ""

    def _at(self, seconds: int) -> datetime:
        zone = self.config.policy.time_zone
        at = datetime.fromtimestamp(seconds, ZoneInfo(zone) if zone else None)
        return at if zone else at.astimezone()

    def _post(self, decided: Decided, user: str, what: str, route: str, recipient: str, mail: bytes) -> None:
        if self.ours is None:
            return
        now = float(self.now())
        key = DeviceKey(decided.order.line.key.user, "")
        letter = Letter(key, route, content=mail, recipients=(recipient,), created=now, due=now)
        # No device is called so: device ids are letters and digits.
        name = f"{what} {decided.order.rule.day}"
        posting = Posting(
            key=DeviceKey(user, "limit reached"), name=name, now=now, since=0.0, letters=(letter,), recipients=0
        )

        def failed(failure: Failure) -> None:
            self.log.failure("nobody could be told of a limit by mail", failure)
            # The next one that meets the limit tells of it.
            self._said.pop((f"mail {what}", user), None)

        Deferred.fromCoroutine(self._posted(posting, route)).addErrback(failed)

    async def _posted(self, posting: Posting, route: str) -> None:
        posted = await self.postings.post(posting)
        if posted.reception is Reception.TAKEN:
            self.kick(route)
