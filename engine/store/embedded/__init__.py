"""An embedded Postgres server, for one machine."""
