`MeetingResponse`: invitations in mails are accepted and declined; from 16.0 on the gateway tells the organizer, with other times if the user proposes some.
