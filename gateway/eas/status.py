"""The common status codes ([MS-ASCMD] 2.2.2): their names, and how a refusal looks in each protocol version."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from attrs import frozen

from gateway.eas.call import Answer, Refused, Version
from gateway.element import Element


@frozen
class Meaning:
    """A common status: its name, the first version that defines it, and the HTTP status that older ones get."""

    name: str
    since: Version
    http: int


# Code, name, HTTP status for 12.1 and older. Where the specification names none the nearest was chosen; codes of what
# no older client can ask for are client errors like any other. 157-159 and 180-182 are not defined.
_TABLE = {
    Version.V14_0: """
        101 InvalidContent 400
        102 InvalidWBXML 400
        103 InvalidXML 400
        104 InvalidDateTime 400
        105 InvalidCombinationOfIDs 400
        106 InvalidIDs 400
        107 InvalidMIME 400
        108 DeviceIdMissingOrInvalid 400
        109 DeviceTypeMissingOrInvalid 400
        110 ServerError 500
        111 ServerErrorRetryLater 503
        112 ActiveDirectoryAccessDenied 403
        113 MailboxQuotaExceeded 507
        114 MailboxServerOffline 503
        115 SendQuotaExceeded 507
        116 MessageRecipientUnresolved 500
        117 MessageReplyNotAllowed 500
        118 MessagePreviouslySent 200
        119 MessageHasNoRecipient 400
        120 MailSubmissionFailed 500
        121 MessageReplyFailed 500
        122 AttachmentIsTooLarge 413
        123 UserHasNoMailbox 403
        124 UserCannotBeAnonymous 401
        125 UserPrincipalCouldNotBeFound 403
        126 UserDisabledForSync 403
        127 UserOnNewMailboxCannotSync 403
        128 UserOnLegacyMailboxCannotSync 403
        129 DeviceIsBlockedForThisUser 403
        130 AccessDenied 403
        131 AccountDisabled 403
        132 SyncStateNotFound 403
        133 SyncStateLocked 503
        134 SyncStateCorrupt 403
        135 SyncStateAlreadyExists 503
        136 SyncStateVersionInvalid 403
        137 CommandNotSupported 501
        138 VersionNotSupported 400
        139 DeviceNotFullyProvisionable 403
        140 RemoteWipeRequested 449
        141 LegacyDeviceOnStrictPolicy 449
        142 DeviceNotProvisioned 449
        143 PolicyRefresh 449
        144 InvalidPolicyKey 449
        145 ExternallyManagedDevicesNotAllowed 403
        146 NoRecurrenceInCalendar 400
        147 UnexpectedItemClass 400
        148 RemoteServerHasNoSSL 500
        149 InvalidStoredRequest 400
        150 ItemNotFound 404
        151 TooManyFolders 403
        152 NoFoldersFound 403
        153 ItemsLostAfterMove 500
        154 FailureInMoveOperation 500
        155 MoveCommandDisallowedForNonPersistentMoveAction 400
        156 MoveCommandInvalidDestinationFolder 400
        160 AvailabilityTooManyRecipients 400
        161 AvailabilityDLLimitReached 400
        162 AvailabilityTransientFailure 400
        163 AvailabilityFailure 400
    """,
    Version.V14_1: """
        164 BodyPartPreferenceTypeNotSupported 400
        165 DeviceInformationRequired 400
        166 InvalidAccountId 400
        167 AccountSendDisabled 400
        168 IRM_FeatureDisabled 400
        169 IRM_TransientError 400
        170 IRM_PermanentError 400
        171 IRM_InvalidTemplateID 400
        172 IRM_OperationNotPermitted 400
        173 NoPicture 400
        174 PictureTooLarge 400
        175 PictureLimitReached 400
        176 BodyPart_ConversationTooLarge 400
        177 MaximumDevicesReached 403
    """,
    Version.V16_0: """
        178 InvalidMimeBodyCombination 400
        179 InvalidSmartForwardParameters 400
        183 InvalidRecipients 400
        184 OneOrMoreExceptionsFailed 400
    """,
}


def _meanings() -> dict[int, Meaning]:
    found = {}
    for since, rows in _TABLE.items():
        for row in rows.strip().splitlines():
            code, name, http = row.split()
            found[int(code)] = Meaning(name, since, int(http))
    return found


STATUSES: Mapping[int, Meaning] = MappingProxyType(_meanings())
"""Every common status by its code."""

REASONS: Mapping[int, str] = MappingProxyType({449: "Retry after sending a PROVISION command"})
"""The reason phrases of HTTP statuses that HTTP itself does not define."""

_OF_COMMAND = {(106, "ComposeMail:SendMail"): 500, (132, "Provision:Provision"): 500}
_BEFORE = {177: 129}
_SERVER_ERROR = 110


def refusal(root: str | None, version: Version | None, refused: Refused) -> Answer:
    """How a refusal is answered.

    From 14.0 on it is the Status under the root of the command, with HTTP 200; before that it is the HTTP status of
    the refusal or of the table. So it is too for a command without a root of its own (C{root} is C{None}) and when
    the version is not known. A code that is not a common one is the command's own and goes under the root in every
    version; a common one that the version does not know yet becomes its nearest older one.
    """
    meaning = STATUSES.get(refused.status)
    log: dict[str, str | int] = {"St": refused.status}
    if refused.why:
        log["E"] = refused.why
    if root is not None and (meaning is None or (version is not None and version >= Version.V14_0)):
        return Answer(element=_under(root, _known(refused.status, version)), log=log)
    http = refused.http
    if http is None:
        http = _OF_COMMAND.get((refused.status, root or ""), meaning.http if meaning else 400)
    headers = {} if refused.retry_after is None else {"Retry-After": str(refused.retry_after)}
    return Answer(status=http, headers=headers, log=log)


def malformed(root: str | None, version: Version, why: str) -> Answer:
    """How a body that is no WBXML is answered: Ping has a status of its own for it ([MS-ASCMD] 2.2.3.177)."""
    return refusal(root, version, Refused(4 if root == "Ping:Ping" else 102, why))


def _known(status: int, version: Version | None) -> int:
    """The status, or an older one for a version that does not define it."""
    meaning = STATUSES.get(status)
    if meaning is None or version is None or version >= meaning.since:
        return status
    return _BEFORE.get(status, _SERVER_ERROR)


def _under(root: str, status: int) -> Element:
    """The root of a command with nothing but a Status, which is of the same page in all of them."""
    return Element(root, Element(f"{root.partition(':')[0]}:Status", status))
