A user whose device waits for the next day, as a limit of triggers is reached, is told by mail, and so is the administrator
(`sms.limit_tells_user`, `sms.limit_tells`).
