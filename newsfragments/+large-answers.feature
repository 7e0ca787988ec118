Answers of more than 1 MB, Sync included, wait in a file while the phone takes them, and cost no memory meanwhile.
