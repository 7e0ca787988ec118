"""From the configuration to what holds for the triggers of one device."""

from __future__ import annotations

from collections.abc import Callable
from zoneinfo import ZoneInfo

from attrs import define, field

from gateway.config import Config
from gateway.core.policy import Policy
from gateway.core.waker import Settings
from gateway.core.wakerules import WakeRules, day_bounds, quiet_until
from gateway.model import Folder
from gateway.service.settings import wake_rules
from gateway.trigger import Limits, Line, WakeRule

DAY = 86400


def trigger_route(config: Config, line: Line) -> str:
    """Who takes the triggers of a line (C{smpp:NAME}, C{smtp:NAME} or C{relay}); empty: nobody does any more."""
    if line.address:
        return "relay" if config.relay.endpoint and config.sms.allow_own_addresses else ""
    name = line.operator or config.operator_of(line.number)
    operator = config.operators.get(name)
    if operator is None:
        return ""
    return f"smpp:{name}" if operator.smpp else f"smtp:{name}"


@define(eq=False)
class Terms:
    """What one reading of the configuration says of triggers; C{now} gives seconds since the epoch."""

    config: Config
    policy: Policy
    now: Callable[[], int]
    rules: WakeRules = field(init=False)
    _day: tuple[int, int] = field(init=False, default=(0, 0))

    def __attrs_post_init__(self) -> None:
        self.rules = wake_rules(self.config)

    def rule(self, line: Line) -> WakeRule:
        """What holds for a line now."""
        sms, auto, now = self.config.sms, self.config.auto, self.now()
        operator = self.config.operators.get(trigger_route(self.config, line).partition(":")[2])
        user = self.rules.of(line.key.user)
        day, tomorrow = self._today(now)
        return WakeRule(
            mode=self.policy.in_force(line.key),
            batch=sms.batch_seconds,
            repeats=sms.repeats,
            adds_only=sms.adds_only,
            quiet_until=quiet_until(now, user.quiet, user.zone),
            absent=auto.absent_seconds,
            young=auto.young_parks,
            price=operator.price if operator else 0.0,
            day=day,
            tomorrow=tomorrow,
            settle=sms.settle_seconds,
            limits=Limits(
                device=sms.per_device_day,
                user=sms.per_user_day,
                operator=operator.per_day if operator else 0,
                total=sms.per_day,
                budget=sms.budget_day,
            ),
        )

    def _today(self, now: int) -> tuple[int, int]:
        """The day of the limits, which is the same for everybody."""
        if not self._day[0] <= now < self._day[1]:
            zone = self.config.policy.time_zone
            self._day = day_bounds(now, ZoneInfo(zone) if zone else None)
        return self._day

    def may_wake(self, user: str, folder: Folder) -> bool:
        """Whether a change in that folder may wake a device of that user."""
        return self.rules.of(user).folders.may_wake(folder)

    def settings(self) -> Settings:
        """The same as the Waker takes it."""
        config = self.config
        return Settings(self.rule, self.may_wake, lambda line: trigger_route(config, line), config.sms.lease_days * DAY)
