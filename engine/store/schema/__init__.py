"""The database schema: migrations, checks at opening, and the reference page."""
