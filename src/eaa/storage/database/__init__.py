"""What the broker keeps, in SQLite or PostgreSQL: one set of tables, one code for both."""
