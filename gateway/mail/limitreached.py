"""The mails about a limit that keeps triggers back: one to the user whose device waits, one to who runs the server."""

from __future__ import annotations

from datetime import datetime
from types import MappingProxyType

from gateway.mail.notice import Envelope, notice, paragraph
from gateway.model import DeviceKey

#: The limits that are a user's own, in the words of the mail.
OWN = MappingProxyType({"device": "for this device", "user": "for your devices"})
#: Where it can be raised.
_OPTIONS = MappingProxyType(
    {
        "device": "sms.per_device_day",
        "user": "sms.per_user_day",
        "operator": "operators.NAME.per_day",
        "total": "sms.per_day",
        "budget": "sms.budget_day",
    }
)

_WAITS = (
    "The SMS {whose} on one day, by which your device {device} is told of changes, are used up. It is told of further "
    "ones on {until}. Nothing is lost: whatever there is comes with the next synchronisation, and you can start that "
    "on the device at any time."
)
_ASK = "If it is needed more often than that: ask {contact}."
_KEPT = "A limit of SMS is reached, and triggers wait until {until}: {reason}. It was met by device {device} of {user}."
_RAISE = (
    "The limit is {option}. What else waits for it today is in the log (event 3103) and in the trace: pushgw trace "
    "{user}. No more mails are sent of this limit today."
)
_WHEN = "%Y-%m-%d at %H:%M"


def waiting_mail(key: DeviceKey, limit: str, until: datetime, at: datetime, envelope: Envelope) -> bytes:
    """For the user: RFC 5322 bytes.

    @param limit: C{device} or C{user}. @param until: when the next day begins.
    """
    what = _WAITS.format(whose=OWN[limit], device=key.device, until=until.strftime(_WHEN))
    said = (paragraph(what), paragraph(_ASK.format(contact=envelope.asked)))
    return notice(envelope.address(key.user), "Your device is not woken by SMS any more today", said, at, envelope)


def reached_mail(
    recipient: str, key: DeviceKey, limit: str, reason: str, until: datetime, at: datetime, envelope: Envelope
) -> bytes:
    """For who runs the server: RFC 5322 bytes. C{reason} is the limit in numbers; C{limit} may also be C{operator},
    C{total} or C{budget}."""
    when = until.strftime(_WHEN)
    what = _KEPT.format(until=when, reason=reason, device=key.device, user=key.user)
    said = (paragraph(what), paragraph(_RAISE.format(option=_OPTIONS[limit], user=key.user)))
    return notice(recipient, f"SMS triggers wait until {when}: {reason}", said, at, envelope)
