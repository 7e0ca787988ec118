PostgreSQL in place of SQLite.
