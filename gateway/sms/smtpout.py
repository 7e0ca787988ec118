"""The mail that an operator's mail gateway makes an SMS of: nothing in it but the trigger.

Gateways put subject, signature and all parts into the SMS, so there is none of them unless it is asked for.
"""

from __future__ import annotations

import re
from email.utils import formatdate

from attrs import frozen

PLACE = "{number}"
#: Octets of a line of a mail, without its end (RFC 5322 2.1.1).
LONGEST_LINE = 998

_NUMBER = re.compile(r"\+[1-9][0-9]{4,14}")
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*")
_PRINTABLE = re.compile(r"[ -~]*")
_BODY = re.compile(r"[ -~\t\r\n]*")
_FORMS = {"plus": "+", "digits": "", "00": "00"}


@frozen
class MailRule:
    """How an operator wants its mails: C{address} with the place of the number (C{{number}@sms.example.net}), C{form}
    of the number (C{plus}, C{digits}, C{00}), and a fixed C{subject} or none.

    @raise ValueError: the address has no place for the number, or there is no such form.
    """

    address: str
    form: str = "plus"
    subject: str = ""

    def __attrs_post_init__(self) -> None:
        if self.form not in _FORMS:
            raise ValueError(f"there is no form {self.form!r} of a number: it is one of {', '.join(_FORMS)}")
        if self.address.count(PLACE) != 1:
            raise ValueError(f"the address of an operator holds {PLACE} once")
        self.recipient("+49123456")

    def recipient(self, number: str) -> str:
        """The address for a number in E.164 form with its plus sign.

        @raise ValueError: it is no such number, or what comes out is no address.
        """
        if not _NUMBER.fullmatch(number):
            raise ValueError("the number is not in the form +491701234567")
        address = self.address.replace(PLACE, _FORMS[self.form] + number[1:])
        if not _ADDRESS.fullmatch(address):
            raise ValueError("the rule makes no mail address of a number")
        return address


def trigger_mail(text: str, recipient: str, author: str, message_id: str, date: float, subject: str = "") -> bytes:
    """The whole mail, lines ended by CRLF: the body is the text alone, in 7-bit ASCII.

    C{author} is for the header From and may differ from the envelope sender, which may be empty; C{message_id} with
    its angle brackets; C{date} in seconds since the epoch. Without a subject there is no such header.

    @raise ValueError: something that 7-bit ASCII lacks, or that would break a header.
    """
    if not _BODY.fullmatch(text) or not text.strip():
        raise ValueError("the text is empty or not in ASCII")
    headers = {
        "Date": formatdate(date),
        "From": f"<{_address(author)}>",
        "To": f"<{_address(recipient)}>",
        "Subject": subject,
        "Message-ID": message_id,
        "Auto-Submitted": "auto-generated",
        "MIME-Version": "1.0",
        "Content-Type": "text/plain; charset=us-ascii",
        "Content-Transfer-Encoding": "7bit",
    }
    lines = [_header(name, value) for name, value in headers.items() if value]
    body = re.sub(r"\r\n?|\n", "\r\n", text)
    return ("\r\n".join(lines) + "\r\n\r\n" + body.removesuffix("\r\n") + "\r\n").encode("ascii")


def _address(address: str) -> str:
    if not _ADDRESS.fullmatch(address):
        raise ValueError("this is no mail address in ASCII")
    return address


def _header(name: str, value: str) -> str:
    line = f"{name}: {value}"
    if not _PRINTABLE.fullmatch(value) or len(line) > LONGEST_LINE:
        raise ValueError(f"the header {name} is too long or not in ASCII")
    return line
