"""What the doctor asks of a running gateway."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gateway.admin.examination import Live
from gateway.admin.facts import Bind
from gateway.core.cuts import Cuts
from gateway.core.heartbeat import HeartbeatWindow
from gateway.core.switchboard import Claim, Ended
from gateway.cred.throttle import Throttle
from gateway.mail.undelivered import LOCAL
from gateway.service.knocking import Sender
from gateway.service.mailout import MailOut
from gateway.service.smsout import SmsOut
from gateway.sms.operator import CentreState
from gateway.sources.maildir import MaildirSource


def make_live(
    throttle: Throttle, source: MaildirSource, window: HeartbeatWindow, cuts: Cuts, senders: list[Sender]
) -> Live:
    """Where each answer comes from."""
    return Live(
        slowed=throttle.slowed,
        coverage=source.coverage,
        alarm=lambda: window.average if window.alarmed else 0.0,
        cuts=cuts.of,
        binds=lambda: tuple(binds(senders)),
    )


def note_cut(cuts: Cuts, claim: Claim, end: Ended) -> None:
    """A Watch is over; one that never waited lasted no time."""
    if claim.since:
        cuts.ended(claim.device, end.ending, claim.since, end.at)


def binds(senders: Iterable[Sender]) -> Iterator[Bind]:
    """How the connections of all routes stand."""
    for sender in senders:
        if isinstance(sender, SmsOut):
            for route, centres in sender.states().items():
                for centre in centres:
                    yield from smpp_binds(route, centre)
        elif isinstance(sender, MailOut):
            for route, pump in ((route, pump) for route, pump in sender.pumps.items() if route != LOCAL):
                yield Bind(route, not pump.trouble, pump.trouble, pump.refused)


def smpp_binds(route: str, centre: CentreState) -> Iterator[Bind]:
    """The binds to an SMSC that should be, those that are there first; none if it is not used now."""
    barred = centre.refused and centre.used
    for number in range(max(centre.wanted, centre.bound)):
        up = number < centre.bound and not barred
        yield Bind(route, up, "" if up else centre.trouble, centre.refused, centre.throttled)
