"""Telling users that their mail was not delivered: delivery status notifications (RFC 3464)."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from datetime import datetime
from email.message import Message
from email.mime.multipart import MIMEMultipart
from email.mime.nonmultipart import MIMENonMultipart
from email.mime.text import MIMEText
from email.utils import format_datetime, make_msgid

from gateway.trigger import Letter

LOCAL = "local"
"""The route of mail for our own mailboxes."""

OWN_INBOX = "."
"""Among the recipients of a letter of that route: the Inbox of the user whose letter it is."""

MAX_RETURNED = 256 * 1024
"""Octets of a mail that is returned as a whole; of a larger one, its header."""

_MAX_HEADER = 32 * 1024
_STATUS = re.compile(r"(?<![\d.])[45]\.[0-7]\.\d{1,3}(?![\d.])")
_CODE = re.compile(r"[245]\d\d(?= |$)")
_BLANK = re.compile(rb"\r?\n\r?\n")
_SUBJECT = re.compile(rb"^subject:[ \t]*([^\r\n]*(?:\r?\n[ \t]+[^\r\n]*)*)", re.IGNORECASE | re.MULTILINE)
_UNPRINTABLE = re.compile(r"[^ -~]+")
_FOLD = re.compile(r"\s*[\r\n]+\s*")

_TEXT = """\
Your mail was not delivered to:

{who}

It is not tried again. {what}
"""
_DELAYED = """\
Your mail has not been delivered yet to:

{who}

You need not do anything: it is tried again until {until}. {what}
"""
_WHOLE = "The mail is attached."
_HEAD = "Its header is attached."


def undelivered(letter: Letter, faults: Mapping[str, str], host: str, now: datetime) -> Letter | None:
    """The letter that tells the sender of a mail who did not get it; C{None} for one that nobody sent, such as this.

    @param faults: by recipient, why.
    @param host: the name of this host.
    """
    told = {address: why for address, why in faults.items() if "@" in address}
    if not letter.sender or not told:
        return None
    return Letter(letter.key, LOCAL, content=report(letter, told, host, now), recipients=(OWN_INBOX,))


def delayed(letter: Letter, until: float, host: str, now: datetime) -> Letter | None:
    """The letter that tells the sender of a mail that it still waits; C{None} for one that nobody sent.

    @param letter: the mail, with its header at least. @param until: when it is given up, in seconds since the epoch.
    """
    told = {address: letter.result for address in letter.recipients if "@" in address}
    if not letter.sender or not told:
        return None
    return Letter(letter.key, LOCAL, content=report(letter, told, host, now, until), recipients=(OWN_INBOX,))


def report(letter: Letter, faults: Mapping[str, str], host: str, now: datetime, until: float = 0.0) -> bytes:
    """The notification, with what it is about; C{until} it is tried again, 0: never."""
    head = _BLANK.split(letter.content, maxsplit=1)[0]
    whole = len(letter.content) <= MAX_RETURNED and not until
    made = MIMEMultipart("report")
    made.set_param("report-type", "delivery-status")
    found = _SUBJECT.search(head)
    subject = _FOLD.sub(" ", _line(found[1].decode("ascii", "replace"), 500)) if found else ""
    made["From"] = f"Mail Delivery System <MAILER-DAEMON@{host}>"
    made["To"] = letter.sender
    state = "Delayed" if until else "Undelivered"
    made["Subject"] = f"{state}: {subject}" if subject else f"{state} mail"
    made["Date"] = format_datetime(now)
    made["Message-ID"] = make_msgid(domain=host)
    made["Auto-Submitted"] = "auto-replied"
    who = "\n".join(f"  {address}\n    {why or 'no reason is known'}" for address, why in faults.items())
    text = _DELAYED if until else _TEXT
    said = text.format(who=who, what=_WHOLE if whole else _HEAD, until=_date(until, now))
    made.attach(MIMEText(said, "plain", "utf-8"))
    made.attach(_status(faults, host, letter, now, until))
    returned, mark = Message(), secrets.token_hex(16)
    returned["Content-Type"] = "message/rfc822" if whole else "text/rfc822-headers"
    returned["Content-Transfer-Encoding"] = "7bit" if letter.content.isascii() else "8bit"
    returned.set_payload(mark)
    made.attach(returned)
    octets = b"Return-Path: <>\n" + made.as_bytes()
    # The library would take apart and write anew what came from others, and not everything survives that.
    content = letter.content if whole else head[:_MAX_HEADER] + b"\n"
    return octets.replace(b"\r\n", b"\n").replace(mark.encode("ascii"), content.replace(b"\r\n", b"\n"))


def _status(faults: Mapping[str, str], host: str, letter: Letter, now: datetime, until: float) -> Message:
    """The part for programs."""
    blocks = [_block({"Reporting-MTA": f"dns; {host}", "Arrival-Date": _date(letter.created, now)})]
    for address, why in faults.items():
        status = _STATUS.search(why)
        kind = "smtp" if _CODE.match(why) else "x-pushgw"
        said = {
            "Final-Recipient": f"rfc822; {_line(address, 320)}",
            "Action": "delayed" if until else "failed",
            "Status": status[0] if status else "4.0.0" if until else "5.0.0",
            "Diagnostic-Code": f"{kind}; {_line(why, 800) or 'unknown'}",
            "Last-Attempt-Date": format_datetime(now),
        }
        if until:
            said["Will-Retry-Until"] = _date(until, now)
        blocks.append(_block(said))
    part = MIMENonMultipart("message", "delivery-status")
    part.set_payload(blocks)  # type: ignore[arg-type]
    return part


def _block(fields: Mapping[str, str]) -> Message:
    block = Message()
    for name, value in fields.items():
        block[name] = value
    return block


def _date(seconds: float, now: datetime) -> str:
    try:
        return format_datetime(datetime.fromtimestamp(seconds, now.tzinfo))
    except (ValueError, OverflowError, OSError):
        return format_datetime(now)


def _line(text: str, most: int) -> str:
    return _UNPRINTABLE.sub(" ", text).strip()[:most]
