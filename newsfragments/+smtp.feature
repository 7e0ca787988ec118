An SMTP intake for local accounts, with STARTTLS; a mail is on the disk before it is answered with 250.
