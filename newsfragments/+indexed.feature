Mails that come for several users at the same time are put into the search index together, which costs less than half.
