"""Judging the certificate of a person: may mail be believed that was signed with it? ([MS-ASCMD] 2.2.3.177.18)

The library decides which certificates are good (RFC 5280); it does not say in a way that can be told on what is the
matter with the others. So the chain is walked here first, for the status, and a chain in which nothing was found is
good only if the library says so.

Nothing is fetched: neither intermediate certificates nor revocation lists.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar

from attrs import frozen
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import Criticality, ExtensionPolicy, PolicyBuilder, Store, VerificationError

VALID, BAD_SIGNATURE, UNTRUSTED, BAD_CHAIN, NOT_FOR_MAIL, EXPIRED, OLD_CHAIN, WRONG_USE = 1, 3, 4, 5, 6, 7, 8, 9
WRONG_ROLE = 11
NO_REVOCATION_SERVER, NO_REVOCATION = 14, 16

LONGEST_CHAIN = 10

#: How many certificates of one name are tried, as long as each takes a moment.
MOST_OF_A_NAME = 4

E = TypeVar("E", bound=x509.ExtensionType)

_UNREADABLE = (ValueError, TypeError, UnsupportedAlgorithm)
_MAIL = frozenset((ExtendedKeyUsageOID.EMAIL_PROTECTION, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE))


class _Bad(Exception):
    """The certificate has that status."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@frozen(eq=False)
class Trust:
    """Those who may vouch for certificates, by their names."""

    anchors: dict[x509.Name, list[x509.Certificate]]

    @classmethod
    def of(cls, certificates: Sequence[x509.Certificate]) -> Trust:
        """Trust in these."""
        found: dict[x509.Name, list[x509.Certificate]] = {}
        for certificate in certificates:
            found.setdefault(certificate.subject, []).append(certificate)
        return cls(found)


def read(der: bytes) -> x509.Certificate | None:
    """A certificate, or C{None} if it cannot be read as a whole."""
    try:
        certificate = x509.load_der_x509_certificate(der)
        # What is in it is parsed when it is asked for.
        _ = certificate.extensions, certificate.subject, certificate.issuer, certificate.signature_hash_algorithm
        _ = certificate.public_key(), certificate.not_valid_before_utc, certificate.not_valid_after_utc
    except _UNREADABLE:
        return None
    return certificate


def judge(
    certificate: x509.Certificate, others: Sequence[x509.Certificate], trust: Trust, now: datetime, *, revocation: bool
) -> int:
    """The Status of a certificate; C{others} may be in its chain. With C{revocation} it is not enough that nothing
    says that it was revoked, which cannot be known here."""
    try:
        _end(certificate, now)
        chain = _chain(certificate, others, trust)
        for depth, link in enumerate(chain[1:]):
            _authority(link, depth, now)
        if revocation:
            raise _Bad(NO_REVOCATION_SERVER if _of(certificate, x509.CRLDistributionPoints) else NO_REVOCATION)
    except _Bad as bad:
        if bad.status in (NO_REVOCATION, NO_REVOCATION_SERVER) and not _verified(certificate, chain, now):
            return BAD_CHAIN
        return bad.status
    return VALID if _verified(certificate, chain, now) else BAD_CHAIN


def _of(certificate: x509.Certificate, kind: type[E]) -> E | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _in_time(certificate: x509.Certificate, now: datetime) -> bool:
    return certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc


def _end(certificate: x509.Certificate, now: datetime) -> None:
    """What the certificate of a person must be by itself."""
    if not _in_time(certificate, now):
        raise _Bad(EXPIRED)
    basic = _of(certificate, x509.BasicConstraints)
    if basic is not None and basic.ca:
        raise _Bad(WRONG_ROLE)
    purposes = _of(certificate, x509.ExtendedKeyUsage)
    if purposes is not None and _MAIL.isdisjoint(purposes):
        raise _Bad(NOT_FOR_MAIL)
    usage = _of(certificate, x509.KeyUsage)
    if usage is not None and not (usage.digital_signature or usage.content_commitment):
        raise _Bad(WRONG_USE)


def _authority(certificate: x509.Certificate, below: int, now: datetime) -> None:
    """What the certificate of an authority must be, with so many other authorities between it and the person."""
    if not _in_time(certificate, now):
        raise _Bad(OLD_CHAIN)
    basic = _of(certificate, x509.BasicConstraints)
    if basic is None or not basic.ca:
        raise _Bad(WRONG_ROLE)
    usage = _of(certificate, x509.KeyUsage)
    if usage is not None and not usage.key_cert_sign:
        raise _Bad(WRONG_USE)
    if basic.path_length is not None and below > basic.path_length:
        raise _Bad(BAD_CHAIN)


def _chain(certificate: x509.Certificate, others: Sequence[x509.Certificate], trust: Trust) -> list[x509.Certificate]:
    """The certificate and those who vouch for it, up to one that is trusted."""
    chain = [certificate]
    while len(chain) <= LONGEST_CHAIN:
        last = chain[-1]
        anchor = _issuer(last, trust.anchors.get(last.issuer, ()))
        if anchor is not None:
            return chain if anchor == last else [*chain, anchor]
        named = [other for other in others if other.subject == last.issuer and other not in chain]
        issuer = _issuer(last, named)
        if issuer is None:
            # Somebody has that name and did not sign it; or else nobody has it, or it vouches for itself.
            raise _Bad(BAD_SIGNATURE if named or last.issuer in trust.anchors or _forged(last) else UNTRUSTED)
        chain.append(issuer)
    raise _Bad(BAD_CHAIN)


def _issuer(certificate: x509.Certificate, candidates: Sequence[x509.Certificate]) -> x509.Certificate | None:
    return next((candidate for candidate in candidates[:MOST_OF_A_NAME] if _signed(certificate, candidate)), None)


def _forged(certificate: x509.Certificate) -> bool:
    """Whether it says that it vouches for itself, and does not."""
    return certificate.subject == certificate.issuer and not _signed(certificate, certificate)


def _signed(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (*_UNREADABLE, InvalidSignature):
        return False
    return True


def _verified(certificate: x509.Certificate, chain: Sequence[x509.Certificate], now: datetime) -> bool:
    """Whether the library finds the chain good. Of an end certificate that is trusted itself there is none."""
    if len(chain) == 1:
        return True
    people = ExtensionPolicy.permit_all()
    authorities = ExtensionPolicy.permit_all().require_present(x509.BasicConstraints, Criticality.AGNOSTIC, None)
    builder = PolicyBuilder().time(now).max_chain_depth(LONGEST_CHAIN).store(Store([chain[-1]]))
    verifier = builder.extension_policies(ca_policy=authorities, ee_policy=people).build_client_verifier()
    try:
        verifier.verify(certificate, list(chain[1:-1]))
    except VerificationError:
        return False
    return True
