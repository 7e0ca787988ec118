"""Which devices come in: what is configured of it, and who is told of those that do not."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime

from attrs import define, evolve, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger

from gateway.config import Config, DeviceRule
from gateway.core import admission
from gateway.core.admission import Admission, AdmissionTerms, Verdict
from gateway.core.newcomers import Newcomers
from gateway.core.partnerships import Partnerships
from gateway.core.switchboard import Switchboard
from gateway.interfaces import IMailbox
from gateway.mail.keptout import kept_out_mail
from gateway.mail.notice import Envelope
from gateway.metrics import Metrics
from gateway.model import Access, Device, DeviceKey
from gateway.service.mail import host_name

DAY = 86400
#: What is said of a device is not said again for so many seconds, as often as it comes.
AGAIN = 3600
#: Of so many devices it is remembered that it was said.
MOST = 10_000


def admission_terms(config: Config) -> AdmissionTerms:
    """What is configured."""
    devices = config.devices
    rules = tuple(_rule(name, rule) for name, rule in devices.rules.items())
    return AdmissionTerms(devices.new, rules, devices.per_user, devices.forget_days * DAY)


def _rule(name: str, rule: DeviceRule) -> admission.DeviceRule:
    access = rule.access or Access.BLOCK
    return admission.DeviceRule(name, access, rule.types, rule.agents, rule.users, rule.ids)


def envelope(config: Config) -> Envelope:
    """What mails to users say of this server."""
    host = host_name(config)
    return Envelope(host, next(iter(config.smtp.domains), host), config.devices.contact)


@define(eq=False)
class Doorkeeper:
    """Tells of devices that may not come in: the log, the metrics, and by mail the user.

    C{now} is wall clock in seconds; C{dropped} is told of devices that were forgotten to make room.
    """

    log = Logger()

    admission: Admission
    partnerships: Partnerships
    mailbox: IMailbox
    metrics: Metrics
    now: Callable[[], int]
    envelope: Envelope
    dropped: Callable[[DeviceKey], None]
    newcomers: Newcomers = field(init=False)
    _said: OrderedDict[tuple[DeviceKey, str], int] = field(init=False, factory=OrderedDict)

    def __attrs_post_init__(self) -> None:
        self.newcomers = Newcomers(self.partnerships, self.admission, self.kept_out, self.full, self.recycled)

    def apply(self, config: Config, board: Switchboard) -> None:
        """Put a configuration in force that was read anew: parked requests of devices that may not come in any more
        end."""
        self.envelope = envelope(config)
        terms = admission_terms(config)
        if terms == self.admission.terms:
            return
        self.admission.terms = terms
        board.recall(self._out, "access")

    def _out(self, key: DeviceKey) -> bool:
        # Of a device that is not in memory nothing is known but its name; it is judged when it comes again.
        device = self.partnerships.at_hand(key)
        return device is not None and not self.admission.verdict(device).admits

    def kept_out(self, device: Device, verdict: Verdict) -> None:
        """A device came that may not come in, and its user was not told yet."""
        if self._lately(device.key, verdict.access.value):
            return
        self.log.warn(
            "event 3111: {device} ({type}) of {user} is kept out, {access}: {why}",
            event_id=3111,
            device=device.key.device,
            type=device.type,
            user=device.key.user,
            access=verdict.access.value,
            why=str(verdict),
        )
        self.metrics.kept_out.labels(verdict.access.value).inc()
        telling = Deferred.fromCoroutine(self._tell(device, verdict.access))
        telling.addErrback(lambda failure: self.log.failure("a user could not be told of a device", failure))

    async def _tell(self, device: Device, access: Access) -> None:
        at = datetime.fromtimestamp(self.now()).astimezone()
        try:
            await self.mailbox.deliver(device.key.user, kept_out_mail(device, access, at, self.envelope))
        except CancelledError:
            raise
        except Exception as error:
            self.log.warn(
                "{user} could not be told of {device}: {why}",
                user=device.key.user,
                device=device.key.device,
                why=str(error) or type(error).__name__,
            )
            return
        current = await self.partnerships.device(device.key)
        if current is not None:
            await self.partnerships.keep(evolve(current, told=access.value), durable=True)

    def full(self, key: DeviceKey, count: int) -> None:
        """A device came for which there is no room."""
        if self._lately(key, "limit"):
            return
        self.log.warn(
            "event 3112: {device} is one too many: {user} has {count} devices, and may have {most}",
            event_id=3112,
            device=key.device,
            user=key.user,
            count=count,
            most=self.admission.terms.most,
        )
        self.metrics.kept_out.labels("limit").inc()

    def recycled(self, device: Device) -> None:
        """A device was forgotten to make room for another."""
        self.log.warn(
            "event 3113: {device} of {user} is forgotten to make room for another one: it did not come for {days} days",
            event_id=3113,
            device=device.key.device,
            user=device.key.user,
            days=(self.now() - device.last_seen) // DAY,
        )
        self.metrics.recycled.inc()
        self.dropped(device.key)

    def _lately(self, key: DeviceKey, what: str) -> bool:
        """Whether it was said a short while ago; from now on it was."""
        now, said = self.now(), self._said.pop((key, what), None)
        lately = said is not None and 0 <= now - said < AGAIN
        self._said[key, what] = said if lately and said is not None else now
        while len(self._said) > MOST:
            self._said.popitem(last=False)
        return lately
