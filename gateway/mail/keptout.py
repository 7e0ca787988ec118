"""The mail that a user gets of whom a device may not synchronise."""

from __future__ import annotations

from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid
from textwrap import fill

from attrs import frozen

from gateway.model import Access, Device

_WIDTH = 72

_SUBJECTS = {
    Access.QUARANTINE: "A device waits to be allowed to synchronise your mail",
    Access.BLOCK: "A device may not synchronise your mail",
}

_WHAT = {
    Access.QUARANTINE: "A device has asked for your mail for the first time. It gets nothing until it is allowed.",
    Access.BLOCK: "A device has asked for your mail. It is blocked on this server and gets nothing.",
}

_YOURS = {
    Access.QUARANTINE: "If the device is yours: ask {contact} to allow it, and name what stands above. Leave the "
    "account on the device as it is: once allowed, it begins by itself.",
    Access.BLOCK: "If the device is yours and should get your mail: ask {contact}, and name what stands above. "
    "Otherwise remove the account from the device.",
}

_NOT_YOURS = "If the device is not yours: somebody knows your password. Have it changed at once, and tell {contact}."


@frozen
class Envelope:
    """Of whom and to whom such a mail is: C{host} is the name of this one, C{contact} whom users may ask."""

    host: str
    domain: str
    contact: str = ""


def kept_out_mail(device: Device, access: Access, at: datetime, envelope: Envelope) -> bytes:
    """What happened, with what the device says of itself, and what to do: RFC 5322 bytes.

    @param access: quarantine or block. @param at: when it came, with a zone.
    """
    user = device.key.user
    message = EmailMessage(SMTP)
    message["From"] = f"pushgw <postmaster@{envelope.domain}>"
    message["To"] = user if "@" in user else f"{user}@{envelope.domain}"
    message["Subject"] = _SUBJECTS[access]
    message["Date"] = format_datetime(at)
    message["Message-ID"] = make_msgid(domain=envelope.host)
    # RFC 3834 5: nobody's absence is told in answer to this.
    message["Auto-Submitted"] = "auto-generated"
    contact = envelope.contact or "the administrator of this server"
    yours, not_yours = (fill(text.format(contact=contact), _WIDTH) for text in (_YOURS[access], _NOT_YOURS))
    message.set_content("\n\n".join((fill(_WHAT[access], _WIDTH), _about(device, at), yours, not_yours)) + "\n")
    return message.as_bytes()


def _about(device: Device, at: datetime) -> str:
    rows = {
        "Device": device.key.device,
        "Type": device.type or "it does not say",
        "Program": device.agent or "it does not say",
        "Account": device.key.user,
        "Came": at.strftime("%Y-%m-%d %H:%M:%S %z"),
    }
    return "\n".join(f"  {name + ':':9} {text}" for name, text in rows.items())
