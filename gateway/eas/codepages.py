"""The WBXML code pages of ActiveSync ([MS-ASWBXML] 2.1.2.1): which name stands behind which page and token.

A tag of the gateway is C{"Namespace:Name"}, the namespace being that of the page without its colon. Names are those
of the specification; the legacy tokens of protocol 2.5 (AirNotify, bodies before AirSyncBase) are included.
"""

from __future__ import annotations

from types import MappingProxyType

# Page by page from 0: the namespace, then the names of the tokens from 0x05 on; a dash is a token never assigned.
_PAGES = (
    (
        "AirSync",
        """
        Sync Responses Add Change Delete Fetch SyncKey ClientId ServerId Status Collection Class Version CollectionId
        GetChanges MoreAvailable WindowSize Commands Options FilterType Truncation RTFTruncation Conflict Collections
        ApplicationData DeletesAsMoves NotifyGUID Supported SoftDelete MIMESupport MIMETruncation Wait Limit Partial
        ConversationMode MaxItems HeartbeatInterval
        """,
    ),
    (
        "Contacts",
        """
        Anniversary AssistantName AssistantPhoneNumber Birthday Body BodySize BodyTruncated Business2PhoneNumber
        BusinessAddressCity BusinessAddressCountry BusinessAddressPostalCode BusinessAddressState
        BusinessAddressStreet BusinessFaxNumber BusinessPhoneNumber CarPhoneNumber Categories Category Children Child
        CompanyName Department Email1Address Email2Address Email3Address FileAs FirstName Home2PhoneNumber
        HomeAddressCity HomeAddressCountry HomeAddressPostalCode HomeAddressState HomeAddressStreet HomeFaxNumber
        HomePhoneNumber JobTitle LastName MiddleName MobilePhoneNumber OfficeLocation OtherAddressCity
        OtherAddressCountry OtherAddressPostalCode OtherAddressState OtherAddressStreet PagerNumber RadioPhoneNumber
        Spouse Suffix Title WebPage YomiCompanyName YomiFirstName YomiLastName CompressedRTF Picture Alias
        WeightedRank
        """,
    ),
    (
        "Email",
        """
        Attachment Attachments AttName AttSize AttOId AttMethod AttRemoved Body BodySize BodyTruncated DateReceived
        DisplayName DisplayTo Importance MessageClass Subject Read To Cc From ReplyTo AllDayEvent Categories Category
        DtStamp EndTime InstanceType BusyStatus Location MeetingRequest Organizer RecurrenceId Reminder
        ResponseRequested Recurrences Recurrence Type Until Occurrences Interval DayOfWeek DayOfMonth WeekOfMonth
        MonthOfYear StartTime Sensitivity TimeZone GlobalObjId ThreadTopic MIMEData MIMETruncated MIMESize
        InternetCPID Flag Status ContentClass FlagType CompleteTime DisallowNewTimeProposal
        """,
    ),
    (
        "AirNotify",
        """
        Notify Notification Version LifeTime DeviceInfo Enable Folder ServerId DeviceAddress ValidCarrierProfiles
        CarrierProfile Status Responses Devices Device Id Expiry NotifyGUID DeviceFriendlyName
        """,
    ),
    (
        "Calendar",
        """
        Timezone AllDayEvent Attendees Attendee Email Name Body BodyTruncated BusyStatus Categories Category
        Compressed_RTF DtStamp EndTime Exception Exceptions Deleted ExceptionStartTime Location MeetingStatus
        OrganizerEmail OrganizerName Recurrence Type Until Occurrences Interval DayOfWeek DayOfMonth WeekOfMonth
        MonthOfYear Reminder Sensitivity Subject StartTime UID AttendeeStatus AttendeeType - - - - - - - -
        DisallowNewTimeProposal ResponseRequested AppointmentReplyTime ResponseType CalendarType IsLeapMonth
        FirstDayOfWeek OnlineMeetingConfLink OnlineMeetingExternalLink ClientUid
        """,
    ),
    (
        "Move",
        "MoveItems Move SrcMsgId SrcFldId DstFldId Response Status DstMsgId",
    ),
    (
        "GetItemEstimate",
        "GetItemEstimate Version Collections Collection Class CollectionId DateTime Estimate Response Status",
    ),
    (
        "FolderHierarchy",
        """
        Folders Folder DisplayName ServerId ParentId Type Response Status ContentClass Changes Add Delete Update
        SyncKey FolderCreate FolderDelete FolderUpdate FolderSync Count Version
        """,
    ),
    (
        "MeetingResponse",
        """
        CalendarId CollectionId MeetingResponse RequestId Request Result Status UserResponse Version InstanceId -
        ProposedStartTime ProposedEndTime SendResponse
        """,
    ),
    (
        "Tasks",
        """
        Body BodySize BodyTruncated Categories Category Complete DateCompleted DueDate UtcDueDate Importance
        Recurrence Type Start Until Occurrences Interval DayOfMonth DayOfWeek WeekOfMonth MonthOfYear Regenerate
        DeadOccur ReminderSet ReminderTime Sensitivity StartDate UtcStartDate Subject CompressedRTF OrdinalDate
        SubOrdinalDate CalendarType IsLeapMonth FirstDayOfWeek
        """,
    ),
    (
        "ResolveRecipients",
        """
        ResolveRecipients Response Status Type Recipient DisplayName EmailAddress Certificates Certificate
        MiniCertificate Options To CertificateRetrieval RecipientCount MaxCertificates MaxAmbiguousRecipients
        CertificateCount Availability StartTime EndTime MergedFreeBusy Picture MaxSize Data MaxPictures
        """,
    ),
    (
        "ValidateCert",
        "ValidateCert Certificates Certificate CertificateChain CheckCRL Status",
    ),
    (
        "Contacts2",
        "CustomerId GovernmentId IMAddress IMAddress2 IMAddress3 ManagerName CompanyMainPhone AccountName NickName MMS",
    ),
    (
        "Ping",
        "Ping AutdState Status HeartbeatInterval Folders Folder Id Class MaxFolders",
    ),
    (
        "Provision",
        """
        Provision Policies Policy PolicyType PolicyKey Data Status RemoteWipe EASProvisionDoc DevicePasswordEnabled
        AlphanumericDevicePasswordRequired RequireStorageCardEncryption PasswordRecoveryEnabled DocumentBrowseEnabled
        AttachmentsEnabled MinDevicePasswordLength MaxInactivityTimeDeviceLock MaxDevicePasswordFailedAttempts
        MaxAttachmentSize AllowSimpleDevicePassword DevicePasswordExpiration DevicePasswordHistory AllowStorageCard
        AllowCamera RequireDeviceEncryption AllowUnsignedApplications AllowUnsignedInstallationPackages
        MinDevicePasswordComplexCharacters AllowWiFi AllowTextMessaging AllowPOPIMAPEmail AllowBluetooth AllowIrDA
        RequireManualSyncWhenRoaming AllowDesktopSync MaxCalendarAgeFilter AllowHTMLEmail MaxEmailAgeFilter
        MaxEmailBodyTruncationSize MaxEmailHTMLBodyTruncationSize RequireSignedSMIMEMessages
        RequireEncryptedSMIMEMessages RequireSignedSMIMEAlgorithm RequireEncryptionSMIMEAlgorithm
        AllowSMIMEEncryptionAlgorithmNegotiation AllowSMIMESoftCerts AllowBrowser AllowConsumerEmail
        AllowRemoteDesktop AllowInternetSharing UnapprovedInROMApplicationList ApplicationName ApprovedApplicationList
        Hash AccountOnlyRemoteWipe
        """,
    ),
    (
        "Search",
        """
        Search - Store Name Query Options Range Status Response Result Properties Total EqualTo Value And Or FreeText
        - DeepTraversal LongId RebuildResults LessThan GreaterThan Schema Supported UserName Password ConversationId
        Picture MaxSize MaxPictures
        """,
    ),
    (
        "Gal",
        """
        DisplayName Phone Office Title Company Alias FirstName LastName HomePhone MobilePhone EmailAddress Picture
        Status Data
        """,
    ),
    (
        "AirSyncBase",
        """
        BodyPreference Type TruncationSize AllOrNone - Body Data EstimatedDataSize Truncated Attachments Attachment
        DisplayName FileReference Method ContentId ContentLocation IsInline NativeBodyType ContentType Preview
        BodyPartPreference BodyPart Status Add Delete ClientId Content Location Annotation Street City State Country
        PostalCode Latitude Longitude Accuracy Altitude AltitudeAccuracy LocationUri InstanceId
        """,
    ),
    (
        "Settings",
        """
        Settings Status Get Set Oof OofState StartTime EndTime OofMessage AppliesToInternal AppliesToExternalKnown
        AppliesToExternalUnknown Enabled ReplyMessage BodyType DevicePassword Password DeviceInformation Model IMEI
        FriendlyName OS OSLanguage PhoneNumber UserInformation EmailAddresses SMTPAddress UserAgent EnableOutboundSMS
        MobileOperator PrimarySmtpAddress Accounts Account AccountId AccountName UserDisplayName SendDisabled -
        RightsManagementInformation
        """,
    ),
    (
        "DocumentLibrary",
        "LinkId DisplayName IsFolder CreationDate LastModifiedDate IsHidden ContentLength ContentType",
    ),
    (
        "ItemOperations",
        """
        ItemOperations Fetch Store Options Range Total Properties Data Status Response Version Schema Part
        EmptyFolderContents DeleteSubFolders UserName Password Move DstFldId ConversationId MoveAlways
        """,
    ),
    (
        "ComposeMail",
        """
        SendMail SmartForward SmartReply SaveInSentItems ReplaceMime - Source FolderId ItemId LongId InstanceId Mime
        ClientId Status AccountId - Forwardees Forwardee Name Email
        """,
    ),
    (
        "Email2",
        """
        UmCallerID UmUserNotes UmAttDuration UmAttOrder ConversationId ConversationIndex LastVerbExecuted
        LastVerbExecutionTime ReceivedAsBcc Sender CalendarType IsLeapMonth AccountId FirstDayOfWeek
        MeetingMessageType - IsDraft Bcc Send
        """,
    ),
    (
        "Notes",
        "Subject MessageClass LastModifiedDate Categories Category",
    ),
    (
        "RightsManagement",
        """
        RightsManagementSupport RightsManagementTemplates RightsManagementTemplate RightsManagementLicense EditAllowed
        ReplyAllowed ReplyAllAllowed ForwardAllowed ModifyRecipientsAllowed ExtractAllowed PrintAllowed ExportAllowed
        ProgrammaticAccessAllowed Owner ContentExpiryDate TemplateID TemplateName TemplateDescription ContentOwner
        RemoveRightsManagementProtection
        """,
    ),
    (
        "Find",
        """
        Find SearchId ExecuteSearch MailBoxSearchCriterion Query Status FreeText Options Range DeepTraversal - -
        Response Result Properties Preview HasAttachments Total DisplayCc DisplayBcc GalSearchCriterion - - - - - -
        MaxPictures MaxSize Picture
        """,
    ),
)

FIRST_TOKEN = 0x05
TOKENS_PER_PAGE = 0x40


def _names(namespace: str, names: str) -> tuple[str | None, ...]:
    """The tags of a page, indexed by token."""
    tags: list[str | None] = [None] * TOKENS_PER_PAGE
    for token, name in enumerate(names.split(), FIRST_TOKEN):
        tags[token] = None if name == "-" else f"{namespace}:{name}"
    return tuple(tags)


TAGS: tuple[tuple[str | None, ...], ...] = tuple(_names(*page) for page in _PAGES)
"""C{TAGS[page][token]} is the tag, or C{None} for a token that stands for nothing."""

TOKENS: MappingProxyType[str, tuple[int, int]] = MappingProxyType(
    {tag: (page, token) for page, tags in enumerate(TAGS) for token, tag in enumerate(tags) if tag is not None}
)
"""The page and the token of each tag."""
