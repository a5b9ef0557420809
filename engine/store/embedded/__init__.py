"""An embedded Postgres server, for one machine, with no installation by hand."""
