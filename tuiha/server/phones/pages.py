"""The code pages of ActiveSync's WBXML (MS-ASWBXML, section 2.1.2.1): which token stands for which element.

Pages of calendar, contacts and notes are left out: this server has none of them, and reads over their elements.
"""

from __future__ import annotations

from collections.abc import Iterator

# By page: its number, its namespace, and its names by token from 0x05 on. `-` is a token that has no name.
_PAGES: tuple[tuple[int, str, str], ...] = (
    (0, "AirSync", """Sync Responses Add Change Delete Fetch SyncKey ClientId ServerId Status Collection Class -
        CollectionId GetChanges MoreAvailable WindowSize Commands Options FilterType Truncation - Conflict Collections
        ApplicationData DeletesAsMoves - Supported SoftDelete MIMESupport MIMETruncation Wait Limit Partial
        ConversationMode MaxItems HeartbeatInterval"""),
    (2, "Email", """- - - - - - - - - - DateReceived - DisplayTo Importance MessageClass Subject Read To Cc From
        ReplyTo AllDayEvent Categories Category DtStamp EndTime InstanceType BusyStatus Location MeetingRequest
        Organizer RecurrenceId Reminder ResponseRequested Recurrences Recurrence Type Until Occurrences Interval
        DayOfWeek DayOfMonth WeekOfMonth MonthOfYear StartTime Sensitivity TimeZone GlobalObjId ThreadTopic
        MIMEData MIMETruncated MIMESize InternetCPID Flag Status ContentClass FlagType CompleteTime
        DisallowNewTimeProposal"""),
    (5, "Move", "MoveItems Move SrcMsgId SrcFldId DstFldId Response Status DstMsgId"),
    (6, "GetItemEstimate", "GetItemEstimate - Collections Collection Class CollectionId - Estimate Response Status"),
    (7, "FolderHierarchy", """- - DisplayName ServerId ParentId Type - Status - Changes Add Delete Update SyncKey
        FolderCreate FolderDelete FolderUpdate FolderSync Count"""),
    (9, "Tasks", """- - - - - Complete DateCompleted DueDate UtcDueDate Importance - - - - - - - - - - - - ReminderSet
        ReminderTime Sensitivity StartDate UtcStartDate Subject - OrdinalDate SubOrdinalDate"""),
    (13, "Ping", "Ping - Status HeartbeatInterval Folders Folder Id Class MaxFolders"),
    (14, "Provision", """Provision Policies Policy PolicyType PolicyKey Data Status RemoteWipe EASProvisionDoc
        DevicePasswordEnabled"""),
    (15, "Search", """Search - Store Name Query Options Range Status Response Result Properties Total EqualTo Value
        And Or FreeText - DeepTraversal LongId RebuildResults LessThan GreaterThan - - UserName Password
        ConversationId Picture MaxSize MaxPictures"""),
    (17, "AirSyncBase", """BodyPreference Type TruncationSize AllOrNone - Body Data EstimatedDataSize Truncated
        Attachments Attachment DisplayName FileReference Method ContentId ContentLocation IsInline
        NativeBodyType ContentType Preview BodyPartPreference BodyPart Status Add Delete ClientId Content
        Location Annotation Street City State Country PostalCode Latitude Longitude Accuracy Altitude
        AltitudeAccuracy LocationUri InstanceId"""),
    (18, "Settings", """Settings Status Get Set Oof OofState StartTime EndTime OofMessage AppliesToInternal
        AppliesToExternalKnown AppliesToExternalUnknown Enabled ReplyMessage BodyType DevicePassword Password
        DeviceInformation Model IMEI FriendlyName OS OSLanguage PhoneNumber UserInformation EmailAddresses SMTPAddress
        UserAgent EnableOutboundSMS MobileOperator PrimarySmtpAddress Accounts Account AccountId AccountName
        UserDisplayName SendDisabled - RightsManagementInformation"""),
    (20, "ItemOperations", """ItemOperations Fetch Store Options Range Total Properties Data Status Response
        Version Schema Part EmptyFolderContents DeleteSubFolders UserName Password Move DstFldId ConversationId
        MoveAlways"""),
    (21, "ComposeMail", """SendMail SmartForward SmartReply SaveInSentItems ReplaceMime - Source FolderId ItemId
        LongId InstanceId Mime ClientId Status AccountId"""),
    (22, "Email2", """UmCallerID UmUserNotes UmAttDuration UmAttOrder ConversationId ConversationIndex
        LastVerbExecuted LastVerbExecutionTime ReceivedAsBcc Sender CalendarType IsLeapMonth AccountId FirstDayOfWeek
        MeetingMessageType - IsDraft Bcc Send"""),
    (25, "Find", """Find SearchId ExecuteSearch MailBoxSearchCriterion Query Status FreeText Options Range
        DeepTraversal - - Response Result Properties Preview HasAttachments Total DisplayCc DisplayBcc
        GALSearchCriterion MaxPictures MaxSize Picture"""),
)
_FIRST = 0x05


def _tokens() -> Iterator[tuple[str, tuple[int, int]]]:
    for page, namespace, names in _PAGES:
        for token, name in enumerate(names.split(), _FIRST):
            if name != "-":
                yield f"{namespace}:{name}", (page, token)


TOKENS: dict[str, tuple[int, int]] = dict(_tokens())  # `AirSync:Sync` -> page and token
TAGS: dict[tuple[int, int], str] = {place: tag for tag, place in TOKENS.items()}
