"""The mail that a user gets of whom a device may not synchronise."""

from __future__ import annotations

from datetime import datetime

from gateway.mail.notice import Envelope, notice, paragraph
from gateway.model import Access, Device

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


def kept_out_mail(device: Device, access: Access, at: datetime, envelope: Envelope) -> bytes:
    """What happened, with what the device says of itself, and what to do: RFC 5322 bytes.

    @param access: quarantine or block. @param at: when it came, with a zone.
    """
    yours, not_yours = (paragraph(text.format(contact=envelope.asked)) for text in (_YOURS[access], _NOT_YOURS))
    said = (paragraph(_WHAT[access]), _about(device, at), yours, not_yours)
    return notice(envelope.address(device.key.user), _SUBJECTS[access], said, at, envelope)


def _about(device: Device, at: datetime) -> str:
    rows = {
        "Device": device.key.device,
        "Type": device.type or "it does not say",
        "Program": device.agent or "it does not say",
        "Account": device.key.user,
        "Came": at.strftime("%Y-%m-%d %H:%M:%S %z"),
    }
    return "\n".join(f"  {name + ':':9} {text}" for name, text in rows.items())
