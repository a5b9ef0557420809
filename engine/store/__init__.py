"""The adapters to Postgres: the engine's ports on psycopg and the SQL of `flowledger.sql`."""
