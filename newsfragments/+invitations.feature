Invitations and cancellations in mails are shown as MeetingRequest, with time zone, recurrence and GlobalObjId or UID, in every protocol version.
