"""The database of the journal: its tables, connections and transactions, on SQLite and PostgreSQL."""
