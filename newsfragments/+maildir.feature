Maildir++ folders as the source of mail, watched with inotify; whatever another program does there is noticed, also what it did while the gateway was down.
