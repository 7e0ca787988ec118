A device may send 1,000 requests at once and 30 a second in the long run by default (60 and 10 before): the first Sync of a large mailbox is not put off.
