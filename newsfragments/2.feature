Direct Push from end to end on nothing but a folder of Maildirs and an SQLite file: a phone is told of a new mail at once and fetches it, with Exchange ActiveSync 2.5 to 16.1.
