"""The library on disk: SQLite, one write thread, named SQL. Everything else meets here."""
