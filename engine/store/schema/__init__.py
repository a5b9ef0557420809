"""The database's schema: its migrations, and the page that describes it."""
