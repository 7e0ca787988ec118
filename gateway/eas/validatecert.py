"""ValidateCert: whether certificates of people can be believed ([MS-ASCMD] 2.2.1.22)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from attrs import define
from cryptography import x509
from twisted.logger import Logger

from gateway.eas.call import Answer, Call, Refused
from gateway.eas.certificates import BAD_SIGNATURE, Trust, judge, read
from gateway.eas.options import Malformed, flag, only
from gateway.eas.reading import Run
from gateway.element import Element

SUCCESS, PROTOCOL, FAILED = 1, 2, 17
NO_BODY = 101

MOST = 100
"""Certificates in a request ([MS-ASCMD] 3.1.5.10)."""


@define(eq=False)
class ValidateCert:
    """The ValidateCert command.

    @param run: runs a function in a thread. @param now: seconds since the epoch.
    @param trust: those who may vouch for certificates; may be replaced. Raises C{OSError} or C{ValueError} if that
        cannot be said.
    """

    log = Logger()

    run: Run
    now: Callable[[], float]
    trust: Callable[[], Trust]

    async def __call__(self, call: Call) -> Answer:
        """Judge each certificate; none of them is fetched, nor is whether it was revoked.

        @raise Refused: 101 without a body.
        """
        if call.body is None:
            raise Refused(NO_BODY, "a ValidateCert without a body")
        try:
            chain, certificates, revocation = _asked(call.body)
        except Malformed as error:
            return _answer(PROTOCOL, why=str(error))
        now = datetime.fromtimestamp(self.now(), UTC)
        try:
            statuses = await self.run(self._judge, chain, certificates, revocation, now)
        except (OSError, ValueError) as error:
            self.log.error("Certificates cannot be judged: {why}", why=str(error))
            return _answer(FAILED, why=type(error).__name__)
        return _answer(SUCCESS, statuses)

    def _judge(self, chain: Sequence[str], certificates: Sequence[str], revocation: bool, now: datetime) -> list[int]:
        trust = self.trust()
        known = [_read(text) for text in certificates]
        others = [other for other in (*map(_read, chain), *known) if other is not None]
        return [
            BAD_SIGNATURE if one is None else judge(one, others, trust, now, revocation=revocation) for one in known
        ]


def _read(text: str) -> x509.Certificate | None:
    try:
        return read(base64.b64decode(text))
    except (binascii.Error, ValueError):
        return None


def _asked(body: Element) -> tuple[list[str], list[str], bool]:
    """The chain, the certificates in base64, and whether revocation counts; of an empty request there are none.

    @raise Malformed: it is something else, or too much.
    """
    chain, asked = only(body, "ValidateCert:CertificateChain"), only(body, "ValidateCert:Certificates")
    if body.tag != "ValidateCert:ValidateCert":
        raise Malformed("the root is not ValidateCert")
    if not body.children:
        return [], [], False
    if asked is None:
        raise Malformed("there are no Certificates")
    certificates = [child.text for child in asked.all("ValidateCert:Certificate")]
    others = [] if chain is None else [child.text for child in chain.all("ValidateCert:Certificate")]
    if not certificates or len(certificates) + len(others) > MOST:
        raise Malformed(f"not 1 to {MOST} certificates")
    return others, certificates, bool(flag(body, "ValidateCert:CheckCRL"))


def _answer(status: int, statuses: Sequence[int] = (), *, why: str = "") -> Answer:
    found = (Element("ValidateCert:Certificate", Element("ValidateCert:Status", one)) for one in statuses)
    log: dict[str, str | int] = {"St": status, "Cert": ",".join(map(str, statuses))} if statuses else {"St": status}
    if why:
        log["E"] = why
    return Answer(Element("ValidateCert:ValidateCert", Element("ValidateCert:Status", status), *found), log=log)
