"""Notices as servers send them, with made-up names."""

from __future__ import annotations

NAME = "<4d.abcdef.0123456789abcdef@example.org>"
MAIL = f"Message-ID: {NAME}\nFrom: <sms@example.org>\nTo: <491701234567@sms.example.net>\n"


def report(
    fields: str,
    original: str = f"Content-Type: text/rfc822-headers\n\n{MAIL}",
    top: str = "",
    kind: str = "message/delivery-status",
) -> bytes:
    """A notice as RFC 3464 has it; C{fields} are about the recipient."""
    text = f"""\
From: MAILER-DAEMON@mx.example.net (Mail Delivery System)
To: sms@example.org
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
{top}MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain; charset=us-ascii

This is the mail system at host mx.example.net.

--b
Content-Type: {kind}

Reporting-MTA: dns; mx.example.net
Arrival-Date: Fri, 1 May 2026 12:00:00 +0200 (CEST)

Final-Recipient: rfc822; 491701234567@sms.example.net
{fields}

--b
{original}

--b--
"""
    return text.replace("\n", "\r\n").encode()


FAILED = """\
Original-Recipient: rfc822;491701234567@sms.example.net
Action: failed
Status: 5.1.1
Remote-MTA: dns; smsc.example.net
Diagnostic-Code: smtp; 550 5.1.1 <491701234567@sms.example.net>:
    Recipient address rejected: no such number"""
DELAYED = "Action: delayed\nStatus: 4.4.1\nDiagnostic-Code: X-Postfix; connect: Connection timed out"
DELIVERED = "Action: delivered (to handset)\nStatus: 2.0.0\nDiagnostic-Code: smtp; 250 ok"

QMAIL = f"""\
Return-Path: <>
From: MAILER-DAEMON@qmail.example.net
To: sms@example.org
Subject: failure notice

Hi. This is the qmail-send program at qmail.example.net.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<491701234567@sms.example.net>:
192.0.2.7 does not like recipient.
Remote host said: 550 5.7.1 number is barred
Giving up on 192.0.2.7.

--- Below this line is a copy of the message.

Return-Path: <sms@example.org>
{MAIL}
PUSHGW 1
""".encode()

EXIM = f"""\
Return-path: <>
X-Failed-Recipients: 491701234567@sms.example.net
Auto-Submitted: auto-generated
From: Mail Delivery System <Mailer-Daemon@exim.example.net>
Subject: Mail delivery failed: returning message to sender

This message was created automatically by mail delivery software (Exim 4.96.1).

A message that you sent could not be delivered to one or more of its recipients.

  491701234567@sms.example.net
    no such number

------ This is a copy of the message, including all the headers. ------

{MAIL}""".encode()

DELAY_IN_WORDS = b"""\
Return-Path: <>
From: MAILER-DAEMON@old.example.net
Subject: Warning: could not send message for past 4 hours
In-Reply-To: <4d.abcdef.0123456789abcdef@example.org>

    THIS IS A WARNING MESSAGE ONLY: 451 4.4.1 could not deliver, will be retried
"""

VACATION = b"""\
Return-Path: <>
From: postmaster@example.net
Subject: Delivery failed? No, I am on holiday
Auto-Submitted: auto-replied
In-Reply-To: <4d.abcdef.0123456789abcdef@example.org>

I will read your mail on Monday. 550 is my room.
"""

PERSON = b"""\
From: bob@example.net
Subject: undelivered parcel
In-Reply-To: <4d.abcdef.0123456789abcdef@example.org>

Where is it?
"""
